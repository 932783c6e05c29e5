//! An answer that may come later from the event loop, to a request that may have ended by then.

use std::cell::Cell;
use std::ffi::c_void;
use std::rc::Rc;
use std::time::Duration;

use ngx::core::Status;
use ngx::ffi::*;

use crate::nginx::entry::guarded;
use crate::nginx::event::Timer;
use crate::nginx::process::worker_exiting;
use crate::nginx::request::Request;

const INTERNAL_SERVER_ERROR: Status = Status(NGX_HTTP_INTERNAL_SERVER_ERROR as _);

/// How long a worker that drains stays for an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// The one answer that a request waits for. Where it is dropped without having been given, the answer is 500.
pub struct Later(Rc<Waiting>);

struct Waiting {
    request: *mut ngx_http_request_t,
    stage: Cell<Stage>,
    /// A worker that drains ends when no timer is left, whoever waits for an answer; this one keeps it.
    patience: Timer,
}

#[derive(Clone, Copy)]
enum Stage {
    /// The handler runs.
    Handling,
    /// The handler runs, and the answer was given already: the handler ends the request by that status.
    Answered(isize),
    /// The handler has returned and nginx holds the request.
    Held,
    /// The answer was given, or the request ended before it was: the request must not be touched.
    Over,
}

impl Request {
    /// Calls `begin`, which is to see to it that [`Later::give`] is called: at once, or from the event loop while
    /// the request is held. What it returns is for the content handler to return.
    pub fn answer_later(&self, begin: impl FnOnce(Later)) -> Status {
        let patience = Timer::new(|| {});
        let waiting = Rc::new(Waiting { request: self.as_ptr(), stage: Cell::new(Stage::Handling), patience });
        if self.on_end(&waiting).is_none() {
            return INTERNAL_SERVER_ERROR;
        }
        begin(Later(Rc::clone(&waiting)));
        match waiting.stage.get() {
            Stage::Answered(status) => Status(status),
            Stage::Handling => {
                waiting.stage.set(Stage::Held);
                waiting.patience.arm(PATIENCE, false);
                self.hold();
                self.block_events();
                Status::NGX_DONE
            }
            Stage::Held | Stage::Over => INTERNAL_SERVER_ERROR,
        }
    }

    /// Marks `waiting` as over when the request ends. A request's cleanup runs as soon as nginx terminates it, which
    /// may be before its pool is destroyed. None where memory ran out.
    fn on_end(&self, waiting: &Rc<Waiting>) -> Option<()> {
        unsafe extern "C" fn ended(data: *mut c_void) {
            // SAFETY: `data` is the count that `on_end` has put here; nginx runs each cleanup once.
            let waiting = unsafe { Rc::from_raw(data.cast_const().cast::<Waiting>()) };
            waiting.stage.set(Stage::Over);
            waiting.patience.disarm();
        }
        // SAFETY: a live request; the allocation is checked.
        unsafe {
            let cleanup = ngx_http_cleanup_add(self.as_ptr(), 0).as_mut()?;
            cleanup.handler = Some(ended);
            cleanup.data = Rc::into_raw(Rc::clone(waiting)).cast_mut().cast();
        }
        Some(())
    }
}

impl Later {
    /// Answers the request, unless it has ended, by the status that `answer` returns. Not to be called while
    /// another request is being handled: what nginx does at the end of this one would run inside of that.
    pub fn give(self, answer: impl FnOnce(&Request) -> Status) {
        self.0.end(answer);
    }
}

impl Waiting {
    fn end(&self, answer: impl FnOnce(&Request) -> Status) {
        let stage = self.stage.replace(Stage::Over);
        let request = match stage {
            // SAFETY: `on_end` would have put `Over` here if the request had ended.
            Stage::Handling | Stage::Held => unsafe { Request::from_ptr(self.request) },
            Stage::Answered(_) | Stage::Over => {
                self.stage.set(stage);
                return;
            }
        };
        let status = guarded(request, || answer(request));
        match stage {
            Stage::Held => request.finalize(status),
            _ => self.stage.set(Stage::Answered(status.0)),
        }
    }
}

impl Drop for Later {
    fn drop(&mut self) {
        // What is still waited for when a process exits may be dropped after the cycle is gone.
        let held = matches!(self.0.stage.get(), Stage::Held);
        if !held || !worker_exiting() {
            self.0.end(|_| INTERNAL_SERVER_ERROR);
        }
    }
}
