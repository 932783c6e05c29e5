//! Posted events and timers whose owner cancels them by dropping them.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use ngx::ffi::*;

use crate::nginx::log::{Level, log_cycle};

/// An nginx event and what it calls. It is boxed, because nginx keeps its address while it is armed.
struct Event {
    raw: ngx_event_t,
    call: Rc<dyn Fn()>,
}

impl Event {
    fn new(call: impl Fn() + 'static) -> Box<Self> {
        // SAFETY: all-zero is what nginx's own ngx_pcalloc leaves in an event.
        let mut event = Box::new(Self { raw: unsafe { std::mem::zeroed() }, call: Rc::new(call) });
        event.raw.handler = Some(fire);
        event.raw.data = (&raw mut *event).cast();
        // SAFETY: `ngx_cycle` and its log are set before a worker runs.
        event.raw.log = unsafe { (*ngx_cycle).log };
        event
    }
}

unsafe extern "C" fn fire(raw: *mut ngx_event_t) {
    // SAFETY: `data` points to the `Event` around `raw`; dropping one takes it from nginx first. The call may drop
    // the event itself, so what it runs is held by a clone.
    let call = unsafe { Rc::clone(&(*(*raw).data.cast::<Event>()).call) };
    if catch_unwind(AssertUnwindSafe(|| call())).is_err() {
        log_cycle(Level::Alert, b"internal error: the Lua module panicked in an event");
    }
}

/// Calls back from the event loop, after what runs now has returned.
pub struct Posted(RefCell<Box<Event>>);

impl Posted {
    /// Makes one that is not posted.
    pub fn new(call: impl Fn() + 'static) -> Self {
        Self(RefCell::new(Event::new(call)))
    }

    /// Posts it, once however often it is called before it runs.
    pub fn post(&self) {
        let mut event = self.0.borrow_mut();
        // SAFETY: the event is boxed and taken out of the queue when dropped.
        unsafe { ngx_post_event(&raw mut event.raw, &raw mut ngx_posted_events) }
    }

    /// Posts it for the next round of the event loop: nginx looks at its connections first, and does not wait there.
    pub fn post_next(&self) {
        let mut event = self.0.borrow_mut();
        // SAFETY: as above.
        unsafe { ngx_post_event(&raw mut event.raw, &raw mut ngx_posted_next_events) }
    }
}

impl Drop for Posted {
    fn drop(&mut self) {
        let event = self.0.get_mut();
        if event.raw.posted() != 0 {
            // SAFETY: it is in a queue of posted events.
            unsafe { ngx_delete_posted_event(&raw mut event.raw) }
        }
    }
}

/// Calls back once after a time.
pub struct Timer(RefCell<Box<Event>>);

impl Timer {
    /// Makes one that is not armed.
    pub fn new(call: impl Fn() + 'static) -> Self {
        Self(RefCell::new(Event::new(call)))
    }

    /// Arms it, anew where it is armed. A cancelable timer does not keep a worker that wants to exit.
    pub fn arm(&self, after: Duration, cancelable: bool) {
        let mut event = self.0.borrow_mut();
        event.raw.set_cancelable(u32::from(cancelable));
        // SAFETY: the event is boxed and its timer is deleted when dropped.
        unsafe { ngx_add_timer(&raw mut event.raw, after.as_millis() as ngx_msec_t) }
    }

    /// Disarms it.
    pub fn disarm(&self) {
        let mut event = self.0.borrow_mut();
        if event.raw.timer_set() != 0 {
            // SAFETY: its timer is set.
            unsafe { ngx_del_timer(&raw mut event.raw) }
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.disarm();
    }
}
