//! Percent-encoding and its undoing.

/// A set of bytes.
struct Bytes([bool; 256]);

impl Bytes {
    /// Controls, the space, DEL and all above ASCII, and what is named.
    const fn unsafe_and(named: &[u8]) -> Self {
        let mut set = Self::control_and_space_and(named).0;
        let mut byte = 0x7f;
        while byte < set.len() {
            set[byte] = true;
            byte += 1;
        }
        Self(set)
    }

    /// Controls below the space, the space, and what is named.
    const fn control_and_space_and(named: &[u8]) -> Self {
        let mut set = [false; 256];
        let mut byte = 0;
        while byte <= b' ' as usize {
            set[byte] = true;
            byte += 1;
        }
        let mut i = 0;
        while i < named.len() {
            set[named[i] as usize] = true;
            i += 1;
        }
        Self(set)
    }

    const fn has(&self, byte: u8) -> bool {
        self.0[byte as usize]
    }
}

/// What `ngx.escape_uri`'s second argument chooses: which bytes become `%XX`. They are nginx's own kinds, of which
/// upstream documents [`Escape::Uri`] and [`Escape::Component`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Escape {
    /// A path with its slashes.
    Uri,
    /// A query string.
    Args,
    /// One component: a path segment, or an argument's name or value.
    Component,
    /// Text in a page.
    Html,
    /// Text in a page with `#`, `%` and `?` kept.
    Refresh,
    /// A key of memcached.
    Memcached,
    /// The name of a mail login.
    MailAuth,
}

const URI: Bytes = Bytes::unsafe_and(b"#%?");
const ARGS: Bytes = Bytes::unsafe_and(b"#%+?");
const COMPONENT: Bytes = Bytes::unsafe_and(b"\"#$%&+,/:;<=>?@[\\]^`{|}");
const HTML: Bytes = Bytes::unsafe_and(b"\"#%'");
const REFRESH: Bytes = Bytes::unsafe_and(b"\"'");
const MEMCACHED: Bytes = Bytes::control_and_space_and(b"%");
/// What may not stand in a query string that a program hands over ready-made.
const CONTROL: Bytes = {
    let mut set = Bytes::control_and_space_and(b"");
    set.0[0x7f] = true;
    set
};

impl Escape {
    /// The kind of upstream's number.
    pub fn from_number(number: i32) -> Option<Self> {
        use Escape::*;
        [Uri, Args, Component, Html, Refresh, Memcached, MailAuth].get(usize::try_from(number).ok()?).copied()
    }

    fn set(self) -> &'static Bytes {
        match self {
            Self::Uri => &URI,
            Self::Args => &ARGS,
            Self::Component => &COMPONENT,
            Self::Html => &HTML,
            Self::Refresh => &REFRESH,
            Self::Memcached | Self::MailAuth => &MEMCACHED,
        }
    }
}

/// How long the escaped text will be; as long as `text` where nothing needs escaping.
pub fn escaped_length(text: &[u8], kind: Escape) -> usize {
    length(text, kind.set())
}

/// Escapes into `into`, which is [`escaped_length`] long.
pub fn escape_uri(text: &[u8], kind: Escape, into: &mut [u8]) {
    escape(text, kind.set(), into);
}

/// A query string with its controls and spaces escaped; None where it has none.
pub fn escape_control(text: &[u8]) -> Option<Vec<u8>> {
    let length = length(text, &CONTROL);
    if length == text.len() {
        return None;
    }
    let mut escaped = vec![0; length];
    escape(text, &CONTROL, &mut escaped);
    Some(escaped)
}

fn length(text: &[u8], set: &Bytes) -> usize {
    text.len() + 2 * text.iter().filter(|&&byte| set.has(byte)).count()
}

fn escape(text: &[u8], set: &Bytes, into: &mut [u8]) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut at = 0;
    for &byte in text {
        if set.has(byte) {
            into[at] = b'%';
            into[at + 1] = HEX[usize::from(byte >> 4)];
            into[at + 2] = HEX[usize::from(byte & 15)];
            at += 3;
        } else {
            into[at] = byte;
            at += 1;
        }
    }
}

/// Undoes percent-encoding, with `+` for a space, into the front of `into`, which is at least as long as `text`. A
/// `%` that two hexadecimal digits don't follow stays. Returns the length.
pub fn unescape_uri(text: &[u8], into: &mut [u8]) -> usize {
    let mut from = 0;
    let mut at = 0;
    while let Some(&byte) = text.get(from) {
        from += 1;
        into[at] = match byte {
            b'+' => b' ',
            b'%' => match text.get(from..from + 2).and_then(|digits| Some((hex(digits[0])?, hex(digits[1])?))) {
                Some((high, low)) => {
                    from += 2;
                    high << 4 | low
                }
                None => byte,
            },
            _ => byte,
        };
        at += 1;
    }
    at
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_escapes_its_own_bytes() {
        let printable: Vec<u8> = (b'!'..=b'~').filter(|byte| !byte.is_ascii_alphanumeric()).collect();
        for (number, want) in
            [(0, "#%?"), (1, "#%+?"), (2, "\"#$%&+,/:;<=>?@[\\]^`{|}"), (3, "\"#%'"), (4, "\"'"), (5, "%"), (6, "%")]
        {
            let kind = Escape::from_number(number).unwrap();
            let escaped: Vec<u8> =
                printable.iter().copied().filter(|&byte| escaped_length(&[byte], kind) == 3).collect();
            assert_eq!(String::from_utf8(escaped).unwrap(), want, "{kind:?}");
        }
        assert_eq!(Escape::from_number(7), None);
        assert_eq!(Escape::from_number(-1), None);
    }

    #[test]
    fn escaped_bytes_are_two_upper_case_digits() {
        for (text, kind, want) in [
            (&b"a b/\xe4"[..], Escape::Component, "a%20b%2F%E4"),
            (b"a b/\xe4", Escape::Uri, "a%20b/%E4"),
            (b"\0\x7f", Escape::Uri, "%00%7F"),
            (b"plain", Escape::Component, "plain"),
            (b"", Escape::Component, ""),
        ] {
            let mut into = vec![0; escaped_length(text, kind)];
            escape_uri(text, kind, &mut into);
            assert_eq!(String::from_utf8(into).unwrap(), want);
        }
    }

    #[test]
    fn broken_escapes_stay() {
        for (text, want) in [
            ("b%20r56+7", "b r56 7"),
            ("try %search%%20%again%", "try %search% %again%"),
            ("%", "%"),
            ("%4", "%4"),
            ("%4g", "%4g"),
            ("%%41", "%A"),
            ("%2B+", "+ "),
            ("%00", "\0"),
            ("", ""),
        ] {
            let mut into = vec![0; text.len()];
            let length = unescape_uri(text.as_bytes(), &mut into);
            assert_eq!(&into[..length], want.as_bytes(), "{text}");
        }
    }

    #[test]
    fn only_controls_of_a_query_string_are_escaped() {
        assert_eq!(escape_control(b"a b\tc\x7f\xc8").unwrap(), b"a%20b%09c%7F\xc8");
        assert_eq!(escape_control(b"a=1&b=\"<>?#%"), None);
    }
}
