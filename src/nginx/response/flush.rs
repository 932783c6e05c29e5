//! Output that the client has not taken yet: sending it on while Lua waits, and telling when all of it is out.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use ngx::core::Status;
use ngx::ffi::*;

use crate::nginx::log::{Level, Log};
use crate::nginx::request::Request;
use crate::nginx::response::error::OutputError;

/// Those who wait until what was output has been sent. Each has ended once its strong count is 0.
#[derive(Default)]
pub(in crate::nginx) struct Flushes(RefCell<Vec<Weak<Flush>>>);

/// One who waits until what was output has been sent. Dropping it ends that.
pub struct Flush {
    outcome: Cell<Result<(), OutputError>>,
    done: Box<dyn Fn()>,
}

impl Flush {
    /// What has become of it; to be asked when it was done.
    pub fn outcome(&self) -> Result<(), OutputError> {
        self.outcome.get()
    }
}

impl Flushes {
    fn waiting(&self) -> bool {
        self.0.borrow().iter().any(|flush| flush.strong_count() > 0)
    }

    fn end(&self, outcome: Result<(), OutputError>) {
        for flush in self.0.take() {
            if let Some(flush) = flush.upgrade() {
                flush.outcome.set(outcome);
                (flush.done)();
            }
        }
    }
}

impl Request {
    /// Says whether the client takes what is output.
    pub fn takes_flush(&self) -> Result<(), OutputError> {
        // SAFETY: a live request's connection.
        unsafe {
            let connection = (*self.as_ptr()).connection;
            match ((*connection).timedout(), (*connection).error()) {
                (0, 0) => Ok(()),
                (0, _) => Err(OutputError::Aborted),
                _ => Err(OutputError::Timeout),
            }
        }
    }

    /// Says whether some of what was output has not been sent.
    pub fn has_unsent(&self) -> bool {
        // SAFETY: a live request's connection. What a subrequest outputs goes to its parent, which sends it.
        unsafe { !self.is_subrequest() && (*(*self.as_ptr()).connection).buffered() != 0 }
    }

    /// Calls `done` when all that was output has been sent, or when that fails, from nginx's event while the request
    /// waits. None where memory ran out.
    pub fn when_sent(&self, done: impl Fn() + 'static) -> Option<Rc<Flush>> {
        let state = self.state_or_new()?;
        self.log_waiting();
        let flush = Rc::new(Flush { outcome: Cell::new(Ok(())), done: Box::new(done) });
        let mut flushes = state.flushes.0.borrow_mut();
        flushes.retain(|flush| flush.strong_count() > 0);
        flushes.push(Rc::downgrade(&flush));
        drop(flushes);
        self.await_writable();
        Some(flush)
    }

    fn log_waiting(&self) {
        Log::of(self).debug(|| {
            // SAFETY: a live request's connection.
            let (buffered, delayed) = unsafe {
                let connection = (*self.as_ptr()).connection;
                ((*connection).buffered(), (*(*connection).write).delayed())
            };
            format!("lua flush requires waiting: buffered 0x{buffered:x}, delayed:{delayed}")
        });
    }

    /// Has nginx tell when more can be sent, where something is to be.
    pub(in crate::nginx) fn await_writable(&self) {
        if !self.has_unsent() {
            return;
        }
        // SAFETY: a live request's connection and the core module's configuration of its location.
        unsafe {
            let write = (*(*self.as_ptr()).connection).write;
            let conf = self.core_conf();
            // With `limit_rate` the timer that is set says when to go on.
            if (*write).delayed() == 0 && self.state().is_some_and(|state| state.flushes.waiting()) {
                ngx_add_timer(write, (*conf).send_timeout);
            }
            let _ = ngx_handle_write_event(write, (*conf).send_lowat);
        }
    }

    /// Sends on what was output.
    fn send_on(&self) {
        let Some(state) = self.state() else { return };
        // SAFETY: a live request's connection; a filter is called with no chain, as nginx's own writer does.
        unsafe {
            let connection = (*self.as_ptr()).connection;
            let write = (*connection).write;
            if (*write).timedout() != 0 {
                (*write).set_timedout(0);
                if state.flushes.waiting() {
                    Log::of(self).write(Level::Info, b"client timed out (110: Connection timed out)");
                    (*connection).set_timedout(1);
                    state.flushes.end(Err(OutputError::Timeout));
                }
                return;
            }
            if (*write).delayed() == 0 && self.has_unsent() {
                let rc = ngx_http_output_filter(self.as_ptr(), std::ptr::null_mut());
                if rc == NGX_ERROR as ngx_int_t || (*connection).error() != 0 {
                    return state.flushes.end(Err(OutputError::Aborted));
                }
            }
            if self.has_unsent() {
                return self.await_writable();
            }
            if (*write).timer_set() != 0 && (*write).delayed() == 0 {
                ngx_del_timer(write);
            }
        }
        state.flushes.end(Ok(()));
    }
}

/// What nginx calls when more can be sent, or nothing could for `send_timeout`, while Lua waits.
pub(in crate::nginx) unsafe extern "C" fn write_event(r: *mut ngx_http_request_t) {
    // SAFETY: nginx passes a live request.
    let request = unsafe { Request::from_ptr(r) };
    crate::nginx::entry::guarded(request, || {
        request.send_on();
        Status::NGX_OK
    });
}
