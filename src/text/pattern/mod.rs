//! Lua's patterns: the matcher behind `string.find`, `match`, `gmatch` and `gsub`, to be paused and resumed.
//!
//! What it matches, and what it refuses in which words, is what LuaJIT 2.1 does. In particular a pattern ends at its first
//! NUL (`%z` stands for one), and is found to be malformed only when the matcher gets to that place.

mod class;
mod matcher;
mod set;
mod test;

pub use matcher::{Capture, Matcher, Progress};

use memchr::memmem;
use std::fmt;

/// Why a pattern cannot be matched. `Display` gives LuaJIT's words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PatternError {
    /// A `%` with nothing to quote.
    EndsWithPercent,
    /// A `[` without its `]`.
    NoBracket,
    /// `%b` without its two characters.
    Unbalanced,
    /// `%f` without a set.
    NoFrontier,
    /// `%1` for a capture that is not there or not closed.
    CaptureIndex,
    /// A `)` without its `(`.
    NoOpenCapture,
    /// More than 32.
    TooManyCaptures,
    /// A capture that the match has not closed.
    UnfinishedCapture,
    /// More than 199 items that may have to be tried again.
    TooComplex,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EndsWithPercent => "malformed pattern (ends with '%')",
            Self::NoBracket => "malformed pattern (missing ']')",
            Self::Unbalanced => "unbalanced pattern",
            Self::NoFrontier => "missing '[' after '%f' in pattern",
            Self::CaptureIndex => "invalid capture index",
            Self::NoOpenCapture => "invalid pattern capture",
            Self::TooManyCaptures => "too many captures",
            Self::UnfinishedCapture => "unfinished capture",
            Self::TooComplex => "pattern too complex",
        })
    }
}

impl std::error::Error for PatternError {}

/// The first byte of the subject to look at, for the argument `init` of `find` and `match`: from 1, or from the end where
/// negative; beyond the subject it is its end.
pub fn start(init: i64, length: usize) -> usize {
    let back = || length.saturating_sub(usize::try_from(init.unsigned_abs()).unwrap_or(usize::MAX));
    usize::try_from(init).map_or_else(|_| back(), |init| init.saturating_sub(1).min(length))
}

/// Whether `find` has to match `pattern` as one; else it looks for it as it stands, NULs and stray `)` included.
pub fn has_specials(pattern: &[u8]) -> bool {
    pattern.iter().any(|byte| b"^$*+?.([%-".contains(byte))
}

/// Where `needle` stands in `subject`, not before `from`.
pub fn find_plain(subject: &[u8], needle: &[u8], from: usize) -> Option<usize> {
    Some(from + memmem::find(subject.get(from..)?, needle)?)
}

/// The pattern's byte at `at`; 0 at its end.
fn at(pattern: &[u8], at: usize) -> u8 {
    pattern.get(at).copied().unwrap_or(0)
}

#[cfg(test)]
#[path = "pattern_tests.rs"]
mod tests;
