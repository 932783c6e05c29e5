//! A connection that nobody uses for now: it is watched, because the peer may close it or say what nobody asked for.

use std::time::Duration;

use ngx::ffi::*;

use super::channel::{Channel, Io, Side, Wake};
use super::errno::Errno;
use super::stream::Stream;

/// What an unused connection has to say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heard {
    /// Nothing: it can be used.
    Nothing,
    /// Bytes that belong to nothing that was asked.
    Bytes,
    /// That it is over.
    End,
}

impl Stream {
    /// Watches it while nobody uses it: calls `wake` once it has something to say, after that time, where there is one,
    /// or when the worker is about to end. False: it cannot be watched.
    pub fn rest(&self, timeout: Option<Duration>, wake: Wake) -> bool {
        self.detach();
        // SAFETY: the connection is open. nginx tells those that are idle of its end.
        unsafe { (*self.as_ptr()).set_idle(1) }
        let watched = self.wait(Side::Read, timeout.unwrap_or_default(), wake);
        if watched && timeout.is_none() {
            self.forget_timer();
        }
        watched
    }

    /// Ends that: it is used again.
    pub fn rouse(&self) {
        self.stop_waiting(Side::Read);
        // SAFETY: the connection is open.
        unsafe { (*self.as_ptr()).set_idle(0) }
    }

    /// Listens to a connection that should have nothing to say.
    pub fn heard(&self) -> Heard {
        // SAFETY: the connection is open.
        let (fd, is_tls) = unsafe { ((*self.as_ptr()).fd, !(*self.as_ptr()).ssl.is_null()) };
        if is_tls {
            // Only OpenSSL knows whether it is data or, say, a session ticket.
            return match self.recv(&mut [0]) {
                Io::Again => Heard::Nothing,
                Io::Bytes(_) => Heard::Bytes,
                Io::Closed | Io::Aborted | Io::Failed(_) => Heard::End,
            };
        }
        let mut byte = [0u8];
        // SAFETY: the buffer is as long as is said.
        match unsafe { libc::recv(fd, byte.as_mut_ptr().cast(), 1, libc::MSG_PEEK) } {
            1.. => Heard::Bytes,
            0 => Heard::End,
            _ if Errno::last().would_block() => {
                // SAFETY: the connection is open. What was ready was no data; the next edge tells anew.
                unsafe { (*(*self.as_ptr()).read).set_ready(0) }
                Heard::Nothing
            }
            _ => Heard::End,
        }
    }

    fn forget_timer(&self) {
        // SAFETY: the connection is open.
        unsafe {
            let read = (*self.as_ptr()).read;
            if (*read).timer_set() != 0 {
                ngx_del_timer(read);
            }
        }
    }
}
