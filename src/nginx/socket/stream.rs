//! A stream socket, TCP or UNIX, that the module has opened.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use ngx::ffi::*;

use crate::nginx::log::{Level, log_cycle};
use crate::nginx::request::Request;
use crate::nginx::tls::TlsSession;

use super::address::Address;
use super::channel::{Channel, Io, Side, Wake, Woken};
use super::errno::Errno;
use super::local::Local;
use super::tls;

/// A connection that is the module's own. Dropping it closes it.
///
/// It reads and writes by the functions that nginx has put into its connection, so also through TLS once that is there.
pub struct Stream {
    connection: *mut ngx_connection_t,
    /// By [`Side`].
    waits: [RefCell<Option<Wake>>; 2],
    /// The session that TLS has agreed on last.
    pub(super) session: TlsSession,
}

/// A connection that was begun.
pub enum Connecting {
    /// It stands.
    Connected(Rc<Stream>),
    /// Once it can be written to, [`Stream::outcome`] says whether it stands.
    Pending(Rc<Stream>),
}

impl Stream {
    /// Begins to connect for a request, to whose log it writes until [`Stream::detach`]. nginx has logged the error.
    ///
    /// # Errors
    /// What the system says; none where nginx has no connection left.
    pub fn connect(request: &Request, to: &Address, from: Option<&Local>) -> Result<Connecting, Option<Errno>> {
        let (mut to, mut from) = (*to, from.copied());
        let (name, local_name) = (to.to_string(), from.map(|from| from.to_string()).unwrap_or_default());
        let (mut name, mut local) = (
            str_of(&name),
            ngx_addr_t {
                sockaddr: from.as_mut().map_or(std::ptr::null_mut(), |from| from.address.as_ptr()),
                socklen: from.map_or(0, |from| from.address.length()),
                name: str_of(&local_name),
            },
        );
        // SAFETY: all-zero is what nginx's own modules begin with. nginx reads what the peer points to during the call
        // only; the request's log outlives the stream, which is closed or detached when the request ends.
        unsafe {
            let mut peer: ngx_peer_connection_t = std::mem::zeroed();
            peer.sockaddr = to.as_ptr();
            peer.socklen = to.length();
            peer.name = &raw mut name;
            peer.get = Some(ngx_event_get_peer);
            peer.log = (*(*request.as_ptr()).connection).log;
            peer.set_log_error(ngx_connection_log_error_e_NGX_ERROR_ERR);
            if from.is_some() {
                peer.local = &raw mut local;
            }
            Errno::forget();
            let rc = ngx_event_connect_peer(&raw mut peer);
            let Some(connection) = peer.connection.as_mut() else {
                // Closing what could not connect has left the number as it was.
                return Err(Errno::last_if_any());
            };
            connection.log = peer.log;
            let stream = Self::around(connection);
            Ok(if rc == NGX_OK as ngx_int_t { Connecting::Connected(stream) } else { Connecting::Pending(stream) })
        }
    }

    /// Takes over a connection that has been got from nginx, with its functions to read and write.
    ///
    /// # Safety
    /// Nobody else may use or close it.
    pub(super) unsafe fn around(connection: *mut ngx_connection_t) -> Rc<Self> {
        let waits = [const { RefCell::new(None) }; 2];
        let stream = Rc::new(Self { connection, waits, session: TlsSession::default() });
        // SAFETY: by this function's contract.
        unsafe { (*connection).data = Rc::as_ptr(&stream).cast_mut().cast() };
        stream.take_events();
        stream
    }

    /// Says whether a pending connection stands; the error is the system's reason, which is logged where `logs`.
    pub fn outcome(&self, logs: bool) -> Result<(), Errno> {
        self.pending_error().inspect_err(|errno| {
            if logs {
                // SAFETY: the connection is open; nginx only reads the text.
                unsafe {
                    ngx_connection_error(self.connection, errno.number(), c"connect() failed".as_ptr().cast_mut());
                }
            }
        })
    }

    /// Has its events and log forget the request that it was opened for.
    pub fn detach(&self) {
        // SAFETY: the cycle's log outlives the process's connections.
        self.set_log(unsafe { (*ngx_cycle).log });
    }

    /// Makes it write to the log of a request that uses it from now on, until it is closed or detached.
    pub fn attach(&self, request: &Request) {
        // SAFETY: a request's connection has a log.
        self.set_log(unsafe { (*(*request.as_ptr()).connection).log });
    }

    fn set_log(&self, log: *mut ngx_log_t) {
        // SAFETY: the connection is open, and its pool, where TLS has made one, its own.
        unsafe {
            let c = &mut *self.connection;
            c.log = log;
            (*c.read).log = log;
            (*c.write).log = log;
            if let Some(pool) = c.pool.as_mut() {
                pool.log = log;
            }
        }
    }

    /// nginx's connection, open as long as this.
    pub(in crate::nginx) fn as_ptr(&self) -> *mut ngx_connection_t {
        self.connection
    }

    /// Puts its own handlers on the connection's events: at first, and after a TLS handshake had them.
    pub(in crate::nginx) fn take_events(&self) {
        // SAFETY: the connection is open.
        unsafe {
            (*(*self.connection).read).handler = Some(handle);
            (*(*self.connection).write).handler = Some(handle);
        }
    }

    fn event(&self, side: Side) -> *mut ngx_event_t {
        // SAFETY: the connection is open.
        unsafe {
            match side {
                Side::Read => (*self.connection).read,
                Side::Write => (*self.connection).write,
            }
        }
    }
}

impl Channel for Stream {
    fn recv(&self, into: &mut [u8]) -> Io {
        // SAFETY: nginx writes at most as much as it is told.
        unsafe {
            match (*self.connection).recv {
                Some(recv) => self.done(recv(self.connection, into.as_mut_ptr(), into.len())),
                None => Io::Closed,
            }
        }
    }

    fn send(&self, data: &[u8]) -> Io {
        // SAFETY: nginx only reads the data.
        unsafe {
            match (*self.connection).send {
                Some(send) => match self.done(send(self.connection, data.as_ptr().cast_mut(), data.len())) {
                    Io::Closed => Io::Again,
                    done => done,
                },
                None => Io::Closed,
            }
        }
    }

    fn wait(&self, side: Side, timeout: Duration, wake: Wake) -> bool {
        let event = self.event(side);
        self.waits[side as usize].replace(Some(wake));
        // SAFETY: the connection is open. An event that is ready already tells nothing more by itself.
        unsafe {
            let watched = match side {
                Side::Read => ngx_handle_read_event(event, 0),
                Side::Write => ngx_handle_write_event(event, 0),
            };
            if watched != NGX_OK as ngx_int_t {
                self.waits[side as usize].take();
                return false;
            }
            ngx_add_timer(event, timeout.as_millis() as ngx_msec_t);
            if (*event).ready() != 0 {
                ngx_post_event(event, &raw mut ngx_posted_events);
            }
        }
        true
    }

    fn stop_waiting(&self, side: Side) {
        let event = self.event(side);
        self.waits[side as usize].take();
        // SAFETY: the connection is open.
        unsafe {
            if (*event).timer_set() != 0 {
                ngx_del_timer(event);
            }
        }
    }
}

impl Stream {
    /// Says whether nginx closes all connections because `worker_shutdown_timeout` is over.
    fn must_close(&self) -> bool {
        // SAFETY: the connection is open.
        unsafe { (*self.connection).close() != 0 }
    }

    /// What nginx's `recv` or `send` has answered.
    fn done(&self, answer: isize) -> Io {
        const AGAIN: isize = NGX_AGAIN as isize;
        match answer {
            0 => Io::Closed,
            AGAIN => Io::Again,
            // SAFETY: the connection is open.
            _ if answer < 0 => Io::Failed(unsafe { (*self.connection).ssl.is_null() }.then(Errno::last)),
            bytes => Io::Bytes(bytes.unsigned_abs()),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // SAFETY: the connection is open until here; nginx takes back its events and timers. What TLS keeps of it lies
        // in its pool, which nobody else destroys.
        unsafe {
            let c = self.connection;
            tls::end(c);
            let pool = (*c).pool;
            ngx_close_connection(c);
            if !pool.is_null() {
                ngx_destroy_pool(pool);
            }
        }
    }
}

unsafe extern "C" fn handle(event: *mut ngx_event_t) {
    // SAFETY: `connect` made the event's data a connection and that connection's data the stream around it, which is
    // there until the connection is closed. A wake may drop it, so nothing of it is touched afterwards.
    let (wakes, woken) = unsafe {
        let stream = &*(*(*event).data.cast::<ngx_connection_t>()).data.cast::<Stream>();
        let is_write = (*event).write() != 0;
        let side = if is_write { Side::Write } else { Side::Read };
        let woken = if (*event).timedout() != 0 { Woken::TimedOut } else { Woken::Ready };
        (*event).set_timedout(0);
        if (*event).timer_set() != 0 {
            ngx_del_timer(event);
        }
        // A method that tells levels must not tell this one again and again.
        let watched = if is_write { ngx_handle_write_event(event, 0) } else { ngx_handle_read_event(event, 0) };
        if watched != NGX_OK as ngx_int_t {
            log_cycle(Level::Alert, b"a socket cannot be watched");
        }
        // A worker that may not drain any longer tells so by the read event alone.
        let both = stream.must_close();
        let take = |of: Side| if both || of == side { stream.waits[of as usize].take() } else { None };
        ([take(Side::Read), take(Side::Write)], woken)
    };
    for wake in wakes.into_iter().flatten() {
        if catch_unwind(AssertUnwindSafe(|| wake(woken))).is_err() {
            log_cycle(Level::Alert, b"internal error: the Lua module panicked in an event");
        }
    }
}

fn str_of(text: &str) -> ngx_str_t {
    ngx_str_t { len: text.len(), data: text.as_ptr().cast_mut() }
}
