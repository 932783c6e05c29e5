//! Finds the literal `require` calls in a Lua source.
//!
//! A module that requires another lazily, inside a function, is not seen by
//! what loading records; its text shows it. So this reads the tokens of Lua,
//! not its grammar: a `require` too many (of a local function of that name)
//! costs one reload, a missed one would leave an old module in use.

use std::borrow::Cow;
use std::collections::HashSet;

/// The names in `require "x"`, `require("x")`, `require[[x]]` and
/// `pcall(require, "x")`, in order of first appearance, each once. A name that
/// is computed (`"a." .. b`), is not UTF-8, or is written with escapes other
/// than `\\`, `\"`, `\'`, `\ddd` and `\xXX` is left out. Takes any bytes, in
/// linear time; bytecode has no text to search and yields nothing.
pub fn literal_requires(source: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    let mut seen = HashSet::new();
    let mut lexer = Lexer::new(source);
    let mut previous = Token::Other;
    while let Some(token) = lexer.next() {
        // `a.require` and `a:require` are somebody else's.
        if token == Token::Name(b"require")
            && !matches!(previous, Token::Punct(b'.' | b':'))
            && let Some(name) = literal_argument(lexer)
            && !seen.contains(&name)
        {
            seen.insert(name.clone());
            names.push(name);
        }
        previous = token;
    }
    names
}

/// Whether the source requires LuaJIT's `ffi` by a literal.
pub fn uses_ffi(source: &[u8]) -> bool {
    literal_requires(source).iter().any(|name| name == "ffi")
}

/// The string that follows a `require`, looking ahead only. The lookahead ends
/// at the next name at the latest, so it never passes another `require` and
/// every token is looked at twice at most.
fn literal_argument(mut lexer: Lexer<'_>) -> Option<String> {
    let mut token = lexer.next()?;
    let mut unclosed = 0;
    if token == Token::Punct(b',') {
        // pcall(require, "x"): pcall's own parenthesis is open.
        unclosed += 1;
        token = lexer.next()?;
    }
    while token == Token::Punct(b'(') {
        unclosed += 1;
        token = lexer.next()?;
    }
    let name = match token {
        Token::Quoted(raw) => unescape(raw)?,
        Token::Long(text) => Cow::Borrowed(text),
        _ => return None,
    };
    // Anything but the end of the argument (`..`, `:lower()`) computes on.
    while unclosed > 0 {
        unclosed -= 1;
        match lexer.next()? {
            Token::Punct(b')') => {}
            Token::Punct(b',') if unclosed == 0 => {}
            _ => return None,
        }
    }
    let name = String::from_utf8(name.into_owned()).ok()?;
    (!name.is_empty()).then_some(name)
}

/// The bytes that the inside of a quoted string stands for, or `None` if it
/// holds an escape that no module name needs.
fn unescape(raw: &[u8]) -> Option<Cow<'_, [u8]>> {
    if !raw.contains(&b'\\') {
        return Some(Cow::Borrowed(raw));
    }
    let mut text = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            text.push(byte);
            continue;
        }
        let (digits, radix) = match rest.first()? {
            b'\\' | b'"' | b'\'' => {
                text.push(rest[0]);
                rest = &rest[1..];
                continue;
            }
            b'x' => (rest.get(1..3)?, 16),
            b'0'..=b'9' => {
                let digits = rest.iter().take(3).take_while(|b| b.is_ascii_digit());
                (&rest[..digits.count()], 10)
            }
            _ => return None,
        };
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        text.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()?);
        rest = &rest[digits.len() + usize::from(radix == 16)..];
    }
    Some(Cow::Owned(text))
}

/// What the search needs to tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    /// A name or keyword.
    Name(&'a [u8]),
    /// What stands between quotes, escapes as written.
    Quoted(&'a [u8]),
    /// What stands between long brackets.
    Long(&'a [u8]),
    /// One byte of punctuation.
    Punct(u8),
    /// A number, `..`, `...`, `::`, or what Lua would not accept.
    Other,
}

/// Reads tokens as LuaJIT's lexer does. A copy is a lookahead.
#[derive(Clone, Copy)]
struct Lexer<'a> {
    source: &'a [u8],
    at: usize,
}

impl<'a> Lexer<'a> {
    /// Starts behind what LuaJIT skips, a byte order mark and a `#` line; at
    /// the end if bytecode (`ESC L J`) follows.
    fn new(source: &'a [u8]) -> Self {
        let mut lexer = Lexer { source, at: 0 };
        if source.starts_with(b"\xef\xbb\xbf") {
            lexer.at = 3;
        }
        if lexer.peek(0) == Some(b'#') {
            lexer.skip_line();
            lexer.skip_newline();
        }
        if lexer.peek(0) == Some(b'\x1b') {
            lexer.at = source.len();
        }
        lexer
    }

    fn next(&mut self) -> Option<Token<'a>> {
        self.skip_blank();
        let start = self.at;
        let byte = self.peek(0)?;
        self.at += 1;
        Some(match byte {
            b'"' | b'\'' => self.quoted(byte),
            b'[' => match self.long_level(start) {
                Some(level) => self.long(start, level).map_or(Token::Other, Token::Long),
                None => Token::Punct(b'['),
            },
            b'.' if self.peek(0) == Some(b'.') => {
                // `..` of a concatenation is no field access, nor is `...`.
                self.skip_while(|b| b == b'.');
                Token::Other
            }
            b':' if self.peek(0) == Some(b':') => {
                self.at += 1;
                Token::Other
            }
            b'0'..=b'9' => self.number(),
            byte if is_name(byte) => {
                self.skip_while(is_name);
                Token::Name(&self.source[start..self.at])
            }
            byte => Token::Punct(byte),
        })
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.source.get(self.at + ahead).copied()
    }

    fn skip_while(&mut self, wanted: impl Fn(u8) -> bool) {
        while self.peek(0).is_some_and(&wanted) {
            self.at += 1;
        }
    }

    fn skip_line(&mut self) {
        self.skip_while(|b| !matches!(b, b'\n' | b'\r'));
    }

    /// One line end, of one byte or of two that differ.
    fn skip_newline(&mut self) {
        match (self.peek(0), self.peek(1)) {
            (Some(b'\r'), Some(b'\n')) | (Some(b'\n'), Some(b'\r')) => self.at += 2,
            (Some(b'\r' | b'\n'), _) => self.at += 1,
            _ => {}
        }
    }

    /// Skips white space and comments.
    fn skip_blank(&mut self) {
        loop {
            self.skip_while(is_space);
            if (self.peek(0), self.peek(1)) != (Some(b'-'), Some(b'-')) {
                return;
            }
            self.at += 2;
            match self.long_level(self.at) {
                Some(level) => {
                    self.long(self.at, level);
                }
                None => self.skip_line(),
            }
        }
    }

    /// The level of the long bracket that opens at `at`, if one does.
    fn long_level(&self, at: usize) -> Option<usize> {
        let behind = self.source.get(at..)?.strip_prefix(b"[")?;
        let level = behind.iter().take_while(|b| **b == b'=').count();
        (behind.get(level) == Some(&b'[')).then_some(level)
    }

    /// Reads the long bracket of `level` that opens at `open`, `None` if it has
    /// no end.
    fn long(&mut self, open: usize, level: usize) -> Option<&'a [u8]> {
        self.at = open + level + 2;
        self.skip_newline();
        let start = self.at;
        loop {
            self.skip_while(|b| b != b']');
            let end = self.at;
            self.peek(0)?;
            self.at += 1;
            let equals = self.at;
            self.skip_while(|b| b == b'=');
            if self.at - equals == level && self.peek(0) == Some(b']') {
                self.at += 1;
                return Some(&self.source[start..end]);
            }
        }
    }

    /// Reads a quoted string from behind its opening quote. A bare line end
    /// breaks it off, as in Lua, where it is an error.
    fn quoted(&mut self, quote: u8) -> Token<'a> {
        let start = self.at;
        loop {
            self.skip_while(|b| b != quote && !matches!(b, b'\\' | b'\n' | b'\r'));
            match self.peek(0) {
                Some(b'\\') => {
                    self.at += 1;
                    match self.peek(0) {
                        Some(b'\n' | b'\r') => self.skip_newline(),
                        Some(b'z') => {
                            self.at += 1;
                            self.skip_while(is_space);
                        }
                        Some(_) => self.at += 1,
                        None => {}
                    }
                }
                Some(byte) if byte == quote => {
                    self.at += 1;
                    return Token::Quoted(&self.source[start..self.at - 1]);
                }
                _ => return Token::Other,
            }
        }
    }

    /// Reads on in a number, which in LuaJIT swallows letters and dots.
    fn number(&mut self) -> Token<'a> {
        self.skip_while(|b| is_name(b) || b == b'.');
        Token::Other
    }
}

/// LuaJIT's names are letters, digits, `_` and every byte above ASCII.
fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

#[cfg(test)]
#[path = "requires_tests.rs"]
mod tests;
