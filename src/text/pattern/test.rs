//! What a byte of the subject is compared with, and how far a text matches it.

use super::class::Bytes;
use memchr::memchr;

/// What one byte is compared with.
#[derive(Clone, Copy)]
pub enum Test<'t> {
    /// Any byte: `.`
    Any,
    /// This one.
    Byte(u8),
    /// One of these.
    Bytes(&'t Bytes),
}

impl Test<'_> {
    /// Whether `byte` matches.
    #[inline]
    pub fn matches(self, byte: u8) -> bool {
        match self {
            Test::Any => true,
            Test::Byte(wanted) => wanted == byte,
            Test::Bytes(bytes) => bytes.has(byte),
        }
    }

    /// Where in `text` the first byte is that matches.
    pub fn first(self, text: &[u8]) -> Option<usize> {
        match self {
            Test::Any => (!text.is_empty()).then_some(0),
            Test::Byte(wanted) => memchr(wanted, text),
            Test::Bytes(bytes) => text.iter().position(|&byte| bytes.has(byte)),
        }
    }

    /// How many bytes match at the beginning of `text`.
    pub fn run(self, text: &[u8]) -> usize {
        let end = match self {
            Test::Any => None,
            Test::Byte(wanted) => text.iter().position(|&byte| byte != wanted),
            Test::Bytes(bytes) => text.iter().position(|&byte| !bytes.has(byte)),
        };
        end.unwrap_or(text.len())
    }
}
