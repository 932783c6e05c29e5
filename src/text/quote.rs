//! SQL string literals.

/// A literal by MySQL's rules, with its quotes.
pub fn quote_sql(text: &[u8]) -> Vec<u8> {
    let mut quoted = Vec::with_capacity(text.len() + 2);
    quoted.push(b'\'');
    for &byte in text {
        let escaped = match byte {
            0 => b'0',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x08 => b'b',
            0x1a => b'Z',
            b'\\' | b'\'' | b'"' => byte,
            _ => {
                quoted.push(byte);
                continue;
            }
        };
        quoted.extend([b'\\', escaped]);
    }
    quoted.push(b'\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_end_a_literal_is_escaped() {
        for (text, want) in [
            (&b""[..], &b"''"[..]),
            (b"plain", b"'plain'"),
            (b"a'b\"$c\\d", b"'a\\'b\\\"$c\\\\d'"),
            (b"\0\n\r\t\x08\x1a", b"'\\0\\n\\r\\t\\b\\Z'"),
            (b"\x0b\xe4", b"'\x0b\xe4'"),
        ] {
            assert_eq!(quote_sql(text), want);
        }
    }
}
