//! What a cosocket reads from and writes to, whoever it belongs to and whatever wraps it.

use std::time::Duration;

use super::errno::Errno;

/// One of the two directions of a channel; each can be waited for by one at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// What comes in.
    Read,
    /// What goes out.
    Write,
}

/// What a read or write has done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Io {
    /// That many bytes, at least one.
    Bytes(usize),
    /// Nothing: it must be waited for.
    Again,
    /// Nothing: the other end has no more to say.
    Closed,
    /// Nothing: the other end has gone in the middle of what it had to say.
    Aborted,
    /// The connection is broken; none where the reason is no error of the system (a TLS alert).
    Failed(Option<Errno>),
}

/// How a wait has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Woken {
    /// There is something to be tried.
    Ready,
    /// The time is over.
    TimedOut,
}

/// What is called once when a wait has ended: from an event of nginx's, so it may note that and post an event, no more.
pub type Wake = Box<dyn FnOnce(Woken)>;

/// A stream of bytes in both directions that never blocks. Nothing is read before someone asks for it.
pub trait Channel {
    /// Reads what there is, as much as fits into the buffer, which is not empty.
    fn recv(&self, into: &mut [u8]) -> Io;

    /// Writes as much as the system takes of what is not empty.
    fn send(&self, data: &[u8]) -> Io;

    /// Calls `wake` when reading or writing was [`Io::Again`] and can be tried again, or after that time. It replaces what
    /// was waited for on that side. False: that cannot be waited for, and `wake` is not called.
    fn wait(&self, side: Side, timeout: Duration, wake: Wake) -> bool;

    /// Calls nobody any more for that side.
    fn stop_waiting(&self, side: Side);
}
