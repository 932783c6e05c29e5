//! Reads a set `[...]` of a pattern into the bytes that it has, a few characters at a time.

use super::class::{Bytes, class};
use super::{PatternError, at};

/// A set that has been read.
#[derive(Clone, Copy, Debug)]
pub struct Set {
    /// Where its `[` stands in the pattern.
    pub start: usize,
    /// Behind its `]`.
    pub end: usize,
    /// What it matches, `^` taken into account.
    pub bytes: Bytes,
}

/// A set that is being read. Its end is looked for first: the two readings of LuaJIT disagree about what a `%` behind a
/// range quotes (`[a-%%]` has `]`).
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    start: usize,
    next: usize,
    /// Of its `]`, once known.
    end: Option<usize>,
    bytes: Bytes,
}

impl Reading {
    /// Begins with the `[` at `start`.
    pub fn new(start: usize, pattern: &[u8]) -> Self {
        Self { start, next: first(start, pattern), end: None, bytes: Bytes::NONE }
    }

    /// Goes on for `left` steps, one for each item of the set, and takes off what it took. None: there is more of it.
    pub fn read(&mut self, pattern: &[u8], left: &mut u64) -> Result<Option<Set>, PatternError> {
        while *left > 0 {
            *left -= 1;
            let Some(end) = self.end else {
                self.look_for_end(pattern)?;
                continue;
            };
            if self.next < end {
                self.read_item(pattern, end);
                continue;
            }
            let negated = at(pattern, self.start + 1) == b'^';
            let bytes = if negated { self.bytes.not() } else { self.bytes };
            return Ok(Some(Set { start: self.start, end: end + 1, bytes }));
        }
        Ok(None)
    }

    /// Steps over one character or quoted character; the first is no end even where it is a `]`.
    fn look_for_end(&mut self, pattern: &[u8]) -> Result<(), PatternError> {
        self.next += match at(pattern, self.next) {
            0 => return Err(PatternError::NoBracket),
            b'%' if at(pattern, self.next + 1) != 0 => 2,
            _ => 1,
        };
        if at(pattern, self.next) == b']' {
            self.end = Some(self.next);
            self.next = first(self.start, pattern);
        }
        Ok(())
    }

    fn read_item(&mut self, pattern: &[u8], end: usize) {
        let (byte, following) = (at(pattern, self.next), at(pattern, self.next + 1));
        if byte == b'%' {
            self.bytes = match class(following) {
                Some(class) => self.bytes.or(class),
                None => self.bytes.and(following),
            };
            self.next += 2;
        } else if following == b'-' && self.next + 2 < end {
            self.bytes = self.bytes.and_range(byte, at(pattern, self.next + 2));
            self.next += 3;
        } else {
            self.bytes = self.bytes.and(byte);
            self.next += 1;
        }
    }
}

/// Where the items begin of the set at `start`.
fn first(start: usize, pattern: &[u8]) -> usize {
    start + 1 + usize::from(at(pattern, start + 1) == b'^')
}
