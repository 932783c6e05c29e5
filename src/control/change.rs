//! What the calls that change something share: from a query string to a change, and to an answer once it was made.

use ngx::core::Status;
use serde::Serialize;

use crate::hot::{self, Change, Published, What};
use crate::nginx::Request;

use super::reply::{Refusal, ok};
use super::told::Roots;

/// What a query string asks for.
#[derive(Debug, PartialEq, Eq)]
pub struct Asked {
    /// The change.
    pub what: What,
    /// Why, for the list of generations.
    pub reason: String,
}

/// Asks for the change that `parse` reads from the query string (its error is a sentence for the client), and answers
/// by what `told` makes of the outcome, once every worker has flipped or the change was refused.
pub fn answer<T: Serialize + 'static>(
    request: &Request,
    parse: fn(&[u8]) -> Result<Asked, String>,
    told: fn(Published) -> T,
) -> Result<Status, Refusal> {
    if has_form_body(request) {
        return Err(Refusal::argument("the arguments belong in the query string; a form in the body is not read"));
    }
    let Asked { what, reason } = parse(request.args()).map_err(Refusal::argument)?;
    let peer = request.variable(b"remote_addr").unwrap_or_default();
    let change = Change { what, reason, actor: format!("control {}", String::from_utf8_lossy(peer)) };
    let roots = Roots::of(request);
    Ok(request.answer_later(|later| {
        hot::publish(change, move |result| {
            later.give(|request| match result {
                Ok(mut published) => {
                    roots.shorten_all(&mut published.changed);
                    ok(request, &told(published))
                }
                Err(refused) => Refusal::from(refused).send(request),
            });
        });
    }))
}

/// Says whether the client has put arguments where they would be ignored, as `curl -d` does.
fn has_form_body(request: &Request) -> bool {
    let kind = request.header_in(b"content-type").unwrap_or_default();
    let form = b"application/x-www-form-urlencoded";
    let is_form = kind.get(..form.len()).is_some_and(|kind| kind.eq_ignore_ascii_case(form));
    let has_length = request.header_in(b"content-length").is_some_and(|length| length != b"0");
    is_form && (has_length || request.header_in(b"transfer-encoding").is_some())
}
