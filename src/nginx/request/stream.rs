//! The client's connection as a cosocket reads it: the request's body and no more, or all that the client sends, and
//! then written to as well.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use ngx::ffi::*;

use crate::nginx::log::Log;
use crate::nginx::request::Request;
use crate::nginx::request::client_stream::{ClientStream, Kind};
use crate::nginx::response::error::OutputError;
use crate::nginx::socket::channel::{Side, Wake};
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
    pub(super) rest: Cell<Option<u64>>,
    /// Nothing of the body was read yet.
    pub(super) untouched: Cell<bool>,
    /// Lua has the raw connection.
    raw: Cell<bool>,
    /// Who waits, by [`Side`].
    pub(super) waits: [RefCell<Option<(Kind, Wake)>>; 2],
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
            let streams = Rc::clone(self.state_or_new().ok_or(StreamError::Memory)?.streams.get_or_init(Rc::default));
            self.expected()?;
            self.take_body()?;
            // Where the rest of it is left nginx neither keeps the connection nor resets it.
            (*r).set_reading_body(1);
            streams.rest.set(Some(rest));
            streams.untouched.set(true);
            Ok(ClientStream::new(self, streams, Kind::Body))
        }
    }

    /// All that the client sends from here on, and what it is sent: nginx answers nothing more, and closes the connection
    /// when the request ends. What was output before goes out first.
    pub fn raw_stream(&self) -> Result<ClientStream, StreamError> {
        self.check_streamable()?;
        let state = self.state_or_new().ok_or(StreamError::Memory)?;
        let streams = Rc::clone(state.streams.get_or_init(Rc::default));
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
        Ok(ClientStream::new(self, streams, Kind::Raw))
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
        let streams = self.streams().filter(|streams| keeps && streams.reads_body());
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
        self.streams().is_some_and(Streams::reads_body)
    }

    /// What of it is read as a stream; none where nothing ever was.
    pub(super) fn streams(&self) -> Option<&Streams> {
        self.state()?.streams.get().map(|streams| &**streams)
    }
}
