//! Says whether the page that makes a browser send a request came from the host that the request goes to.

/// Compares `Origin: scheme://host[:port]` to `Host: host[:port]`. A port that is not written is that of the
/// origin's scheme, so that a proxy may have ended TLS in between. An origin that is no such address (`null`, a file,
/// an extension) is no host's.
pub fn is_host(origin: &[u8], host: &[u8]) -> bool {
    let (Ok(origin), Ok(host)) = (std::str::from_utf8(origin), std::str::from_utf8(host)) else { return false };
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let default_port = match scheme {
        _ if scheme.eq_ignore_ascii_case("http") => 80,
        _ if scheme.eq_ignore_ascii_case("https") => 443,
        _ => return false,
    };
    match (host_and_port(authority, default_port), host_and_port(host, default_port)) {
        (Some((a, a_port)), Some((b, b_port))) => a.eq_ignore_ascii_case(b) && a_port == b_port,
        _ => false,
    }
}

/// Takes `host[:port]` apart; the host may be an IPv6 address in brackets. None where it is not of that form.
fn host_and_port(authority: &str, default_port: u16) -> Option<(&str, u16)> {
    let name_end = if authority.starts_with('[') {
        authority.find(']')? + 1
    } else {
        authority.find(':').unwrap_or(authority.len())
    };
    let (host, port) = authority.split_at(name_end);
    let named = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || "/?#@,".contains(c));
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => default_port,
        // `parse` alone would take a sign.
        Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => digits.parse().ok()?,
        _ => return None,
    };
    named.then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_compared_to_the_host() {
        for (origin, host, want) in [
            ("http://localhost", "localhost", true),
            ("http://LocalHost", "localhost", true),
            ("http://localhost:80", "localhost", true),
            ("http://localhost", "localhost:80", true),
            ("http://localhost:8080", "localhost:8080", true),
            ("https://example.com", "example.com", true),
            ("https://example.com", "example.com:443", true),
            ("HTTPS://example.com", "example.com:443", true),
            ("http://[::1]:8080", "[::1]:8080", true),
            ("http://[::1]", "[::1]:80", true),
            ("http://127.0.0.1:1", "127.0.0.1:1", true),
            // Another host, or another port of it.
            ("http://evil.example", "localhost", false),
            ("http://localhost.evil.example", "localhost", false),
            ("http://evil.example/localhost", "localhost", false),
            ("http://localhost", "localhost.evil.example", false),
            ("http://localhost:3000", "localhost", false),
            ("http://localhost:3000", "localhost:8080", false),
            ("https://localhost", "localhost:80", false),
            ("http://127.0.0.1", "localhost", false),
            ("http://[::1]", "[::2]", false),
            // Not an address of the form.
            ("null", "localhost", false),
            ("null", "null", false),
            ("", "", false),
            ("http://", "", false),
            ("http://localhost", "", false),
            ("localhost", "localhost", false),
            ("//localhost", "localhost", false),
            ("file://localhost", "localhost", false),
            ("chrome-extension://abc", "abc", false),
            ("http://localhost/", "localhost", false),
            ("http://user@localhost", "user@localhost", false),
            ("http://localhost:", "localhost", false),
            ("http://localhost:+80", "localhost", false),
            ("http://localhost:99999", "localhost:99999", false),
            ("http://[::1", "[::1", false),
            ("http://[::1]x", "[::1]x", false),
            ("http://localhost, http://evil", "localhost, http://evil", false),
        ] {
            assert_eq!(is_host(origin.as_bytes(), host.as_bytes()), want, "{origin:?} to {host:?}");
        }
        assert!(!is_host(b"http://\xff", b"\xff"));
    }
}
