//! Writing: what of a call's data the system has not taken yet.

use std::rc::Rc;

use crate::nginx::{Channel, Io, Log, Request, Side, Woken};

use super::{Cosocket, SocketError, Step};

/// The writing half of a cosocket.
#[derive(Default)]
pub(super) struct Writer {
    /// What the call under way has left to write.
    rest: Vec<u8>,
    /// How much of it was written.
    written: usize,
    /// How much data the call had.
    total: usize,
}

enum Progress {
    Done,
    /// That much was written.
    Again(usize),
    Failed(SocketError),
}

impl Writer {
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }
}

/// Writes as much as the system takes.
fn write(channel: &dyn Channel, data: &[u8]) -> Progress {
    let mut at = 0;
    while at < data.len() {
        match channel.send(&data[at..]) {
            Io::Bytes(count) => at += count,
            Io::Again => return Progress::Again(at),
            Io::Closed | Io::Aborted => return Progress::Failed(SocketError::Closed),
            Io::Failed(errno) => return Progress::Failed(SocketError::system(errno)),
        }
    }
    Progress::Done
}

impl Cosocket {
    /// Begins to write data; the bytes that it has when all is written.
    pub fn send(self: &Rc<Self>, request: &Request, data: &[u8]) -> Step<usize> {
        let channel = match self.side(request, Side::Write) {
            Ok(channel) => channel,
            Err(error) => return Step::Failed(error),
        };
        let timeout = self.send_timeout();
        Log::of(request).debug(|| format!("lua tcp socket send timeout: {timeout}"));
        if let Some(stream) = &*self.stream.borrow() {
            stream.set_no_delay(request);
        }
        match write(&*channel, data) {
            Progress::Done => Step::Done(data.len()),
            Progress::Again(at) => {
                *self.writer.borrow_mut() = Writer { rest: data[at..].to_vec(), written: 0, total: data.len() };
                Step::Wait(self.wait(&*channel, Side::Write, timeout))
            }
            Progress::Failed(error) => self.write_ended(error),
        }
    }

    /// Goes on with a call that has waited.
    pub fn sent(self: &Rc<Self>, request: &Request) -> Step<usize> {
        let channel = self.channel.borrow().clone();
        match (self.woken(Side::Write), channel) {
            (Some(Woken::Ready), Some(channel)) => self.write(&*channel),
            (Some(Woken::TimedOut), Some(_)) => {
                self.log_error(request, || "lua tcp socket write timed out".into());
                self.write_ended(SocketError::Timeout)
            }
            (..) => Step::Failed(SocketError::Closed),
        }
    }

    fn write(self: &Rc<Self>, channel: &dyn Channel) -> Step<usize> {
        let mut writer = self.writer.borrow_mut();
        let progress = write(channel, &writer.rest[writer.written..]);
        match progress {
            Progress::Done => {
                let total = writer.total;
                writer.reset();
                Step::Done(total)
            }
            Progress::Again(count) => {
                writer.written += count;
                drop(writer);
                Step::Wait(self.wait(channel, Side::Write, self.send_timeout()))
            }
            Progress::Failed(error) => {
                drop(writer);
                self.write_ended(error)
            }
        }
    }

    /// Half of the data may be written: nothing can follow it.
    fn write_ended<T>(&self, error: SocketError) -> Step<T> {
        self.writer.borrow_mut().reset();
        self.end_side(Side::Write);
        Step::Failed(error)
    }

    fn send_timeout(&self) -> u32 {
        match self.timeouts.get().send {
            0 => self.settings.get().send_timeout,
            own => own,
        }
    }
}
