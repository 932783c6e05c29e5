//! Turns an evaluated path into a Lua file inside a code root.
//!
//! A name that came from a request is taken apart in two steps. [`normalize`]
//! decides by the bytes alone and yields the one name under which the file is
//! cached; [`read`] lets the kernel resolve that name beneath the root, so that
//! symlinks and renames made meanwhile cannot lead outside. A relative symlink
//! that stays inside the root works; an absolute one is refused even where it
//! points back inside, as `RESOLVE_BENEATH` does, because what it means depends
//! on where the root is seen from. Mount points inside the root are the
//! operator's doing and are crossed.
//!
//! What no check here can see: a hard link to a file outside looks like any
//! other regular file, and on a file system that folds case `A.lua` and `a.lua`
//! are two cache keys of one file.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{File, FileType, Metadata};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2, readlinkat};
use rustix::io::{Errno, retry_on_intr};

use super::stamp::Stamp;

/// The largest Lua file that is run: 64 MiB.
pub const FILE_LIMIT: usize = 64 << 20;

/// Linux's `PATH_MAX`: bytes of a path, its closing NUL included.
const PATH_MAX: usize = 4096;
/// Linux's `NAME_MAX`: bytes of one component.
const NAME_MAX: usize = 255;
/// Symlinks followed in one resolution, Linux's `MAXSYMLINKS`.
const SYMLINKS_MAX: usize = 40;
/// How often `openat2` is asked again when a rename elsewhere disturbs it.
const AGAIN_MAX: usize = 16;

/// A normalised name relative to a code root: never empty, components divided
/// by single slashes, none of them `.` or `..`. One file, one name, so it
/// serves as a cache key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelPath(Box<[u8]>);

impl RelPath {
    /// The name's bytes, without a leading or trailing slash.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The name as a path to be joined to a root.
    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0))
    }
}

/// For log lines: control characters are escaped, since the name may come from
/// a request and must not be able to forge a line of its own.
impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        String::from_utf8_lossy(&self.0)
            .chars()
            .try_for_each(|c| if c.is_control() { write!(f, "{}", c.escape_default()) } else { write!(f, "{c}") })
    }
}

/// A file as it was read: its bytes and what identifies this state of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// The whole content.
    pub bytes: Vec<u8>,
    /// The state that was read; its size is `bytes.len()`.
    pub stamp: Stamp,
}

/// Why a path is not run. Displays as a predicate: the caller names the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    /// No name at all.
    Empty,
    /// A NUL byte, at which the kernel would cut the name off.
    Nul,
    /// Absolute, where a name relative to the root is expected.
    Absolute,
    /// Relative, where an operator's absolute path is expected.
    Relative,
    /// A `..` component.
    Parent,
    /// A trailing slash or a last component `.`.
    NamesDirectory,
    /// Above 4095 bytes, or a component above 255.
    TooLong,
    /// Resolves to a place outside the code root.
    Escapes,
    /// A loop of symlinks, more than 40, or a magic one of procfs.
    SymlinkLoop,
    /// A directory.
    Directory,
    /// A FIFO.
    Fifo,
    /// A character or block device.
    Device,
    /// A socket.
    Socket,
    /// Some other kind of file than a regular one.
    NotRegular,
    /// There, but the worker may not read it.
    Unreadable,
    /// Not there.
    NotFound,
    /// Larger than the limit, in bytes.
    TooLarge(usize),
    /// Another file took the name between the check and the opening, twice.
    Replaced,
    /// Changed while it was read, twice.
    Unstable,
    /// The machine failed (out of descriptors, disk error): an `errno`.
    Io(i32),
}

impl PathError {
    /// Says whether the next look may come to another result though nobody touches the file.
    pub fn is_passing(&self) -> bool {
        matches!(self, PathError::Replaced | PathError::Unstable | PathError::Io(_))
    }

    /// The HTTP status to answer with: 404 for every refusal, so that whoever
    /// guesses names cannot tell a file that is refused (unreadable, a FIFO,
    /// outside) from one that is not there; lua-nginx-module answers 404 too.
    /// [`PathError::Io`] judges the machine and not the name: it is 500, as a
    /// 404 would be believed, and cached, by clients.
    pub fn status(&self) -> u16 {
        match self {
            PathError::Io(_) => 500,
            _ => 404,
        }
    }

    fn from_io(error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(errno) => PathError::from(Errno::from_raw_os_error(errno)),
            None => PathError::Io(Errno::IO.raw_os_error()),
        }
    }
}

impl From<Errno> for PathError {
    fn from(errno: Errno) -> Self {
        match errno {
            // INVAL and ILSEQ: file systems such as vfat answer so for names
            // that they could never hold.
            Errno::NOENT | Errno::NOTDIR | Errno::INVAL | Errno::ILSEQ => PathError::NotFound,
            Errno::XDEV => PathError::Escapes,
            Errno::LOOP => PathError::SymlinkLoop,
            Errno::NAMETOOLONG => PathError::TooLong,
            Errno::ACCESS | Errno::PERM => PathError::Unreadable,
            // Only a socket or a driverless device opens so, and those were
            // sorted out by the O_PATH check before.
            Errno::NXIO | Errno::NODEV => PathError::Replaced,
            Errno::AGAIN | Errno::STALE => PathError::Unstable,
            other => PathError::Io(other.raw_os_error()),
        }
    }
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PathError::Empty => "is empty, a file name is needed",
            PathError::Nul => "contains a NUL byte",
            PathError::Absolute => "is absolute, only names inside the code root run",
            PathError::Relative => "is relative, an absolute path is needed",
            PathError::Parent => "contains a \"..\" component",
            PathError::NamesDirectory => "ends like a directory, in \"/\" or \".\"",
            PathError::TooLong => "is too long (4095 bytes, 255 a component)",
            PathError::Escapes => "leads outside the code root",
            PathError::SymlinkLoop => "is behind a symlink loop or a magic symlink",
            PathError::Directory => "is a directory, only regular files run",
            PathError::Fifo => "is a FIFO, only regular files run",
            PathError::Device => "is a device, only regular files run",
            PathError::Socket => "is a socket, only regular files run",
            PathError::NotRegular => "is not a regular file, only those run",
            PathError::Unreadable => "may not be read by this process",
            PathError::NotFound => "does not exist",
            PathError::TooLarge(limit) => {
                return write!(f, "is larger than the limit of {limit} bytes");
            }
            PathError::Replaced => "was replaced by another file while it was opened",
            PathError::Unstable => "kept changing while it was read",
            PathError::Io(errno) => {
                let error = io::Error::from_raw_os_error(*errno);
                return write!(f, "could not be read: {error}");
            }
        })
    }
}

impl std::error::Error for PathError {}

/// Normalises a name relative to a root, by its bytes alone: `.` components
/// and doubled slashes go, a backslash or `%2e` is a byte like any other.
///
/// # Errors
/// `Empty`, `Nul`, `Absolute`, `Parent`, `NamesDirectory` or `TooLong`.
pub fn normalize(name: &[u8]) -> Result<RelPath, PathError> {
    check_bytes(name)?;
    if name[0] == b'/' {
        return Err(PathError::Absolute);
    }
    let mut clean = Vec::with_capacity(name.len());
    let mut names_directory = false;
    for component in name.split(|b| *b == b'/') {
        names_directory = matches!(component, b"" | b".");
        if names_directory {
            continue;
        }
        // Also a `..` that stays inside is refused: `a/../b` is `b` only where
        // `a` is no symlink, so it cannot be folded by the bytes, and kept as
        // it is it would be one more cache key of the same file.
        if component == b".." {
            return Err(PathError::Parent);
        }
        if component.len() > NAME_MAX {
            return Err(PathError::TooLong);
        }
        if !clean.is_empty() {
            clean.push(b'/');
        }
        clean.extend_from_slice(component);
    }
    if names_directory {
        return Err(PathError::NamesDirectory);
    }
    Ok(RelPath(clean.into_boxed_slice()))
}

/// What of an evaluated absolute path lies below `root`, without a leading
/// slash, ready for [`normalize`] (empty if it is the root itself). Compares
/// whole components, so `/code` is no prefix of `/codex/a.lua`; `.` and doubled
/// slashes in front do not hide the root. `None` if it lies elsewhere, or if
/// either is relative. Decides nothing about safety.
pub fn strip_root<'a>(root: &Path, evaluated: &'a [u8]) -> Option<&'a [u8]> {
    let root = root.as_os_str().as_bytes();
    if root.first() != Some(&b'/') || evaluated.first() != Some(&b'/') {
        return None;
    }
    let mut rest = evaluated;
    for want in root.split(|b| *b == b'/') {
        if matches!(want, b"" | b".") {
            continue;
        }
        let (got, after) = loop {
            rest = trim_slashes(rest);
            let end = rest.iter().position(|b| *b == b'/').unwrap_or(rest.len());
            match rest.split_at(end) {
                (b"", _) => return None,
                (b".", after) => rest = after,
                found => break found,
            }
        };
        if got != want {
            return None;
        }
        rest = after;
    }
    Some(trim_slashes(rest))
}

/// Reads the file that `rel` names beneath `root`, at most `limit` bytes. The
/// root itself may be a symlink and is resolved anew each time, since
/// deployments switch it (`current -> releases/12`). Blocks on the disk; never
/// on a FIFO or a device.
///
/// # Errors
/// Everything of [`PathError`] that is not decided by [`normalize`].
pub fn read(root: &Path, rel: &RelPath, limit: usize) -> Result<SourceFile, PathError> {
    let root = open_root(root)?;
    read_by(|flags| open_beneath(root.as_fd(), rel, flags), limit)
}

/// Reads a file that the operator named in the configuration, at most `limit`
/// bytes. `path` is absolute; `..` and symlinks to anywhere are the operator's
/// right, but it must still be a regular file.
///
/// # Errors
/// `Relative`, and those of [`read`] but `Escapes`.
pub fn read_static(path: &Path, limit: usize) -> Result<SourceFile, PathError> {
    check_bytes(path.as_os_str().as_bytes())?;
    if !path.is_absolute() {
        return Err(PathError::Relative);
    }
    read_by(|flags| Ok(open_at(CWD, path.as_os_str(), flags)?), limit)
}

/// Says whether `rel` names a directory beneath `root`, by the rules of [`read`].
pub(super) fn is_directory(root: &Path, rel: &RelPath) -> bool {
    let opened = open_root(root).and_then(|root| open_beneath(root.as_fd(), rel, OFlags::PATH | OFlags::DIRECTORY));
    match opened {
        Ok(found) => stat(&File::from(found)).is_ok_and(|meta| meta.is_dir()),
        // The walk's word for a symlink that ends in `.` or `..`.
        Err(error) => error == PathError::Directory,
    }
}

fn check_bytes(path: &[u8]) -> Result<(), PathError> {
    if path.is_empty() {
        Err(PathError::Empty)
    } else if path.len() >= PATH_MAX {
        Err(PathError::TooLong)
    } else if path.contains(&0) {
        Err(PathError::Nul)
    } else {
        Ok(())
    }
}

fn trim_slashes(path: &[u8]) -> &[u8] {
    let start = path.iter().position(|b| *b != b'/').unwrap_or(path.len());
    &path[start..]
}

/// Checks and reads the file that `open` opens, and tries once more if it was
/// replaced or written meanwhile: a deployment by rename is no reason for a
/// refusal, and every try makes every check.
fn read_by(open: impl Fn(OFlags) -> Result<OwnedFd, PathError>, limit: usize) -> Result<SourceFile, PathError> {
    match read_once(&open, limit) {
        Err(PathError::Replaced | PathError::Unstable) => read_once(&open, limit),
        result => result,
    }
}

fn read_once(open: impl Fn(OFlags) -> Result<OwnedFd, PathError>, limit: usize) -> Result<SourceFile, PathError> {
    // O_PATH looks without opening: a FIFO or a device notices nothing. The
    // descriptor stays open until the end, or the inode could be freed and its
    // number given to another file between the two looks.
    let probe = File::from(open(OFlags::PATH)?);
    let seen = stat(&probe)?;
    check_regular(seen.file_type())?;
    // O_NONBLOCK and O_NOCTTY: what took the name since may be anything.
    let file = File::from(open(OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?);
    let before = stat(&file)?;
    if (before.dev(), before.ino()) != (seen.dev(), seen.ino()) {
        return Err(PathError::Replaced);
    }
    let bytes = read_settled(file, &before, limit)?;
    Ok(SourceFile { bytes, stamp: Stamp::of(&before) })
}

/// Reads `file` whole and makes sure that it still is in the state `before`.
/// A write in place of the same length within one tick of the file system's
/// clock goes unseen; deploying by rename is what avoids it.
fn read_settled(file: File, before: &Metadata, limit: usize) -> Result<Vec<u8>, PathError> {
    let size = usize::try_from(before.size()).unwrap_or(usize::MAX);
    if size > limit {
        return Err(PathError::TooLarge(limit));
    }
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(size.saturating_add(1)).map_err(|_| PathError::from(Errno::NOMEM))?;
    (&file)
        .take((limit as u64).saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| PathError::from_io(&error))?;
    if bytes.len() > limit {
        return Err(PathError::TooLarge(limit));
    }
    let after = stat(&file)?;
    // With its ctime, which unlike mtime cannot be set back (rsync, touch -r).
    if bytes.len() != size || Stamp::of(&after) != Stamp::of(before) {
        return Err(PathError::Unstable);
    }
    Ok(bytes)
}

fn stat(file: &File) -> Result<Metadata, PathError> {
    file.metadata().map_err(|error| PathError::from_io(&error))
}

fn check_regular(kind: FileType) -> Result<(), PathError> {
    match kind {
        kind if kind.is_file() => Ok(()),
        kind if kind.is_dir() => Err(PathError::Directory),
        kind if kind.is_fifo() => Err(PathError::Fifo),
        kind if kind.is_socket() => Err(PathError::Socket),
        kind if kind.is_char_device() || kind.is_block_device() => Err(PathError::Device),
        _ => Err(PathError::NotRegular),
    }
}

fn open_at(dir: BorrowedFd<'_>, path: &OsStr, flags: OFlags) -> Result<OwnedFd, Errno> {
    retry_on_intr(|| openat(dir, path, flags | OFlags::CLOEXEC, Mode::empty()))
}

fn open_root(root: &Path) -> Result<OwnedFd, PathError> {
    Ok(open_at(CWD, root.as_os_str(), OFlags::PATH | OFlags::DIRECTORY)?)
}

fn open_beneath(root: BorrowedFd<'_>, rel: &RelPath, flags: OFlags) -> Result<OwnedFd, PathError> {
    or_walk(open_by_kernel(root, rel, flags), || open_by_walk(root, rel, flags))
}

/// Walks where the kernel has no `openat2`: ENOSYS before Linux 5.6 and in
/// gVisor, EPERM from the seccomp profiles of older container engines.
fn or_walk(
    kernel: Result<OwnedFd, Errno>,
    walk: impl FnOnce() -> Result<OwnedFd, PathError>,
) -> Result<OwnedFd, PathError> {
    match kernel {
        Err(Errno::NOSYS | Errno::PERM) => walk(),
        result => Ok(result?),
    }
}

fn open_by_kernel(root: BorrowedFd<'_>, rel: &RelPath, flags: OFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    for _ in 0..AGAIN_MAX {
        match openat2(root, rel.as_path(), flags, Mode::empty(), resolve) {
            // EAGAIN: a `..` of a symlink met a rename anywhere in the system,
            // and the kernel cannot vouch for it.
            Err(Errno::AGAIN | Errno::INTR) => {}
            result => return result,
        }
    }
    Err(Errno::AGAIN)
}

/// Resolves like `RESOLVE_BENEATH`, by descriptors: each component is opened
/// with O_NOFOLLOW in its parent, symlinks are expanded here, and `..` of a
/// symlink returns to the descriptor that it came from, never above `root`. A
/// magic link is read as the text that it shows, which leads nowhere inside.
fn open_by_walk(root: BorrowedFd<'_>, rel: &RelPath, flags: OFlags) -> Result<OwnedFd, PathError> {
    let mut dirs: Vec<OwnedFd> = Vec::new();
    let mut pending = Vec::new();
    push_components(&mut pending, rel.as_bytes());
    let mut symlinks = 0;
    while let Some(name) = pending.pop() {
        match &name[..] {
            b"." => continue,
            b".." => {
                dirs.pop().ok_or(PathError::Escapes)?;
                continue;
            }
            _ => {}
        }
        let dir = dirs.last().map_or(root, |dir| dir.as_fd());
        let name = OsStr::from_bytes(&name);
        let entry = File::from(open_at(dir, name, OFlags::PATH | OFlags::NOFOLLOW)?);
        let kind = stat(&entry)?.file_type();
        if kind.is_symlink() {
            symlinks += 1;
            if symlinks > SYMLINKS_MAX {
                return Err(PathError::SymlinkLoop);
            }
            let target = readlinkat(&entry, "", Vec::new())?;
            if target.as_bytes().first() == Some(&b'/') {
                return Err(PathError::Escapes);
            }
            push_components(&mut pending, target.as_bytes());
        } else if pending.is_empty() {
            if flags.contains(OFlags::PATH) {
                return Ok(entry.into());
            }
            return open_at(dir, name, flags | OFlags::NOFOLLOW).map_err(|errno| match errno {
                // It was no symlink a moment ago.
                Errno::LOOP => PathError::Replaced,
                errno => errno.into(),
            });
        } else if kind.is_dir() {
            dirs.push(entry.into());
        } else {
            return Err(PathError::NotFound);
        }
    }
    // Only `.` and `..` of a symlink end here.
    Err(PathError::Directory)
}

/// Pushes the components of `path`, first one on top. A trailing slash becomes
/// a `.`, so that what it follows has to be a directory.
fn push_components(pending: &mut Vec<Vec<u8>>, path: &[u8]) {
    if path.last() == Some(&b'/') {
        pending.push(b".".to_vec());
    }
    let names = path.split(|b| *b == b'/').filter(|name| !name.is_empty());
    pending.extend(names.rev().map(<[u8]>::to_vec));
}

#[cfg(test)]
#[path = "path_tests.rs"]
mod tests;
