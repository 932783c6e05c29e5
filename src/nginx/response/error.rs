//! Why output is refused.

use std::fmt;

/// Why output was refused, in upstream's words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OutputError {
    /// After `ngx.eof()`
    Eof,
    /// The answer has no body (HEAD, 304).
    HeaderOnly,
    /// A flush before anything was output.
    Nothing,
    /// A flush while an HTTP/1.0 response waits for its length.
    Gathering,
    /// A filter failed or the client is gone.
    Filter,
    /// Lua writes to the connection itself.
    Raw,
    /// Memory ran out.
    Memory,
    /// The client has gone.
    Aborted,
    /// The client has taken nothing for `send_timeout`.
    Timeout,
}

impl fmt::Display for OutputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Eof => "seen eof",
            Self::HeaderOnly => "header only",
            Self::Nothing => "nothing to flush",
            Self::Gathering => "buffering",
            Self::Filter => "nginx output filter error",
            Self::Raw => "raw request socket acquired",
            Self::Memory => "no memory",
            Self::Aborted => "client aborted",
            Self::Timeout => "timeout",
        })
    }
}
