//! Numbers as directives take them.

/// A number in decimal digits alone: `parse` would take a sign.
pub(super) fn number(text: &[u8]) -> Option<usize> {
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// A number of things, in thousands with `k` and in millions with `m`.
pub(super) fn count(text: &[u8]) -> Option<u64> {
    let (digits, scale) = match text.split_last()? {
        (b'k' | b'K', digits) => (digits, 1_000),
        (b'm' | b'M', digits) => (digits, 1_000_000),
        _ => (text, 1),
    };
    u64::try_from(number(digits)?).ok()?.checked_mul(scale)
}

#[cfg(test)]
mod tests {
    use super::{count, number};

    #[test]
    fn a_number_is_digits() {
        for (text, want) in [
            ("0", Some(0)),
            ("3", Some(3)),
            ("007", Some(7)),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1k", None),
            ("1.0", None),
            ("0x1", None),
            (" 1", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(number(text.as_bytes()), want, "{text:?}");
        }
    }

    #[test]
    fn a_count_may_be_in_thousands_and_millions() {
        for (text, want) in [
            ("0", Some(0)),
            ("1234567", Some(1_234_567)),
            ("1k", Some(1_000)),
            ("25K", Some(25_000)),
            ("1m", Some(1_000_000)),
            ("3M", Some(3_000_000)),
            ("", None),
            ("k", None),
            ("m", None),
            ("1g", None),
            ("1km", None),
            ("1.5m", None),
            ("-1k", None),
            ("1 m", None),
            ("1e6", None),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("18446744073710m", None),
        ] {
            assert_eq!(count(text.as_bytes()), want, "{text:?}");
        }
    }
}
