//! The calls as rows of a table, and which of them a request asks for.

use ngx::core::Status;

use crate::nginx::Request;

use super::reply::{Refusal, ok};
use super::{arguments, invalidate, metrics, publish, rollback, told};

/// One call.
pub struct Route {
    /// By which method it is asked for.
    pub method: Method,
    /// Its path below the location.
    pub name: &'static str,
    /// Answers it.
    pub answer: fn(&Request) -> Result<Status, Refusal>,
}

/// Every call, by name.
pub const ROUTES: &[Route] = &[
    Route { method: Method::Get, name: "generations", answer: |request| tell(request, told::generations) },
    Route { method: Method::Post, name: "invalidate", answer: invalidate::answer },
    Route { method: Method::Get, name: "metrics", answer: metrics::answer },
    Route { method: Method::Get, name: "modules", answer: |request| tell(request, told::modules) },
    Route { method: Method::Post, name: "publish", answer: publish::answer },
    Route { method: Method::Post, name: "rollback", answer: rollback::answer },
    Route { method: Method::Get, name: "status", answer: |request| tell(request, |_| told::status()) },
];

/// What a call does, by its method.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// It tells something; HEAD asks for its header.
    Get,
    /// It changes something.
    Post,
}

impl Method {
    /// Says whether a call by it changes something.
    pub fn changes(self) -> bool {
        self == Self::Post
    }

    /// As in the `Allow` header.
    fn allow(self) -> &'static str {
        match self {
            Self::Get => "GET, HEAD",
            Self::Post => "POST",
        }
    }

    fn matches(self, name: &[u8]) -> bool {
        match self {
            Self::Get => matches!(name, b"GET" | b"HEAD"),
            Self::Post => name == b"POST",
        }
    }
}

/// The name of the call in a path: what stands behind the location's prefix. Where the location is not a prefix of
/// the path (an exact, regular-expression or named one), it is the last segment.
pub fn call_name<'p>(path: &'p [u8], location: &[u8]) -> &'p [u8] {
    let rest = match path.strip_prefix(location) {
        Some(rest) if location.ends_with(b"/") => rest,
        Some([b'/', rest @ ..]) => rest,
        _ => &[],
    };
    if rest.is_empty() { path.rsplit(|&byte| byte == b'/').next().unwrap_or_default() } else { rest }
}

/// The route of a method and a name, among `routes`.
pub fn find<'r>(routes: &'r [Route], method: &[u8], name: &[u8]) -> Result<&'r Route, Refusal> {
    let named = || routes.iter().filter(|route| route.name.as_bytes() == name);
    if let Some(route) = named().find(|route| route.method.matches(method)) {
        return Ok(route);
    }
    let allowed: Vec<&str> = named().map(|route| route.method.allow()).collect();
    if allowed.is_empty() {
        let name = arguments::shown(name);
        return Err(Refusal::new(404, format!("there is no call {name}; the calls are {}", listed(routes))));
    }
    let (allowed, method, name) = (allowed.join(", "), arguments::shown(method), arguments::shown(name));
    let error = format!("the method of {name} is {allowed}, not {method}");
    Err(Refusal::new(405, error).with_header("Allow", allowed))
}

/// `GET generations, POST invalidate` and so on.
fn listed(routes: &[Route]) -> String {
    let calls = routes.iter().map(|route| {
        let method = if route.method.changes() { "POST" } else { "GET" };
        format!("{method} {}", route.name)
    });
    calls.collect::<Vec<_>>().join(", ")
}

/// Answers a call without arguments by what it tells.
fn tell<T: serde::Serialize>(request: &Request, what: fn(&Request) -> T) -> Result<Status, Refusal> {
    arguments::none(request.args()).map_err(Refusal::argument)?;
    Ok(ok(request, &what(request)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_below_the_location_names_the_call() {
        for (path, location, want) in [
            ("/hotlua/status", "/hotlua/", "status"),
            ("/hotlua/status", "/hotlua", "status"),
            ("/hotlua/a/status", "/hotlua/", "a/status"),
            ("/hotlua/status/", "/hotlua/", "status/"),
            ("/hotluastatus", "/hotlua", "hotluastatus"),
            ("/hotlua/", "/hotlua/", ""),
            ("/hotlua", "/hotlua", "hotlua"),
            ("/status", "/", "status"),
            ("/ctl/status", "/ctl/status", "status"),
            ("/ctl/status", "^/ctl/.*$", "status"),
            ("/ctl/status", "@control", "status"),
        ] {
            let got = call_name(path.as_bytes(), location.as_bytes());
            assert_eq!(got, want.as_bytes(), "{path} in {location}");
        }
    }

    #[test]
    fn a_call_has_its_method() {
        // nginx is not linked into the tests, so these calls answer nothing.
        let route = |method, name| Route { method, name, answer: |_| Ok(Status::NGX_OK) };
        let routes = [route(Method::Post, "invalidate"), route(Method::Get, "status")];
        for (method, name, want) in [
            ("GET", "status", Ok("status")),
            ("HEAD", "status", Ok("status")),
            ("POST", "invalidate", Ok("invalidate")),
            ("POST", "status", Err((405, Some("GET, HEAD")))),
            ("GET", "invalidate", Err((405, Some("POST")))),
            ("HEAD", "invalidate", Err((405, Some("POST")))),
            ("OPTIONS", "invalidate", Err((405, Some("POST")))),
            ("GET", "", Err((404, None))),
            ("GET", "Status", Err((404, None))),
            ("POST", "a/invalidate", Err((404, None))),
        ] {
            let found = find(&routes, method.as_bytes(), name.as_bytes());
            let got = found.as_ref().map(|route| route.name).map_err(|refusal| {
                let allowed = refusal.header.as_ref().map(|(_, value)| value.as_str());
                (refusal.status, allowed)
            });
            assert_eq!(got, want, "{method} {name}");
        }
        assert_eq!(listed(&routes), "POST invalidate, GET status");
    }
}
