//! Eventfds by which workers wake each other. The master makes them, so that a respawned worker inherits its own.

use std::os::fd::{AsRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

use ngx::ffi::*;
use rustix::event::{EventfdFlags, eventfd};

use super::log::{Level, log_cycle};

/// One eventfd a worker.
pub struct WakeSet(Vec<OwnedFd>);

/// What a worker's eventfd calls; nginx keeps its address, and it lives as long as the process.
struct Listener {
    fd: OwnedFd,
    call: Box<dyn Fn()>,
}

impl WakeSet {
    /// Makes `count` eventfds.
    pub fn new(count: usize) -> Result<Self, String> {
        (0..count)
            .map(|_| eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC))
            .collect::<Result<_, _>>()
            .map(Self)
            .map_err(|error| format!("eventfd() failed: {error}"))
    }

    /// Wakes every worker, this one too.
    pub fn wake_all(&self) {
        for fd in &self.0 {
            // A full counter (EAGAIN) has woken it already.
            let _ = rustix::io::write(fd, &1u64.to_ne_bytes());
        }
    }

    /// Makes the event loop of this worker call `call` whenever it is woken.
    pub fn listen(&self, worker: usize, call: impl Fn() + 'static) -> Result<(), String> {
        let fd = self.0.get(worker).ok_or("more workers than eventfds")?;
        let fd = fd.try_clone().map_err(|error| format!("an eventfd cannot be cloned: {error}"))?;
        let raw = fd.as_raw_fd();
        let listener = Box::leak(Box::new(Listener { fd, call: Box::new(call) }));
        // SAFETY: a worker's process is about to run its event loop; the listener is leaked, so nginx may keep it.
        unsafe {
            let connection = ngx_get_connection(raw, (*(*(&raw const ngx_cycle))).log);
            if connection.is_null() {
                return Err("worker_connections leave none to be woken by".into());
            }
            (*connection).data = (&raw mut *listener).cast();
            let read = (*connection).read;
            (*read).handler = Some(woken);
            (*read).log = (*connection).log;
            // As nginx's own channel: at exit it is not an open socket that someone forgot.
            (*read).set_channel(1);
            let add = (*(&raw const ngx_event_actions)).add.ok_or("no event method")?;
            let flags = if (*(&raw const ngx_event_flags)) & NGX_USE_CLEAR_EVENT as usize != 0 { CLEAR } else { 0 };
            if add(read, READ, flags) != NGX_OK as ngx_int_t {
                return Err("an eventfd cannot be watched".into());
            }
        }
        Ok(())
    }
}

/// `NGX_READ_EVENT` and `NGX_CLEAR_EVENT` of an nginx that has epoll: macros that bindgen cannot bind.
const READ: ngx_int_t = (libc::EPOLLIN | libc::EPOLLRDHUP) as ngx_int_t;
const CLEAR: ngx_uint_t = libc::EPOLLET as u32 as ngx_uint_t;

unsafe extern "C" fn woken(event: *mut ngx_event_t) {
    // SAFETY: `listen` made the event's data a connection and that connection's data a leaked listener.
    let listener = unsafe { &*(*(*event).data.cast::<ngx_connection_t>()).data.cast::<Listener>() };
    let mut count = [0u8; 8];
    let _ = rustix::io::read(&listener.fd, &mut count);
    if catch_unwind(AssertUnwindSafe(|| (listener.call)())).is_err() {
        log_cycle(Level::Alert, b"internal error: the Lua module panicked while following a change");
    }
}
