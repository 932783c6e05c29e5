//! The request's body: reading it, and what was read.

use std::borrow::Cow;
use std::cell::RefCell;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use ngx::core::Status;
use ngx::ffi::*;

use crate::nginx::request::Request;
use crate::nginx::value::bytes;

/// How far reading the body has come.
pub enum ReadBody {
    /// It was read, or thrown away, or there is none.
    Done,
    /// The client has not sent all of it yet.
    Pending,
    /// The request is to be ended by this status.
    Failed(Status),
}

/// A body that was read. An empty one is none.
pub enum Body<'r> {
    /// In memory (`client_body_buffer_size`).
    Memory(Cow<'r, [u8]>),
    /// In a temporary file that nginx removes with the request.
    File(PathBuf),
}

type OnDone = Box<dyn FnOnce(&Request)>;

/// What is called once a body that the client still sends was read.
#[derive(Default)]
pub(in crate::nginx) struct BodyRead(RefCell<Option<OnDone>>);

impl BodyRead {
    /// Says whether the client still sends the body.
    pub(in crate::nginx) fn is_pending(&self) -> bool {
        self.0.borrow().is_some()
    }
}

impl Request {
    /// Reads the body. `on_done` is called only after [`ReadBody::Pending`], from nginx's event, and not if reading
    /// fails then: nginx ends the request itself, and its pool with all that waits.
    ///
    /// The count of references to the request is as before the call: the caller holds the request while it waits.
    pub fn read_body(&self, on_done: impl FnOnce(&Request) + 'static) -> ReadBody {
        let Some(state) = self.state_or_new() else {
            return ReadBody::Failed(Status(NGX_HTTP_INTERNAL_SERVER_ERROR as _));
        };
        // SAFETY: a live request. The flags keep the body in one buffer or in a file whose name stays visible.
        let rc = unsafe {
            let r = self.as_ptr();
            (*r).set_request_body_in_single_buf(1);
            (*r).set_request_body_in_persistent_file(1);
            (*r).set_request_body_in_clean_file(1);
            ngx_http_read_client_request_body(r, Some(body_read))
        };
        if rc >= NGX_HTTP_SPECIAL_RESPONSE as ngx_int_t {
            // nginx has given its reference back itself.
            return ReadBody::Failed(Status(rc));
        }
        if rc == NGX_ERROR as ngx_int_t {
            return ReadBody::Failed(Status(NGX_HTTP_INTERNAL_SERVER_ERROR as _));
        }
        // nginx has raised the count for a handler that returns now and is done when the body was read.
        self.release();
        if rc == NGX_AGAIN as ngx_int_t {
            state.body_read.0.replace(Some(Box::new(on_done)));
            return ReadBody::Pending;
        }
        ReadBody::Done
    }

    /// Says whether the body was read. It is also where there was none to read.
    pub fn body_was_read(&self) -> bool {
        // SAFETY: a live request.
        unsafe { !(*self.as_ptr()).request_body.is_null() }
    }

    /// The body; None where it was not read or is empty.
    pub fn body(&self) -> Option<Body<'_>> {
        // SAFETY: the structures live as long as the request; buffers of a body in memory hold `pos..last`.
        unsafe {
            let body = (*self.as_ptr()).request_body.as_ref()?;
            if let Some(file) = body.temp_file.as_ref() {
                return Some(Body::File(PathBuf::from(OsStr::from_bytes(bytes(&file.file.name)))));
            }
            let mut text = Cow::Borrowed(&[][..]);
            let mut link = body.bufs;
            while let Some(entry) = link.as_ref() {
                let buffer = &*entry.buf;
                if buffer.pos < buffer.last {
                    let length = buffer.last.offset_from(buffer.pos) as usize;
                    let piece = std::slice::from_raw_parts(buffer.pos, length);
                    match text.is_empty() {
                        true => text = Cow::Borrowed(piece),
                        false => text.to_mut().extend_from_slice(piece),
                    }
                }
                link = entry.next;
            }
            (!text.is_empty()).then_some(Body::Memory(text))
        }
    }
}

/// nginx calls it when the body was read, be it while `read_body` still runs.
unsafe extern "C" fn body_read(r: *mut ngx_http_request_t) {
    // SAFETY: nginx passes a live request.
    let request = unsafe { Request::from_ptr(r) };
    let call = request.state().and_then(|state| state.body_read.0.take());
    if let Some(call) = call {
        crate::nginx::entry::guarded(request, || {
            call(request);
            Status::NGX_OK
        });
    }
}
