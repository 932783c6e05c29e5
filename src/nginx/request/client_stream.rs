//! The client's connection as something that a cosocket reads and writes.

use std::rc::Rc;
use std::time::Duration;

use ngx::ffi::*;

use crate::nginx::log::{Level, Log};
use crate::nginx::request::Request;
use crate::nginx::request::stream::Streams;
use crate::nginx::socket::channel::{Channel, Io, Side, Wake, Woken};
use crate::nginx::socket::errno::Errno;

/// `NGX_AGAIN` as nginx's `recv` and `send` answer it.
const AGAIN: isize = NGX_AGAIN as isize;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// The body and no more.
    Body,
    /// All that comes and goes.
    Raw,
}

/// What the client sends. Raw, it can be written to as well. It must be dropped when the request ends.
pub struct ClientStream {
    request: *mut ngx_http_request_t,
    streams: Rc<Streams>,
    kind: Kind,
}

impl ClientStream {
    /// That of a request. There must be no other one of the kind.
    pub(super) fn new(request: &Request, streams: Rc<Streams>, kind: Kind) -> Self {
        Self { request: request.as_ptr(), streams, kind }
    }
}

impl Request {
    /// The handler of what the client sends or of what it takes, where a stream waits for it.
    pub(in crate::nginx) fn stream_handler(&self, side: Side) -> Option<unsafe extern "C" fn(*mut ngx_http_request_t)> {
        self.streams().filter(|streams| streams.waits(side))?;
        Some(match side {
            Side::Read => readable,
            Side::Write => writable,
        })
    }

    fn wake_stream(&self, side: Side) {
        let Some(streams) = self.streams() else { return };
        // SAFETY: a live request's connection.
        let woken = unsafe {
            let event = event(self.as_ptr(), side);
            let woken = if (*event).timedout() != 0 { Woken::TimedOut } else { Woken::Ready };
            (*event).set_timedout(0);
            if (*event).timer_set() != 0 {
                ngx_del_timer(event);
            }
            // A method that tells levels must not tell this one again and again.
            let watched = match side {
                Side::Read => ngx_handle_read_event(event, 0),
                Side::Write => ngx_handle_write_event(event, 0),
            };
            if watched != NGX_OK as ngx_int_t {
                Log::of(self).write(Level::Alert, b"the client's connection cannot be watched");
            }
            woken
        };
        let wake = streams.waits[side as usize].take();
        if let Some((_, wake)) = wake {
            crate::nginx::entry::unless_panics(self, || wake(woken));
        }
    }
}

impl Channel for ClientStream {
    fn recv(&self, into: &mut [u8]) -> Io {
        let room = match (self.kind, self.streams.rest.get()) {
            (Kind::Body, Some(rest)) => into.len().min(usize::try_from(rest).unwrap_or(usize::MAX)),
            (Kind::Body, None) => 0,
            (Kind::Raw, _) => into.len(),
        };
        if room == 0 {
            return Io::Closed;
        }
        let into = &mut into[..room];
        let count = match self.read_ahead(into) {
            0 => match self.receive(into) {
                Io::Bytes(count) => count,
                other => return other,
            },
            count => count,
        };
        self.took(count);
        Io::Bytes(count)
    }

    fn send(&self, data: &[u8]) -> Io {
        // SAFETY: a live request's connection; nginx only reads the data.
        unsafe {
            let connection = (*self.request).connection;
            let Some(send) = (*connection).send else { return Io::Closed };
            match send(connection, data.as_ptr().cast_mut(), data.len()) {
                0 | AGAIN => Io::Again,
                sent if sent < 0 => Io::Failed((*connection).ssl.is_null().then(Errno::last)),
                sent => Io::Bytes(sent.unsigned_abs()),
            }
        }
    }

    fn wait(&self, side: Side, timeout: Duration, wake: Wake) -> bool {
        self.streams.waits[side as usize].replace(Some((self.kind, wake)));
        // SAFETY: a live request's connection, whose events call the request's handlers. One that is ready already tells
        // nothing more by itself.
        unsafe {
            let event = event(self.request, side);
            let watched = match side {
                Side::Read => ngx_handle_read_event(event, 0),
                Side::Write => ngx_handle_write_event(event, 0),
            };
            if watched != NGX_OK as ngx_int_t {
                self.streams.waits[side as usize].take();
                return false;
            }
            match side {
                Side::Read => (*self.request).read_event_handler = Some(readable),
                Side::Write => (*self.request).write_event_handler = Some(writable),
            }
            ngx_add_timer(event, timeout.as_millis() as ngx_msec_t);
            if (*event).ready() != 0 {
                ngx_post_event(event, &raw mut ngx_posted_events);
            }
        }
        true
    }

    fn stop_waiting(&self, side: Side) {
        // Once Lua has the raw connection, that of the body has nothing to wait for.
        let stopped = self.streams.waits[side as usize].borrow_mut().take_if(|(kind, _)| *kind == self.kind);
        if stopped.is_none() {
            return;
        }
        // SAFETY: a live request's connection.
        unsafe {
            let event = event(self.request, side);
            if (*event).timer_set() != 0 {
                ngx_del_timer(event);
            }
        }
    }
}

impl ClientStream {
    /// Takes what nginx has read together with the header. How many bytes that are.
    fn read_ahead(&self, into: &mut [u8]) -> usize {
        // SAFETY: a live request's buffer holds `pos..last`.
        unsafe {
            let buffer = &mut *(*self.request).header_in;
            let count = into.len().min(buffer.last.offset_from_unsigned(buffer.pos));
            into.as_mut_ptr().copy_from_nonoverlapping(buffer.pos, count);
            buffer.pos = buffer.pos.add(count);
            count
        }
    }

    fn receive(&self, into: &mut [u8]) -> Io {
        // SAFETY: a live request's connection; nginx writes at most as much as it is told.
        let answer = unsafe {
            let connection = (*self.request).connection;
            let Some(recv) = (*connection).recv else { return Io::Closed };
            recv(connection, into.as_mut_ptr(), into.len())
        };
        match answer {
            AGAIN => Io::Again,
            1.. => Io::Bytes(answer.unsigned_abs()),
            _ if self.kind == Kind::Body || self.request().watches_client() => {
                if let Some(state) = self.request().state() {
                    state.client.was_told();
                }
                Io::Aborted
            }
            0 => Io::Closed,
            // SAFETY: as above.
            _ => Io::Failed(unsafe { (*(*self.request).connection).ssl.is_null() }.then(Errno::last)),
        }
    }

    /// Counts what was read.
    fn took(&self, count: usize) {
        // SAFETY: a live request.
        unsafe { (*self.request).request_length += count as off_t };
        if self.kind == Kind::Raw {
            return;
        }
        let rest = self.streams.rest.get().unwrap_or(0).saturating_sub(count as u64);
        self.streams.rest.set(Some(rest));
        self.streams.untouched.set(false);
        if rest == 0 {
            // SAFETY: as above.
            unsafe { (*self.request).set_reading_body(0) };
        }
    }

    fn request(&self) -> &Request {
        // SAFETY: the stream is dropped when the request ends.
        unsafe { Request::from_ptr(self.request) }
    }
}

impl Drop for ClientStream {
    fn drop(&mut self) {
        Log::of(self.request()).debug(|| "lua finalize socket".into());
        self.stop_waiting(Side::Read);
        self.stop_waiting(Side::Write);
    }
}

/// # Safety
/// `r` must be a live request.
unsafe fn event(r: *mut ngx_http_request_t, side: Side) -> *mut ngx_event_t {
    // SAFETY: by this function's contract; a request has a connection.
    unsafe {
        match side {
            Side::Read => (*(*r).connection).read,
            Side::Write => (*(*r).connection).write,
        }
    }
}

/// What nginx calls for what the client sends while a stream waits for it, or when it has sent nothing for too long.
unsafe extern "C" fn readable(r: *mut ngx_http_request_t) {
    // SAFETY: nginx passes a live request.
    unsafe { Request::from_ptr(r) }.wake_stream(Side::Read);
}

/// What nginx calls when the client takes more while a stream waits for that, or when it has taken nothing for too long.
unsafe extern "C" fn writable(r: *mut ngx_http_request_t) {
    // SAFETY: nginx passes a live request.
    unsafe { Request::from_ptr(r) }.wake_stream(Side::Write);
}
