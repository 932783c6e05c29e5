//! Who may call: peers of this host, or those who have the token; and what may not change anything.

use crate::conf::Token;
use crate::nginx::Request;

use super::origin;
use super::reply::Refusal;

/// Refuses a client that may not see the API.
pub fn check(request: &Request, token: Option<&Token>) -> Result<(), Refusal> {
    let Some(token) = token else {
        if request.is_from_loopback() {
            return Ok(());
        }
        return Err(Refusal::new(403, "without a token only clients of this host are answered"));
    };
    match request.header_in(b"authorization").map(bearer) {
        Some(Some(given)) if token.matches(given) => Ok(()),
        Some(Some(_)) => Err(unauthorized("the token is wrong")),
        Some(None) => Err(unauthorized("the Authorization header is not of the form \"Bearer TOKEN\"")),
        None => Err(unauthorized("the call needs the header \"Authorization: Bearer TOKEN\"")),
    }
}

/// Refuses a changing call that somebody else makes in the client's name: a page of another site in its browser, or
/// code and configuration that pass a request on inside nginx.
pub fn check_change(request: &Request) -> Result<(), Refusal> {
    if request.is_subrequest() || request.is_internal() {
        return Err(Refusal::new(
            403,
            "a call that changes something cannot come by a subrequest or a redirect inside nginx",
        ));
    }
    match request.header_in(b"origin") {
        Some(given) if !origin::is_host(given, request.header_in(b"host").unwrap_or_default()) => {
            Err(Refusal::new(403, "a call that changes something cannot come from a page of another origin"))
        }
        _ => Ok(()),
    }
}

fn unauthorized(error: &str) -> Refusal {
    Refusal::new(401, error).with_header("WWW-Authenticate", "Bearer")
}

/// The token of `Bearer TOKEN`; the scheme is in any case.
fn bearer(authorization: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = authorization.split_at_checked(b"Bearer ".len())?;
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"Bearer ") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bearer_scheme_carries_a_token() {
        for (header, want) in [
            ("Bearer abc", Some("abc")),
            ("bearer abc", Some("abc")),
            ("BEARER   abc ", Some("abc")),
            ("Bearer a b", Some("a b")),
            ("Bearer", None),
            ("Bearer ", None),
            ("Bearerabc", None),
            ("Basic abc", None),
            ("abc", None),
            ("", None),
        ] {
            assert_eq!(bearer(header.as_bytes()), want.map(str::as_bytes), "{header:?}");
        }
    }
}
