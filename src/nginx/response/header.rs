//! The response's headers, before they are sent: those that nginx knows are kept where its filters look for them.

use std::ptr;

use ngx::ffi::*;

use crate::nginx::request::Request;
use crate::nginx::response::header_list::{HeaderChange, Headers};
use crate::nginx::response::header_text::Name;
use crate::nginx::subrequest::capture::CapturedHeader;
use crate::nginx::value::bytes;

/// Length of `Mon, 28 Sep 1970 06:00:00 GMT` and some room for far years.
const TIME_LENGTH: usize = 64;
/// Digits of an `off_t`.
const LENGTH_DIGITS: usize = 20;

/// What nginx makes of a header.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Nothing: it may be given several times.
    Plain,
    /// It has one value, which a field of `headers_out` points at.
    Single(Slot),
    /// It has several values, all of which a field of `headers_out` points at.
    Several(Slot),
    /// It is not in the list but in fields of its own.
    ContentType,
}

/// A pointer of `headers_out`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Slot {
    Server,
    Date,
    ContentLength,
    ContentEncoding,
    Location,
    Refresh,
    LastModified,
    ContentRange,
    AcceptRanges,
    WwwAuthenticate,
    Expires,
    Etag,
    CacheControl,
    Link,
}

impl Kind {
    fn of(name: Name<'_>) -> Self {
        let mut buffer = [0; 24];
        match name.lower(&mut buffer) {
            b"content-type" => Self::ContentType,
            b"cache-control" => Self::Several(Slot::CacheControl),
            b"link" => Self::Several(Slot::Link),
            b"server" => Self::Single(Slot::Server),
            b"date" => Self::Single(Slot::Date),
            b"content-length" => Self::Single(Slot::ContentLength),
            b"content-encoding" => Self::Single(Slot::ContentEncoding),
            b"location" => Self::Single(Slot::Location),
            b"refresh" => Self::Single(Slot::Refresh),
            b"last-modified" => Self::Single(Slot::LastModified),
            b"content-range" => Self::Single(Slot::ContentRange),
            b"accept-ranges" => Self::Single(Slot::AcceptRanges),
            b"www-authenticate" => Self::Single(Slot::WwwAuthenticate),
            b"expires" => Self::Single(Slot::Expires),
            b"etag" => Self::Single(Slot::Etag),
            _ => Self::Plain,
        }
    }
}

impl Request {
    /// Sets a response header, or removes it where `value` is empty. `append` keeps its earlier values, where it can
    /// have several. `dashes`: an underscore in the name stands for a dash. Allocates in the request's pool only.
    pub fn set_response_header(&self, name: &[u8], dashes: bool, value: &[u8], append: bool) -> HeaderChange {
        if self.output_begun() {
            return HeaderChange::Sent;
        }
        let Some(state) = self.state_or_new() else {
            return HeaderChange::Failed;
        };
        let headers = self.headers_out();
        let Some(name) = Name::new(name, dashes).escaped(self.pool()) else {
            return HeaderChange::Failed;
        };
        if name.is_empty() || (append && value.is_empty()) {
            return HeaderChange::Done;
        }
        state.headers_set.set(true);
        let done = match Kind::of(name) {
            Kind::ContentType => {
                state.content_type_set.set(true);
                self.set_content_type(value)
            }
            Kind::Single(slot) => self.set_single(headers, slot, name, value),
            kind if value.is_empty() => {
                headers.take_back(name);
                self.list_several(headers, kind, name)
            }
            kind => {
                let entry = if append { headers.push(name, value) } else { headers.replace(name, value) };
                entry.and_then(|_| self.list_several(headers, kind, name))
            }
        };
        if done.is_some() { HeaderChange::Done } else { HeaderChange::Failed }
    }

    /// Has nginx send the response whatever the request's `If-Modified-Since` and its like say of it.
    pub fn ignore_conditions(&self) {
        // SAFETY: a live request.
        unsafe { (*self.as_ptr()).set_disable_not_modified(1) }
    }

    /// Passes each value of a response header to `each`.
    pub fn response_header(&self, name: &[u8], dashes: bool, mut each: impl FnMut(&[u8])) {
        let name = Name::new(name, dashes);
        match Kind::of(name) {
            Kind::ContentType => self.content_type().into_iter().for_each(each),
            Kind::Single(slot @ (Slot::ContentLength | Slot::LastModified)) if self.slot_is_empty(slot) => match slot {
                Slot::ContentLength => self.implied_length().into_iter().for_each(each),
                _ => self.implied_time().into_iter().for_each(each),
            },
            _ => {
                for entry in self.headers_out().live(name) {
                    // SAFETY: an entry of the live list; its value lies in a pool that outlives the call.
                    each(unsafe { bytes(&(*entry).value) });
                }
            }
        }
    }

    /// Passes name (`raw`: as it will be written, else in lower case) and value of every response header to `each`,
    /// those first that nginx will write by itself.
    pub fn response_headers(&self, raw: bool, mut each: impl FnMut(&[u8], &[u8])) {
        // SAFETY: a live request.
        let (status, keepalive, chunked) = unsafe {
            let r = self.as_ptr();
            ((*r).headers_out.status, (*r).keepalive() != 0, (*r).chunked() != 0)
        };
        let connection: &[u8] = match (status as u32, keepalive) {
            (NGX_HTTP_SWITCHING_PROTOCOLS, _) => b"upgrade",
            (_, true) => b"keep-alive",
            (_, false) => b"close",
        };
        if let Some(text) = self.content_type() {
            each(b"content-type", text);
        }
        if self.slot_is_empty(Slot::ContentLength)
            && let Some(text) = self.implied_length()
        {
            each(b"content-length", text);
        }
        each(b"connection", connection);
        if chunked {
            each(b"transfer-encoding", b"chunked");
        }
        for entry in self.headers_out().entries() {
            // SAFETY: an entry of the live list; its texts lie in a pool that outlives the call.
            unsafe {
                if (*entry).hash != 0 {
                    each(self.entry_name(entry, raw), bytes(&(*entry).value));
                }
            }
        }
    }

    /// Passes name, as it will be written, and value of each header to `each` that a capture shows: what Lua, the
    /// handler or the server it asked has said, and nothing of the connection.
    pub(in crate::nginx) fn captured_headers(&self, mut each: impl FnMut(&[u8], CapturedHeader)) {
        let mut text = |name: &[u8], value: &[u8]| each(name, CapturedHeader::Text(value.to_vec()));
        for entry in self.headers_out().entries() {
            // SAFETY: an entry of the live list; its texts lie in a pool that outlives the call.
            unsafe {
                if (*entry).hash != 0 {
                    text(bytes(&(*entry).key), bytes(&(*entry).value));
                }
            }
        }
        if let Some(value) = self.content_type() {
            text(b"Content-Type", value);
        }
        if self.slot_is_empty(Slot::LastModified)
            && let Some(value) = self.implied_time()
        {
            text(b"Last-Modified", value);
        }
        // SAFETY: a live request.
        let length = unsafe { (*self.as_ptr()).headers_out.content_length_n };
        if self.slot_is_empty(Slot::ContentLength) && length >= 0 {
            each(b"Content-Length", CapturedHeader::Length(length));
        }
    }

    /// The name of an entry of this request or its response, in lower case unless `raw`.
    ///
    /// # Safety
    /// The entry must be one of the live lists of this request.
    pub(in crate::nginx) unsafe fn entry_name(&self, entry: *const ngx_table_elt_t, raw: bool) -> &[u8] {
        // SAFETY: by this function's contract; a lower-case name is as long as the name itself.
        unsafe {
            let name = bytes(&(*entry).key);
            if raw {
                return name;
            }
            if !(*entry).lowcase_key.is_null() {
                return std::slice::from_raw_parts((*entry).lowcase_key, name.len());
            }
            // Some of nginx's modules leave it out of response headers. Without memory the name stays as it is.
            self.copy(&name.to_ascii_lowercase()).unwrap_or(name)
        }
    }

    fn headers_out(&self) -> Headers {
        // SAFETY: the list is the live request's and holds `ngx_table_elt_t`.
        unsafe { Headers::new(&raw mut (*self.as_ptr()).headers_out.headers, (*self.as_ptr()).pool) }
    }

    pub(in crate::nginx) fn pool(&self) -> *mut ngx_pool_t {
        // SAFETY: a live request.
        unsafe { (*self.as_ptr()).pool }
    }

    /// Sets or removes a header of one value, and what nginx has derived from it.
    fn set_single(&self, headers: Headers, slot: Slot, name: Name<'_>, value: &[u8]) -> Option<()> {
        // SAFETY: a live request; the entry is one of its own list.
        unsafe {
            let out = &raw mut (*self.as_ptr()).headers_out;
            if value.is_empty() {
                headers.take_back(name);
                let mut left = ptr::null_mut();
                match slot {
                    Slot::ContentLength => (*out).content_length_n = -1,
                    Slot::LastModified => (*out).last_modified_time = -1,
                    Slot::AcceptRanges => (*self.as_ptr()).set_allow_ranges(0),
                    // nginx writes its own where the pointer is null; one to a header that was taken back keeps it out.
                    Slot::Server | Slot::Date => {
                        left = headers.replace(name, b"-")?;
                        (*left).hash = 0;
                    }
                    _ => {}
                }
                *self.slot(slot) = left;
                return Some(());
            }
            match slot {
                Slot::ContentLength => (*out).content_length_n = parse_length(value)?,
                Slot::LastModified => {
                    (*out).last_modified_time = ngx_parse_http_time(value.as_ptr().cast_mut(), value.len());
                }
                _ => {}
            }
            let entry = headers.replace(name, value)?;
            // nginx makes an absolute URL of a path that this pointer leads to; Lua's stays as it is.
            let hidden = slot == Slot::Location && value[0] == b'/';
            *self.slot(slot) = if hidden { ptr::null_mut() } else { entry };
        }
        Some(())
    }

    fn slot_is_empty(&self, slot: Slot) -> bool {
        // SAFETY: a field of the live request.
        unsafe { (*self.slot(slot)).is_null() }
    }

    /// The address of a header's pointer. Not for [`Slot::CacheControl`] and [`Slot::Link`].
    fn slot(&self, slot: Slot) -> *mut *mut ngx_table_elt_t {
        // SAFETY: the addresses of fields of the live request.
        unsafe {
            let out = &raw mut (*self.as_ptr()).headers_out;
            match slot {
                Slot::Server => &raw mut (*out).server,
                Slot::Date => &raw mut (*out).date,
                Slot::ContentLength => &raw mut (*out).content_length,
                Slot::ContentEncoding => &raw mut (*out).content_encoding,
                Slot::Location => &raw mut (*out).location,
                Slot::Refresh => &raw mut (*out).refresh,
                Slot::LastModified => &raw mut (*out).last_modified,
                Slot::ContentRange => &raw mut (*out).content_range,
                Slot::AcceptRanges => &raw mut (*out).accept_ranges,
                Slot::WwwAuthenticate => &raw mut (*out).www_authenticate,
                Slot::Expires => &raw mut (*out).expires,
                Slot::Etag => &raw mut (*out).etag,
                Slot::CacheControl | Slot::Link => unreachable!("a header of several values has no single pointer"),
            }
        }
    }

    /// Makes `headers_out` list the present entries of a header of several values. None where memory ran out.
    #[cfg(not(nginx_1_23))]
    fn list_several(&self, headers: Headers, kind: Kind, name: Name<'_>) -> Option<()> {
        let Kind::Several(slot) = kind else {
            return Some(());
        };
        // SAFETY: a live request; before nginx 1.23 both fields are arrays of pointers to entries, made on first use.
        unsafe {
            let out = &raw mut (*self.as_ptr()).headers_out;
            let array = if slot == Slot::Link { &raw mut (*out).link } else { &raw mut (*out).cache_control };
            crate::nginx::response::header_list::list_in_array(array, headers.live(name), self.pool())
        }
    }

    /// Makes `headers_out` list the present entries of a header of several values.
    #[cfg(nginx_1_23)]
    fn list_several(&self, headers: Headers, kind: Kind, name: Name<'_>) -> Option<()> {
        let Kind::Several(slot) = kind else {
            return Some(());
        };
        // SAFETY: a live request; since nginx 1.23 both fields are the first of linked entries.
        unsafe {
            let out = &raw mut (*self.as_ptr()).headers_out;
            let first = if slot == Slot::Link { &raw mut (*out).link } else { &raw mut (*out).cache_control };
            crate::nginx::response::header_list::link_entries(first, headers.live(name));
        }
        Some(())
    }

    fn set_content_type(&self, value: &[u8]) -> Option<()> {
        // SAFETY: a live request; the text lies in its pool.
        unsafe {
            let text = if value.is_empty() { ngx_str_t::empty() } else { self.headers_out().value(value)? };
            let out = &raw mut (*self.as_ptr()).headers_out;
            (*out).content_type = text;
            // What stands before the parameters is what filters compare with their types. That it is shorter than
            // the whole also keeps nginx from adding a charset of its own.
            let kind = bytes(&text).split(|&byte| byte == b';').next().unwrap_or_default();
            (*out).content_type_len = if kind.len() == text.len { text.len } else { kind.trim_ascii_end().len() };
            (*out).content_type_lowcase = ptr::null_mut();
            (*out).content_type_hash = 0;
        }
        Some(())
    }

    /// The content type as it will be written.
    fn content_type(&self) -> Option<&[u8]> {
        // SAFETY: a live request; the texts lie in pools that outlive it.
        unsafe {
            let out = &(*self.as_ptr()).headers_out;
            let text = bytes(&out.content_type);
            if text.is_empty() {
                return None;
            }
            if out.charset.len == 0 || out.content_type_len != out.content_type.len {
                return Some(text);
            }
            let joined = [text, b"; charset=", bytes(&out.charset)].concat();
            self.copy(&joined)
        }
    }

    /// The length that nginx will write without a header in the list.
    fn implied_length(&self) -> Option<&[u8]> {
        // SAFETY: a live request.
        let length = unsafe { (*self.as_ptr()).headers_out.content_length_n };
        let mut digits = [0u8; LENGTH_DIGITS];
        let mut at = digits.len();
        let mut rest = u64::try_from(length).ok()?;
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                return self.copy(&digits[at..]);
            }
        }
    }

    /// The modification time that nginx will write without a header in the list.
    fn implied_time(&self) -> Option<&[u8]> {
        let mut text = [0u8; TIME_LENGTH];
        // SAFETY: a live request; nginx writes less than the buffer holds.
        let length = unsafe {
            let time = (*self.as_ptr()).headers_out.last_modified_time;
            if time < 0 {
                return None;
            }
            ngx_http_time(text.as_mut_ptr(), time).offset_from(text.as_ptr()) as usize
        };
        self.copy(&text[..length])
    }
}

/// Reads a body's length. None where it is not one.
pub(in crate::nginx) fn parse_length(text: &[u8]) -> Option<off_t> {
    // SAFETY: nginx reads `text` only.
    let length = unsafe { ngx_atoof(text.as_ptr().cast_mut(), text.len()) };
    (length >= 0).then_some(length)
}
