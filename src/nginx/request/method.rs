//! The request line: methods by nginx's numbers, and the header as it came.

use ngx::ffi::*;

use crate::nginx::request::Request;

/// Each method that nginx knows: its number and name.
pub const METHODS: &[(u32, &str)] = &[
    (NGX_HTTP_GET, "GET"),
    (NGX_HTTP_HEAD, "HEAD"),
    (NGX_HTTP_POST, "POST"),
    (NGX_HTTP_PUT, "PUT"),
    (NGX_HTTP_DELETE, "DELETE"),
    (NGX_HTTP_MKCOL, "MKCOL"),
    (NGX_HTTP_COPY, "COPY"),
    (NGX_HTTP_MOVE, "MOVE"),
    (NGX_HTTP_OPTIONS, "OPTIONS"),
    (NGX_HTTP_PROPFIND, "PROPFIND"),
    (NGX_HTTP_PROPPATCH, "PROPPATCH"),
    (NGX_HTTP_LOCK, "LOCK"),
    (NGX_HTTP_UNLOCK, "UNLOCK"),
    (NGX_HTTP_PATCH, "PATCH"),
    (NGX_HTTP_TRACE, "TRACE"),
];

impl Request {
    /// Gives the request another method, by nginx's number. False where there is no such method.
    pub fn set_method(&self, number: u32) -> bool {
        let Some((_, name)) = METHODS.iter().find(|(known, _)| *known == number) else {
            return false;
        };
        // SAFETY: a live request; the name is static and nginx does not write to it.
        unsafe {
            let r = self.as_ptr();
            if (*r).method == NGX_HTTP_HEAD as ngx_uint_t && number != NGX_HTTP_HEAD {
                (*r).set_header_only(0);
            }
            (*r).method = number as ngx_uint_t;
            (*r).method_name = ngx_str_t { len: name.len(), data: name.as_ptr().cast_mut() };
        }
        true
    }

    /// The header as the client sent it, with or without the request line. None for a protocol that does not send
    /// headers as text.
    pub fn raw_header(&self, with_line: bool) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        // SAFETY: the main request's header lies in its connection's buffer or in `busy`, of which the newest is
        // first; they are kept until the request ends. Of the connection's buffer only what was read is looked at.
        unsafe {
            let r = (*self.as_ptr()).main;
            if (*r).http_version >= NGX_HTTP_VERSION_20 as ngx_uint_t {
                return None;
            }
            let start: *const u_char = (*r).request_line.data;
            let mut buffers = vec![(*(*r).connection).buffer];
            let mut link = (*(*r).http_connection).busy;
            let mut large = Vec::new();
            while let Some(busy) = link.as_ref() {
                large.push(busy.buf);
                link = busy.next;
            }
            buffers.extend(large.into_iter().rev());
            let holds = |buffer: &*mut ngx_buf_t| {
                !buffer.is_null() && (**buffer).start.cast_const() <= start && start < (**buffer).last.cast_const()
            };
            let Some(first) = buffers.iter().position(holds) else {
                return Some(text);
            };
            let buffers = &buffers[first..];
            for (i, &buffer) in buffers.iter().enumerate() {
                let from = if i == 0 { start } else { (*buffer).start.cast_const() };
                let raw = std::slice::from_raw_parts(from, (*buffer).last.cast_const().offset_from(from) as usize);
                let line = if i == 0 { (*r).request_line.len.min(raw.len()) } else { 0 };
                if restore(raw, line, i + 1 == buffers.len(), &mut text) {
                    break;
                }
            }
            if !with_line {
                let line = text.iter().position(|&byte| byte == b'\n').map_or(text.len(), |at| at + 1);
                text.drain(..line);
            }
        }
        Some(text)
    }
}

/// Appends the whole lines of `raw` to `text`, with the colons and line ends back that nginx replaced by NULs when it
/// read them. Nothing is replaced in the first `skipped` bytes, the request line. `last`: no further buffer follows.
/// True once the empty line that ends the header was appended.
fn restore(raw: &[u8], skipped: usize, last: bool, text: &mut Vec<u8>) -> bool {
    let mut line = text.len();
    let mut in_value = false;
    text.extend_from_slice(&raw[..skipped]);
    for at in skipped..raw.len() {
        let byte = match (raw[at], in_value) {
            (0, false) => b':',
            // What a value's NUL was before shows in what follows: the rest of a CR LF, or spaces that nginx cut off,
            // or the next line, because the NUL took the place of a LF.
            (0, true) => match &raw[at + 1..] {
                [b' ', ..] => b' ',
                [b'\n', rest @ ..] if !last || continues(rest) => b'\r',
                [b'\r', b'\n', rest @ ..] if !last || continues(rest) => b' ',
                _ => b'\n',
            },
            (byte, _) => byte,
        };
        text.push(byte);
        in_value |= byte == b':';
        if byte == b'\n' {
            let ended = matches!(&text[line..], b"\r\n" | b"\n");
            line = text.len();
            in_value = false;
            if ended {
                return true;
            }
        }
    }
    // What was not read to its end stands whole in the next buffer.
    text.truncate(line);
    false
}

/// Says whether the header goes on with `rest`, by its empty line or by a line that nginx has read as a header.
fn continues(rest: &[u8]) -> bool {
    match rest {
        [b'\n', ..] | [b'\r', b'\n', ..] => true,
        _ => rest.iter().take_while(|&&byte| byte != b'\n').any(|&byte| byte == 0 || byte == b':'),
    }
}
