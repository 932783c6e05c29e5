//! Looks at the code roots on disk: stats every Lua file, and reads those that changed.
//!
//! A file is named by its root's path and its own relative to that, symlinks and all: the spelling by which requests
//! and `package.path` name it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::path::{FILE_LIMIT, PathError, SourceFile, is_directory, normalize, read, read_static, strip_root};
use super::stamp::{Stamp, now_ns};
use super::untrusted::{Fence, Untrusted};

/// How often a scan begins anew because a root was switched to another directory meanwhile.
const SWITCHES_MAX: usize = 4;
/// More files and directories than this in one root are not gone through: symlinks can make few seem endlessly many.
const ENTRIES_MAX: usize = 1_000_000;
/// The same for a root of untrusted files, whose tenants must not hold up a scan.
const UNTRUSTED_ENTRIES_MAX: usize = 200_000;

/// A code root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// The directory, absolute. It may be a symlink, which a deployment switches.
    pub path: PathBuf,
    /// Its `*.lua` files are all part of a generation; else only those that were asked for.
    pub whole: bool,
    /// Its files are untrusted: nothing about them makes a scan fail.
    pub untrusted: bool,
}

/// A file as a scan finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// As its stamp says it was known.
    Same,
    /// Read.
    Read {
        /// Its bytes.
        source: Vec<u8>,
        /// What to know it by; None where it must be read again by the next scan, as it was being written just now.
        stamp: Option<Stamp>,
    },
    /// There, but refused or unreadable.
    Refused(PathError),
    /// Untrusted and not looked at, or a directory of such files; why, as a predicate.
    LeftOut(String),
}

/// Why the roots could not be looked at: what a scan does not see would pass for deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanError {
    /// The root, or a directory in it.
    pub path: PathBuf,
    /// What the system says of it.
    pub error: String,
}

impl fmt::Display for ScanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed to scan \"{}\": {}", self.path.display(), self.error)
    }
}

impl std::error::Error for ScanError {}

/// Every `*.lua` of the whole roots, and those of `tracked` (absolute paths) that still exist. `known` gives the stamp
/// that a file had when it was read last. Of untrusted files at most `room` bytes are read. Blocks on the disk.
///
/// Names that begin with a dot are left out, of files as of directories: editors and rsync keep there what is not
/// finished. So are names that are no UTF-8. Symlinks to directories are followed where [`read`] would follow them, but
/// not among untrusted files: few of them can make many names.
///
/// # Errors
/// A whole root, or one whose tracked file is gone, that is no directory or cannot be read; a directory in a whole root
/// that cannot be read. Not so for untrusted roots: what cannot be looked at is [`Seen::LeftOut`], and where the root
/// itself is gone what was known of it is [`Seen::Same`].
pub fn scan(
    roots: &[Root],
    tracked: impl IntoIterator<Item = String>,
    known: impl Fn(&str) -> Option<Stamp>,
    room: u64,
) -> Result<BTreeMap<String, Seen>, ScanError> {
    let tracked: Vec<String> = tracked.into_iter().collect();
    let mut before = identities(roots);
    for _ in 0..SWITCHES_MAX {
        let seen = scan_once(roots, &tracked, &known, room);
        let after = identities(roots);
        // Half of one release and half of the next is neither.
        if after == before {
            return seen;
        }
        before = after;
    }
    let path = roots.first().map(|root| root.path.clone()).unwrap_or_default();
    Err(ScanError { path, error: "the code roots kept being replaced while they were scanned".into() })
}

/// Says whether a [`scan`] would have found a file, named by its absolute path, if it was there.
pub fn is_scanned(roots: &[Root], file: &str) -> bool {
    let found_in = |root: &Root| {
        let relative = strip_root(&root.path, file.as_bytes()).map(|rest| Path::new(OsStr::from_bytes(rest)));
        root.whole && relative.is_some_and(|path| is_lua(path) && !path.iter().any(is_left_out))
    };
    roots.iter().any(found_in)
}

/// One file, named by its absolute path. None: it is not there.
pub fn look(roots: &[Root], file: &str, known: Option<Stamp>) -> Option<Seen> {
    if known.is_some() && fs::metadata(file).ok().as_ref().map(Stamp::of) == known {
        return Some(Seen::Same);
    }
    let began_ns = now_ns();
    match read_from(roots, file) {
        Ok(SourceFile { bytes, stamp }) => Some(Seen::Read { source: bytes, stamp: stamp.settled(began_ns) }),
        Err(PathError::NotFound) => None,
        Err(error) => Some(Seen::Refused(error)),
    }
}

/// Says whether a file, named by its absolute path, lies in an untrusted root.
pub fn is_in_untrusted(roots: &[Root], file: &str) -> bool {
    untrusted_root(roots, file).is_some()
}

/// How much Lua a directory holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Weight {
    /// How many `*.lua` files.
    pub files: u64,
    /// Their bytes together.
    pub bytes: u64,
}

/// Weighs what a [`scan`] of `root`, one of `roots`, would find, and stops where either is above its limit. What cannot
/// be read weighs nothing.
pub fn weigh(root: &Root, roots: &[Root], limit: &Weight) -> Weight {
    let mut weight = Weight::default();
    for file in LuaFiles::under(root, roots).flatten() {
        if let Ok(meta) = fs::metadata(file)
            && meta.is_file()
        {
            weight.files += 1;
            weight.bytes = weight.bytes.saturating_add(meta.len());
        }
        if weight.files > limit.files || weight.bytes > limit.bytes {
            break;
        }
    }
    weight
}

/// Which directories the roots' paths lead to at present.
fn identities(roots: &[Root]) -> Vec<Option<(u64, u64)>> {
    roots.iter().filter(|root| !root.untrusted).map(|root| identity(&root.path)).collect()
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()))
}

fn scan_once(
    roots: &[Root],
    tracked: &[String],
    known: &impl Fn(&str) -> Option<Stamp>,
    room: u64,
) -> Result<BTreeMap<String, Seen>, ScanError> {
    let room = Cell::new(room);
    let look = |file: &str| look_within(roots, file, known(file), &room);
    let mut files = BTreeMap::new();
    for root in roots.iter().filter(|root| root.whole) {
        for path in LuaFiles::under(root, roots) {
            let path = match path {
                Err(ScanError { path, error }) if root.untrusted => {
                    let path = path.to_string_lossy().into_owned();
                    files.insert(path, Seen::LeftOut(format!("is not scanned: {error}")));
                    continue;
                }
                path => path?,
            };
            let Ok(file) = path.into_os_string().into_string() else { continue };
            // Roots may lie in each other.
            if !files.contains_key(&file)
                && let Some(seen) = look(&file)
            {
                files.insert(file, seen);
            }
        }
    }
    for file in tracked {
        if files.contains_key(file) {
            continue;
        }
        match look(file) {
            Some(seen) => {
                files.insert(file.clone(), seen);
            }
            None => match (roots_exist(roots, file), untrusted_root(roots, file)) {
                (Ok(()), _) => {}
                (Err(_), Some(_)) => {
                    files.insert(file.clone(), Seen::Same);
                }
                (Err(error), None) => return Err(error),
            },
        }
    }
    Ok(files)
}

/// [`look`], but what is untrusted takes of the room.
fn look_within(roots: &[Root], file: &str, known: Option<Stamp>, room: &Cell<u64>) -> Option<Seen> {
    if untrusted_root(roots, file).is_some()
        && let Ok(meta) = fs::metadata(file)
        && meta.is_file()
        && (room.get() + 1..=FILE_LIMIT as u64).contains(&meta.len())
        && known != Some(Stamp::of(&meta))
    {
        return Some(Seen::LeftOut(
            "does not fit with the others into the part of hotlua_zone that is for them".into(),
        ));
    }
    let seen = look(roots, file, known);
    if let Some(Seen::Read { source, .. }) = &seen
        && untrusted_root(roots, file).is_some()
    {
        room.set(room.get().saturating_sub(source.len() as u64));
    }
    seen
}

/// The innermost untrusted root that a file lies in: a tenant's symlink must not lead out of that one.
fn untrusted_root<'r>(roots: &'r [Root], file: &str) -> Option<&'r Root> {
    let around = |root: &&Root| root.untrusted && strip_root(&root.path, file.as_bytes()).is_some();
    roots.iter().filter(around).max_by_key(|root| root.path.components().count())
}

/// A file is gone only where its root is there: an unmounted root has deleted nothing.
fn roots_exist(roots: &[Root], file: &str) -> Result<(), ScanError> {
    for root in roots.iter().filter(|root| strip_root(&root.path, file.as_bytes()).is_some()) {
        fs::read_dir(&root.path).map_err(|error| ScanError { path: root.path.clone(), error: error.to_string() })?;
    }
    Ok(())
}

/// Reads a file of a root so that it cannot lead outside of it, any other as the operator named it. Where roots lie in
/// each other, behind an absolute symlink maybe, one that the file stays inside suffices.
fn read_from(roots: &[Root], file: &str) -> Result<SourceFile, PathError> {
    if let Some(root) = untrusted_root(roots, file)
        && let Some(rest) = strip_root(&root.path, file.as_bytes())
    {
        return read(&root.path, &normalize(rest)?, FILE_LIMIT);
    }
    let mut escaped = false;
    for root in roots {
        let Some(Ok(relative)) = strip_root(&root.path, file.as_bytes()).map(normalize) else { continue };
        match read(&root.path, &relative, FILE_LIMIT) {
            Err(PathError::Escapes) => escaped = true,
            result => return result,
        }
    }
    if escaped { Err(PathError::Escapes) } else { read_static(Path::new(file), FILE_LIMIT) }
}

/// What is called `*.lua` under a directory, of whatever kind it is.
struct LuaFiles<'r> {
    root: &'r Path,
    untrusted: bool,
    /// Directories of untrusted files, which are roots of their own.
    elsewhere: Vec<(u64, u64)>,
    fence: Fence,
    entries: walkdir::IntoIter,
    passed: usize,
}

impl<'r> LuaFiles<'r> {
    fn under(root: &'r Root, roots: &[Root]) -> Self {
        let untrusted = roots.iter().filter(|other| other.untrusted && !root.untrusted);
        let untrusted: Vec<PathBuf> = untrusted.map(|root| root.path.clone()).collect();
        Self {
            root: &root.path,
            untrusted: root.untrusted,
            elsewhere: untrusted.iter().filter_map(|path| identity(path)).collect(),
            fence: Untrusted::new(untrusted, Vec::new()).fence(),
            entries: WalkDir::new(&root.path).follow_links(!root.untrusted).into_iter(),
            passed: 0,
        }
    }

    /// Says whether a directory is one of untrusted files, by whatever name, or a symlink to one in there.
    fn lies_elsewhere(&self, entry: &walkdir::DirEntry) -> bool {
        // Most configurations have none; that must cost nothing.
        !self.elsewhere.is_empty()
            && (identity(entry.path()).is_some_and(|identity| self.elsewhere.contains(&identity))
                || entry.path_is_symlink() && self.fence.holds(entry.path()))
    }

    fn failed(&self, path: Option<&Path>, error: String) -> ScanError {
        ScanError { path: path.unwrap_or(self.root).to_owned(), error }
    }

    /// Says whether a symlink leads to a directory that lies in the root.
    fn stays_inside(&self, path: &Path) -> bool {
        let relative = strip_root(self.root, path.as_os_str().as_bytes()).map(normalize);
        matches!(relative, Some(Ok(relative)) if is_directory(self.root, &relative))
    }

    /// What an entry that the walk could not look at means: a file that a look of its own must judge, nothing, or that
    /// files below it would be missed.
    fn judge(&self, error: &walkdir::Error) -> Option<Result<PathBuf, ScanError>> {
        let text = error.io_error().map_or_else(|| error.to_string(), |error| error.to_string());
        let missing = error.io_error().is_some_and(|error| error.kind() == ErrorKind::NotFound);
        match error.path() {
            // A symlink back to a directory that it stands in.
            Some(_) if error.loop_ancestor().is_some() => None,
            // It was removed since its directory was read, or is a symlink to nothing.
            Some(_) if missing && error.depth() > 0 => None,
            // A symlink that leads nowhere that may be looked at.
            Some(path) if error.depth() > 0 && !path.is_dir() => is_lua(path).then(|| Ok(path.to_owned())),
            path => Some(Err(self.failed(path, text))),
        }
    }
}

impl Iterator for LuaFiles<'_> {
    type Item = Result<PathBuf, ScanError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let most = if self.untrusted { UNTRUSTED_ENTRIES_MAX } else { ENTRIES_MAX };
            if self.passed > most {
                return None;
            }
            let entry = match self.entries.next()? {
                Ok(entry) => entry,
                Err(error) => match self.judge(&error) {
                    Some(found) => {
                        self.passed += 1;
                        return Some(found);
                    }
                    None => continue,
                },
            };
            self.passed += 1;
            if self.passed > most {
                return Some(Err(self.failed(None, format!("it holds more than {most} files and directories"))));
            }
            let is_directory = entry.file_type().is_dir();
            if entry.depth() == 0 {
                // A walk that follows no symlinks still follows the root.
                if is_directory || self.untrusted && entry.path().is_dir() {
                    continue;
                }
                return Some(Err(self.failed(None, "it is not a directory".into())));
            }
            let escapes = is_directory && entry.path_is_symlink() && !self.stays_inside(entry.path());
            if is_directory && (escapes || is_left_out(entry.file_name()) || self.lies_elsewhere(&entry)) {
                self.entries.skip_current_dir();
            }
            if is_lua(entry.path()) {
                return Some(Ok(entry.into_path()));
            }
        }
    }
}

fn is_lua(path: &Path) -> bool {
    path.extension() == Some(OsStr::new("lua")) && !path.file_name().is_some_and(is_left_out)
}

/// Hidden names, and what fsck keeps for itself at the top of a file system.
fn is_left_out(name: &OsStr) -> bool {
    name.as_bytes().first() == Some(&b'.') || name == "lost+found"
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
