//! What the calls of a process answer where they fail, in upstream's words.

use std::borrow::Cow;

use crate::nginx::Errno;

/// Why a call has failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Error {
    /// The stream was shut down while it was waited for.
    Aborted,
    /// Another coroutine reads from the stream.
    BusyReading,
    /// Another coroutine waits for the end.
    BusyWaiting,
    /// Another coroutine writes.
    BusyWriting,
    /// The stream has ended or was shut down, or nobody reads it any more.
    Closed,
    /// The process has ended.
    Exited,
    /// There is no such signal.
    InvalidSignal,
    /// There is no standard error, for it is the standard output.
    Merged,
    /// nginx has no connection left to wait by.
    NoConnection,
    /// The time is over.
    Timeout,
    /// What the system says.
    System(Errno),
}

impl Error {
    /// The text that Lua gets.
    pub fn text(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Aborted => "aborted",
            Self::BusyReading => "pipe busy reading",
            Self::BusyWaiting => "pipe busy waiting",
            Self::BusyWriting => "pipe busy writing",
            Self::Closed => "closed",
            Self::Exited => "exited",
            Self::InvalidSignal => "invalid signal",
            Self::Merged => "merged to stdout",
            Self::NoConnection => "no connection",
            Self::Timeout => "timeout",
            Self::System(errno) => return Cow::Owned(errno.message()),
        })
    }
}
