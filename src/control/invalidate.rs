//! `POST invalidate`: rereads and reloads modules by name, file or pattern, or everything.

use ngx::core::Status;

use crate::hot::{self, Change};
use crate::nginx::Request;

use super::arguments::{self, shown};
use super::reply::{Refusal, ok};

const ARGUMENTS: &[&str] = &["module", "file", "pattern", "all", "dependents"];
/// How much of the arguments the list of generations repeats. Characters.
const MAX_REASON: usize = 200;

/// Answers once every worker has flipped, or the change was refused.
pub fn answer(request: &Request) -> Result<Status, Refusal> {
    if has_form_body(request) {
        return Err(Refusal::argument("the arguments belong in the query string; a form in the body is not read"));
    }
    let mut change = change(request.args()).map_err(Refusal::argument)?;
    let peer = request.variable(b"remote_addr").unwrap_or_default();
    change.actor = format!("control {}", String::from_utf8_lossy(peer));
    Ok(request.answer_later(|later| {
        hot::publish(change, |result| {
            later.give(|request| match result {
                Ok(published) => ok(request, &published),
                Err(refused) => Refusal::from(refused).send(request),
            });
        });
    }))
}

/// What is asked for. The error is a sentence for the client.
fn change(query: &[u8]) -> Result<Change, String> {
    let arguments = arguments::parse(query, ARGUMENTS)?;
    let mut change = Change {
        all: arguments::flag(&arguments, "all")?.unwrap_or(false),
        dependents: arguments::flag(&arguments, "dependents")?.unwrap_or(true),
        reason: reason(&arguments),
        ..Change::default()
    };
    for (name, value) in arguments {
        match name {
            "module" => change.modules.push(module("module", value)?),
            "file" => change.files.push(file(value)?),
            "pattern" => change.patterns.push(module("pattern", value)?),
            _ => {}
        }
    }
    if change.modules.is_empty() && change.files.is_empty() && change.patterns.is_empty() && !change.all {
        return Err("say what to invalidate in the query string: module=, file=, pattern= or all=1".into());
    }
    Ok(change)
}

/// Checks a module's name, or a pattern of names, by what no module can be called.
fn module(argument: &str, name: String) -> Result<String, String> {
    let refused = |why: &str| Err(format!("{argument} {} {why}", shown(name.as_bytes())));
    if name.contains(['/', '\\']) {
        return refused("has a slash in it: the parts of a module's name are divided by dots, and file= takes a path");
    }
    if name.contains('*') && argument != "pattern" {
        return refused("has a * in it: pattern= takes that");
    }
    // Lua's search path is made of these two.
    if name.contains(|c: char| c.is_whitespace() || "?;".contains(c)) {
        return refused("has a space, ? or ; in it, which no module's name has");
    }
    if name.split('.').any(str::is_empty) {
        return refused("has an empty part: a single dot stands between two parts of a module's name");
    }
    Ok(name)
}

/// Checks a file's path. Whether it is in a code root is for `hot` to say.
fn file(path: String) -> Result<String, String> {
    if path.split('/').any(|part| part == "..") {
        return Err(format!("file {} has .. in it: a path does not lead out of its code root", shown(path.as_bytes())));
    }
    if path.ends_with('/') {
        return Err(format!("file {} is a directory", shown(path.as_bytes())));
    }
    Ok(path)
}

/// `invalidate module=a.b all=1`, cut.
fn reason(arguments: &[(&str, String)]) -> String {
    let mut reason = String::from("invalidate");
    for (name, value) in arguments {
        reason.extend([" ", name, "=", value]);
    }
    if let Some((end, _)) = reason.char_indices().nth(MAX_REASON) {
        reason.truncate(end);
        reason.push_str("...");
    }
    reason
}

/// Says whether the client has put arguments where they would be ignored, as `curl -d` does.
fn has_form_body(request: &Request) -> bool {
    let kind = request.header_in(b"content-type").unwrap_or_default();
    let form = b"application/x-www-form-urlencoded";
    let is_form = kind.get(..form.len()).is_some_and(|kind| kind.eq_ignore_ascii_case(form));
    let has_length = request.header_in(b"content-length").is_some_and(|length| length != b"0");
    is_form && (has_length || request.header_in(b"transfer-encoding").is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_what_the_arguments_say() {
        let asked = |modules: &[&str], files: &[&str], patterns: &[&str], all, dependents| {
            let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
            Change {
                modules: owned(modules),
                files: owned(files),
                patterns: owned(patterns),
                all,
                dependents,
                ..Change::default()
            }
        };
        for (query, want) in [
            ("module=a.b", asked(&["a.b"], &[], &[], false, true)),
            ("module=a&module=b", asked(&["a", "b"], &[], &[], false, true)),
            ("module=a-b_c1.d", asked(&["a-b_c1.d"], &[], &[], false, true)),
            ("file=a/b.lua", asked(&[], &["a/b.lua"], &[], false, true)),
            ("file=/srv/a..b/c.lua", asked(&[], &["/srv/a..b/c.lua"], &[], false, true)),
            ("file=with+space.lua", asked(&[], &["with space.lua"], &[], false, true)),
            ("pattern=app.*", asked(&[], &[], &["app.*"], false, true)),
            ("pattern=*", asked(&[], &[], &["*"], false, true)),
            ("pattern=a%2A.*b", asked(&[], &[], &["a*.*b"], false, true)),
            ("all=1", asked(&[], &[], &[], true, true)),
            ("all=0&module=a", asked(&["a"], &[], &[], false, true)),
            ("dependents=0&all=1", asked(&[], &[], &[], true, false)),
            ("module=a&dependents=1", asked(&["a"], &[], &[], false, true)),
            ("pattern=p&file=f&module=m", asked(&["m"], &["f"], &["p"], false, true)),
        ] {
            let mut got = change(query.as_bytes()).unwrap();
            assert!(got.reason.starts_with("invalidate "), "{query}");
            got.reason.clear();
            assert_eq!(got, want, "{query}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (query, why) in [
            ("", "say what to invalidate"),
            ("dependents=0", "say what to invalidate"),
            ("all=0", "say what to invalidate"),
            ("all=yes", "\"all\" is 0 or 1"),
            ("module=a&dependents=2", "\"dependents\" is 0 or 1"),
            ("all=1&all=1", "\"all\" is given more than once"),
            ("modules=a", "no argument \"modules\""),
            ("module=", "\"module\" has no value"),
            ("module=a/b", "module \"a/b\" has a slash"),
            ("module=a%5Cb", "has a slash"),
            ("module=..", "has an empty part"),
            ("module=a..b", "has an empty part"),
            ("module=.a", "has an empty part"),
            ("module=a.", "has an empty part"),
            ("module=../a", "has a slash"),
            ("module=a.*", "pattern= takes that"),
            ("module=a+b", "has a space"),
            ("module=a%3Fb", "has a space, ? or ;"),
            ("module=a;b", "has a space, ? or ;"),
            ("pattern=a/*", "pattern \"a/*\" has a slash"),
            ("pattern=a..*", "has an empty part"),
            ("file=../a.lua", "has .. in it"),
            ("file=a/../b.lua", "has .. in it"),
            ("file=a/%2E%2E", "has .. in it"),
            ("file=a/", "is a directory"),
        ] {
            let error = change(query.as_bytes()).unwrap_err();
            assert!(error.contains(why), "{query}: {error}");
        }
    }

    #[test]
    fn the_reason_repeats_the_arguments_and_is_cut() {
        assert_eq!(change(b"module=a&all=1").unwrap().reason, "invalidate module=a all=1");
        let long = change("module=é&".repeat(100).as_bytes()).unwrap().reason;
        assert_eq!(long.chars().count(), 203);
        assert!(long.ends_with("..."));
    }
}
