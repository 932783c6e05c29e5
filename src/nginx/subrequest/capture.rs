//! The response of a captured subrequest, taken before the filters see it that write to the client.

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::ptr;
use std::rc::Rc;

use ngx::core::Status;
use ngx::ffi::*;

use crate::nginx::entry::guarded;
use crate::nginx::request::Request;
use crate::nginx::response::body_chunk::memory;
use crate::nginx::subrequest::running::Running;

/// What a captured subrequest has answered.
pub struct Captured {
    /// Its status.
    pub status: usize,
    /// Its headers, named as they would be sent.
    pub headers: Vec<(Vec<u8>, CapturedHeader)>,
    /// Its body.
    pub body: Vec<u8>,
    /// The end of the body was not seen: it failed half-way, or only a header was answered.
    pub truncated: bool,
}

/// A header's value.
pub enum CapturedHeader {
    /// As it would be sent.
    Text(Vec<u8>),
    /// The body's length in bytes, where no one has written it out.
    Length(i64),
}

/// A subrequest whose response is, or is being, taken.
pub struct Capture {
    running: Rc<Running>,
    /// Its number among the running ones.
    number: Cell<u64>,
    body: RefCell<Vec<u8>>,
    /// The end of the body was seen.
    ended: Cell<bool>,
    done: Cell<bool>,
    result: RefCell<Option<Captured>>,
    on_done: Box<dyn Fn()>,
    /// Whose turn it was to write to the client before subrequests of the captured one were given it; else null.
    active_before: Cell<*mut ngx_http_request_t>,
}

/// The one address of [`finished`]: by it a subrequest is told to be captured.
static FINISHED: unsafe extern "C" fn(*mut ngx_http_request_t, *mut c_void, ngx_int_t) -> ngx_int_t = finished;

impl Capture {
    /// What takes a subrequest's response. `on_done` is called once that has ended, unless the main request ends
    /// before; it must not touch the request.
    pub(in crate::nginx) fn new(running: Rc<Running>, on_done: Box<dyn Fn()>) -> Rc<Self> {
        Rc::new(Self {
            running,
            number: Cell::default(),
            body: RefCell::default(),
            ended: Cell::default(),
            done: Cell::default(),
            result: RefCell::default(),
            on_done,
            active_before: Cell::new(ptr::null_mut()),
        })
    }

    /// What nginx must be given to end the subrequest by. None where memory ran out.
    pub(in crate::nginx) fn post_subrequest(
        self: &Rc<Self>,
        parent: &Request,
    ) -> Option<*mut ngx_http_post_subrequest_t> {
        unsafe extern "C" fn release(data: *mut c_void) {
            // SAFETY: `data` is the count that this cleanup was given, and it runs once.
            drop(unsafe { Rc::from_raw(data.cast_const().cast::<Capture>()) });
        }
        // SAFETY: allocations from the request's pool are checked. The pool is the main request's, whose cleanups run
        // when no subrequest can call back any more.
        unsafe {
            let cleanup = ngx_pool_cleanup_add(parent.pool(), size_of::<ngx_http_post_subrequest_t>()).as_mut()?;
            let post = cleanup.data.cast::<ngx_http_post_subrequest_t>();
            let data: *mut c_void = Rc::into_raw(Rc::clone(self)).cast_mut().cast();
            post.write(ngx_http_post_subrequest_t { handler: Some(FINISHED), data });
            cleanup.handler = Some(release);
            cleanup.data = data;
            Some(post)
        }
    }

    /// Counts the subrequest among its parent's running ones.
    pub(in crate::nginx) fn started(&self, r: *mut ngx_http_request_t) {
        self.number.set(self.running.add(r));
    }

    /// What the subrequest has answered, once.
    pub fn take(&self) -> Option<Captured> {
        self.result.take()
    }

    /// What captures this request itself.
    fn of(request: &Request) -> Option<&Self> {
        // SAFETY: a live request; a handler of ours has a capture for its data.
        unsafe {
            let post = (*request.as_ptr()).post_subrequest.as_ref()?;
            let ours = post.handler.is_some_and(|handler| ptr::fn_addr_eq(handler, FINISHED));
            if ours { post.data.cast::<Self>().as_ref() } else { None }
        }
    }

    /// What takes the output of this request: its own capture, or that of the request which it is a part of.
    fn around(request: &Request) -> Option<&Self> {
        let mut request = request;
        while request.is_subrequest() {
            if let Some(capture) = Self::of(request) {
                return Some(capture);
            }
            // SAFETY: a subrequest has a live parent.
            request = unsafe {
                if (*request.as_ptr()).background() != 0 {
                    return None;
                }
                Request::from_ptr((*request.as_ptr()).parent)
            };
        }
        None
    }

    /// Takes the header of a captured request, which so counts as sent. False where none captures it.
    pub(in crate::nginx) fn takes_header(request: &Request) -> bool {
        if Self::around(request).is_none() {
            return false;
        }
        // SAFETY: a live request. What is in files is to be read for us, who stand behind the copy filter.
        unsafe {
            let r = request.as_ptr();
            (*r).set_filter_need_in_memory(1);
            (*r).set_header_sent(1);
            if (*r).method == NGX_HTTP_HEAD as ngx_uint_t {
                (*r).set_header_only(1);
            }
        }
        true
    }

    /// Takes a part of the body of a captured request. False where none captures it.
    ///
    /// # Safety
    /// `chain` must be null or a valid chain.
    pub(in crate::nginx) unsafe fn takes_body(request: &Request, chain: *mut ngx_chain_t) -> bool {
        let Some(capture) = Self::around(request) else { return false };
        let is_part = Self::of(request).is_none();
        let mut body = capture.body.borrow_mut();
        let mut link = chain;
        // SAFETY: by this function's contract; what is taken is consumed.
        unsafe {
            while let Some(entry) = link.as_ref() {
                let buffer = &mut *entry.buf;
                if !capture.done.get() {
                    body.extend_from_slice(memory(buffer));
                }
                buffer.pos = buffer.last;
                buffer.file_pos = buffer.file_last;
                if buffer.last_buf() != 0 || buffer.last_in_chain() != 0 {
                    if is_part {
                        capture.activate(request);
                    } else {
                        capture.ended.set(true);
                    }
                }
                link = entry.next;
            }
        }
        true
    }

    /// Gives a part of the captured request, which is about to end, the turn to write: nginx ends no other.
    fn activate(&self, part: &Request) {
        // SAFETY: a live request and its connection, whose data is the request whose turn it is.
        unsafe {
            let connection = (*part.as_ptr()).connection;
            if self.active_before.get().is_null() {
                self.active_before.set((*connection).data.cast());
            }
            (*connection).data = part.as_ptr().cast();
        }
    }

    /// Lets go of what has become of the request's own subrequests: nothing of them is written any more.
    fn settle_parts(&self, request: &Request) {
        // SAFETY: a live request, its connection, and its list of postponed output, whose requests live in the pool.
        unsafe {
            let r = request.as_ptr();
            let before = self.active_before.replace(ptr::null_mut());
            if !before.is_null() {
                (*(*r).connection).data = before.cast();
            }
            while let Some(postponed) = (*r).postponed.as_ref() {
                (*r).postponed = postponed.next;
                let Some(part) = postponed.request.as_mut().filter(|part| part.done() == 0) else { continue };
                // It ends without a turn; one that has ended before is told again.
                part.set_background(1);
                if has_begun(part) {
                    ngx_http_post_request(part, ptr::null_mut());
                }
            }
        }
    }
}

/// Says whether the request's first handler was called, so that its present one may be called at any time.
pub(in crate::nginx) fn has_begun(r: &ngx_http_request_t) -> bool {
    let first: [unsafe extern "C" fn(*mut ngx_http_request_t); 2] = [ngx_http_handler, ngx_http_core_run_phases];
    r.write_event_handler.is_some_and(|handler| !first.iter().any(|first| ptr::fn_addr_eq(*first, handler)))
}

/// nginx calls it when a captured subrequest has come to an end, with that.
unsafe extern "C" fn finished(r: *mut ngx_http_request_t, data: *mut c_void, rc: ngx_int_t) -> ngx_int_t {
    // SAFETY: nginx passes a live request, and the data is the capture that its cleanup keeps.
    let (request, capture) = unsafe { (Request::from_ptr(r), &*data.cast::<Capture>()) };
    guarded(request, || capture.finish(request, Status(rc))).0
}

impl Capture {
    fn finish(&self, request: &Request, status: Status) -> Status {
        let r = request.as_ptr();
        if self.done.get() {
            return Status::NGX_OK;
        }
        let answer = match status {
            Status::NGX_ERROR => Some(NGX_HTTP_INTERNAL_SERVER_ERROR),
            Status(rc) => u32::try_from(rc).ok().filter(|&rc| rc >= NGX_HTTP_SPECIAL_RESPONSE || is_page(rc)),
        };
        match answer {
            // These end the whole request.
            Some(NGX_HTTP_CLOSE | NGX_HTTP_REQUEST_TIME_OUT | NGX_HTTP_CLIENT_CLOSED_REQUEST) => return status,
            Some(answer) => Self::answer(request, answer),
            // SAFETY: a live request. Some of its body is still being read from a file: nginx will ask again.
            None if unsafe { (*r).buffered() != 0 || (*r).aio() != 0 } => return status,
            None => {}
        }
        self.done.set(true);
        self.result.replace(Some(self.captured(request)));
        self.running.remove(self.number.get());
        self.settle_parts(request);
        // SAFETY: a live request. One in the background ends without a turn to write and without touching its parent;
        // nginx asks for that after this call only. A timer of writing may be left from output that was waited for.
        unsafe {
            (*r).set_buffered(0);
            (*r).set_background(1);
            let connection = &*(*r).connection;
            if (*connection.write).timer_set() != 0 && connection.buffered() == 0 {
                ngx_del_timer(connection.write);
            }
        }
        (self.on_done)();
        Status::NGX_OK
    }

    /// What nginx's page for a status would be, but without its body and without the location's `error_page`.
    fn answer(request: &Request, status: u32) {
        if request.header_sent() {
            return;
        }
        // SAFETY: a live request whose header was not sent; what fails is logged by who has failed.
        unsafe {
            let r = request.as_ptr();
            (*r).err_status = status as ngx_uint_t;
            (*r).headers_out.content_length_n = -1;
            if (*r).headers_out.content_type.len == 0 {
                ngx_http_set_content_type(r);
            }
            ngx_http_send_header(r);
        }
    }

    fn captured(&self, request: &Request) -> Captured {
        let mut headers = Vec::new();
        request.captured_headers(|name, value| headers.push((name.to_vec(), value)));
        // SAFETY: a live request.
        let status = unsafe {
            let r = request.as_ptr();
            match ((*r).err_status, (*r).headers_out.status) {
                (0, 0) => NGX_HTTP_OK as usize,
                (0, status) | (status, _) => status,
            }
        };
        Captured { status, headers, body: self.body.take(), truncated: !self.ended.get() }
    }
}

/// The statuses below 300 for which nginx has a page of its own.
fn is_page(status: u32) -> bool {
    matches!(status, NGX_HTTP_CREATED | NGX_HTTP_NO_CONTENT)
}
