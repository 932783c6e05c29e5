//! A Lua error as text: what was raised, where, and the traceback.

use std::fmt;

/// Why a chunk did not compile or did not run to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What was raised, with `file:line:` in front where Lua knows it.
    pub message: String,
    /// The frames below, one a line; empty for a chunk that does not compile.
    pub traceback: String,
}

/// The line between message and frames in the text of an mlua error.
const TRACEBACK: &str = "\nstack traceback:\n";

impl Failure {
    /// A failure without a traceback.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), traceback: String::new() }
    }

    /// The text of a failure in a coroutine that the driver has resumed.
    pub fn in_coroutine(&self) -> String {
        match self.traceback.as_str() {
            "" => self.message.clone(),
            frames => format!("{}{TRACEBACK}coroutine 0:\n{frames}", self.message),
        }
    }

    /// The file and line in front of the message, where it has them.
    pub fn place(&self) -> Option<(&str, u32)> {
        place(&self.message)
    }

    /// The file and line that raised it: those in front of the message, else those of the innermost frame in a file.
    pub fn raised_at(&self) -> Option<(&str, u32)> {
        let in_file = |frame: &'_ str| frame.starts_with('/');
        self.place()
            .or_else(|| self.traceback.lines().map(str::trim_start).find(|frame| in_file(frame)).and_then(place))
    }
}

/// Splits `file:line:` off the front of a message.
fn place(message: &str) -> Option<(&str, u32)> {
    for (at, _) in message.match_indices(':') {
        let digits: &str = message[at + 1..].split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
        if !digits.is_empty() && message[at + 1 + digits.len()..].starts_with(':') {
            return Some((&message[..at], digits.parse().ok()?));
        }
    }
    None
}

/// A traceback as LuaJIT writes it: mlua says how a function was found, and has its own message handler in front.
fn frames(traceback: &str) -> String {
    let traceback = traceback.strip_prefix("\t[C]: in ?\n").unwrap_or(traceback);
    let line = |line: &str| {
        ["upvalue", "local", "method", "field", "global", "metamethod"]
            .iter()
            .find_map(|found| {
                let (place, name) = line.split_once(&format!(": in {found} '"))?;
                Some(format!("{place}: in function '{name}"))
            })
            .unwrap_or_else(|| line.to_owned())
    };
    traceback.lines().map(line).collect::<Vec<_>>().join("\n")
}

impl From<mlua::Error> for Failure {
    fn from(error: mlua::Error) -> Self {
        let text = match &error {
            mlua::Error::RuntimeError(text) | mlua::Error::MemoryError(text) => text.clone(),
            mlua::Error::SyntaxError { message, .. } => message.clone(),
            mlua::Error::CallbackError { traceback, cause } => {
                let inner = Self::from((**cause).clone());
                return Self {
                    message: inner.message,
                    traceback: frames(traceback.trim_start_matches("stack traceback:\n")),
                };
            }
            other => other.to_string(),
        };
        match text.split_once(TRACEBACK) {
            Some((message, traceback)) => Self { message: reason(message).into(), traceback: frames(traceback) },
            None => Self::new(reason(&text)),
        }
    }
}

/// What was raised. mlua makes text of a value that is none; an address of the process tells nobody anything.
fn reason(text: &str) -> &str {
    let is_address = || {
        text.split_once(": ").is_some_and(|(kind, address)| {
            let is_hex = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            matches!(kind, "table" | "function" | "userdata" | "thread")
                && address.strip_prefix("0x").is_some_and(is_hex)
        })
    };
    if matches!(text, "nil" | "true" | "false") || is_address() { "unknown reason" } else { text }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if !self.traceback.is_empty() {
            write!(f, "{TRACEBACK}{}", self.traceback)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_is_split_off_the_message() {
        for (message, want) in [
            ("a.lua:3: boom", Some(("a.lua", 3))),
            ("content_by_lua(nginx.conf:40):2: boom", Some(("content_by_lua(nginx.conf:40)", 2))),
            ("/a:b/c.lua:12: x:1: y", Some(("/a:b/c.lua", 12))),
            ("boom", None),
            ("boom: 3", None),
        ] {
            assert_eq!(place(message), want, "{message}");
        }
    }

    #[test]
    fn what_has_no_place_was_raised_by_the_innermost_frame_in_a_file() {
        let frames = "\t[C]: in function 'error'\n\thotlua:require:3: in function 'require'\n\t/a.lua:2: in main chunk\n\t/b.lua:1: in x";
        for (message, traceback, want) in [
            ("/c.lua:7: boom", frames, Some(("/c.lua", 7))),
            ("nil", frames, Some(("/a.lua", 2))),
            ("nil", "\t[C]: in ?", None),
            ("nil", "", None),
        ] {
            let failure = Failure { message: message.into(), traceback: traceback.into() };
            assert_eq!(failure.raised_at(), want, "{message}");
        }
    }

    #[test]
    fn an_error_is_split_into_message_and_frames() {
        let error = mlua::Error::RuntimeError("a.lua:1: no\nstack traceback:\n\t[C]: in ?".into());
        let failure = Failure::from(error);
        assert_eq!(failure.message, "a.lua:1: no");
        assert_eq!(failure.to_string(), "a.lua:1: no\nstack traceback:\n\t[C]: in ?");
        assert_eq!(failure.in_coroutine(), "a.lua:1: no\nstack traceback:\ncoroutine 0:\n\t[C]: in ?");
        assert_eq!(Failure::new("no").in_coroutine(), "no");
    }

    #[test]
    fn what_is_no_text_is_no_reason() {
        for (raised, want) in [
            ("nil", "unknown reason"),
            ("true", "unknown reason"),
            ("table: 0x55aa01", "unknown reason"),
            ("function: 0x0", "unknown reason"),
            ("a.lua:1: nil", "a.lua:1: nil"),
            ("table: 0xno", "table: 0xno"),
            ("table: 1", "table: 1"),
            ("3", "3"),
        ] {
            let text = format!("{raised}\nstack traceback:\n\t[C]: in ?");
            assert_eq!(Failure::from(mlua::Error::RuntimeError(text)).message, want, "{raised}");
        }
    }

    #[test]
    fn frames_are_named_as_luajit_names_them() {
        let handler = "\t[C]: in ?\n";
        for (frame, want) in [
            ("\ta.lua:3: in upvalue 'f'", "\ta.lua:3: in function 'f'"),
            ("\ta.lua:3: in method 'f'", "\ta.lua:3: in function 'f'"),
            ("\t[C]: in function 'error'", "\t[C]: in function 'error'"),
            ("\ta.lua: in main chunk", "\ta.lua: in main chunk"),
            ("\ta.lua:3: in function <a.lua:1>", "\ta.lua:3: in function <a.lua:1>"),
        ] {
            for first in ["", handler] {
                let text = format!("no\nstack traceback:\n{first}{frame}");
                assert_eq!(Failure::from(mlua::Error::RuntimeError(text)).traceback, want, "{frame}");
            }
        }
    }
}
