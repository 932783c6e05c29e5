//! From a path to the untrusted script that a generation has there. Scripts are text: nothing here loads them.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::code::{FILE_LIMIT, Hash, PathError, Source, normalize, read, read_static, strip_root};

use super::environment::Environment;
use super::loader::{LoadError, source};

/// What bytecode begins with.
const ESCAPE: u8 = 0x1b;

/// An untrusted script as a generation has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptFile {
    /// Absolute.
    pub file: Box<str>,
    /// Relative to its directory: scripts must not see the host's paths.
    pub name: Box<str>,
    /// Of its source.
    pub hash: Hash,
    /// What tells it from other scripts: name and source.
    pub key: [u8; 32],
    /// The directory that it must not leave; none for a file that a directive names without variables.
    directory: Option<Rc<Path>>,
}

impl ScriptFile {
    fn identify(&mut self, hash: Hash) {
        self.hash = hash;
        self.key = script_key(&self.name, hash.as_bytes());
    }

    fn read(&self) -> Result<Vec<u8>, PathError> {
        let file = Path::new(&*self.file);
        match &self.directory {
            Some(directory) => beneath(directory, file),
            None => Ok(read_static(file, FILE_LIMIT)?.bytes),
        }
    }
}

/// What tells a script from others, by its name and the hash of its source.
pub fn script_key(name: &str, hash: &[u8; 32]) -> [u8; 32] {
    *Hash::of(&[hash, name.as_bytes()].concat()).as_bytes()
}

/// The script at the evaluated `path`, which must lie below `directory` or, where the request had no part in it
/// (`from_request` is false), be the file that the directive names.
///
/// The hot path is one look-up by the bytes of the path. Only what a generation has is remembered, by its path's normal
/// form alone: many spellings of one file, and files that do not exist, grow nothing. What no generation has room for is
/// read anew by each call.
///
/// # Errors
/// The path leads elsewhere ([`LoadError::OutsideRoots`]), or is refused or unreadable ([`LoadError::Path`]).
pub fn script_file(
    environment: &Environment,
    directory: &Path,
    path: &[u8],
    from_request: bool,
) -> Result<Rc<ScriptFile>, LoadError> {
    let remembered = |path: &[u8]| environment.scripts.borrow().get(path).cloned();
    // A path may begin with a variable: what another directory's requests have made known is not this one's.
    let is_below = |path: &[u8]| {
        let rest = path.strip_prefix(directory.as_os_str().as_bytes());
        !from_request || rest.is_some_and(|rest| rest.starts_with(b"/"))
    };
    if let Some(script) = remembered(path).filter(|_| is_below(path)) {
        return Ok(script);
    }
    let mut script = locate(directory, path, from_request, |file| environment.untrusted.directory_of(file))?;
    if let Some(script) = remembered(script.file.as_bytes()) {
        return Ok(script);
    }
    let refuse = |error| LoadError::Path(PathBuf::from(&*script.file), error);
    let hash = source(environment, Path::new(&*script.file), || script.read()).map_err(refuse)?.hash;
    script.identify(hash);
    let is_known = environment.generation.sources.hash(&script.file) == Some(script.hash);
    let script = Rc::new(script);
    if is_known {
        environment.scripts.borrow_mut().insert(script.file.as_bytes().into(), Rc::clone(&script));
    }
    Ok(script)
}

/// A script's source as the environment's generation has it. Its hash is another than the script's where no generation
/// has the file and it was changed since.
///
/// # Errors
/// It is bytecode ([`LoadError::Bytecode`]), too large, unreadable or gone ([`LoadError::Path`]).
pub fn script_source(environment: &Environment, script: &ScriptFile) -> Result<Source, LoadError> {
    let file = Path::new(&*script.file);
    let source = source(environment, file, || script.read()).map_err(|error| LoadError::Path(file.into(), error))?;
    as_text(file, source)
}

/// A script and its source as the disk has them now, for requests without the code cache.
///
/// # Errors
/// Those of [`script_file`] and [`script_source`].
pub fn script_fresh(directory: &Path, path: &[u8], from_request: bool) -> Result<(ScriptFile, Source), LoadError> {
    let mut script = locate(directory, path, from_request, |_| None)?;
    let file = PathBuf::from(&*script.file);
    let source = Source::new(script.read().map_err(|error| LoadError::Path(file.clone(), error))?);
    script.identify(source.hash);
    Ok((script, as_text(&file, source)?))
}

/// Which file a path names, unread. `innermost` gives the directory of untrusted files that holds it: a nested one counts
/// for all who ask, so that one file has one name and one boundary.
fn locate<'d>(
    directory: &'d Path,
    path: &[u8],
    from_request: bool,
    innermost: impl FnOnce(&Path) -> Option<&'d Path>,
) -> Result<ScriptFile, LoadError> {
    let given = PathBuf::from(std::ffi::OsStr::from_bytes(path));
    let refuse = |error| LoadError::Path(given.clone(), error);
    // A generation names its files in UTF-8.
    let text = |path: &Path| path.to_str().map(Box::from).ok_or_else(|| refuse(PathError::NotFound));
    let unread = Hash::of(b"");
    let Some(rest) = strip_root(directory, path) else {
        if from_request {
            return Err(LoadError::OutsideRoots(given));
        }
        let name = text(Path::new(given.file_name().unwrap_or_default()))?;
        return Ok(ScriptFile { file: text(&given)?, name, hash: unread, key: [0; 32], directory: None });
    };
    let relative = match normalize(rest) {
        Ok(relative) => relative,
        Err(error) => return Err(refuse(error)),
    };
    let file = directory.join(relative.as_path());
    let innermost = innermost(&file);
    let boundary = innermost.unwrap_or(directory);
    let below = file.strip_prefix(boundary).unwrap_or(relative.as_path());
    // A file that the operator names may be a symlink to anywhere, unless a tenant could have put it there.
    let bound = (from_request || innermost.is_some()).then(|| Rc::from(boundary));
    Ok(ScriptFile { file: text(&file)?, name: text(below)?, hash: unread, key: [0; 32], directory: bound })
}

/// Reads a file so that its symlinks cannot lead out of `directory`.
fn beneath(directory: &Path, file: &Path) -> Result<Vec<u8>, PathError> {
    let rest = strip_root(directory, file.as_os_str().as_bytes()).ok_or(PathError::Escapes)?;
    Ok(read(directory, &normalize(rest)?, FILE_LIMIT)?.bytes)
}

fn as_text(file: &Path, source: Source) -> Result<Source, LoadError> {
    if is_bytecode(&source.text) { Err(LoadError::Bytecode(file.to_owned())) } else { Ok(source) }
}

/// LuaJIT skips a byte order mark and a first line that begins with `#` before it looks for bytecode.
fn is_bytecode(source: &[u8]) -> bool {
    let source = source.strip_prefix(b"\xef\xbb\xbf").unwrap_or(source);
    let source = match source.first() {
        Some(b'#') => {
            let line = source.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(source.len());
            source[line..].trim_ascii_start()
        }
        _ => source,
    };
    source.first() == Some(&ESCAPE)
}

#[cfg(test)]
#[path = "script_tests.rs"]
mod tests;
