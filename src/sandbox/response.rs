//! What a script may make of a response: its status and header, checked before any of it is sent.

use std::rc::Rc;

use crate::ffi::Value;
use crate::nginx::{HeaderChange, Request};

use super::run::{Made, Unusable};

/// The most headers, and the most bytes in them.
const MOST_HEADERS: usize = 100;
const MOST_BYTES: usize = 16 << 10;

/// Headers by name, each with its values.
pub type Header = Vec<(String, Vec<Vec<u8>>)>;

/// What `ngx.status` is at the beginning.
const OK: u16 = 200;

/// Headers that say how a response is framed or who speaks, in lower case: one that does not fit what is sent lets a
/// client or a proxy take the next response for a part of this one.
const RESERVED: &[&str] = &[
    "connection",
    "content-length",
    "date",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// Headers that a proxy in front of nginx may obey.
const RESERVED_PREFIX: &str = "x-accel-";

/// The status in `ngx.status`; none where that is unchanged.
///
/// # Errors
/// Text: it is no status of a final response.
pub(super) fn status(status: Option<f64>) -> Result<Option<u16>, Unusable> {
    match status {
        None => Ok(None),
        Some(status) if (200.0..=599.0).contains(&status) && status.fract() == 0.0 => Ok(Some(status as u16)),
        Some(status) => Err(Unusable::Response(format!("ngx.status is {status}, not a status from 200 to 599"))),
    }
}

/// The headers in `ngx.header`: each with its values.
///
/// # Errors
/// Text: a name or value that no header can have, a header that is not for scripts, or too much of them.
pub(super) fn header(pairs: Vec<(Value, Value)>) -> Result<Header, Unusable> {
    let refuse = |why: String| Err(Unusable::Response(why));
    let mut bytes = 0;
    let mut header = Vec::new();
    for (name, value) in pairs {
        let Value::Text(name) = name else { return refuse("a name in ngx.header is no string".into()) };
        let name = match String::from_utf8(name) {
            Ok(name) if is_token(&name) => name,
            _ => return refuse("a name in ngx.header is not one that a header can have".into()),
        };
        let lower = name.to_ascii_lowercase().replace('_', "-");
        if RESERVED.contains(&lower.as_str()) || lower.starts_with(RESERVED_PREFIX) {
            return refuse(format!("the response header \"{name}\" is not for scripts to set"));
        }
        let values = match value {
            Value::Table(values) => Rc::unwrap_or_clone(values).into_iter().map(|(_, value)| text(value)).collect(),
            value => text(value).map(|value| vec![value]),
        };
        let Some(values) = values else {
            return refuse(format!("the value of ngx.header[\"{name}\"] is neither string nor number"));
        };
        let is_line = |value: &Vec<u8>| !value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0));
        if !values.iter().all(is_line) {
            return refuse(format!("the value of ngx.header[\"{name}\"] has a line break or NUL in it"));
        }
        bytes += values.iter().map(|value| name.len() + value.len()).sum::<usize>();
        header.push((name, values));
        if header.iter().map(|(_, values)| values.len()).sum::<usize>() > MOST_HEADERS || bytes > MOST_BYTES {
            return refuse(format!("ngx.header has more than {MOST_HEADERS} headers or {MOST_BYTES} bytes"));
        }
    }
    // A table's order tells where its keys lie in memory.
    header.sort();
    Ok(header)
}

fn text(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::Text(text) => Some(text),
        Value::Number(number) => Some(number.to_string().into_bytes()),
        _ => None,
    }
}

/// A token of HTTP; underscores stand for dashes, as in `ngx.header`.
fn is_token(name: &str) -> bool {
    let is_sign = |byte: u8| b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || is_sign(byte))
}

/// Puts what a script made into a response: header, status and output.
///
/// # Errors
/// Text: the response does not take it (any more).
pub fn deliver(request: &Request, made: &Made) -> Result<(), String> {
    for (name, values) in &made.header {
        for (number, value) in values.iter().enumerate() {
            match request.set_response_header(name.as_bytes(), true, value, number > 0) {
                HeaderChange::Sent => return Err(format!("the header is sent, so \"{name}\" cannot be set")),
                HeaderChange::Failed => return Err("no memory for a response header".into()),
                _ => {}
            }
        }
    }
    if let Some(status) = made.status.filter(|&status| status != OK) {
        request.set_status(usize::from(status));
    }
    if made.output.is_empty() {
        return Ok(());
    }
    request.print(&made.output).map_err(|error| error.to_string())
}

impl Made {
    /// Says whether there is anything to put into a response.
    pub fn says_something(&self) -> bool {
        !self.output.is_empty() || !self.header.is_empty() || self.status.is_some_and(|status| status != OK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, value: Value) -> Result<Header, Unusable> {
        header(vec![(Value::Text(name.into()), value)])
    }

    fn text_of(text: &str) -> Value {
        Value::Text(text.into())
    }

    #[test]
    fn headers_are_strings_numbers_and_lists_of_them() {
        let list =
            Value::Table(vec![(Value::Number(1.0), text_of("a=1")), (Value::Number(2.0), text_of("b=2"))].into());
        for (name, value, want) in [
            ("X-One", text_of("1"), vec!["1"]),
            ("x_two", Value::Number(2.0), vec!["2"]),
            ("Set-Cookie", list, vec!["a=1", "b=2"]),
        ] {
            let want: Vec<Vec<u8>> = want.into_iter().map(|value| value.as_bytes().to_vec()).collect();
            assert_eq!(one(name, value), Ok(vec![(name.to_owned(), want)]));
        }
    }

    #[test]
    fn what_would_change_the_framing_is_refused() {
        for (name, value, why) in [
            ("Content-Length", text_of("0"), "not for scripts"),
            ("content_length", text_of("0"), "not for scripts"),
            ("TRANSFER-ENCODING", text_of("chunked"), "not for scripts"),
            ("Connection", text_of("close"), "not for scripts"),
            ("X-Accel-Redirect", text_of("/x"), "not for scripts"),
            ("X A", text_of("1"), "not one that"),
            ("X:", text_of("1"), "not one that"),
            ("", text_of("1"), "not one that"),
            ("X\r\nY", text_of("1"), "not one that"),
            ("X", text_of("1\r\nY: 2"), "line break"),
            ("X", text_of("1\n"), "line break"),
            ("X", text_of("\0"), "NUL"),
            ("X", Value::Boolean(true), "neither string nor number"),
            (
                "X",
                Value::Table(vec![(Value::Number(1.0), Value::Table(vec![].into()))].into()),
                "neither string nor number",
            ),
            ("X", text_of(&"x".repeat(20_000)), "more than"),
        ] {
            let refused = one(name, value).map_err(|why| why.to_string());
            assert!(refused.as_ref().is_err_and(|text| text.contains(why)), "{name}: {refused:?}");
        }
        assert!(header(vec![(Value::Number(1.0), text_of("x"))]).is_err());
        let many = (0..101).map(|n| (text_of(&format!("X-{n}")), text_of("1"))).collect();
        assert!(header(many).is_err());
    }

    #[test]
    fn a_status_is_that_of_a_final_response() {
        for (given, want) in [(None, Some(None)), (Some(200.0), Some(Some(200))), (Some(599.0), Some(Some(599)))] {
            assert_eq!(status(given).ok(), want);
        }
        for bad in [0.0, 100.0, 199.0, 600.0, 200.5, -1.0, f64::NAN, f64::INFINITY] {
            assert!(status(Some(bad)).is_err(), "{bad}");
        }
    }
}
