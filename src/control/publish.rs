//! `POST publish`: rescans the code roots and takes what changed.

use ngx::core::Status;
use serde::Serialize;

use crate::hot::{Published, What};
use crate::nginx::Request;

use super::arguments;
use super::change::{self, Asked};
use super::reply::Refusal;

/// The longest reason that a client may give. Characters.
const MAX_REASON: usize = 200;

/// Answers once every worker has flipped, or the change was refused.
pub fn answer(request: &Request) -> Result<Status, Refusal> {
    change::answer(request, asked, told)
}

fn asked(query: &[u8]) -> Result<Asked, String> {
    let arguments = arguments::parse(query, &["reason"])?;
    let reason = arguments::once(&arguments, "reason")?.unwrap_or("publish").to_owned();
    if reason.chars().count() > MAX_REASON {
        return Err(format!("\"reason\" is longer than {MAX_REASON} characters"));
    }
    Ok(Asked { what: What::Rescan, reason })
}

/// The answer.
#[derive(Serialize)]
struct Answer {
    generation: u64,
    changed: Vec<String>,
    reloaded: Vec<String>,
}

fn told(published: Published) -> Answer {
    let Published { generation, changed, reloaded, restored: _ } = published;
    Answer { generation, changed, reloaded }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_may_be_given() {
        let long = "é".repeat(200);
        for (query, reason) in [("", "publish"), ("reason=fix+%2312", "fix #12"), (&format!("reason={long}"), &long)] {
            let want = Asked { what: What::Rescan, reason: reason.to_owned() };
            assert_eq!(asked(query.as_bytes()), Ok(want), "{query}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (query, why) in [
            ("reason=", "\"reason\" has no value"),
            ("reason=a&reason=b", "\"reason\" is given more than once"),
            ("reason=a%0Ab", "control character"),
            ("to=1", "no argument \"to\"; it takes reason"),
            (&format!("reason={}", "x".repeat(201)), "longer than 200 characters"),
            (&format!("reason={}", "x".repeat(1025)), "longer than 1024 bytes"),
        ] {
            let error = asked(query.as_bytes()).unwrap_err();
            assert!(error.contains(why), "{query}: {error}");
        }
    }

    #[test]
    fn an_answer_says_what_changed() {
        let published =
            Published { generation: 9, changed: vec!["a.lua".into()], reloaded: vec!["a".into()], restored: None };
        let json = serde_json::to_string(&told(published)).unwrap();
        assert_eq!(json, r#"{"generation":9,"changed":["a.lua"],"reloaded":["a"]}"#);
    }
}
