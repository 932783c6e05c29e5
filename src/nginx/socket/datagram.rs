//! A datagram socket, UDP or UNIX, that talks to one peer.

use std::cell::RefCell;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use ngx::ffi::*;

use crate::nginx::log::{Level, log_cycle};
use crate::nginx::request::Request;

use super::address::Address;
use super::channel::{Wake, Woken};
use super::errno::Errno;
use super::local::Local;

/// A connected datagram socket, which nginx's event loop watches. Dropping it closes it.
pub struct Datagram(Box<Inner>);

/// nginx's connection points to it.
struct Inner {
    connection: *mut ngx_connection_t,
    reader: RefCell<Option<Wake>>,
}

impl Datagram {
    /// Opens a socket, binds it to `local` where one is given, and sets the peer of its datagrams. The error says which
    /// call has failed too.
    ///
    /// It writes to the log of the request, which it must not outlive.
    pub fn connect(request: &Request, peer: &Address, local: Option<&Local>) -> Result<Self, (&'static str, Errno)> {
        let socket = open(peer).map_err(|errno| ("socket()", errno))?;
        // A UNIX socket without a name could not be answered: Linux gives it one when the family alone is bound.
        let unnamed = peer.is_unix().then(|| peer.family_only());
        if let Some(local) = local.map(|local| &local.address).or(unnamed.as_ref()) {
            call(&socket, local, libc::bind).map_err(|errno| ("bind()", errno))?;
        }
        call(&socket, peer, libc::connect).map_err(|errno| ("connect()", errno))?;
        Self::watched(request, socket).map_err(|errno| ("connect()", errno))
    }

    /// Gives a socket to the event loop.
    fn watched(request: &Request, socket: OwnedFd) -> Result<Self, Errno> {
        // SAFETY: the connection is ours until it is closed, and the box that its data points to lives as long. A
        // request's connection has a log.
        unsafe {
            let log = (*(*request.as_ptr()).connection).log;
            let Some(connection) = ngx_get_connection(socket.as_raw_fd(), log).as_mut() else {
                return Err(Errno::NO_MEMORY);
            };
            // From here on nginx closes it.
            let _ = socket.into_raw_fd();
            let mut inner = Box::new(Inner { connection, reader: RefCell::default() });
            connection.data = (&raw mut *inner).cast();
            connection.log = log;
            connection.type_ = libc::SOCK_DGRAM;
            connection.set_log_error(ngx_connection_log_error_e_NGX_ERROR_ERR);
            let (read, write) = (connection.read, connection.write);
            (*read).log = log;
            (*read).handler = Some(read_event);
            (*write).log = log;
            (*write).handler = Some(write_event);
            (*write).set_ready(1);
            let datagram = Self(inner);
            let added = match (ngx_event_actions.add_conn, ngx_event_actions.add) {
                (Some(add), _) => add(connection),
                (None, Some(_)) => ngx_handle_read_event(read, 0),
                (None, None) => NGX_ERROR as ngx_int_t,
            };
            // What cannot be watched is closed again.
            if added == NGX_OK as ngx_int_t { Ok(datagram) } else { Err(Errno::NO_MEMORY) }
        }
    }

    /// Reads a datagram, as much of it as fits. None: there is none yet. nginx has logged the error.
    pub fn receive(&self, into: &mut [u8]) -> Result<Option<usize>, Errno> {
        // SAFETY: the connection is open, the buffer as long as is said.
        unsafe {
            let io = &raw const ngx_io;
            let receive = (*io).udp_recv;
            done(receive.map(|receive| receive(self.0.connection, into.as_mut_ptr(), into.len())))
        }
    }

    /// Sends a datagram. None: the system has no room for it now. nginx has logged the error.
    pub fn send(&self, datagram: &[u8]) -> Result<Option<usize>, Errno> {
        // SAFETY: the connection is open; nginx only reads the data. Its `send` takes an empty datagram for a failure.
        unsafe {
            let io = &raw const ngx_io;
            let send = if datagram.is_empty() { (*io).udp_send } else { (*io).send };
            done(send.map(|send| send(self.0.connection, datagram.as_ptr().cast_mut(), datagram.len())))
        }
    }

    /// Calls `wake` when a datagram or an error has come, or after that time. False: that cannot be waited for, and it
    /// is not called.
    pub fn wait(&self, timeout: Duration, wake: Wake) -> bool {
        self.0.reader.replace(Some(wake));
        // SAFETY: the connection is open. Events of a method that tells levels are asked for anew after each.
        unsafe {
            let read = (*self.0.connection).read;
            (*read).set_ready(0);
            if ngx_handle_read_event(read, 0) != NGX_OK as ngx_int_t {
                self.0.reader.take();
                return false;
            }
            ngx_add_timer(read, timeout.as_millis() as ngx_msec_t);
        }
        true
    }
}

impl Drop for Datagram {
    fn drop(&mut self) {
        // SAFETY: it was not closed before; nginx takes its events and timers back.
        unsafe { ngx_close_connection(self.0.connection) }
    }
}

fn open(peer: &Address) -> Result<OwnedFd, Errno> {
    // SAFETY: the descriptor is new and nobody else's.
    unsafe {
        match libc::socket(peer.family(), libc::SOCK_DGRAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC, 0) {
            -1 => Err(Errno::last()),
            fd => Ok(OwnedFd::from_raw_fd(fd)),
        }
    }
}

/// `bind` or `connect`.
type Call = unsafe extern "C" fn(i32, *const libc::sockaddr, libc::socklen_t) -> i32;

fn call(socket: &OwnedFd, address: &Address, call: Call) -> Result<(), Errno> {
    // SAFETY: the address is as long as it says.
    match unsafe { call(socket.as_raw_fd(), address.as_libc(), address.length()) } {
        0 => Ok(()),
        _ => Err(Errno::last()),
    }
}

/// What nginx's function has answered; none where it has none.
fn done(answer: Option<isize>) -> Result<Option<usize>, Errno> {
    const AGAIN: isize = NGX_AGAIN as isize;
    match answer {
        Some(AGAIN) => Ok(None),
        Some(count) if count >= 0 => Ok(Some(count.unsigned_abs())),
        _ => Err(Errno::last()),
    }
}

/// # Safety
/// The event must be valid.
unsafe fn del_timer(event: *mut ngx_event_t) {
    // SAFETY: by this function's contract.
    unsafe {
        if (*event).timer_set() != 0 {
            ngx_del_timer(event);
        }
    }
}

unsafe extern "C" fn read_event(event: *mut ngx_event_t) {
    // SAFETY: `watched` made the event's data a connection and that connection's data the `Inner` around it, which lives
    // until the connection is closed.
    let reader = unsafe {
        let inner = &*(*(*event).data.cast::<ngx_connection_t>()).data.cast::<Inner>();
        let outcome = if (*event).timedout() != 0 { Woken::TimedOut } else { Woken::Ready };
        (*event).set_timedout(0);
        del_timer(event);
        // A method that tells levels must not tell this one again and again.
        if ngx_handle_read_event(event, 0) != NGX_OK as ngx_int_t {
            log_cycle(Level::Alert, b"a datagram socket cannot be watched");
        }
        inner.reader.take().map(|reader| (reader, outcome))
    };
    if let Some((reader, outcome)) = reader
        && catch_unwind(AssertUnwindSafe(|| reader(outcome))).is_err()
    {
        log_cycle(Level::Alert, b"internal error: the Lua module panicked in an event");
    }
}

/// Nobody waits until a datagram can be sent.
unsafe extern "C" fn write_event(_: *mut ngx_event_t) {}
