//! Answers, the refusals among them: JSON but for what another format is the custom of.

use ngx::core::Status;
use serde::Serialize;

use crate::hot;
use crate::nginx::{Level, Log, Request};

const JSON: &str = "application/json";
const NO_STORE: (&str, &str) = ("Cache-Control", "no-store");

/// Answers 200 with a value.
pub fn ok(request: &Request, value: &impl Serialize) -> Status {
    json(request, 200, &[NO_STORE], value)
}

/// Answers 200 with text of another type.
pub fn text(request: &Request, content_type: &str, text: &str) -> Status {
    request.respond(200, &[NO_STORE], content_type, text.as_bytes())
}

fn json(request: &Request, status: usize, headers: &[(&str, &str)], value: &impl Serialize) -> Status {
    match serde_json::to_vec(value) {
        Ok(mut body) => {
            // So that a terminal's prompt begins its own line.
            body.push(b'\n');
            request.respond(status, headers, JSON, &body)
        }
        Err(error) => {
            Log::of(request).write(Level::Err, format!("failed to make JSON of a control answer: {error}").as_bytes());
            Status(500)
        }
    }
}

/// Why a call is not answered by what it asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    pub(super) status: usize,
    pub(super) header: Option<(&'static str, String)>,
    body: Body,
}

/// Its body.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Body {
    error: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<i32>,
}

impl Refusal {
    /// A refusal by a status and a sentence.
    pub fn new(status: usize, error: impl Into<String>) -> Self {
        Self { status, header: None, body: Body { error: error.into(), ..Body::default() } }
    }

    /// 400: an argument is wrong.
    pub fn argument(error: impl Into<String>) -> Self {
        Self::new(400, error)
    }

    /// Adds a response header.
    pub fn with_header(self, name: &'static str, value: impl Into<String>) -> Self {
        Self { header: Some((name, value.into())), ..self }
    }

    /// Answers the request by it.
    pub fn send(&self, request: &Request) -> Status {
        if matches!(self.status, 401 | 403) {
            let line = format!("control call refused: {}", self.body.error);
            Log::of(request).write(Level::Err, line.as_bytes());
        }
        let mut headers = vec![NO_STORE];
        headers.extend(self.header.as_ref().map(|(name, value)| (*name, value.as_str())));
        json(request, self.status, &headers, &self.body)
    }
}

impl From<hot::Refused> for Refusal {
    fn from(refused: hot::Refused) -> Self {
        match refused {
            hot::Refused::Unknown { what } => Self::new(404, what),
            hot::Refused::Rejected { error, file, line, worker } => {
                Self { status: 409, header: None, body: Body { error, file, line, worker } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejection_tells_what_is_known_of_its_place() {
        for (file, line, worker, want) in [
            (None, None, None, r#"{"error":"boom"}"#),
            (Some("a.lua"), Some(3), None, r#"{"error":"boom","file":"a.lua","line":3}"#),
            (Some("a.lua"), Some(3), Some(77), r#"{"error":"boom","file":"a.lua","line":3,"worker":77}"#),
        ] {
            let file = file.map(str::to_owned);
            let refusal = Refusal::from(hot::Refused::Rejected { error: "boom".into(), file, line, worker });
            assert_eq!(refusal.status, 409);
            assert_eq!(serde_json::to_string(&refusal.body).unwrap(), want);
        }
        assert_eq!(Refusal::from(hot::Refused::Unknown { what: "no module \"a\"".into() }).status, 404);
    }
}
