//! `POST invalidate`: rereads and reloads modules by name, file or pattern, or everything.

use ngx::core::Status;
use serde::Serialize;

use crate::hot::{Named, Published, What};
use crate::nginx::Request;

use super::arguments::{self, shown};
use super::change::{self, Asked};
use super::reply::Refusal;

const ARGUMENTS: &[&str] = &["module", "file", "pattern", "all", "dependents"];
/// How much of the arguments the list of generations repeats. Characters.
const MAX_REASON: usize = 200;

/// Answers once every worker has flipped, or the change was refused.
pub fn answer(request: &Request) -> Result<Status, Refusal> {
    change::answer(request, asked, told)
}

fn asked(query: &[u8]) -> Result<Asked, String> {
    let arguments = arguments::parse(query, ARGUMENTS)?;
    let reason = reason(&arguments);
    Ok(Asked { what: What::Named(named(arguments)?), reason })
}

/// What is named. The error is a sentence for the client.
fn named(arguments: Vec<(&str, String)>) -> Result<Named, String> {
    let mut named = Named {
        all: arguments::flag(&arguments, "all")?.unwrap_or(false),
        dependents: arguments::flag(&arguments, "dependents")?.unwrap_or(true),
        ..Named::default()
    };
    for (name, value) in arguments {
        match name {
            "module" => named.modules.push(module("module", value)?),
            "file" => named.files.push(file(value)?),
            "pattern" => named.patterns.push(module("pattern", value)?),
            _ => {}
        }
    }
    if named.modules.is_empty() && named.files.is_empty() && named.patterns.is_empty() && !named.all {
        return Err("say what to invalidate in the query string: module=, file=, pattern= or all=1".into());
    }
    Ok(named)
}

/// The answer.
#[derive(Serialize)]
struct Answer {
    generation: u64,
    reloaded: Vec<String>,
}

fn told(published: Published) -> Answer {
    Answer { generation: published.generation, reloaded: published.reloaded }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_what_the_arguments_say() {
        let named = |modules: &[&str], files: &[&str], patterns: &[&str], all, dependents| {
            let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
            What::Named(Named {
                modules: owned(modules),
                files: owned(files),
                patterns: owned(patterns),
                all,
                dependents,
            })
        };
        for (query, want) in [
            ("module=a.b", named(&["a.b"], &[], &[], false, true)),
            ("module=a&module=b", named(&["a", "b"], &[], &[], false, true)),
            ("module=a-b_c1.d", named(&["a-b_c1.d"], &[], &[], false, true)),
            ("file=a/b.lua", named(&[], &["a/b.lua"], &[], false, true)),
            ("file=/srv/a..b/c.lua", named(&[], &["/srv/a..b/c.lua"], &[], false, true)),
            ("file=with+space.lua", named(&[], &["with space.lua"], &[], false, true)),
            ("pattern=app.*", named(&[], &[], &["app.*"], false, true)),
            ("pattern=*", named(&[], &[], &["*"], false, true)),
            ("pattern=a%2A.*b", named(&[], &[], &["a*.*b"], false, true)),
            ("all=1", named(&[], &[], &[], true, true)),
            ("all=0&module=a", named(&["a"], &[], &[], false, true)),
            ("dependents=0&all=1", named(&[], &[], &[], true, false)),
            ("module=a&dependents=1", named(&["a"], &[], &[], false, true)),
            ("pattern=p&file=f&module=m", named(&["m"], &["f"], &["p"], false, true)),
        ] {
            let got = asked(query.as_bytes()).unwrap();
            assert!(got.reason.starts_with("invalidate "), "{query}");
            assert_eq!(got.what, want, "{query}");
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
            let error = asked(query.as_bytes()).unwrap_err();
            assert!(error.contains(why), "{query}: {error}");
        }
    }

    #[test]
    fn the_reason_repeats_the_arguments_and_is_cut() {
        assert_eq!(asked(b"module=a&all=1").unwrap().reason, "invalidate module=a all=1");
        let long = asked("module=é&".repeat(100).as_bytes()).unwrap().reason;
        assert_eq!(long.chars().count(), 203);
        assert!(long.ends_with("..."));
    }
}
