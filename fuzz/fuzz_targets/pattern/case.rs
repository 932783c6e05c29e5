//! Makes subject, pattern and call out of the fuzzer's bytes: each byte is a piece of a small grammar, so that most
//! patterns are well formed, most subjects match partly, and a changed byte changes one piece.

/// What is called.
#[derive(Clone, Debug)]
pub enum Call {
    Find {
        init: i32,
        plain: bool,
    },
    Match {
        init: i32,
    },
    Gmatch,
    /// The replacement is a string.
    Gsub {
        with: Vec<u8>,
        limit: i32,
    },
    /// The replacement is a function that notes what it is given, and replaces nothing.
    GsubFunction,
}

/// One input.
#[derive(Clone)]
pub struct Case {
    pub subject: Vec<u8>,
    pub pattern: Vec<u8>,
    pub call: Call,
    /// Where our matcher's budgets come from.
    pub seed: u8,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { subject, pattern, call, seed } = self;
        let (subject, pattern) = (subject.escape_ascii(), pattern.escape_ascii());
        write!(f, "subject \"{subject}\", pattern \"{pattern}\", {call:?}, seed {seed}")
    }
}

const MAX_SUBJECT: usize = 1024;
const MAX_PATTERN: usize = 1024;

/// Pieces of patterns. The bytes beyond the table stand for themselves.
const PIECES: &[&str] = &[
    "a",
    "b",
    "c",
    "x",
    "-",
    "a",
    "1",
    ".",
    ".",
    "%a",
    "%w",
    "%d",
    "%s",
    "%p",
    "%A",
    "%W",
    "%g",
    "%z",
    "%x",
    "%u",
    "%l",
    "%c",
    "%S",
    "%Z",
    "%.",
    "%%",
    "%-",
    "*",
    "*",
    "*",
    "+",
    "+",
    "+",
    "-",
    "-",
    "-",
    "?",
    "?",
    "?",
    "(",
    "(",
    "(",
    ")",
    ")",
    ")",
    "()",
    "(.-)",
    "(%w+)",
    "(a*)",
    "[",
    "]",
    "[^",
    "[ab]",
    "[^ab]",
    "[a-c]",
    "[%w_]",
    "[]]",
    "[^]]",
    "[%a-z]",
    "[a-%%]",
    "[%d-]",
    "[^%s]",
    "[-a]",
    "a-",
    "-z",
    "%1",
    "%2",
    "%3",
    "%9",
    "%0",
    "%b()",
    "%bab",
    "%baa",
    "%bx",
    "%b",
    "%f[%w]",
    "%f[^a]",
    "%f[%z]",
    "%f",
    "$",
    "$",
    "^",
    "^",
    "%",
    "\0",
    "\u{7f}",
    "[%z]",
    "[^%z]",
    "[\u{1}-\u{7e}]",
    "[^\0]",
    "(()",
    "((a)b)",
    "a?",
    "b*",
    ".-",
    ".*",
    "%w-",
    "%s*",
];

/// Bytes of subjects.
const BYTES: &[u8] = b"aaabbbccxx()()--]]^%.  11_Z\0\n\x7f\x80\xff";

/// The pieces of replacements.
const REPLACEMENTS: &[&str] = &["a", "%0", "%1", "%2", "%9", "%%", "%", "-", "%a", "\0", ""];

struct Input<'d>(std::slice::Iter<'d, u8>);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        self.0.next().copied().unwrap_or(0)
    }
}

impl Case {
    pub fn read(data: &[u8]) -> Self {
        let mut input = Input(data.iter());
        let (kind, init, seed) = (input.byte(), input.byte(), input.byte());
        let replacement: Vec<u8> = (0..kind >> 5).map(|_| input.byte()).collect();
        let pattern_length = usize::from(input.byte());
        let rest = input.0.as_slice();
        let (pattern, subject) = rest.split_at(pattern_length.min(rest.len()));
        let small = i32::from(init as i8);
        let init = if small % 7 == 0 { i32::MIN.wrapping_add(small) } else { small };
        let call = match kind % 10 {
            0 => Call::Find { init, plain: true },
            1 => Call::Find { init, plain: false },
            2 | 3 => Call::Find { init: 1, plain: false },
            4 => Call::Match { init },
            5 => Call::Match { init: 1 },
            6 => Call::Gmatch,
            7 => Call::GsubFunction,
            _ => Call::Gsub {
                with: replacement.iter().flat_map(|&byte| piece(REPLACEMENTS, byte)).collect(),
                limit: if small % 3 == 0 { small } else { i32::MAX },
            },
        };
        // One in eight takes the pattern as it stands.
        let pattern =
            if seed % 8 == 7 { pattern.to_vec() } else { repeated(pattern, |byte| piece(PIECES, byte), MAX_PATTERN) };
        let subject = repeated(subject, |byte| vec![BYTES[usize::from(byte) % BYTES.len()]], MAX_SUBJECT);
        Self { subject, pattern, call, seed }
    }
}

fn piece(table: &[&str], byte: u8) -> Vec<u8> {
    table.get(usize::from(byte)).map_or_else(|| vec![byte], |piece| piece.as_bytes().to_vec())
}

/// The pieces of `data` one after the other; a byte from 224 on repeats the last few, up to 64 times.
fn repeated(data: &[u8], piece: impl Fn(u8) -> Vec<u8>, max: usize) -> Vec<u8> {
    let mut text = Vec::new();
    let mut last = Vec::new();
    for &byte in data {
        let Some(how) = byte.checked_sub(224) else {
            let piece = piece(byte);
            text.extend(&piece);
            last.push(text.len() - piece.len());
            continue;
        };
        let pieces = usize::from(how % 4) + 1;
        let from = last[last.len().saturating_sub(pieces)..].first().copied().unwrap_or(0);
        let again = text[from..].to_vec();
        for _ in 0..[1, 2, 4, 8, 16, 32, 48, 64][usize::from(how / 4)] {
            text.extend(&again);
        }
        last.push(text.len() - again.len());
        text.truncate(max);
        last.retain(|&at| at <= max);
    }
    text.truncate(max);
    text
}
