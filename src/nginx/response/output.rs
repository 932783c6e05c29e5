//! The response: its header, and a buffer in which Lua's output gathers before the filters see it.
//!
//! nginx's own write filter holds small output back (`postpone_output`), so handing over whole buffers instead of
//! each piece changes nothing on the wire and saves a walk through the filter chain a call.

use std::ptr;

use ngx::ffi::*;

use crate::nginx::log::{Level, Log};
use crate::nginx::request::Request;
use crate::nginx::request::state::State;
use crate::nginx::response::buffer::{Append, FIRST_BUFFER, Stage, chain_length};
use crate::nginx::response::error::OutputError;

impl Request {
    /// Makes each call's output go to the filters at once, for a location whose filters run Lua.
    pub fn unbuffer_output(&self) {
        if let Some(state) = self.state() {
            state.output.unbuffered.set(true);
        }
    }

    /// Appends all the pieces to the buffer if there is room for the whole. No filter runs, so it may be called where Lua must not run: the
    /// header of a response that begins so is due, and goes out when the buffer is handed over.
    #[inline]
    pub fn append(&self, pieces: &[&[u8]]) -> Append {
        let Some(state) = self.state() else { return Append::Full };
        match state.output.append(pieces) {
            Append::Full if state.output.stage.get() == Stage::Fresh => self.begin(state, pieces),
            done => done,
        }
    }

    /// The first bytes of a response.
    fn begin(&self, state: &State, pieces: &[&[u8]]) -> Append {
        let output = &state.output;
        let length: usize = pieces.iter().map(|piece| piece.len()).sum();
        // SAFETY: a live request.
        let is_head = unsafe { (*self.as_ptr()).method } == NGX_HTTP_HEAD as usize;
        let at_once = is_head || output.unbuffered.get() || self.is_conditional() || !self.postpones();
        if at_once || self.header_sent() || self.gathers() || length > FIRST_BUFFER {
            return Append::Full;
        }
        if self.allocate(output, length).is_err() {
            return Append::Full;
        }
        output.stage.set(Stage::Due);
        // SAFETY: a live request whose header was not sent.
        unsafe {
            let status = &mut (*self.as_ptr()).headers_out.status;
            if *status == 0 {
                *status = NGX_HTTP_OK as _;
            }
        }
        output.append(pieces)
    }

    /// Says whether nginx holds back at least as much as our first buffer does (`postpone_output`).
    fn postpones(&self) -> bool {
        // SAFETY: the configuration lives as long as the cycle.
        unsafe { (*self.core_conf()).postpone_output >= FIRST_BUFFER }
    }

    /// Says whether the filters may answer by 304, 412 or 416 in the place of what is output: then the caller is told at
    /// once.
    fn is_conditional(&self) -> bool {
        // SAFETY: a live request.
        let headers = unsafe { &(*self.as_ptr()).headers_in };
        !headers.if_modified_since.is_null()
            || !headers.if_unmodified_since.is_null()
            || !headers.if_match.is_null()
            || !headers.if_none_match.is_null()
            || !headers.range.is_null()
    }

    /// Sends a header that is due: before anything that it could still depend on changes.
    pub fn settle(&self) -> Result<(), OutputError> {
        match self.state() {
            Some(state) if state.output.stage.get() == Stage::Due => self.open(state),
            _ => Ok(()),
        }
    }

    /// Says whether [`Request::settle`] has something to do.
    #[inline]
    pub fn header_due(&self) -> bool {
        self.state().is_some_and(|state| state.output.stage.get() == Stage::Due)
    }

    /// HTTP/1.0 knows no chunks: without a length the body must be whole before its header goes out.
    fn gathers(&self) -> bool {
        // SAFETY: a live request.
        unsafe {
            let r = self.as_ptr();
            self.settings().gathers_http10
                && (*r).http_version < NGX_HTTP_VERSION_11 as usize
                && (*r).headers_out.content_length_n < 0
                && (*r).header_sent() == 0
                && (*r).main == r
                // nginx marks a HEAD request as `header_only` only while it sends the header.
                && (*r).method != NGX_HTTP_HEAD as usize
                && !self.header_only()
        }
    }

    /// Sends the header if need be and adds `bytes` to the body.
    pub fn print(&self, bytes: &[u8]) -> Result<(), OutputError> {
        let state = self.state_or_new().ok_or(OutputError::Memory)?;
        let output = &state.output;
        output.takes_more()?;
        self.open(state)?;
        if output.stage.get() == Stage::HeaderOnly || bytes.is_empty() {
            return Ok(());
        }
        if output.append(&[bytes]) == Append::Full {
            self.ship(state, false)?;
            self.allocate(output, bytes.len())?;
            if output.append(&[bytes]) == Append::Full {
                return Err(OutputError::Memory);
            }
        }
        if output.unbuffered.get() && output.stage.get() == Stage::Body { self.ship(state, false) } else { Ok(()) }
    }

    /// Sends the header if it is not out yet. With HTTP/1.0 and no length it waits for the end of the body.
    pub fn send_header(&self) -> Result<(), OutputError> {
        let state = self.state_or_new().ok_or(OutputError::Memory)?;
        self.open(state)
    }

    /// Hands what is buffered to the filters; `flush` asks them not to hold it back.
    pub fn flush(&self, flush: bool) -> Result<(), OutputError> {
        let state = self.state_or_new().ok_or(OutputError::Memory)?;
        match state.output.stage.get() {
            Stage::Fresh => Err(OutputError::Nothing),
            Stage::Gathering => {
                Log::of(self).write(Level::Debug, b"lua http 1.0 buffering makes ngx.flush() a no-op");
                Err(OutputError::Gathering)
            }
            Stage::HeaderOnly => Err(OutputError::HeaderOnly),
            Stage::Ended => Err(OutputError::Eof),
            Stage::Sending | Stage::Failed => Err(OutputError::Filter),
            Stage::Raw => Err(OutputError::Raw),
            Stage::Due | Stage::Body => {
                self.open(state)?;
                self.ship(state, false)?;
                if flush { self.special(NGX_HTTP_FLUSH) } else { Ok(()) }
            }
        }
    }

    /// Hands what is buffered to the filters, before the request waits.
    pub fn hand_over(&self) -> Result<(), OutputError> {
        match self.state() {
            Some(state) if matches!(state.output.stage.get(), Stage::Due | Stage::Body) => {
                self.open(state)?;
                self.ship(state, false)
            }
            _ => Ok(()),
        }
    }

    /// Says why nothing more can be output, where that is so.
    pub fn takes_output(&self) -> Result<(), OutputError> {
        self.state().map_or(Ok(()), |state| state.output.takes_more())
    }

    /// Ends the body for `ngx.eof()`, which a second call reports.
    pub fn eof(&self) -> Result<(), OutputError> {
        match self.takes_output() {
            Ok(()) => self.end_output(),
            Err(OutputError::Raw) => Err(OutputError::Raw),
            Err(_) => Err(OutputError::Eof),
        }
    }

    /// Ends the body, with the header before it where nothing was sent.
    pub fn end_output(&self) -> Result<(), OutputError> {
        let state = self.state_or_new().ok_or(OutputError::Memory)?;
        let output = &state.output;
        match output.stage.get() {
            Stage::Ended | Stage::Raw => return Ok(()),
            Stage::Failed => return Err(OutputError::Filter),
            _ => {}
        }
        self.open(state)?;
        if output.stage.get() == Stage::Gathering {
            self.ship(state, false)?;
            let body = output.gathered.replace(ptr::null_mut());
            // SAFETY: the chain is ours until it is handed to the filters.
            unsafe { (*self.as_ptr()).headers_out.content_length_n = chain_length(body) };
            self.header(state)?;
            if self.header_only() {
                output.stage.set(Stage::Ended);
                return Ok(());
            }
            output.stage.set(Stage::Body);
            if !body.is_null() {
                self.filter(output, body)?;
            }
        }
        match output.stage.replace(Stage::Ended) {
            Stage::HeaderOnly => Ok(()),
            _ => self.ship(state, true),
        }
    }

    /// Leaves the response to one who writes to the connection: nothing more is put out, not even a header.
    pub(in crate::nginx) fn leave_output(&self, state: &State) {
        state.output.stage.set(Stage::Raw);
        // SAFETY: a live request.
        unsafe { (*self.as_ptr()).set_header_sent(1) };
    }

    /// Says whether Lua has begun to answer: then the header can no longer be changed.
    pub fn output_begun(&self) -> bool {
        self.header_sent() || self.state().is_some_and(|state| state.output.stage.get() > Stage::Sending)
    }

    /// Says whether a body gathers whose header waits for its length (HTTP/1.0).
    pub fn output_gathers(&self) -> bool {
        self.state().is_some_and(|state| state.output.stage.get() == Stage::Gathering)
    }

    /// Says whether anything was put out, sent or gathered.
    pub fn has_output(&self) -> bool {
        self.output_begun() || self.output_gathers()
    }

    /// Forgets a response that was gathered but not sent (an error or redirect answers instead).
    pub fn drop_gathered(&self) {
        if let Some(state) = self.state()
            && state.output.stage.get() <= Stage::Gathering
        {
            state.output.stage.set(Stage::Fresh);
            state.output.filling.set(ptr::null_mut());
            state.output.gathered.set(ptr::null_mut());
        }
    }

    fn open(&self, state: &State) -> Result<(), OutputError> {
        if !matches!(state.output.stage.get(), Stage::Fresh | Stage::Due) {
            return Ok(());
        }
        if !self.postpones() {
            state.output.unbuffered.set(true);
        }
        // SAFETY: a live request.
        unsafe {
            let r = self.as_ptr();
            if (*r).headers_out.status == 0 {
                (*r).headers_out.status = NGX_HTTP_OK as _;
            }
            // A 304 says nothing of a type that it does not carry.
            let typed = (*r).headers_out.status != NGX_HTTP_NOT_MODIFIED as ngx_uint_t;
            if typed && state.settings.get().default_type && !state.content_type_set.get() && (*r).header_sent() == 0 {
                self.default_content_type(state)?;
            }
            if !state.headers_set.get() && (*r).header_sent() == 0 {
                // A handler's file length or range must not describe Lua's output.
                (*r).headers_out.content_length_n = -1;
                if let Some(length) = (*r).headers_out.content_length.as_mut() {
                    length.hash = 0;
                    (*r).headers_out.content_length = ptr::null_mut();
                }
                (*r).set_allow_ranges(0);
                if let Some(ranges) = (*r).headers_out.accept_ranges.as_mut() {
                    ranges.hash = 0;
                    (*r).headers_out.accept_ranges = ptr::null_mut();
                }
            }
            if self.gathers() {
                Log::of(self).write(Level::Debug, b"lua buffering output bufs for the HTTP 1.0 request");
                state.output.stage.set(Stage::Gathering);
                return Ok(());
            }
        }
        self.header(state)?;
        if self.header_only() {
            state.output.stage.set(Stage::HeaderOnly);
            state.output.filling.set(ptr::null_mut());
        } else {
            state.output.stage.set(Stage::Body);
        }
        Ok(())
    }

    /// Sets the default content type of the location (`default_type`, `types`).
    fn default_content_type(&self, state: &State) -> Result<(), OutputError> {
        state.content_type_set.set(true);
        // SAFETY: a live request.
        unsafe {
            if (*self.as_ptr()).headers_out.content_type.len > 0 {
                return Ok(());
            }
            match ngx_http_set_content_type(self.as_ptr()) as i32 {
                0 => Ok(()),
                _ => Err(OutputError::Memory),
            }
        }
    }

    fn header(&self, state: &State) -> Result<(), OutputError> {
        if self.header_sent() {
            return Ok(());
        }
        let stage = &state.output.stage;
        let before = stage.replace(Stage::Sending);
        // SAFETY: a live request whose header was not sent.
        let rc = unsafe { ngx_http_send_header(self.as_ptr()) };
        if rc == NGX_ERROR as ngx_int_t || rc > NGX_OK as ngx_int_t {
            stage.set(Stage::Failed);
            return Err(OutputError::Filter);
        }
        stage.set(before);
        Ok(())
    }

    fn special(&self, flags: u32) -> Result<(), OutputError> {
        // SAFETY: a live request whose header was sent.
        let rc = unsafe { ngx_http_send_special(self.as_ptr(), flags as ngx_uint_t) };
        if rc == NGX_ERROR as ngx_int_t { Err(OutputError::Filter) } else { Ok(()) }
    }

    /// Hands the filling buffer over: to the filters, or to the gathered body while the header waits.
    fn ship(&self, state: &State, last: bool) -> Result<(), OutputError> {
        let output = &state.output;
        let link = output.filling.replace(ptr::null_mut());
        // SAFETY: the link and its buffer come from this request's pool and are ours until the filters get them.
        unsafe {
            let empty = link.is_null() || (*(*link).buf).pos == (*(*link).buf).last;
            if empty {
                return if last { self.special(NGX_HTTP_LAST) } else { Ok(()) };
            }
            if output.stage.get() == Stage::Gathering {
                let mut end = output.gathered.get();
                if end.is_null() {
                    output.gathered.set(link);
                } else {
                    while !(*end).next.is_null() {
                        end = (*end).next;
                    }
                    (*end).next = link;
                }
                return Ok(());
            }
            if last {
                if self.is_subrequest() {
                    (*(*link).buf).set_last_in_chain(1);
                } else {
                    (*(*link).buf).set_last_buf(1);
                }
            }
        }
        self.filter(output, link)
    }
}
