//! A whole response at once, for handlers whose body is at hand, and the request headers that they look at.

use ngx::core::Status;
use ngx::ffi::*;

use crate::nginx::request::Request;
use crate::nginx::value::bytes;

impl Request {
    /// The value of a request header, its name in any case; the first where the client sent several.
    pub fn header_in(&self, name: &[u8]) -> Option<&[u8]> {
        // SAFETY: the list's parts and the texts lie in the request's pool; each part holds `nelts` headers.
        unsafe {
            let mut part: *const ngx_list_part_t = &raw const (*self.as_ptr()).headers_in.headers.part;
            while let Some(entries) = part.as_ref() {
                for at in 0..entries.nelts {
                    let header = &*entries.elts.cast::<ngx_table_elt_t>().add(at);
                    // A hash of 0 marks a header that was taken back.
                    if header.hash != 0 && bytes(&header.key).eq_ignore_ascii_case(name) {
                        return Some(bytes(&header.value));
                    }
                }
                part = entries.next;
            }
            None
        }
    }

    /// Sends a complete response with its length, and only its header where the client asked for no more. What it
    /// returns ends the request: nginx's own pages (`error_page`) do not replace it, whatever the status.
    pub fn respond(&self, status: usize, headers: &[(&str, &str)], content_type: &str, body: &[u8]) -> Status {
        let no_memory = Status(NGX_HTTP_INTERNAL_SERVER_ERROR as _);
        let (Some(content_type), Some(body)) = (self.copy(content_type.as_bytes()), self.copy(body)) else {
            return no_memory;
        };
        self.set_status(status);
        for (name, value) in headers {
            if self.push_header_out(name, value).is_none() {
                return no_memory;
            }
        }
        // SAFETY: a live request whose header was not sent; the texts were copied into its pool.
        unsafe {
            let r = self.as_ptr();
            let out = &mut (*r).headers_out;
            out.content_type = ngx_str_t { len: content_type.len(), data: content_type.as_ptr().cast_mut() };
            out.content_type_len = content_type.len();
            out.content_length_n = body.len() as off_t;

            let sent = ngx_http_send_header(r);
            if sent == NGX_ERROR as ngx_int_t || sent > NGX_OK as ngx_int_t || self.header_only() {
                return Status(sent);
            }
            let buffer: *mut ngx_buf_t = ngx_pcalloc((*r).pool, size_of::<ngx_buf_t>()).cast();
            if buffer.is_null() {
                return Status::NGX_ERROR;
            }
            (*buffer).pos = body.as_ptr().cast_mut();
            (*buffer).last = (*buffer).pos.add(body.len());
            // An empty buffer that is in memory would be taken for a mistake by the write filter.
            (*buffer).set_memory(u32::from(!body.is_empty()));
            (*buffer).set_last_buf(u32::from(!self.is_subrequest()));
            (*buffer).set_last_in_chain(1);
            let mut chain = ngx_chain_t { buf: buffer, next: std::ptr::null_mut() };
            Status(ngx_http_output_filter(r, &raw mut chain))
        }
    }

    /// Adds a response header of which nginx keeps no record of its own. None where memory ran out.
    fn push_header_out(&self, name: &str, value: &str) -> Option<()> {
        let (name, value) = (self.copy(name.as_bytes())?, self.copy(value.as_bytes())?);
        // SAFETY: the list was made with the request, for elements of this type; the texts lie in its pool.
        unsafe {
            let header = ngx_list_push(&raw mut (*self.as_ptr()).headers_out.headers).cast::<ngx_table_elt_t>();
            if header.is_null() {
                return None;
            }
            // What nginx pushes is not cleared, and a filter may follow `next`.
            header.write_bytes(0, 1);
            (*header).hash = 1;
            (*header).key = ngx_str_t { len: name.len(), data: name.as_ptr().cast_mut() };
            (*header).value = ngx_str_t { len: value.len(), data: value.as_ptr().cast_mut() };
        }
        Some(())
    }
}
