//! A pattern of any bytes in a stream: the data before it, whole or in pieces of some size.

use std::num::NonZeroUsize;

use memchr::memchr;

use super::Fed;

/// Finds a pattern in time linear in the stream, wherever that is cut (Knuth, Morris, Pratt). What may be the pattern's
/// beginning is in no result until it is known not to be: a partial result lacks it, and the next call goes on with it.
#[derive(Debug)]
pub struct Until {
    /// Not empty.
    pattern: Box<[u8]>,
    /// For each beginning of the pattern, by its length less one: how long its longest proper end is that begins the
    /// pattern too.
    borders: Box<[usize]>,
    /// The pattern belongs to the data before it.
    inclusive: bool,
    /// How much of the pattern the stream ends with so far.
    matched: usize,
    /// What is missing of a piece; none where all before the pattern is wanted.
    rest: Option<usize>,
    /// The piece that was last came with the pattern, and nobody was told yet.
    ended: bool,
}

impl Until {
    /// Looks for `pattern`; `inclusive`: the data before it has it at its end. None for the empty one.
    pub fn new(pattern: &[u8], inclusive: bool) -> Option<Self> {
        (!pattern.is_empty()).then(|| Self {
            pattern: pattern.into(),
            borders: borders(pattern),
            inclusive,
            matched: 0,
            rest: None,
            ended: false,
        })
    }

    /// Begins a call: what comes next is a piece of `size` bytes, or all before the pattern. False, once: the piece
    /// before was the last one, and this call is to say so.
    ///
    /// A piece is longer where bytes that looked like the pattern turn out to be data, shorter where the pattern comes.
    #[must_use]
    pub fn begin(&mut self, size: Option<NonZeroUsize>) -> bool {
        self.rest = size.map(NonZeroUsize::get);
        !std::mem::take(&mut self.ended)
    }

    /// Takes a piece of the stream, as [`super::Receive::feed`].
    pub(super) fn feed(&mut self, input: &[u8], into: &mut Vec<u8>) -> Fed {
        let mut at = 0;
        while at < input.len() {
            if self.matched == 0 {
                let window = &input[at..self.rest.map_or(input.len(), |rest| input.len().min(at.saturating_add(rest)))];
                let data = memchr(self.pattern[0], window).unwrap_or(window.len());
                at += data;
                if self.gathered(&window[..data], into) {
                    return Fed::complete(at);
                }
                if data == window.len() {
                    continue;
                }
            }
            if input[at] != self.pattern[self.matched] {
                if self.fall_back(input[at], into) {
                    return Fed::complete(at);
                }
                continue;
            }
            at += 1;
            self.matched += 1;
            if self.matched == self.pattern.len() {
                self.found(into);
                return Fed::complete(at);
            }
        }
        Fed::more(at)
    }

    /// Appends data. Says whether the piece is complete.
    fn gathered(&mut self, data: &[u8], into: &mut Vec<u8>) -> bool {
        into.extend_from_slice(data);
        self.rest.as_mut().is_some_and(|rest| {
            *rest = rest.saturating_sub(data.len());
            *rest == 0
        })
    }

    /// `byte` does not go on with the pattern: what is no beginning of it any more is data. Says whether the piece is
    /// complete.
    fn fall_back(&mut self, byte: u8, into: &mut Vec<u8>) -> bool {
        let before = self.matched;
        while self.matched > 0 && self.pattern[self.matched] != byte {
            self.matched = self.borders[self.matched - 1];
        }
        let data = before - self.matched;
        into.extend_from_slice(&self.pattern[..data]);
        self.rest.as_mut().is_some_and(|rest| {
            *rest = rest.saturating_sub(data);
            *rest == 0
        })
    }

    fn found(&mut self, into: &mut Vec<u8>) {
        if self.inclusive {
            into.extend_from_slice(&self.pattern);
        }
        self.matched = 0;
        self.ended = self.rest.is_some();
    }
}

fn borders(pattern: &[u8]) -> Box<[usize]> {
    let mut borders = vec![0; pattern.len()];
    let mut border = 0;
    for at in 1..pattern.len() {
        while border > 0 && pattern[at] != pattern[border] {
            border = borders[border - 1];
        }
        if pattern[at] == pattern[border] {
            border += 1;
        }
        borders[at] = border;
    }
    borders.into()
}
