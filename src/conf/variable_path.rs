//! Warns where a client can choose which file of a code root runs: the root keeps it in, but only the operator knows
//! which files in it are meant to be called.

/// Prefixes and names of variables whose text the client chooses freely.
const CLIENT_PREFIXES: &[&str] = &["arg_", "http_", "cookie_"];
const CLIENT_NAMES: &[&str] = &[
    "args",
    "document_uri",
    "host",
    "http_host",
    "is_args",
    "query_string",
    "remote_user",
    "request",
    "request_body",
    "request_filename",
    "request_uri",
    "uri",
];

/// What to warn of for a path with variables; `regex` is that of the enclosing location.
pub fn warning(path: &str, regex: Option<&str>) -> Option<String> {
    for name in variables(path) {
        if name.bytes().all(|byte| byte.is_ascii_digit()) {
            let Some(regex) = regex else { continue };
            if let Some(weakness) = weakness(regex) {
                return Some(format!(
                    "\"${name}\" names a Lua file but the location's \"{regex}\" {weakness}: a client may choose any file \
                     of the code root; write for instance \"~ ^/lua/(\\w+)$\""
                ));
            }
        } else if CLIENT_NAMES.contains(&name) || CLIENT_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
            return Some(format!(
                "\"${name}\" names a Lua file and comes from the client unchecked, who may so choose any file of the code \
                 root; use a capture of a location such as \"~ ^/lua/(\\w+)$\""
            ));
        }
    }
    None
}

/// The names of the variables in a text.
fn variables(text: &str) -> impl Iterator<Item = &str> {
    text.split('$').skip(1).map(|rest| {
        let rest = rest.strip_prefix('{').unwrap_or(rest);
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        // Digits end a capture: `$1x` is `$1` and "x".
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 { &rest[..digits] } else { &rest[..end] }
    })
}

/// Why a regular expression leaves its captures open; none where it is anchored and matches no arbitrary character.
fn weakness(regex: &str) -> Option<&'static str> {
    if !regex.starts_with('^') {
        return Some("is not anchored by ^");
    }
    if !regex.ends_with('$') || regex.ends_with("\\$") {
        return Some("is not anchored by $");
    }
    let (mut escaped, mut class) = (false, false);
    for byte in regex.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'[' => class = true,
            b']' => class = false,
            b'.' if !class => return Some("lets \".\" match any character"),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::warning;

    #[test]
    fn open_paths_are_warned_of() {
        for (path, regex, want) in [
            ("lua/$1.lua", Some(r"^/lua/(\w+)$"), None),
            ("lua/$1.lua", Some(r"^/lua/([-\w]+)\.html$"), None),
            ("lua/$1x.lua", Some(r"^/lua/([^/.]+)$"), None),
            ("lua/$1.lua", None, None),
            ("lua/$name.lua", Some(r"(.*)"), None),
            ("lua/$1.lua", Some(r"/lua/(\w+)$"), Some("by ^")),
            ("lua/$1.lua", Some(r"^/lua/(\w+)"), Some("by $")),
            ("lua/$1.lua", Some(r"^/lua/(\w+)\$"), Some("by $")),
            ("lua/$1.lua", Some(r"^/lua/(.+)$"), Some("any character")),
            ("lua/${arg_x}.lua", None, Some("$arg_x")),
            ("lua$uri", None, Some("$uri")),
            ("lua/$http_x_file", None, Some("$http_x_file")),
        ] {
            let warned = warning(path, regex);
            match want {
                None => assert_eq!(warned, None, "{path} {regex:?}"),
                Some(want) => assert!(warned.as_ref().is_some_and(|text| text.contains(want)), "{path}: {warned:?}"),
            }
        }
    }
}
