//! Starting a subrequest whose response is captured.

pub(super) mod capture;
pub(super) mod running;

use std::ptr;
use std::rc::Rc;

use ngx::ffi::*;

use crate::nginx::log::{Level, Log};
use crate::nginx::request::Request;
use crate::nginx::request::method::METHODS;
use crate::nginx::request::redirect::join_args;
use crate::nginx::request::variable::VariableError;
use crate::nginx::subrequest::capture::Capture;

/// The variables that a subrequest begins with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Variables {
    /// None is set.
    #[default]
    Fresh,
    /// Its parent's, as copies.
    Copied,
    /// Its parent's: each sees what the other sets.
    Shared,
}

/// A subrequest to be started.
#[derive(Default)]
pub struct Subrequest {
    /// Its path, perhaps with arguments, escaped.
    pub uri: Vec<u8>,
    /// More arguments.
    pub args: Vec<u8>,
    /// nginx's number of its method.
    pub method: u32,
    /// Its body; None: its parent's, where that goes to it.
    pub body: Option<Vec<u8>>,
    /// Its parent's body goes to it whatever the method. It does to a POST or PUT anyway.
    pub forwards_body: bool,
    /// What variables it begins with.
    pub variables: Variables,
    /// Variables that are set for it: names and values.
    pub set: Vec<(Vec<u8>, Vec<u8>)>,
}

/// A [`Subrequest`] that can be started, with its path and arguments as nginx reads them.
pub struct Checked<'r> {
    what: Subrequest,
    uri: &'r [u8],
    args: &'r [u8],
}

/// Why a subrequest is not started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// Its path leads out of the root, or is none.
    UnsafeUri,
    /// What was asked of it cannot be, by nginx's number of why. It was logged.
    Unfit(isize),
    /// nginx refuses it, for the depth or number of subrequests, or memory ran out.
    NotStarted,
}

impl Request {
    /// Looks whether a subrequest can be started. Logs what is wrong with its method and variables.
    ///
    /// # Errors
    /// It cannot.
    pub fn check_subrequest(&self, what: Subrequest) -> Result<Checked<'_>, Refusal> {
        let (uri, own_args) = self.parse_uri(&what.uri, false).ok_or(Refusal::UnsafeUri)?;
        let args = match what.args.as_slice() {
            [] => own_args,
            more => self.copy(&join_args(own_args, more)).ok_or(Refusal::NotStarted)?,
        };
        if !METHODS.iter().any(|(number, _)| *number == what.method) {
            let text = format!("unsupported HTTP method: {}", what.method);
            Log::of(self).write(Level::Err, text.as_bytes());
            return Err(Refusal::Unfit(NGX_ERROR as isize));
        }
        for (name, _) in &what.set {
            let (text, rc): (&[u8], _) = match self.check_variable(name) {
                Ok(()) => continue,
                Err(VariableError::Undefined) => {
                    (b"cannot be assigned a value (maybe you forgot to define it first?)", NGX_ERROR as isize)
                }
                Err(_) => (b"not changeable", NGX_HTTP_INTERNAL_SERVER_ERROR as isize),
            };
            Log::of(self).write(Level::Err, &[b"variable \"", name.as_slice(), b"\" ", text].concat());
            return Err(Refusal::Unfit(rc));
        }
        Ok(Checked { what, uri, args })
    }

    /// Starts a subrequest; it runs once what runs now has returned to nginx. `prepare` sees it before. `on_done` is
    /// called when its response was captured, but not where the main request ends before.
    ///
    /// # Errors
    /// It was not started.
    pub fn subrequest(
        &self,
        checked: Checked<'_>,
        prepare: impl FnOnce(&Self),
        on_done: impl Fn() + 'static,
    ) -> Result<Rc<Capture>, Refusal> {
        let Checked { what, uri, args } = checked;
        // SAFETY: a live request.
        if unsafe { (*self.as_ptr()).subrequests() } == 0 {
            let text = [b"lua subrequests cycle while processing \"", uri, b"\""].concat();
            Log::of(self).write(Level::Err, &text);
            return Err(Refusal::NotStarted);
        }
        Log::of(self).debug(|| {
            let [uri, args] = [uri, args].map(String::from_utf8_lossy);
            format!("lua http subrequest \"{uri}?{args}\"")
        });
        let running = self.running().ok_or(Refusal::NotStarted)?;
        let capture = Capture::new(running, Box::new(on_done));
        let post = capture.post_subrequest(self).ok_or(Refusal::NotStarted)?;
        // Arguments without an address are none: $args is not found then.
        let text = |bytes: &[u8]| match bytes {
            [] => ngx_str_t::empty(),
            _ => ngx_str_t { len: bytes.len(), data: bytes.as_ptr().cast_mut() },
        };
        let (mut uri, mut args) = (text(uri), text(args));
        let mut started = ptr::null_mut();
        // SAFETY: a live request; the texts and `post` lie in its pool.
        let subrequest = unsafe {
            let (uri, args) = (&raw mut uri, &raw mut args);
            // One in the background takes no part in the order of what is written to the client.
            let flags = NGX_HTTP_SUBREQUEST_BACKGROUND as ngx_uint_t;
            if ngx_http_subrequest(self.as_ptr(), uri, args, &raw mut started, post, flags) != NGX_OK as ngx_int_t {
                return Err(Refusal::NotStarted);
            }
            // Else proxying would not serve it what is stale.
            (*started).set_background(0);
            Self::from_ptr(started)
        };
        // One that could not be made ready ends as soon as nginx runs it: it is there.
        let ready = subrequest.equip(self, &what);
        if ready.is_none() {
            subrequest.refuse();
        }
        capture.started(started);
        prepare(subrequest);
        Ok(capture)
    }

    /// Makes a subrequest what was asked for. None where memory ran out.
    fn equip(&self, parent: &Self, what: &Subrequest) -> Option<()> {
        // SAFETY: a live subrequest and its parent, that have one pool; the allocation is checked and as large as the
        // array of indexed variables.
        unsafe {
            let (r, parent) = (self.as_ptr(), parent.as_ptr());
            // nginx lets it point into its parent's list, whose first part it has copied.
            if (*r).headers_in.headers.last == &raw mut (*parent).headers_in.headers.part {
                (*r).headers_in.headers.last = &raw mut (*r).headers_in.headers.part;
            }
            // What is left of the client's body is its main request's to throw away.
            (*r).set_discard_body(0);
            let main = (*(*r).main_conf.add(ngx_http_core_module.ctx_index)).cast::<ngx_http_core_main_conf_t>();
            let count = (*main).variables.nelts;
            if what.variables != Variables::Shared {
                let own: *mut ngx_http_variable_value_t =
                    ngx_pcalloc((*r).pool, count * size_of::<ngx_http_variable_value_t>()).cast();
                if own.is_null() {
                    return None;
                }
                if what.variables == Variables::Copied {
                    ptr::copy_nonoverlapping((*parent).variables, own, count);
                }
                (*r).variables = own;
            }
        }
        self.set_method(what.method);
        self.give_body(what)?;
        what.set.iter().try_for_each(|(name, value)| self.set_variable(name, Some(value)).ok())
    }

    /// Gives a subrequest its body, with the headers that describe it.
    fn give_body(&self, what: &Subrequest) -> Option<()> {
        let forwards = what.forwards_body || matches!(what.method, NGX_HTTP_POST | NGX_HTTP_PUT);
        // SAFETY: a live subrequest, whose body is its parent's so far; allocations are checked.
        unsafe {
            let r = self.as_ptr();
            let inherited = (*r).request_body.as_ref();
            let size = size_of::<ngx_http_request_body_t>();
            let body: *mut ngx_http_request_body_t = ngx_pcalloc((*r).pool, size).cast();
            if body.is_null() {
                return None;
            }
            // Also where it is empty: there are modules that try to read one for ever until there is one.
            (*r).request_body = body;
            match (&what.body, inherited) {
                (Some(text), _) => {
                    self.fill_body(body, text)?;
                    self.describe_body(Some(text.len()))
                }
                (None, Some(inherited)) if forwards => {
                    // A copy: what the subrequest's Lua puts in its place is not its parent's.
                    ptr::copy_nonoverlapping(inherited, body, 1);
                    Some(())
                }
                _ => self.describe_body(None),
            }
        }
    }

    /// Puts a text into a body. None where memory ran out.
    ///
    /// # Safety
    /// `body` must be empty and of this request.
    unsafe fn fill_body(&self, body: *mut ngx_http_request_body_t, text: &[u8]) -> Option<()> {
        if text.is_empty() {
            return Some(());
        }
        let link = self.body_link(text)?;
        // SAFETY: by this function's contract; a link has a buffer.
        unsafe {
            (*(*link).buf).set_last_buf(1);
            (*body).buf = (*link).buf;
            (*body).bufs = link;
        }
        Some(())
    }

    /// Makes the headers say how long the body is; None: there is none.
    fn describe_body(&self, length: Option<usize>) -> Option<()> {
        use crate::nginx::response::header_list::HeaderChange::Failed;
        // SAFETY: fields of a live request.
        let (described, chunked) = unsafe {
            let headers = &mut (*self.as_ptr()).headers_in;
            let described = headers.content_length_n >= 0 || !headers.content_length.is_null();
            let chunked = headers.chunked() != 0;
            headers.set_chunked(0);
            (described, chunked)
        };
        if chunked && self.set_request_header(b"Transfer-Encoding", b"", false) == Failed {
            return None;
        }
        let text = length.map(|length| length.to_string()).unwrap_or_default();
        let changes = described || length.is_some();
        (!changes || self.set_request_header(b"Content-Length", text.as_bytes(), false) != Failed).then_some(())
    }

    /// Makes a subrequest that was not run yet end by an error as soon as nginx runs it.
    fn refuse(&self) {
        unsafe extern "C" fn fail(r: *mut ngx_http_request_t) {
            // SAFETY: nginx calls it as the handler of a live request.
            unsafe { ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR as ngx_int_t) }
        }
        // SAFETY: a live request.
        unsafe { (*self.as_ptr()).write_event_handler = Some(fail) }
    }
}
