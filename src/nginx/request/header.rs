//! The request's headers: reading, setting and removing them, with what nginx has derived from those it knows.

use std::ptr;

use ngx::ffi::*;

use crate::nginx::request::Request;
use crate::nginx::response::header::parse_length;
use crate::nginx::response::header_list::{HeaderChange, Headers};
use crate::nginx::response::header_text::Name;
use crate::nginx::value::bytes;

/// Headers that nginx knows by name but that may be given several times.
const SEVERAL: &[&[u8]] = &[b"accept", b"accept-language", b"content-range", b"cookie", b"te", b"x-forwarded-for"];

/// Variables that show a header under its own name.
const DERIVED_VARIABLES: &[&[u8]] = &[b"host", b"content_length", b"content_type"];

impl Request {
    /// Passes name (`raw`: as it came, else in lower case) and value of every request header to `each`.
    pub fn request_headers(&self, raw: bool, mut each: impl FnMut(&[u8], &[u8])) {
        for entry in self.headers_in().entries() {
            // SAFETY: an entry of the live list; its texts lie in buffers that outlive the call.
            unsafe { each(self.entry_name(entry, raw), bytes(&(*entry).value)) }
        }
    }

    /// Sets a request header, or removes it where `value` is empty. `append` keeps its earlier values, where it can
    /// have several.
    pub fn set_request_header(&self, name: &[u8], value: &[u8], append: bool) -> HeaderChange {
        let value = (append || !value.is_empty()).then_some(value);
        match self.try_change(name, value, append) {
            Some(()) => HeaderChange::Done,
            None => HeaderChange::Failed,
        }
    }

    fn try_change(&self, name: &[u8], value: Option<&[u8]>, append: bool) -> Option<()> {
        if !self.has_header_list() {
            return Some(());
        }
        let name = Name::new(name, false).escaped(self.pool())?;
        self.unshare_headers()?;
        let headers = self.headers_in();
        let mut buffer = [0; 24];
        let lower = name.lower(&mut buffer);
        let known = self.known_header(lower);
        let single = known.is_some() && !SEVERAL.contains(&lower);
        let value = match value {
            // A further value of a header that has one takes the place of the one before; an empty one none.
            Some([]) if single => None,
            value => value,
        };
        let derived = match (lower, value) {
            (b"content-length", Some(value)) => Derived::Length(parse_length(value)?),
            (b"content-length", None) => Derived::Length(-1),
            (b"host", Some(value)) => Derived::Host(self.host_of(headers.value(value)?)?),
            (b"host", None) => Derived::Host(ngx_str_t::empty()),
            _ => Derived::Nothing,
        };
        match value {
            None => headers.remove(name, ptr::null_mut()),
            Some(value) if append && !single => drop(headers.push(name, value)?),
            Some(value) => headers.remove(name, headers.replace(name, value)?),
        }
        if let Some(known) = known {
            self.point_at(known, headers, name, lower)?;
        }
        self.derive(derived, known, headers, name, lower);
        self.forget_variables_of(name);
        Some(())
    }

    /// Says whether headers can be kept: HTTP/0.9 has none, and what nginx refuses early has none yet.
    fn has_header_list(&self) -> bool {
        // SAFETY: a live request.
        unsafe { !(*self.as_ptr()).headers_in.headers.last.is_null() }
    }

    /// Makes nginx evaluate variables anew that it may have read from the header before: `$http_NAME`, and `$host`
    /// and its like.
    fn forget_variables_of(&self, name: Name<'_>) {
        // SAFETY: nginx sizes `r->variables` by the array of indexed variables, whose names live as long as the cycle.
        unsafe {
            let r = self.as_ptr();
            let main = (*(*r).main_conf.add(ngx_http_core_module.ctx_index)).cast::<ngx_http_core_main_conf_t>();
            let indexed = (*main).variables.elts.cast::<ngx_http_variable_t>();
            for i in 0..(*main).variables.nelts {
                let variable = bytes(&(*indexed.add(i)).name);
                let of_header = match variable.strip_prefix(b"http_") {
                    Some(header) => name.is_variable(header),
                    None => DERIVED_VARIABLES.contains(&variable) && name.is_variable(variable),
                };
                if of_header {
                    let value = (*r).variables.add(i);
                    (*value).set_valid(0);
                    (*value).set_not_found(0);
                }
            }
        }
    }

    fn headers_in(&self) -> Headers {
        // SAFETY: the list is the live request's and holds `ngx_table_elt_t`.
        unsafe { Headers::new(&raw mut (*self.as_ptr()).headers_in.headers, (*self.as_ptr()).pool) }
    }

    /// Where nginx keeps a header that it knows, by its lower-case name.
    fn known_header(&self, lower: &[u8]) -> Option<&ngx_http_header_t> {
        if lower.is_empty() {
            return None;
        }
        // SAFETY: nginx builds the hash of its header table at configuration time; it lives as long as the cycle.
        unsafe {
            let main =
                (*(*self.as_ptr()).main_conf.add(ngx_http_core_module.ctx_index)).cast::<ngx_http_core_main_conf_t>();
            let hash = ngx_hash_key(lower.as_ptr().cast_mut(), lower.len());
            let found = ngx_hash_find(&raw mut (*main).headers_in_hash, hash, lower.as_ptr().cast_mut(), lower.len());
            found.cast::<ngx_http_header_t>().as_ref()
        }
    }

    /// Makes the field of `headers_in` that belongs to a header point at its entries.
    fn point_at(&self, known: &ngx_http_header_t, headers: Headers, name: Name<'_>, lower: &[u8]) -> Option<()> {
        // SAFETY: `offset` is that of a field of `headers_in`: an array of pointers to entries for two headers before
        // nginx 1.23, else a pointer to the first entry.
        unsafe {
            let field = (&raw mut (*self.as_ptr()).headers_in).cast::<u8>().add(known.offset);
            #[cfg(not(nginx_1_23))]
            {
                if lower == b"cookie" || lower == b"x-forwarded-for" {
                    let array: *mut ngx_array_t = field.cast();
                    // A new one: a subrequest's shares its memory with its parent's.
                    ptr::write_bytes(array, 0, 1);
                    return crate::nginx::response::header_list::list_in_array(array, headers.live(name), self.pool());
                }
                *field.cast::<*mut ngx_table_elt_t>() = headers.live(name).next().unwrap_or(ptr::null_mut());
            }
            #[cfg(nginx_1_23)]
            {
                let _ = lower;
                crate::nginx::response::header_list::link_entries(field.cast(), headers.live(name));
            }
        }
        Some(())
    }

    /// Brings up to date what nginx derives from headers as it reads them.
    fn derive(
        &self,
        derived: Derived,
        known: Option<&ngx_http_header_t>,
        headers: Headers,
        name: Name<'_>,
        lower: &[u8],
    ) {
        // SAFETY: fields of the live request. The two handlers that are called only note what a value says; they
        // keep the first entry that they see, so their pointer is emptied before.
        unsafe {
            let r = self.as_ptr();
            let fields = &raw mut (*r).headers_in;
            match derived {
                Derived::Length(length) => (*fields).content_length_n = length,
                Derived::Host(host) => (*fields).server = host,
                Derived::Nothing => {}
            }
            let again = match lower {
                b"connection" => {
                    (*fields).set_connection_type(0);
                    (*fields).connection = ptr::null_mut();
                    true
                }
                b"user-agent" => {
                    (*fields).set_msie(0);
                    (*fields).set_msie6(0);
                    (*fields).set_opera(0);
                    (*fields).set_gecko(0);
                    (*fields).set_chrome(0);
                    (*fields).set_safari(0);
                    (*fields).set_konqueror(0);
                    (*fields).user_agent = ptr::null_mut();
                    true
                }
                _ => false,
            };
            if again
                && let Some(known) = known
                && let Some(handler) = known.handler
                && let Some(entry) = headers.live(name).next()
            {
                handler(r, entry, known.offset);
            }
        }
    }

    /// The server's name in a Host header, as nginx reads it: in lower case, without port and trailing dot. None
    /// where it is none, or memory ran out.
    fn host_of(&self, value: ngx_str_t) -> Option<ngx_str_t> {
        // SAFETY: `value` was copied into the request's pool just now and nothing else refers to it.
        let text = unsafe { std::slice::from_raw_parts_mut(value.data, value.len) };
        if text.contains(&b'/') || text.windows(2).any(|pair| pair == b"..") {
            return None;
        }
        let literal = text.first().filter(|&&byte| byte == b'[').and_then(|_| text.iter().position(|&b| b == b']'));
        let mut len = match literal {
            Some(end) => end + 1,
            None if text.first() == Some(&b'[') => text.len(),
            None => text.iter().position(|&byte| byte == b':').unwrap_or(text.len()),
        };
        if len > 0 && text[len - 1] == b'.' {
            len -= 1;
        }
        if len == 0 {
            return None;
        }
        text.make_ascii_lowercase();
        Some(ngx_str_t { len, data: value.data })
    }

    /// Gives a subrequest a list of its own before it is changed: nginx copies only the head of its parent's.
    fn unshare_headers(&self) -> Option<()> {
        // SAFETY: a live request; a subrequest's parent lives at least as long.
        unsafe {
            let r = self.as_ptr();
            let parent = (*r).parent;
            if parent.is_null() || (*r).headers_in.headers.part.elts != (*parent).headers_in.headers.part.elts {
                return Some(());
            }
            let old = self.headers_in();
            let count = old.entries().count();
            let room = count.max(1);
            let copies: *mut ngx_table_elt_t = ngx_palloc(self.pool(), room * size_of::<ngx_table_elt_t>()).cast();
            if copies.is_null() {
                return None;
            }
            for (i, entry) in old.entries().enumerate() {
                ptr::copy_nonoverlapping(entry, copies.add(i), 1);
            }
            let list = &raw mut (*r).headers_in.headers;
            (*list).part = ngx_list_part_t { elts: copies.cast(), nelts: count, next: ptr::null_mut() };
            (*list).last = &raw mut (*list).part;
            (*list).nalloc = room;
            let mut row = (&raw const ngx_http_headers_in).cast::<ngx_http_header_t>();
            while (*row).name.len > 0 {
                let lower = bytes(&(*row).name).to_ascii_lowercase();
                self.point_at(&*row, self.headers_in(), Name::new(&lower, false), &lower)?;
                row = row.add(1);
            }
        }
        Some(())
    }
}

/// What else in `headers_in` a change of a header changes.
enum Derived {
    Nothing,
    /// `content_length_n`
    Length(off_t),
    /// `server`
    Host(ngx_str_t),
}
