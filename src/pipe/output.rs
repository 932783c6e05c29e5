//! The standard output or standard error of a process: what is read from it.

use std::cell::RefCell;
use std::mem::take;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::time::Duration;

use crate::nginx::{Channel, Io, Side};
use crate::text::receive::Receive;
use crate::vm::Operation;

use super::error::Error;
use super::lane::Lane;

/// What a reading has come to.
pub enum Read {
    /// What was read for.
    Done(Vec<u8>),
    /// It has to be waited for; [`Process::read_on`](super::Process::read_on) then goes on.
    Waits(Operation),
    /// It has failed; with what was read so far, where it had begun to read.
    Failed(Error, Option<Vec<u8>>),
}

/// The most that is read at once, whatever the size of the buffer is said to be.
const LARGEST_BUFFER: usize = 1 << 20;

pub(super) struct Output {
    lane: Lane,
    buffer_size: usize,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    /// What is read into; empty before the first reading.
    buffer: Vec<u8>,
    /// What of it nobody has asked for yet.
    unread: Range<usize>,
    /// The other end is closed, so nothing follows.
    at_end: bool,
    reading: Option<Reading>,
}

/// What the coroutine that waits reads for, and what it has got of that.
struct Reading {
    receive: Receive,
    got: Vec<u8>,
}

impl Output {
    pub(super) fn new(end: OwnedFd, buffer_size: usize) -> Self {
        Self {
            lane: Lane::new(end, Side::Read),
            buffer_size: buffer_size.clamp(1, LARGEST_BUFFER),
            state: RefCell::default(),
        }
    }

    pub(super) fn read(&self, receive: Receive, timeout: Option<Duration>) -> Read {
        if self.lane.is_taken() {
            return Read::Failed(Error::BusyReading, None);
        }
        match self.lane.stream() {
            Ok(_) => self.go_on(Reading { receive, got: Vec::new() }, timeout),
            Err(error) => Read::Failed(error, None),
        }
    }

    pub(super) fn read_on(&self, timeout: Option<Duration>) -> Read {
        let failed = self.lane.go_on();
        let reading = self.state.borrow_mut().reading.take();
        match (failed, reading) {
            (None, Some(reading)) => self.go_on(reading, timeout),
            (failed, reading) => Read::Failed(failed.unwrap_or(Error::Closed), reading.map(|reading| reading.got)),
        }
    }

    fn go_on(&self, mut reading: Reading, timeout: Option<Duration>) -> Read {
        let state = &mut *self.state.borrow_mut();
        match self.gather(state, &mut reading, timeout) {
            Ok(None) => Read::Done(reading.got),
            Ok(Some(operation)) => {
                state.reading = Some(reading);
                Read::Waits(operation)
            }
            Err(error) => Read::Failed(error, Some(reading.got)),
        }
    }

    /// Reads until it has all or has to be waited for.
    fn gather(
        &self,
        state: &mut State,
        reading: &mut Reading,
        timeout: Option<Duration>,
    ) -> Result<Option<Operation>, Error> {
        let stream = self.lane.stream()?;
        loop {
            if !state.unread.is_empty() {
                let fed = reading.receive.feed(&state.buffer[state.unread.clone()], &mut reading.got);
                state.unread.start += fed.taken;
                if fed.complete {
                    return Ok(None);
                }
            }
            if state.at_end {
                return if reading.receive.ends_with_stream() { Ok(None) } else { Err(Error::Closed) };
            }
            state.buffer.resize(self.buffer_size, 0);
            match stream.recv(&mut state.buffer) {
                Io::Bytes(bytes) => state.unread = 0..bytes,
                Io::Again => return Ok(Some(self.lane.wait(&stream, timeout)?)),
                Io::Closed | Io::Aborted => {
                    state.at_end = true;
                    drop(take(&mut state.buffer));
                    state.unread = 0..0;
                }
                Io::Failed(errno) => return Err(errno.map_or(Error::Closed, Error::System)),
            }
        }
    }

    pub(super) fn close(&self, why: Error) {
        self.lane.close(why);
    }
}
