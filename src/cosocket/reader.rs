//! Reading: what was read ahead, and the call that waits for more.

use std::cell::RefCell;
use std::mem::take;
use std::num::NonZeroUsize;
use std::rc::Rc;

use crate::nginx::{Channel, Io, Log, Request, Side, Woken};
use crate::text::receive::{Receive, Until};
use crate::vm::Operation;

use super::{Cosocket, SocketError};

/// The longest result whose memory is kept for the next one.
const KEPT: usize = 64 << 10;

/// How many buffers are kept that no cosocket has.
const MOST_SPARE: usize = 32;

/// What a reading call comes to.
pub enum Read {
    /// What was asked for. [`Cosocket::give_back`] wants it afterwards.
    Done(Vec<u8>),
    /// It goes on when the operation is done.
    Wait(Operation),
    /// It has failed; with what was read until then, unless nothing could be.
    Failed(SocketError, Option<Vec<u8>>),
}

/// The reading half of a cosocket.
#[derive(Default)]
pub(super) struct Reader {
    /// What was read from the channel; empty before anything was.
    buffer: Box<[u8]>,
    /// Where in it lies what nobody has asked for yet.
    start: usize,
    end: usize,
    /// What the call under way waits for.
    receive: Option<Receive>,
    /// What belongs to its result so far.
    gathered: Vec<u8>,
}

thread_local! {
    /// Buffers that no cosocket of the process has now.
    static SPARE: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}

/// Leaves a buffer to the next cosocket.
fn spare(buffer: Box<[u8]>) {
    if (1..=KEPT).contains(&buffer.len()) {
        // At the end of a process the list may be gone first.
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            if spare.len() < MOST_SPARE {
                spare.push(buffer);
            }
        });
    }
}

/// A buffer of that size. What it holds nobody reads.
fn spared(size: usize) -> Box<[u8]> {
    let spared = SPARE.with_borrow_mut(|spare| {
        let at = spare.iter().rposition(|buffer| buffer.len() == size)?;
        Some(spare.swap_remove(at))
    });
    spared.unwrap_or_else(|| vec![0; size].into())
}

enum Progress {
    Done,
    Again,
    Ended,
    Failed(SocketError),
}

impl Reader {
    pub(super) fn reset(&mut self) {
        // Lua may hold a closed cosocket for long, and does not know how much memory it keeps.
        let Self { buffer, .. } = take(self);
        spare(buffer);
    }

    /// Says whether nothing was read ahead.
    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Reads until the call has what it waits for, or there is no more.
    fn run(&mut self, channel: &dyn Channel, buffer_size: usize) -> Progress {
        let Some(receive) = &mut self.receive else { return Progress::Done };
        loop {
            let fed = receive.feed(&self.buffer[self.start..self.end], &mut self.gathered);
            self.start += fed.taken;
            if fed.complete {
                return Progress::Done;
            }
            if self.buffer.is_empty() {
                self.buffer = spared(buffer_size.max(1));
            }
            match channel.recv(&mut self.buffer) {
                Io::Bytes(count) => (self.start, self.end) = (0, count),
                Io::Again => return Progress::Again,
                Io::Closed if receive.ends_with_stream() => return Progress::Done,
                Io::Closed => return Progress::Ended,
                Io::Aborted => return Progress::Failed(SocketError::Aborted),
                Io::Failed(errno) => return Progress::Failed(SocketError::system(errno)),
            }
        }
    }
}

impl Cosocket {
    /// Begins to read.
    pub fn receive(self: &Rc<Self>, request: &Request, receive: Receive) -> Read {
        match self.side(request, Side::Read) {
            Ok(channel) => {
                let timeout = self.read_timeout();
                Log::of(request).debug(|| format!("lua tcp socket read timeout: {timeout}"));
                self.reader.borrow_mut().receive = Some(receive);
                self.read(request, &*channel)
            }
            Err(error) => Read::Failed(error, None),
        }
    }

    /// Begins to read whatever there is, but not more bytes than that.
    pub fn receive_any(self: &Rc<Self>, request: &Request, most: usize) -> Read {
        Log::of(request).debug(|| format!("lua tcp socket calling receiveany() method to read at most {most} bytes"));
        self.receive(request, Receive::AtMost(most))
    }

    /// Begins to read up to a pattern, or a piece of that size of what is before it. None: the piece before was the last.
    pub fn receive_until(
        self: &Rc<Self>,
        request: &Request,
        pattern: &Rc<RefCell<Until>>,
        size: Option<NonZeroUsize>,
    ) -> Option<Read> {
        if let Err(error) = self.side(request, Side::Read) {
            return Some(Read::Failed(error, None));
        }
        let goes_on = pattern.borrow_mut().begin(size);
        goes_on.then(|| self.receive(request, Receive::Until(Rc::clone(pattern))))
    }

    /// Goes on with a call that has waited.
    pub fn received(self: &Rc<Self>, request: &Request) -> Read {
        let channel = self.channel.borrow().clone();
        match (self.woken(Side::Read), channel) {
            (Some(Woken::Ready), Some(channel)) => self.read(request, &*channel),
            (Some(Woken::TimedOut), Some(_)) => {
                self.log_error(request, || "lua tcp socket read timed out".into());
                Read::Failed(SocketError::Timeout, Some(self.take_gathered()))
            }
            (..) => Read::Failed(SocketError::Closed, None),
        }
    }

    /// Gets the memory of a result back, for the next one.
    pub fn give_back(&self, mut result: Vec<u8>) {
        if result.capacity() <= KEPT {
            result.clear();
            // One that is closed keeps nothing; where another call has begun since, this is no longer the memory for it.
            let mut reader = self.reader.borrow_mut();
            if !reader.buffer.is_empty() && reader.receive.is_none() {
                reader.gathered = result;
            }
        }
    }

    fn read(self: &Rc<Self>, request: &Request, channel: &dyn Channel) -> Read {
        let buffer_size = self.settings.get().buffer_size as usize;
        let progress = self.reader.borrow_mut().run(channel, buffer_size);
        if matches!(self.reader.borrow().receive, Some(Receive::AtMost(_))) {
            Log::of(request).debug(|| "lua tcp socket read any".into());
        }
        match progress {
            Progress::Done => Read::Done(self.take_gathered()),
            Progress::Again => Read::Wait(self.wait(channel, Side::Read, self.read_timeout())),
            Progress::Ended => self.read_ended(SocketError::Closed),
            Progress::Failed(error) => self.read_ended(error),
        }
    }

    fn read_ended(&self, error: SocketError) -> Read {
        let partial = self.take_gathered();
        self.end_side(Side::Read);
        Read::Failed(error, Some(partial))
    }

    fn take_gathered(&self) -> Vec<u8> {
        let mut reader = self.reader.borrow_mut();
        reader.receive = None;
        std::mem::take(&mut reader.gathered)
    }

    fn read_timeout(&self) -> u32 {
        match self.timeouts.get().read {
            0 => self.settings.get().read_timeout,
            own => own,
        }
    }
}
