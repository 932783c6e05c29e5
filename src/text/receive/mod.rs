//! What a cosocket's `receive`, `receiveany` and `receiveuntil` wait for in a stream: where the data ends that they
//! return. Fed with pieces of the stream as they come, cut anywhere.

mod until;
#[cfg(test)]
mod until_tests;

use std::cell::RefCell;
use std::rc::Rc;

use memchr::memchr;

pub use until::Until;

/// What a piece of the stream has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fed {
    /// How many bytes of the piece were taken; all of them where it is not complete.
    pub taken: usize,
    /// What was gathered is the result.
    pub complete: bool,
}

impl Fed {
    fn complete(taken: usize) -> Self {
        Self { taken, complete: true }
    }

    fn more(taken: usize) -> Self {
        Self { taken, complete: false }
    }
}

/// What is waited for. What was gathered when the stream ends or time is up is the partial result.
#[derive(Debug)]
pub enum Receive {
    /// A line (`*l`), without its LF and without any CR.
    Line,
    /// That many bytes.
    Exactly(usize),
    /// All until the stream ends (`*a`).
    All,
    /// Whatever there is, but not more bytes than that (`receiveany`).
    AtMost(usize),
    /// A pattern (`receiveuntil`), after [`Until::begin`]. It outlives the call, so that the next one goes on.
    Until(Rc<RefCell<Until>>),
}

impl Receive {
    /// Takes what it wants of `input`, a piece of the stream, and appends to `into` what belongs to the result.
    pub fn feed(&mut self, input: &[u8], into: &mut Vec<u8>) -> Fed {
        match self {
            Self::Line => line(input, into),
            Self::Exactly(rest) => {
                let taken = input.len().min(*rest);
                into.extend_from_slice(&input[..taken]);
                *rest -= taken;
                Fed { taken, complete: *rest == 0 }
            }
            Self::All => {
                into.extend_from_slice(input);
                Fed::more(input.len())
            }
            Self::AtMost(most) => {
                let taken = input.len().min(*most);
                into.extend_from_slice(&input[..taken]);
                Fed { taken, complete: taken > 0 || *most == 0 }
            }
            Self::Until(until) => until.borrow_mut().feed(input, into),
        }
    }

    /// Says whether what was gathered is the whole result where the stream ends.
    pub fn ends_with_stream(&self) -> bool {
        matches!(self, Self::All)
    }
}

fn line(input: &[u8], into: &mut Vec<u8>) -> Fed {
    let end = memchr(b'\n', input);
    let mut rest = &input[..end.unwrap_or(input.len())];
    while let Some(at) = memchr(b'\r', rest) {
        into.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
    }
    into.extend_from_slice(rest);
    end.map_or(Fed::more(input.len()), |end| Fed::complete(end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `stream` in pieces of `size` bytes. Returns what was gathered, how much was taken, whether it was complete.
    fn feed(receive: &mut Receive, stream: &[u8], size: usize) -> (Vec<u8>, usize, bool) {
        let (mut into, mut taken) = (Vec::new(), 0);
        for piece in stream.chunks(size) {
            let fed = receive.feed(piece, &mut into);
            taken += fed.taken;
            if fed.complete {
                return (into, taken, true);
            }
            assert_eq!(fed.taken, piece.len());
        }
        (into, taken, false)
    }

    #[test]
    fn what_is_waited_for_does_not_depend_on_how_the_stream_is_cut() {
        /// What is waited for, the stream, what is received of it, how much that takes, and whether it is all.
        type Row = (fn() -> Receive, &'static [u8], &'static [u8], usize, bool);
        let table: &[Row] = &[
            (|| Receive::Line, b"ab\r\nrest", b"ab", 4, true),
            (|| Receive::Line, b"\nrest", b"", 1, true),
            (|| Receive::Line, b"\ra\r\rb\r\r\nrest", b"ab", 8, true),
            (|| Receive::Line, b"a\0b\xff\nrest", b"a\0b\xff", 5, true),
            (|| Receive::Line, b"ab\rc", b"abc", 4, false),
            (|| Receive::Line, b"\r", b"", 1, false),
            (|| Receive::Exactly(3), b"abcd", b"abc", 3, true),
            (|| Receive::Exactly(4), b"a\r\nd", b"a\r\nd", 4, true),
            (|| Receive::Exactly(5), b"abcd", b"abcd", 4, false),
            (|| Receive::Exactly(usize::MAX), b"abcd", b"abcd", 4, false),
            (|| Receive::All, b"a\r\nb\n", b"a\r\nb\n", 5, false),
        ];
        for (receive, stream, want, taken, complete) in table {
            for size in 1..=stream.len() {
                let got = feed(&mut receive(), stream, size);
                assert_eq!(got, (want.to_vec(), *taken, *complete), "{:?} in {size}s", stream.escape_ascii());
            }
        }
    }

    #[test]
    fn any_is_what_there_is() {
        for (most, input, want) in [(2, "abc", "ab"), (3, "abc", "abc"), (9, "abc", "abc"), (usize::MAX, "a", "a")] {
            let mut into = Vec::new();
            assert_eq!(Receive::AtMost(most).feed(b"", &mut into), Fed::more(0));
            assert_eq!(Receive::AtMost(most).feed(input.as_bytes(), &mut into), Fed::complete(want.len()));
            assert_eq!(into, want.as_bytes());
        }
    }

    #[test]
    fn nothing_is_complete_without_input() {
        for mut receive in [Receive::Exactly(0), Receive::AtMost(0)] {
            assert_eq!(receive.feed(b"abc", &mut Vec::new()), Fed::complete(0), "{receive:?}");
        }
    }

    #[test]
    fn only_all_ends_with_the_stream() {
        assert!(Receive::All.ends_with_stream());
        for receive in [Receive::Line, Receive::Exactly(1), Receive::AtMost(1)] {
            assert!(!receive.ends_with_stream());
        }
    }
}
