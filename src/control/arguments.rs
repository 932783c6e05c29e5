//! The arguments of a call: the query string, decoded and checked. Each error is a sentence for the client.

/// The most values that a call may have.
const MAX_VALUES: usize = 256;
/// The longest value, decoded. Bytes.
const MAX_VALUE: usize = 1024;
/// How much of a client's text an error repeats. Characters.
const MAX_SHOWN: usize = 64;

/// Takes a query string apart into arguments, in its order. An argument that is not among `known` is an error.
pub fn parse<'k>(query: &[u8], known: &[&'k str]) -> Result<Vec<(&'k str, String)>, String> {
    let mut arguments = Vec::new();
    for part in query.split(|&byte| byte == b'&').filter(|part| !part.is_empty()) {
        if arguments.len() == MAX_VALUES {
            return Err(format!("more than {MAX_VALUES} arguments"));
        }
        let (name, value) = match part.iter().position(|&byte| byte == b'=') {
            Some(at) => (&part[..at], &part[at + 1..]),
            None => (part, &b""[..]),
        };
        let decoded = decode(name).ok_or_else(|| format!("bad percent-encoding in {}", shown(name)))?;
        let Some(name) = known.iter().find(|known| known.as_bytes() == decoded) else {
            let known =
                if known.is_empty() { "it takes none".into() } else { format!("it takes {}", known.join(", ")) };
            return Err(format!("the call has no argument {}; {known}", shown(&decoded)));
        };
        arguments.push((*name, text(name, value)?));
    }
    Ok(arguments)
}

/// Checks that a call without arguments has none.
pub fn none(query: &[u8]) -> Result<(), String> {
    parse(query, &[]).map(drop)
}

/// The value of an argument that stands once; none where it is not given.
pub fn once<'a>(arguments: &'a [(&str, String)], name: &str) -> Result<Option<&'a str>, String> {
    let mut values = arguments.iter().filter(|(given, _)| *given == name).map(|(_, value)| value.as_str());
    let value = values.next();
    if values.next().is_some() {
        return Err(format!("\"{name}\" is given more than once"));
    }
    Ok(value)
}

/// The value of an argument that is a number from 1 in decimal digits and stands once; none where it is not given.
pub fn number(arguments: &[(&str, String)], name: &str) -> Result<Option<u64>, String> {
    let Some(text) = once(arguments, name)? else { return Ok(None) };
    // `parse` alone would take a sign.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(number) if digits && number > 0 => Ok(Some(number)),
        _ => Err(format!("\"{name}\" is a number from 1 to {}, not {}", u64::MAX, shown(text.as_bytes()))),
    }
}

/// The value of an argument that is 0 or 1 and stands once; none where it is not given.
pub fn flag(arguments: &[(&str, String)], name: &str) -> Result<Option<bool>, String> {
    match once(arguments, name)? {
        None => Ok(None),
        Some("0") => Ok(Some(false)),
        Some("1") => Ok(Some(true)),
        Some(other) => Err(format!("\"{name}\" is 0 or 1, not {}", shown(other.as_bytes()))),
    }
}

/// A client's text as an error repeats it: quoted, escaped and cut.
pub fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// Decodes and checks a value.
fn text(name: &str, encoded: &[u8]) -> Result<String, String> {
    let value = decode(encoded).ok_or_else(|| format!("bad percent-encoding in the value of \"{name}\""))?;
    if value.is_empty() {
        return Err(format!("\"{name}\" has no value"));
    }
    if value.len() > MAX_VALUE {
        return Err(format!("a value of \"{name}\" is longer than {MAX_VALUE} bytes"));
    }
    let value = String::from_utf8(value).map_err(|_| format!("a value of \"{name}\" is not UTF-8"))?;
    match value.chars().find(|c| c.is_control()) {
        Some('\0') => Err(format!("a value of \"{name}\" has a NUL in it")),
        Some(_) => Err(format!("a value of \"{name}\" has a control character in it")),
        None => Ok(value),
    }
}

/// Decodes `%41` and `+`. None where a `%` has no two hexadecimal digits behind it.
fn decode(encoded: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut bytes = encoded.iter().copied();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => hexadecimal(bytes.next()?)? << 4 | hexadecimal(bytes.next()?)?,
            _ => byte,
        });
    }
    Some(decoded)
}

fn hexadecimal(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(query: &str) -> Result<Vec<(&'static str, String)>, String> {
        parse(query.as_bytes(), &["a", "bc"])
    }

    #[test]
    fn arguments_are_decoded_in_their_order() {
        for (query, want) in [
            ("", vec![]),
            ("&&", vec![]),
            ("a=1", vec![("a", "1")]),
            ("a=1&bc=2&a=3&", vec![("a", "1"), ("bc", "2"), ("a", "3")]),
            ("%61=%31", vec![("a", "1")]),
            ("a=x+y%2Bz%2f%2F", vec![("a", "x y+z//")]),
            ("a=b=c", vec![("a", "b=c")]),
            ("a=%C3%A9", vec![("a", "é")]),
            ("a=é", vec![("a", "é")]),
            ("a=%25", vec![("a", "%")]),
        ] {
            let got = check(query).unwrap();
            let got: Vec<_> = got.iter().map(|(name, value)| (*name, value.as_str())).collect();
            assert_eq!(got, want, "{query}");
        }
        assert_eq!(check(&format!("a={}", "x".repeat(1024))).unwrap()[0].1.len(), 1024);
        assert_eq!(check(&format!("a={}", "%78".repeat(1024))).unwrap()[0].1.len(), 1024);
        assert_eq!(check(&"a=1&".repeat(256)).unwrap().len(), 256);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (query, why) in [
            ("x=1", "no argument \"x\"; it takes a, bc"),
            ("A=1", "no argument \"A\""),
            ("=1", "no argument \"\""),
            ("%00=1", "no argument \"\\0\""),
            ("%F=1", "bad percent-encoding in \"%F\""),
            ("a", "\"a\" has no value"),
            ("a=", "\"a\" has no value"),
            ("a=1&a=", "\"a\" has no value"),
            ("a=%", "bad percent-encoding in the value of \"a\""),
            ("a=%4", "bad percent-encoding"),
            ("a=%4g", "bad percent-encoding"),
            ("a=%+4", "bad percent-encoding"),
            ("a=%00", "NUL"),
            ("a=x%00y", "NUL"),
            ("a=%0A", "control character"),
            ("a=x%7F", "control character"),
            ("a=%C2%85", "control character"),
            ("a=%FF", "not UTF-8"),
            ("a=%C3", "not UTF-8"),
            ("a=%ED%A0%80", "not UTF-8"),
        ] {
            let error = check(query).unwrap_err();
            assert!(error.contains(why), "{query}: {error}");
        }
        let error = check(&format!("a={}", "x".repeat(1025))).unwrap_err();
        assert!(error.contains("longer than 1024 bytes"), "{error}");
        let error = check(&"a=1&".repeat(257)).unwrap_err();
        assert!(error.contains("more than 256"), "{error}");
        assert!(none(b"a=1").unwrap_err().contains("it takes none"));
        assert_eq!(none(b"&"), Ok(()));
    }

    #[test]
    fn a_flag_is_0_or_1_and_stands_once() {
        for (query, want) in [("bc=0", Ok(None)), ("a=0", Ok(Some(false))), ("bc=2&a=1", Ok(Some(true)))] {
            assert_eq!(flag(&check(query).unwrap(), "a"), want, "{query}");
        }
        for (query, why) in [
            ("a=2", "0 or 1, not \"2\""),
            ("a=true", "0 or 1"),
            ("a=01", "0 or 1"),
            ("a=+1", "0 or 1"),
            ("a=1&a=1", "more than once"),
            ("a=0&bc=1&a=2", "more than once"),
        ] {
            let error = flag(&check(query).unwrap(), "a").unwrap_err();
            assert!(error.contains(why), "{query}: {error}");
        }
    }

    #[test]
    fn a_number_is_digits_and_stands_once() {
        for (query, want) in [
            ("", Ok(None)),
            ("bc=x", Ok(None)),
            ("a=1", Ok(Some(1))),
            ("bc=1&a=007", Ok(Some(7))),
            ("a=18446744073709551615", Ok(Some(u64::MAX))),
        ] {
            assert_eq!(number(&check(query).unwrap(), "a"), want, "{query}");
        }
        for (query, why) in [
            ("a=0", "a number from 1 to 18446744073709551615, not \"0\""),
            ("a=00", "a number"),
            ("a=-1", "not \"-1\""),
            ("a=%2B1", "not \"+1\""),
            ("a=+1", "not \" 1\""),
            ("a=1.0", "a number"),
            ("a=1e3", "a number"),
            ("a=0x1", "a number"),
            ("a=abc", "not \"abc\""),
            ("a=%D9%A1", "a number"),
            ("a=18446744073709551616", "a number"),
            ("a=99999999999999999999", "a number"),
            ("a=1&a=1", "more than once"),
        ] {
            let error = number(&check(query).unwrap(), "a").unwrap_err();
            assert!(error.contains(why), "{query}: {error}");
        }
    }

    #[test]
    fn what_is_repeated_is_escaped_and_cut() {
        for (text, want) in [
            (&b"plain"[..], "\"plain\"".to_owned()),
            (b"\"\n", "\"\\\"\\n\"".to_owned()),
            (b"\xff", "\"\u{fffd}\"".to_owned()),
            (&[b'x'; 64], format!("\"{}\"", "x".repeat(64))),
            (&[b'x'; 65], format!("\"{}\"...", "x".repeat(64))),
        ] {
            assert_eq!(shown(text), want);
        }
    }
}
