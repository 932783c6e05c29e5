//! An end of a pipe as a stream that can be waited for.

use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};
use std::rc::Rc;

use ngx::ffi::*;

use super::errno::Errno;
use super::stream::Stream;

const AGAIN: isize = NGX_AGAIN as isize;
const ERROR: isize = NGX_ERROR as isize;

impl Stream {
    /// An end of a pipe, or whatever else can be read, written and waited for without blocking.
    ///
    /// # Errors
    /// The end, where nginx has no connection left.
    pub fn of_pipe(end: OwnedFd) -> Result<Rc<Self>, OwnedFd> {
        // SAFETY: the cycle's log outlives the process's connections. A connection owns its descriptor.
        unsafe {
            let log = (*ngx_cycle).log;
            let connection = ngx_get_connection(end.as_raw_fd(), log);
            let Some(c) = connection.as_mut() else { return Err(end) };
            let _ = end.into_raw_fd();
            c.recv = Some(read);
            c.send = Some(write);
            (*c.read).log = log;
            (*c.write).log = log;
            Ok(Self::around(connection))
        }
    }
}

unsafe extern "C" fn read(c: *mut ngx_connection_t, into: *mut u_char, size: usize) -> isize {
    // SAFETY: by nginx's contract of `recv`: an open connection, and room for as many bytes.
    unsafe { done((*c).read, || libc::read((*c).fd, into.cast(), size)) }
}

unsafe extern "C" fn write(c: *mut ngx_connection_t, data: *mut u_char, size: usize) -> isize {
    // SAFETY: by nginx's contract of `send`: an open connection, and as many bytes.
    unsafe { done((*c).write, || libc::write((*c).fd, data.cast(), size)) }
}

/// Answers as nginx's `recv` and `send` do.
///
/// # Safety
/// The event must be one of the connection that `call` reads or writes.
unsafe fn done(event: *mut ngx_event_t, call: impl Fn() -> isize) -> isize {
    loop {
        let bytes = call();
        if bytes >= 0 {
            return bytes;
        }
        let errno = Errno::last();
        if errno.interrupted() {
            continue;
        }
        // SAFETY: by this function's contract. What blocks is to be told of again.
        unsafe { (*event).set_ready(0) };
        return if errno.would_block() { AGAIN } else { ERROR };
    }
}
