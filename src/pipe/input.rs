//! The standard input of a process: what is written to it.

use std::cell::RefCell;
use std::os::fd::OwnedFd;
use std::time::Duration;

use crate::nginx::{Channel, Io, Side};
use crate::vm::Operation;

use super::error::Error;
use super::lane::Lane;

/// What a write has come to.
pub enum Written {
    /// All was written: that many bytes.
    Done(usize),
    /// It has to be waited for; [`Process::write_on`](super::Process::write_on) then goes on.
    Waits(Operation),
    /// It has failed.
    Failed(Error),
}

pub(super) struct Input {
    lane: Lane,
    writing: RefCell<Writing>,
}

#[derive(Default)]
struct Writing {
    data: Vec<u8>,
    written: usize,
}

impl Input {
    pub(super) fn new(end: OwnedFd) -> Self {
        Self { lane: Lane::new(end, Side::Write), writing: RefCell::default() }
    }

    pub(super) fn write(&self, data: &[u8], timeout: Option<Duration>) -> Written {
        if self.lane.is_taken() {
            return Written::Failed(Error::BusyWriting);
        }
        // What is taken at once is not copied.
        match self.send(data, timeout) {
            Ok((written, None)) => Written::Done(written),
            Ok((written, Some(operation))) => {
                self.writing.replace(Writing { data: data.to_vec(), written });
                Written::Waits(operation)
            }
            Err(error) => Written::Failed(error),
        }
    }

    pub(super) fn write_on(&self, timeout: Option<Duration>) -> Written {
        let mut writing = self.writing.take();
        if let Some(error) = self.lane.go_on() {
            return Written::Failed(error);
        }
        match self.send(&writing.data[writing.written..], timeout) {
            Ok((written, None)) => Written::Done(writing.written + written),
            Ok((written, Some(operation))) => {
                writing.written += written;
                self.writing.replace(writing);
                Written::Waits(operation)
            }
            Err(error) => Written::Failed(error),
        }
    }

    /// Sends until all is sent or it has to be waited for. Returns how much was sent.
    fn send(&self, data: &[u8], timeout: Option<Duration>) -> Result<(usize, Option<Operation>), Error> {
        let stream = self.lane.stream()?;
        let mut sent = 0;
        while sent < data.len() {
            match stream.send(&data[sent..]) {
                Io::Bytes(bytes) => sent += bytes,
                Io::Again => return Ok((sent, Some(self.lane.wait(&stream, timeout)?))),
                // All that a pipe refuses data for: nobody reads it.
                Io::Closed | Io::Aborted | Io::Failed(_) => return Err(Error::Closed),
            }
        }
        Ok((sent, None))
    }

    pub(super) fn close(&self, why: Error) {
        self.lane.close(why);
    }
}
