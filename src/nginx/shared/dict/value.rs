//! What a shared dictionary holds under a key, but for lists.

use super::layout::kind;

/// A value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'v> {
    /// true or false
    Boolean(bool),
    /// a number
    Number(f64),
    /// bytes
    String(&'v [u8]),
}

impl<'v> Value<'v> {
    /// The kind that the zone knows it by.
    pub(super) fn kind(&self) -> u8 {
        match self {
            Self::Boolean(_) => kind::BOOLEAN,
            Self::Number(_) => kind::NUMBER,
            Self::String(_) => kind::STRING,
        }
    }

    /// The bytes that the zone keeps of it.
    pub(super) fn bytes<'b>(&self, scratch: &'b mut [u8; 8]) -> &'b [u8]
    where
        'v: 'b,
    {
        match *self {
            Self::String(text) => text,
            Self::Boolean(value) => {
                scratch[0] = value.into();
                &scratch[..1]
            }
            Self::Number(number) => {
                *scratch = number.to_ne_bytes();
                scratch
            }
        }
    }

    /// The value of what the zone has kept; none for a list, and for bytes that were never written by `bytes`.
    #[inline(always)]
    pub(super) fn read(kind: u8, bytes: &'v [u8]) -> Option<Self> {
        match (kind, bytes) {
            (kind::STRING, text) => Some(Self::String(text)),
            (kind::BOOLEAN, &[value]) => Some(Self::Boolean(value != 0)),
            (kind::NUMBER, number) => Some(Self::Number(f64::from_ne_bytes(number.try_into().ok()?))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_back() {
        for value in [
            Value::Boolean(true),
            Value::Boolean(false),
            Value::Number(-0.5),
            Value::Number(f64::INFINITY),
            Value::String(b""),
            Value::String(b"a\0b"),
        ] {
            assert_eq!(Value::read(value.kind(), value.bytes(&mut [0; 8])), Some(value));
        }
    }

    #[test]
    fn what_was_never_kept_is_no_value() {
        for (kind, bytes) in
            [(kind::LIST, &b""[..]), (kind::NUMBER, b"short"), (kind::BOOLEAN, b""), (0, b""), (9, b"x")]
        {
            assert_eq!(Value::read(kind, bytes), None, "{kind}");
        }
    }
}
