//! Waiting for one side of a cosocket.

use std::rc::{Rc, Weak};
use std::time::Duration;

use crate::nginx::{Channel, Side, Woken};
use crate::vm::{Completion, Operation};

use super::Cosocket;

/// Who waits for a side.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Wait {
    /// Nobody.
    #[default]
    Idle,
    /// A light thread, by a number that each wait has of its own.
    Waiting(u64),
    /// It was woken, and has not gone on yet.
    Woken(u64, Woken),
}

/// What a waiting light thread holds. Where it is killed the connection goes: what it was doing is half done.
struct Waiting {
    socket: Weak<Cosocket>,
    side: Side,
    number: u64,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(socket) = self.socket.upgrade()
            && matches!(socket.waits[self.side as usize].get(), Wait::Waiting(n) | Wait::Woken(n, _) if n == self.number)
        {
            socket.drop_connection();
        }
    }
}

impl Cosocket {
    /// Waits until a side of the channel can be tried again, or for that many milliseconds.
    pub(super) fn wait(self: &Rc<Self>, channel: &dyn Channel, side: Side, milliseconds: u32) -> Operation {
        self.wait_as(side, channel, side, milliseconds)
    }

    /// As [`Cosocket::wait`], in the place of who waits for another side.
    pub(super) fn wait_as(
        self: &Rc<Self>,
        place: Side,
        channel: &dyn Channel,
        side: Side,
        milliseconds: u32,
    ) -> Operation {
        self.wait_for(place, |socket, number, completion| {
            let (later, done) = (Weak::clone(&socket), completion.clone());
            let wake = Box::new(move |woken| Self::wake(&later, place, number, woken, &done));
            let timeout = Duration::from_millis(milliseconds.into());
            if !channel.wait(side, timeout, wake) {
                // The next try says what is wrong.
                Self::wake(&socket, place, number, Woken::Ready, &completion);
            }
        })
    }

    /// Waits for what `begin` begins for this side: it gets what [`Cosocket::wake`] wants.
    pub(super) fn wait_for(self: &Rc<Self>, side: Side, begin: impl FnOnce(Weak<Self>, u64, Completion)) -> Operation {
        let number = self.waits_begun.get() + 1;
        self.waits_begun.set(number);
        self.waits[side as usize].set(Wait::Waiting(number));
        Operation::start(|completion| {
            begin(Rc::downgrade(self), number, completion);
            Waiting { socket: Rc::downgrade(self), side, number }
        })
    }

    /// Ends a wait.
    pub(super) fn wake(socket: &Weak<Self>, side: Side, number: u64, woken: Woken, completion: &Completion) {
        if let Some(socket) = socket.upgrade()
            && socket.waits[side as usize].get() == Wait::Waiting(number)
        {
            socket.waits[side as usize].set(Wait::Woken(number, woken));
            completion.done();
        }
    }

    /// How the wait for a side has ended, of which nobody waits from now on. None: the connection has gone meanwhile.
    pub(super) fn woken(&self, side: Side) -> Option<Woken> {
        match self.waits[side as usize].take() {
            Wait::Woken(_, woken) => Some(woken),
            Wait::Idle | Wait::Waiting(_) => None,
        }
    }
}
