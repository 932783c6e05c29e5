//! Why a call of a cosocket has failed, in upstream's words.

use std::borrow::Cow;

use crate::nginx::Errno;

/// A failure.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SocketError {
    /// It is not connected, or no more.
    Closed,
    /// The client has gone before it has sent all of its request.
    Aborted,
    /// The time is over.
    Timeout,
    /// Another light thread waits for it: "connecting", "reading" or "writing".
    Busy(&'static str),
    /// It is another request's. This one is raised.
    BadRequest,
    /// What the system says.
    System(Errno),
    /// The connection is broken, and no more is known.
    Broken,
    /// In so many words.
    Text(Vec<u8>),
}

impl SocketError {
    /// What the system says, if anything.
    pub(super) fn system(errno: Option<Errno>) -> Self {
        errno.map_or(Self::Broken, Self::System)
    }

    /// What Lua gets.
    pub fn text(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Closed => Cow::Borrowed(b"closed"),
            Self::Aborted => Cow::Borrowed(b"client aborted"),
            Self::Timeout => Cow::Borrowed(b"timeout"),
            Self::Busy("connecting") => Cow::Borrowed(b"socket busy connecting"),
            Self::Busy("reading") => Cow::Borrowed(b"socket busy reading"),
            Self::Busy(_) => Cow::Borrowed(b"socket busy writing"),
            Self::BadRequest => Cow::Borrowed(b"bad request"),
            Self::System(errno) => Cow::Owned(errno.message().into_bytes()),
            Self::Broken => Cow::Borrowed(b"error"),
            Self::Text(text) => Cow::Borrowed(text),
        }
    }
}
