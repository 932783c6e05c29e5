//! Templates of `ngx.re.sub` and `ngx.re.gsub`: text in which `$1`, `${1}` and `$$` stand for something else.

use memchr::memchr;

/// What a template is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// To be taken as it is.
    Text(&'a [u8]),
    /// What a group has matched, by its number; 0 is the whole match.
    Group(usize),
}

/// Why a template cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateError<'a> {
    /// A group by name, `$name` or `${name}`.
    Named(&'a [u8]),
    /// `${1` without its bracket.
    Unclosed(&'a [u8]),
    /// A `$` before what is neither a number nor a name.
    Invalid,
}

impl TemplateError<'_> {
    /// What the log says about it.
    pub fn line(&self, template: &[u8]) -> Vec<u8> {
        match self {
            Self::Named(name) => {
                [b"attempt to use named capturing variable \"", *name, b"\" (named captures not supported yet)"]
                    .concat()
            }
            Self::Unclosed(name) => [b"the closing bracket in \"", *name, b"\" variable is missing"].concat(),
            Self::Invalid => {
                [b"lua script: invalid capturing variable name found in \"", template, &b"\""[..]].concat()
            }
        }
    }
}

/// The parts of a template, in order. After an error there is no more.
#[derive(Clone, Copy)]
pub struct Template<'a>(&'a [u8]);

impl<'a> Template<'a> {
    /// The parts of `text`.
    pub fn new(text: &'a [u8]) -> Self {
        Self(text)
    }

    /// Reads what follows a `$`.
    fn group(&mut self) -> Result<Part<'a>, TemplateError<'a>> {
        let braced = self.0.first() == Some(&b'{');
        let rest = if braced { &self.0[1..] } else { self.0 };
        let is_number = rest.first().is_some_and(u8::is_ascii_digit);
        let in_name =
            |byte: &u8| if is_number { byte.is_ascii_digit() } else { byte.is_ascii_alphanumeric() || *byte == b'_' };
        let (name, rest) = rest.split_at(rest.iter().position(|byte| !in_name(byte)).unwrap_or(rest.len()));
        let closed = braced && rest.first() == Some(&b'}');
        if braced && !closed && !(name.is_empty() && rest.is_empty()) {
            return Err(TemplateError::Unclosed(name));
        }
        if name.is_empty() {
            return Err(TemplateError::Invalid);
        }
        if !is_number {
            return Err(TemplateError::Named(name));
        }
        self.0 = if closed { &rest[1..] } else { rest };
        // A number that is too large for any pattern stays one: such a group has matched nothing.
        Ok(Part::Group(
            name.iter()
                .fold(0, |number: usize, digit| number.saturating_mul(10).saturating_add(usize::from(digit - b'0'))),
        ))
    }
}

impl<'a> Iterator for Template<'a> {
    type Item = Result<Part<'a>, TemplateError<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let first = self.0.first()?;
        if *first != b'$' {
            let (text, rest) = self.0.split_at(memchr(b'$', self.0).unwrap_or(self.0.len()));
            self.0 = rest;
            return Some(Ok(Part::Text(text)));
        }
        if self.0.get(1) == Some(&b'$') {
            let (text, rest) = (&self.0[..1], &self.0[2..]);
            self.0 = rest;
            return Some(Ok(Part::Text(text)));
        }
        self.0 = &self.0[1..];
        let part = self.group();
        if part.is_err() {
            self.0 = &[];
        }
        Some(part)
    }
}

#[cfg(test)]
mod tests {
    use super::Part::{Group, Text};
    use super::*;

    fn parts(text: &str) -> Result<Vec<Part<'_>>, TemplateError<'_>> {
        Template::new(text.as_bytes()).collect()
    }

    #[test]
    fn a_template_is_taken_apart() {
        for (text, want) in [
            ("", vec![]),
            ("plain", vec![Text(b"plain")]),
            ("$0", vec![Group(0)]),
            ("a$1b", vec![Text(b"a"), Group(1), Text(b"b")]),
            ("${1}2", vec![Group(1), Text(b"2")]),
            ("$12", vec![Group(12)]),
            ("$012", vec![Group(12)]),
            ("$1a", vec![Group(1), Text(b"a")]),
            ("$1$2", vec![Group(1), Group(2)]),
            ("$$", vec![Text(b"$")]),
            ("$$1", vec![Text(b"$"), Text(b"1")]),
            ("$${1}", vec![Text(b"$"), Text(b"{1}")]),
            ("{$0}}", vec![Text(b"{"), Group(0), Text(b"}}")]),
            ("\\0%1", vec![Text(b"\\0%1")]),
            ("a\0$0\0", vec![Text(b"a\0"), Group(0), Text(b"\0")]),
            ("$99999999999999999999", vec![Group(usize::MAX)]),
        ] {
            assert_eq!(parts(text), Ok(want), "{text:?}");
        }
    }

    #[test]
    fn a_bad_template_is_refused() {
        for (text, want) in [
            ("$", TemplateError::Invalid),
            ("a$", TemplateError::Invalid),
            ("$$$", TemplateError::Invalid),
            ("$-1", TemplateError::Invalid),
            ("$ {1}", TemplateError::Invalid),
            ("$\u{e9}", TemplateError::Invalid),
            ("${", TemplateError::Invalid),
            ("${}", TemplateError::Invalid),
            ("$n", TemplateError::Named(b"n")),
            ("$1a$b c", TemplateError::Named(b"b")),
            ("${n1_}", TemplateError::Named(b"n1_")),
            ("${n", TemplateError::Unclosed(b"n")),
            ("${1", TemplateError::Unclosed(b"1")),
            ("${1a}", TemplateError::Unclosed(b"1")),
            ("${1 }", TemplateError::Unclosed(b"1")),
            ("${ 1}", TemplateError::Unclosed(b"")),
            ("${-1}", TemplateError::Unclosed(b"")),
        ] {
            assert_eq!(parts(text), Err(want), "{text:?}");
        }
    }

    #[test]
    fn nothing_follows_an_error() {
        assert_eq!(Template::new(b"a$ $1").skip_while(Result::is_ok).count(), 1);
    }
}
