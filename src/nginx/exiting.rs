//! Notices that the worker is about to end, while it still runs its event loop.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ngx::ffi::*;

use crate::nginx::log::{Level, log_cycle};

/// What is called; nginx keeps its address.
struct Listener(Cell<Option<Box<dyn FnOnce()>>>);

/// Says whether the worker has stopped to take connections and ends when nothing is left that keeps it. It is so from
/// the moment at which [`on_exiting`] calls.
pub fn is_draining() -> bool {
    // SAFETY: a plain variable of nginx.
    unsafe { ngx_exiting != 0 }
}

/// Has `call` called from the event loop once the worker drains. Takes one of its connections, because nginx tells
/// nobody but idle ones. False where it has none left.
pub fn on_exiting(call: impl FnOnce() + 'static) -> bool {
    // SAFETY: a worker's process that has its cycle. The connection has no socket that nginx would touch: descriptor 0
    // only marks it as taken, and the read event is never added.
    unsafe {
        let connection = ngx_get_connection(0, (*ngx_cycle).log);
        if connection.is_null() {
            return false;
        }
        let listener = Box::leak(Box::new(Listener(Cell::new(Some(Box::new(call))))));
        (*connection).data = (&raw mut *listener).cast();
        (*connection).set_idle(1);
        let read = (*connection).read;
        (*read).handler = Some(exiting);
        // As nginx's own channel: at exit it is not an open socket that someone forgot.
        (*read).set_channel(1);
        true
    }
}

unsafe extern "C" fn exiting(event: *mut ngx_event_t) {
    // SAFETY: `on_exiting` made the event's data a connection (nginx does) and that connection's data a leaked listener.
    let listener = unsafe {
        let connection = (*event).data.cast::<ngx_connection_t>();
        (*connection).set_idle(0);
        &*(*connection).data.cast::<Listener>()
    };
    let Some(call) = listener.0.take() else { return };
    if catch_unwind(AssertUnwindSafe(call)).is_err() {
        log_cycle(Level::Alert, b"internal error: the Lua module panicked as the worker began to end");
    }
}
