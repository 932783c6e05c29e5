//! The client's connection as a cosocket reads it: the request's body and no more, or all that the client sends, and
//! then written to as well.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use ngx::ffi::*;

use crate::nginx::log::{Level, Log};
use crate::nginx::request::Request;
use crate::nginx::response::error::OutputError;
use crate::nginx::socket::channel::{Channel, Io, Side, Wake, Woken};
use crate::nginx::socket::errno::Errno;
use crate::nginx::value::bytes;

/// Why the client's connection cannot be had, in upstream's words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StreamError {
    /// It is the main request's.
    Subrequest,
    /// It carries streams of HTTP/2.
    Http2,
    /// It is no TCP connection.
    Http3,
    /// The body comes in chunks, whose borders would be read too.
    Chunked,
    /// There is no body.
    NoBody,
    /// The body was read, or is.
    BodyExists,
    /// The body is thrown away as it comes.
    Discarded,
    /// Somebody else waits for the body.
    Reading,
    /// The raw connection was asked for before.
    Duplicate,
    /// An HTTP/1.0 response waits for its length.
    Gathering,
    /// The client has not taken all of what was output.
    Unsent,
    /// nginx could not answer `Expect: 100-continue`, or a filter has refused what was output.
    Output,
    /// Memory ran out.
    Memory,
}

impl StreamError {
    /// Says whether it is the code that is wrong, so that it is raised.
    pub fn is_raised(self) -> bool {
        matches!(self, Self::Subrequest | Self::Http2 | Self::Http3)
    }
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Subrequest => "attempt to read the request body in a subrequest",
            Self::Http2 => "http v2 not supported yet",
            Self::Http3 => "http v3 not supported yet",
            Self::Chunked => "chunked request bodies not supported yet",
            Self::NoBody => "no body",
            Self::BodyExists => "request body already exists",
            Self::Discarded => "request body discarded",
            Self::Reading => "pending request body reading in some other thread",
            Self::Duplicate => "duplicate call",
            Self::Gathering => "http 1.0 buffering",
            Self::Unsent => "pending data to write",
            Self::Output => "nginx output filter error",
            Self::Memory => "no memory",
        })
    }
}

/// What of a request is read as a stream.
#[derive(Default)]
pub(in crate::nginx) struct Streams {
    /// How much of the body has not been read, bytes; none where it is not read so.
    rest: Cell<Option<u64>>,
    /// Nothing of the body was read yet.
    untouched: Cell<bool>,
    /// Lua has the raw connection.
    raw: Cell<bool>,
    /// The one that waits, by [`Side`].
    waits: [RefCell<Option<Wake>>; 2],
}

impl Streams {
    /// Says whether a body is read as a stream of which something is still to come.
    pub(in crate::nginx) fn reads_body(&self) -> bool {
        self.rest.get().is_some_and(|rest| rest > 0)
    }

    /// Says whether somebody waits for that side.
    pub(in crate::nginx) fn waits(&self, side: Side) -> bool {
        self.waits[side as usize].borrow().is_some()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Body,
    Raw,
}

/// What the client sends. Raw, it can be written to as well. It must be dropped when the request ends.
pub struct ClientStream {
    request: *mut ngx_http_request_t,
    streams: Rc<Streams>,
    kind: Kind,
}

impl Request {
    /// The body as a stream. What nginx has read ahead of it comes first.
    pub fn body_stream(&self) -> Result<ClientStream, StreamError> {
        self.check_streamable()?;
        // SAFETY: a live request.
        unsafe {
            let r = self.as_ptr();
            if (*r).headers_in.chunked() != 0 {
                return Err(StreamError::Chunked);
            }
            if (*r).discard_body() != 0 {
                return Err(StreamError::Discarded);
            }
            if self.body_was_read() {
                return Err(StreamError::BodyExists);
            }
            let rest = u64::try_from((*r).headers_in.content_length_n).unwrap_or(0);
            if rest == 0 {
                return Err(StreamError::NoBody);
            }
            let streams = Rc::clone(&self.state_or_new().ok_or(StreamError::Memory)?.streams);
            self.expected()?;
            self.take_body()?;
            // Where the rest of it is left nginx neither keeps the connection nor resets it.
            (*r).set_reading_body(1);
            streams.rest.set(Some(rest));
            streams.untouched.set(true);
            Ok(ClientStream { request: r, streams, kind: Kind::Body })
        }
    }

    /// All that the client sends from here on, and what it is sent: nginx answers nothing more, and closes the connection
    /// when the request ends. What was output before goes out first.
    pub fn raw_stream(&self) -> Result<ClientStream, StreamError> {
        self.check_streamable()?;
        let state = self.state_or_new().ok_or(StreamError::Memory)?;
        let streams = Rc::clone(&state.streams);
        if streams.raw.get() {
            return Err(StreamError::Duplicate);
        }
        if self.output_gathers() {
            return Err(StreamError::Gathering);
        }
        let reads = streams.reads_body() && (streams.untouched.get() || streams.waits(Side::Read));
        if reads || state.body_read.is_pending() {
            return Err(StreamError::Reading);
        }
        match self.flush(true) {
            Ok(()) | Err(OutputError::Nothing | OutputError::HeaderOnly | OutputError::Eof) => {}
            Err(_) => return Err(StreamError::Output),
        }
        if self.has_unsent() {
            return Err(StreamError::Unsent);
        }
        // SAFETY: a live request.
        unsafe {
            let r = self.as_ptr();
            if !self.body_was_read() {
                self.take_body()?;
            }
            if (*r).discard_body() != 0 {
                // nginx held the request for this.
                (*r).set_discard_body(0);
                self.release();
            }
            streams.rest.set(None);
            streams.raw.set(true);
            (*r).set_reading_body(0);
            (*r).set_keepalive(0);
            // What is not read would have the system reset the connection before the client has read the response.
            (*r).set_lingering_close(1);
        }
        self.leave_output(state);
        self.send_at_once();
        Ok(ClientStream { request: self.as_ptr(), streams, kind: Kind::Raw })
    }

    /// Has the system send what is written without waiting for more (`tcp_nodelay`, `tcp_nopush`).
    fn send_at_once(&self) {
        // SAFETY: a live request's connection and the core module's configuration of its location.
        unsafe {
            let connection = (*self.as_ptr()).connection;
            if (*connection).tcp_nopush() == ngx_connection_tcp_nopush_e_NGX_TCP_NOPUSH_SET {
                ngx_tcp_push((*connection).fd);
                (*connection).set_tcp_nopush(ngx_connection_tcp_nopush_e_NGX_TCP_NOPUSH_UNSET);
            }
            if (*self.core_conf()).tcp_nodelay != 0 {
                Log::of(self).debug(|| "lua socket tcp_nodelay".into());
                ngx_tcp_nodelay(connection);
            }
        }
    }

    fn check_streamable(&self) -> Result<(), StreamError> {
        // SAFETY: a live request.
        let is_http2 = unsafe { !(*self.as_ptr()).stream.is_null() };
        match () {
            () if self.is_subrequest() => Err(StreamError::Subrequest),
            () if is_http2 => Err(StreamError::Http2),
            () if self.http_version() > NGX_HTTP_VERSION_20 as usize => Err(StreamError::Http3),
            () => Ok(()),
        }
    }

    /// Tells a client that asks for it to send its body (`Expect: 100-continue`).
    fn expected(&self) -> Result<(), StreamError> {
        const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
        // SAFETY: a live request's header and connection.
        unsafe {
            let r = self.as_ptr();
            let Some(expect) = (*r).headers_in.expect.as_ref() else { return Ok(()) };
            if (*r).expect_tested() != 0 || (*r).http_version < NGX_HTTP_VERSION_11 as usize {
                return Ok(());
            }
            (*r).set_expect_tested(1);
            if !bytes(&expect.value).eq_ignore_ascii_case(b"100-continue") {
                return Ok(());
            }
            let connection = (*r).connection;
            let Some(send) = (*connection).send else { return Err(StreamError::Output) };
            let sent = send(connection, CONTINUE.as_ptr().cast_mut(), CONTINUE.len());
            // As nginx: nothing was sent yet, so a socket that does not take this is broken.
            if usize::try_from(sent) == Ok(CONTINUE.len()) {
                Ok(())
            } else {
                (*connection).set_error(1);
                Err(StreamError::Output)
            }
        }
    }

    /// Keeps nginx from reading the body itself.
    fn take_body(&self) -> Result<(), StreamError> {
        // SAFETY: a live request; an empty body is all zeros, as nginx's own begins, and the allocation is checked.
        unsafe {
            let body = ngx_pcalloc(self.pool(), size_of::<ngx_http_request_body_t>()).cast();
            (*self.as_ptr()).request_body = body;
            if body.is_null() { Err(StreamError::Memory) } else { Ok(()) }
        }
    }

    /// Has nginx read and throw away what Lua has left of a body that it has read as a stream, where another request may
    /// follow. Where none may, nginx tells the client at once that it closes the connection.
    pub(in crate::nginx) fn give_body_back(&self) {
        // SAFETY: a live request.
        let keeps = unsafe { (*self.as_ptr()).keepalive() != 0 };
        let streams = self.state().map(|state| &state.streams).filter(|streams| keeps && streams.reads_body());
        let Some(rest) = streams.and_then(|streams| off_t::try_from(streams.rest.take()?).ok()) else { return };
        // SAFETY: a live request and its connection; nobody else has set its body.
        unsafe {
            let r = self.as_ptr();
            (*r).set_reading_body(0);
            let read = (*(*r).connection).read;
            if (*read).eof() != 0 || (*read).error() != 0 {
                // No event would tell nginx that nothing more comes.
                (*r).set_keepalive(0);
                return;
            }
            (*r).request_body = std::ptr::null_mut();
            (*r).headers_in.content_length_n = rest;
        }
    }

    /// Says whether its body is read as a stream, and has not come to its end.
    pub(in crate::nginx) fn streams_body(&self) -> bool {
        self.state().is_some_and(|state| state.streams.reads_body())
    }

    /// The handler of what the client sends or of what it takes, where a stream waits for it.
    pub(in crate::nginx) fn stream_handler(&self, side: Side) -> Option<unsafe extern "C" fn(*mut ngx_http_request_t)> {
        self.state().filter(|state| state.streams.waits(side))?;
        Some(match side {
            Side::Read => readable,
            Side::Write => writable,
        })
    }

    fn wake_stream(&self, side: Side) {
        let Some(state) = self.state() else { return };
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
        let wake = state.streams.waits[side as usize].take();
        if let Some(wake) = wake {
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
        self.streams.waits[side as usize].replace(Some(wake));
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
        if self.streams.waits[side as usize].take().is_none() {
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

/// `NGX_AGAIN` as nginx's `recv` and `send` answer it.
const AGAIN: isize = NGX_AGAIN as isize;

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
