//! Eventfds by which workers wake each other.
//!
//! The master makes them and keeps them over reloads: a respawned worker inherits its own, and the workers of the cycle
//! before, which may still publish while they drain, wake the new ones too. Two generations of workers so share a
//! counter; nobody reads it, because each write is an edge of its own for every epoll that watches it.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ngx::ffi::*;
use rustix::event::{EventfdFlags, eventfd};

use crate::nginx::log::{Level, log_cycle};

/// One eventfd a worker. Any thread may wake by it.
#[derive(Clone, Default)]
pub struct WakeSet(Vec<Arc<OwnedFd>>);

/// What a worker's eventfd calls; nginx keeps its address, and it lives as long as the process.
struct Listener {
    fd: Arc<OwnedFd>,
    edges: bool,
    call: Box<dyn Fn()>,
}

impl WakeSet {
    /// The same eventfds, and more where there are fewer than `count`.
    pub fn extended(&self, count: usize) -> Result<Self, String> {
        let mut fds = self.0.clone();
        while fds.len() < count {
            let fd = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)
                .map_err(|error| format!("eventfd() failed: {error}"))?;
            fds.push(Arc::new(fd));
        }
        Ok(Self(fds))
    }

    /// The first eventfd, for a signal handler to write to.
    pub(super) fn first_fd(&self) -> Option<RawFd> {
        self.0.first().map(|fd| fd.as_raw_fd())
    }

    /// Wakes every worker, this one too.
    pub fn wake_all(&self) {
        for fd in &self.0 {
            // A counter that cannot be raised any more (EAGAIN) is at 2^64 - 2, out of reach.
            let _ = rustix::io::write(&**fd, &1u64.to_ne_bytes());
        }
    }

    /// Makes the event loop of this worker call `call` whenever it is woken.
    pub fn listen(&self, worker: usize, call: impl Fn() + 'static) -> Result<(), String> {
        let fd = Arc::clone(self.0.get(worker).ok_or("more workers than eventfds")?);
        let raw = fd.as_raw_fd();
        // SAFETY: a plain variable of nginx, set before a worker starts.
        let edges = unsafe { ngx_event_flags } & NGX_USE_CLEAR_EVENT as usize != 0;
        let listener = Box::leak(Box::new(Listener { fd, edges, call: Box::new(call) }));
        // SAFETY: a worker's process is about to run its event loop; the listener is leaked, so nginx may keep it.
        unsafe {
            let connection = ngx_get_connection(raw, (*ngx_cycle).log);
            if connection.is_null() {
                return Err("worker_connections leave none to be woken by".into());
            }
            (*connection).data = (&raw mut *listener).cast();
            let read = (*connection).read;
            (*read).handler = Some(woken);
            (*read).log = (*connection).log;
            // As nginx's own channel: at exit it is not an open socket that someone forgot.
            (*read).set_channel(1);
            let add = ngx_event_actions.add.ok_or("no event method")?;
            if add(read, READ, if edges { CLEAR } else { 0 }) != NGX_OK as ngx_int_t {
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
    if !listener.edges {
        // poll and select would report it for ever.
        let _ = rustix::io::read(&*listener.fd, &mut [0u8; 8]);
    }
    if catch_unwind(AssertUnwindSafe(|| (listener.call)())).is_err() {
        log_cycle(Level::Alert, b"internal error: the Lua module panicked while following a change");
    }
}
