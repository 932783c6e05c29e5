//! The worker's end of one standard stream of a process.

use std::cell::RefCell;
use std::os::fd::OwnedFd;
use std::rc::{Rc, Weak};
use std::time::Duration;

use crate::nginx::{Channel, Side, Stream, Woken};
use crate::vm::Operation;

use super::error::Error;
use super::turn::Turn;

pub(super) struct Lane {
    end: RefCell<End>,
    side: Side,
    turn: Rc<Turn>,
}

enum End {
    /// Nothing was read or written yet, so it takes none of nginx's connections.
    Unused(OwnedFd),
    Used(Rc<Stream>),
    Closed,
}

/// Stops to watch a stream when the wait is over.
struct Watch(Weak<Stream>, Side);

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(stream) = self.0.upgrade() {
            stream.stop_waiting(self.1);
        }
    }
}

/// How long to wait where there is no limit: nginx's timers need one.
const FOR_EVER: Duration = Duration::from_millis(u32::MAX as u64);

impl Lane {
    pub(super) fn new(end: OwnedFd, side: Side) -> Self {
        Self { end: RefCell::new(End::Unused(end)), side, turn: Rc::default() }
    }

    /// Says whether a coroutine waits for it.
    pub(super) fn is_taken(&self) -> bool {
        self.turn.is_taken()
    }

    /// The stream.
    pub(super) fn stream(&self) -> Result<Rc<Stream>, Error> {
        let mut end = self.end.borrow_mut();
        if let End::Unused(_) = *end
            && let End::Unused(unused) = std::mem::replace(&mut *end, End::Closed)
        {
            match Stream::of_pipe(unused) {
                Ok(stream) => *end = End::Used(stream),
                Err(unused) => {
                    *end = End::Unused(unused);
                    return Err(Error::NoConnection);
                }
            }
        }
        match &*end {
            End::Used(stream) => Ok(Rc::clone(stream)),
            _ => Err(Error::Closed),
        }
    }

    /// Waits until more can be read or written; no time is no limit.
    pub(super) fn wait(&self, stream: &Rc<Stream>, timeout: Option<Duration>) -> Result<Operation, Error> {
        let (turn, side) = (Rc::downgrade(&self.turn), self.side);
        let mut watched = true;
        let operation = self.turn.take(|| {
            let woken = move |woken| {
                if let Some(turn) = turn.upgrade() {
                    turn.end((woken == Woken::TimedOut).then_some(Error::Timeout));
                }
            };
            watched = stream.wait(side, timeout.unwrap_or(FOR_EVER), Box::new(woken));
            Watch(Rc::downgrade(stream), side)
        });
        if !watched {
            self.turn.go_on();
            return Err(Error::NoConnection);
        }
        Ok(operation)
    }

    /// The coroutine that waited goes on. Returns why its wait was given up.
    pub(super) fn go_on(&self) -> Option<Error> {
        self.turn.go_on()
    }

    /// Closes it; whoever waits for it gets `why`.
    pub(super) fn close(&self, why: Error) {
        let end = self.end.replace(End::Closed);
        self.turn.end(Some(why));
        drop(end);
    }
}
