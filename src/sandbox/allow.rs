//! What a profile's scripts find: the words of `allow`, checked while the configuration is read.

use super::closest::closest;
use super::names::{OFFERED, offered, refused};

/// The names that a profile's scripts find.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allow {
    /// Leaves, as a script spells them (`tostring`, `math.random`, `ngx.say`, `ngx.req.get_method`), sorted, each once. A library that was
    /// named as a whole stands here by all its leaves.
    pub names: Vec<&'static str>,
    /// The variables that `ngx.var` reads: whole names, or prefixes. In lower case, as nginx keeps them, sorted, each
    /// once.
    pub variables: Vec<Variable>,
}

/// What `ngx.var.NAME` or `ngx.var.PREFIX*` allows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variable {
    /// One variable.
    Named(String),
    /// Those whose names begin so.
    Prefix(String),
}

impl Allow {
    /// Adds what the words of one `allow` name.
    ///
    /// # Errors
    /// Text that names the first word that cannot be allowed, and says why. Nothing was added then.
    pub fn parse<'a>(&mut self, words: impl IntoIterator<Item = &'a str>) -> Result<(), String> {
        let mut added = self.clone();
        words.into_iter().try_for_each(|word| added.add(word))?;
        added.names.sort_unstable();
        added.names.dedup();
        added.variables.sort_unstable();
        added.variables.dedup();
        *self = added;
        Ok(())
    }

    /// Says whether scripts find nothing at all.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.variables.is_empty()
    }

    fn add(&mut self, word: &str) -> Result<(), String> {
        let library = word.strip_suffix(".*").unwrap_or(word);
        if let Some(group) = OFFERED.iter().find(|group| !library.is_empty() && group.library == library) {
            self.names.extend(group.names);
        } else if let Some(name) = offered().find(|&name| name == word) {
            self.names.push(name);
        } else if let Some(reason) = refused(word) {
            return Err(format!("\"{word}\" cannot be allowed: it {reason}"));
        } else if let Some(name) = word.strip_prefix("ngx.var.") {
            self.variables.push(variable(word, name)?);
        } else {
            return Err(unknown(word));
        }
        Ok(())
    }
}

/// Reads what follows `ngx.var.`.
fn variable(word: &str, name: &str) -> Result<Variable, String> {
    let start = name.strip_suffix('*');
    let text = start.unwrap_or(name);
    if text.contains('*') {
        return Err(format!("invalid name \"{word}\", a \"*\" stands at its end only, as in ngx.var.arg_*"));
    }
    if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err(format!("invalid name \"{word}\", a variable is of letters, digits and \"_\": ngx.var.host"));
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!(
            "\"{word}\" cannot be allowed: it is a capture, \"set\" a variable to it and name that one"
        ));
    }
    let text = text.to_ascii_lowercase();
    Ok(if start.is_some() { Variable::Prefix(text) } else { Variable::Named(text) })
}

/// What is said of a word that means nothing.
fn unknown(word: &str) -> String {
    let libraries = OFFERED.iter().map(|group| group.library).filter(|library| !library.is_empty());
    match closest(word, offered().chain(libraries)) {
        Some(name) => format!("unknown name \"{word}\", did you mean \"{name}\""),
        None => {
            format!("unknown name \"{word}\", the documentation of \"hotlua_sandbox\" lists those that may be allowed")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(lines: &[&str]) -> Result<Allow, String> {
        let mut allow = Allow::default();
        lines.iter().try_for_each(|line| allow.parse(line.split_whitespace()))?;
        Ok(allow)
    }

    #[test]
    fn words_stand_for_names() {
        let os = ["os.clock", "os.date", "os.time"];
        let bits = OFFERED.iter().find(|group| group.library == "bit").unwrap().names;
        let cases: &[(&[&str], &[&str])] = &[
            (&[], &[]),
            (&[""], &[]),
            (&["tostring"], &["tostring"]),
            (&["ngx.say tostring ngx.print"], &["ngx.print", "ngx.say", "tostring"]),
            (&["ngx.say ngx.say", "ngx.say"], &["ngx.say"]),
            (&["ngx.say", "_G"], &["_G", "ngx.say"]),
            (&["os"], &os),
            (&["os.*"], &os),
            (&["os os.time"], &os),
            (&["os.time", "os.*"], &os),
            (&["bit"], bits),
            (&["string.rep"], &["string.rep"]),
        ];
        for (lines, want) in cases {
            let allow = parsed(lines).unwrap_or_else(|error| panic!("{lines:?}: {error}"));
            assert_eq!((allow.names.as_slice(), allow.variables.len()), (*want, 0), "{lines:?}");
            assert_eq!(allow.is_empty(), want.is_empty(), "{lines:?}");
        }
    }

    #[test]
    fn variables_are_named_or_prefixed() {
        let named = |name: &str| Variable::Named(name.into());
        let prefix = |name: &str| Variable::Prefix(name.into());
        for (line, want) in [
            ("ngx.var.host", vec![named("host")]),
            ("ngx.var.arg_*", vec![prefix("arg_")]),
            ("ngx.var.a*", vec![prefix("a")]),
            ("ngx.var.Host ngx.var.HOST", vec![named("host")]),
            ("ngx.var.uri ngx.var.host ngx.var.uri", vec![named("host"), named("uri")]),
            ("ngx.var.arg_1", vec![named("arg_1")]),
        ] {
            let allow = parsed(&[line]).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!((allow.variables.as_slice(), allow.names.len()), (want.as_slice(), 0), "{line}");
            assert!(!allow.is_empty());
        }
    }

    #[test]
    fn other_words_are_refused() {
        for (word, why) in [
            ("mth", "unknown name \"mth\", did you mean \"math\""),
            ("Math", "did you mean \"math\""),
            ("ngx.sya", "did you mean \"ngx.say\""),
            ("ngx.say()", "did you mean \"ngx.say\""),
            ("string.fnd", "did you mean \"string.find\""),
            ("math.log2", "did you mean \"math.log"),
            ("tabel", "did you mean \"table\""),
            ("x", "unknown name \"x\", the documentation"),
            ("frobnicate", "unknown name \"frobnicate\", the documentation"),
            ("", "unknown name \"\", the documentation"),
            ("*", "unknown name \"*\", the documentation"),
            (".*", "unknown name \".*\", the documentation"),
            ("os.difftime", "unknown name \"os.difftime\""),
            ("io", "\"io\" cannot be allowed: it reads and writes files"),
            ("io.open", "\"io.open\" cannot be allowed: it reads and writes files"),
            ("string.dump", "makes bytecode"),
            ("print", "use ngx.say"),
            ("ngx", "name what scripts need, for instance ngx.say"),
            ("ngx.*", "name what scripts need, for instance ngx.say"),
            ("ngx.req", "name what scripts need, for instance ngx.req.get_method"),
            ("ngx.req.*", "name what scripts need, for instance ngx.req.get_method"),
            ("ngx.var", "name those that scripts need, for instance ngx.var.host"),
            ("ngx.var.", "name those that scripts need"),
            ("ngx.var.*", "name those that scripts need"),
            ("ngx.var.**", "a \"*\" stands at its end only"),
            ("ngx.var.a*b", "a \"*\" stands at its end only"),
            ("ngx.var.*b", "a \"*\" stands at its end only"),
            ("ngx.var.$host", "letters, digits and \"_\""),
            ("ngx.var.a-b", "letters, digits and \"_\""),
            ("ngx.var.a.b", "letters, digits and \"_\""),
            ("ngx.var.1", "it is a capture"),
            ("ngx.var.1*", "it is a capture"),
        ] {
            let mut allow = Allow::default();
            allow.parse(["tostring"]).unwrap();
            let error = allow.parse(["ngx.say", word]).expect_err(word);
            assert!(error.contains(why), "{word}: {error}");
            assert_eq!(allow.names, ["tostring"], "{word}: nothing is added");
        }
    }
}
