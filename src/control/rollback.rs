//! `POST rollback`: makes the files of an earlier generation the active ones again.

use ngx::core::Status;
use serde::Serialize;

use crate::hot::{Published, What};
use crate::nginx::Request;

use super::arguments;
use super::change::{self, Asked};
use super::reply::Refusal;

/// Answers once every worker has flipped, or the change was refused.
pub fn answer(request: &Request) -> Result<Status, Refusal> {
    change::answer(request, asked, told)
}

fn asked(query: &[u8]) -> Result<Asked, String> {
    let arguments = arguments::parse(query, &["to"])?;
    let to = arguments::number(&arguments, "to")?;
    let reason = to.map_or_else(|| "rollback".into(), |to| format!("rollback to={to}"));
    Ok(Asked { what: What::Rollback(to), reason })
}

/// The answer.
#[derive(Serialize)]
struct Answer {
    generation: u64,
    restored: Option<u64>,
    reloaded: Vec<String>,
}

fn told(published: Published) -> Answer {
    let Published { generation, restored, reloaded, changed: _ } = published;
    Answer { generation, restored, reloaded }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_may_be_named() {
        for (query, to, reason) in [
            ("", None, "rollback"),
            ("to=7", Some(7), "rollback to=7"),
            ("to=07", Some(7), "rollback to=7"),
            ("to=18446744073709551615", Some(u64::MAX), "rollback to=18446744073709551615"),
        ] {
            let want = Asked { what: What::Rollback(to), reason: reason.to_owned() };
            assert_eq!(asked(query.as_bytes()), Ok(want), "{query}");
        }
    }

    #[test]
    fn an_answer_says_what_was_restored() {
        let published =
            Published { generation: 10, changed: vec!["a.lua".into()], reloaded: vec!["a".into()], restored: Some(7) };
        let json = serde_json::to_string(&told(published)).unwrap();
        assert_eq!(json, r#"{"generation":10,"restored":7,"reloaded":["a"]}"#);
    }
}
