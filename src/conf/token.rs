//! The bearer token of the control API, read from its file while the configuration is.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use subtle::ConstantTimeEq;

use crate::nginx::Conf;

/// The largest token file.
const LIMIT: u64 = 4096;
/// The permission to read for those who are neither owner nor in the group.
const READABLE_BY_ALL: u32 = 0o004;

/// A token, kept as its hash: what is compared then has one length, whatever the client sends, and a core dump does
/// not hold the secret.
pub struct Token([u8; 32]);

impl Token {
    /// Says whether a client sent the token, in a time that does not depend on how much of it is right.
    pub fn matches(&self, given: &[u8]) -> bool {
        self.0.ct_eq(blake3::hash(given).as_bytes()).into()
    }

    /// Reads the file that `hotlua_control_token` names.
    pub(super) fn read(conf: &mut Conf) -> Result<Self, String> {
        let path = conf.arg().to_vec();
        if path.is_empty() {
            return Err(format!("\"{}\" needs the path of a file", conf.name()));
        }
        let path = conf.absolute(&path);
        let (token, mode) = load(&path)
            .map_err(|what| format!("the token file \"{}\" of \"{}\" {what}", path.display(), conf.name()))?;
        if mode & READABLE_BY_ALL != 0 {
            conf.warn(&format!("the token file \"{}\" can be read by every user: chmod o-r it", path.display()));
        }
        Ok(token)
    }
}

/// The token in a file and the file's mode. The error is a predicate: the caller names the file.
fn load(path: &Path) -> Result<(Token, u32), String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    // Without O_NONBLOCK a FIFO would keep nginx waiting for someone to write into it.
    let open = File::options().read(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32).open(path);
    let file = open.map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Err("is a directory".into());
    }
    if !metadata.is_file() {
        return Err("is not a regular file".into());
    }
    let mut text = Vec::new();
    file.take(LIMIT + 1).read_to_end(&mut text).map_err(unreadable)?;
    Ok((parse(&text)?, metadata.mode()))
}

/// Takes the token out of a file's text.
fn parse(text: &[u8]) -> Result<Token, String> {
    if text.len() as u64 > LIMIT {
        return Err(format!("is larger than {LIMIT} bytes"));
    }
    let end = text.iter().rposition(|&byte| byte != b'\n' && byte != b'\r').map_or(0, |last| last + 1);
    let token = &text[..end];
    if token.is_empty() {
        return Err("is empty".into());
    }
    if token.iter().any(|byte| byte.is_ascii_whitespace()) {
        return Err("has white space in it: a token is one word".into());
    }
    if !token.iter().all(u8::is_ascii_graphic) {
        return Err("has characters in it that no header can carry: a token is printable ASCII".into());
    }
    Ok(Token(*blake3::hash(token).as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_word() {
        for (text, token) in [
            ("secret", "secret"),
            ("secret\n", "secret"),
            ("secret\r\n", "secret"),
            ("secret\n\n", "secret"),
            ("a.b-c_d~e+f/g==", "a.b-c_d~e+f/g=="),
            (&"x".repeat(4096), &"x".repeat(4096)),
        ] {
            let read = parse(text.as_bytes()).unwrap();
            assert!(read.matches(token.as_bytes()), "{text:?}");
            assert!(!read.matches(format!("{token}x").as_bytes()), "{text:?}");
            assert!(!read.matches(&token.as_bytes()[1..]), "{text:?}");
            assert!(!read.matches(b""), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for (text, why) in [
            ("", "is empty"),
            ("\n", "is empty"),
            ("\r\n\r\n", "is empty"),
            (" ", "white space"),
            ("secret ", "white space"),
            (" secret", "white space"),
            ("one two", "white space"),
            ("one\ntwo\n", "white space"),
            ("\u{feff}secret", "printable ASCII"),
            ("se\0cret", "printable ASCII"),
            ("se\x7fcret", "printable ASCII"),
            (&"x".repeat(4097), "larger than 4096 bytes"),
        ] {
            let error = parse(text.as_bytes()).err().unwrap_or_default();
            assert!(error.contains(why), "{text:?}: {error:?}");
        }
    }

    #[test]
    fn only_regular_files_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        for (path, why) in [
            (directory.path().to_owned(), "is a directory"),
            (fifo, "is not a regular file"),
            (directory.path().join("none"), "cannot be read: No such file"),
        ] {
            let error = load(&path).err().unwrap_or_default();
            assert!(error.contains(why), "{}: {error:?}", path.display());
        }
        let file = directory.path().join("token");
        std::fs::write(&file, "secret\n").unwrap();
        assert!(load(&file).unwrap().0.matches(b"secret"));
    }
}
