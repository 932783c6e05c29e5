//! Tests of path resolution: what a request may name, on real files, by both
//! ways of opening.

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::{FileType as Kind, RenameFlags, makedev, mknodat, renameat_with};
use tempfile::TempDir;

use super::*;

const LIMIT: usize = 64;
const INSIDE: &[u8] = b"return 'inside'";
const OUTSIDE: &[u8] = b"return 'outside'";

/// What reading or naming yields: the bytes, or why not.
type Outcome<'a> = Result<&'a [u8], PathError>;
type Way = fn(BorrowedFd<'_>, &RelPath, OFlags) -> Result<OwnedFd, PathError>;

/// Both ways, or only the walk (and a line that says so) where the machine has
/// no openat2.
fn ways() -> Vec<(&'static str, Way)> {
    let kernel: Way = |root, rel, flags| Ok(open_by_kernel(root, rel, flags)?);
    let root = open_root(Path::new("/")).unwrap();
    let tried = open_by_kernel(root.as_fd(), &normalize(b"proc").unwrap(), OFlags::PATH);
    if matches!(tried, Err(Errno::NOSYS | Errno::PERM)) {
        eprintln!("SKIPPED: openat2 is not to be had here, only the walk is tested");
        return vec![("walk", open_by_walk)];
    }
    vec![("openat2", kernel), ("walk", open_by_walk)]
}

fn read_way(way: Way, root: &Path, name: &[u8], limit: usize) -> Result<Vec<u8>, PathError> {
    let rel = normalize(name)?;
    let root = open_root(root)?;
    Ok(read_by(|flags| way(root.as_fd(), &rel, flags), limit)?.bytes)
}

/// A directory with `code/` (the root) and `secret/` beside it.
struct Site(TempDir);

impl Site {
    fn new() -> Self {
        let site = Site(tempfile::tempdir().unwrap());
        fs::create_dir_all(site.root().join("sub/deep")).unwrap();
        fs::create_dir(site.secret("")).unwrap();
        for name in ["a.lua", "sub/b.lua", "sub/deep/c.lua", "%2e%2e", "..a", "a\\b", "A.lua"] {
            fs::write(site.root().join(name), INSIDE).unwrap();
        }
        fs::write(site.secret("a.lua"), OUTSIDE).unwrap();
        site
    }

    fn root(&self) -> PathBuf {
        self.0.path().join("code")
    }

    fn secret(&self, name: &str) -> PathBuf {
        self.0.path().join("secret").join(name)
    }

    fn link(&self, target: impl AsRef<Path>, name: &str) {
        symlink(target, self.root().join(name)).unwrap();
    }

    /// Swaps two names under the root at once, neither ever missing.
    fn exchange(&self, a: &str, b: &str) {
        let (a, b) = (self.root().join(a), self.root().join(b));
        renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE).unwrap();
    }
}

#[test]
fn names_are_normalised_by_their_bytes() {
    use PathError::*;
    let long_name = vec![b'a'; 255];
    let too_long_name = vec![b'a'; 256];
    let long_path = b"a/".repeat(2047).into_iter().chain(*b"b").collect::<Vec<u8>>();
    let cases: &[(&[u8], Outcome)] = &[
        (b"a.lua", Ok(b"a.lua")),
        (b"./a.lua", Ok(b"a.lua")),
        (b".//sub///./b.lua", Ok(b"sub/b.lua")),
        (b"..a/...", Ok(b"..a/...")),
        (b"%2e%2e/x", Ok(b"%2e%2e/x")),
        (b"%252e%252e%252fx", Ok(b"%252e%252e%252fx")),
        (b"..\\x", Ok(b"..\\x")),
        (b"..%00/x", Ok(b"..%00/x")),
        (b"\xff\xfe", Ok(b"\xff\xfe")),
        (&long_name, Ok(&long_name)),
        (&long_path, Ok(&long_path)),
        (b"", Err(Empty)),
        (b"a\0.lua", Err(Nul)),
        (b"\0", Err(Nul)),
        (b"/etc/passwd", Err(Absolute)),
        (b"//etc", Err(Absolute)),
        (b"/", Err(Absolute)),
        (b"..", Err(Parent)),
        (b"../x", Err(Parent)),
        (b"a/../b", Err(Parent)),
        (b"a/..", Err(Parent)),
        (b"a/./../../b", Err(Parent)),
        (b"a.lua/", Err(NamesDirectory)),
        (b"a.lua/.", Err(NamesDirectory)),
        (b"a.lua/.//", Err(NamesDirectory)),
        (b".", Err(NamesDirectory)),
        (b"./", Err(NamesDirectory)),
        (&too_long_name, Err(TooLong)),
        (&[b'a'; 8192], Err(TooLong)),
        (&[b'/'; 4096], Err(TooLong)),
    ];
    for (name, want) in cases {
        let got = normalize(name);
        let got = got.as_ref().map(RelPath::as_bytes).map_err(|e| *e);
        assert_eq!(got, *want, "{}", name.escape_ascii());
    }
}

#[test]
fn roots_are_stripped_by_components() {
    type Case<'a> = (&'a str, &'a [u8], Option<&'a [u8]>);
    let cases: &[Case] = &[
        ("/code", b"/code/a.lua", Some(b"a.lua")),
        ("/code/", b"/code/a.lua", Some(b"a.lua")),
        ("/code", b"/code//a.lua", Some(b"a.lua")),
        ("/code", b"//code/./a.lua", Some(b"./a.lua")),
        ("/srv/./x", b"/./srv//x/a//b", Some(b"a//b")),
        ("/code", b"/code/../etc/passwd", Some(b"../etc/passwd")),
        ("/code", b"/code//etc/passwd", Some(b"etc/passwd")),
        ("/code", b"/code", Some(b"")),
        ("/code", b"/code/", Some(b"")),
        ("/", b"/a.lua", Some(b"a.lua")),
        ("/code", b"/codex/a.lua", None),
        ("/code", b"/cod", None),
        ("/code", b"/co/de", None),
        ("/code/app", b"/code", None),
        ("/code", b"/x/../code/a.lua", None),
        ("/code", b"code/a.lua", None),
        ("code", b"code/a.lua", None),
        ("code", b"/code/a.lua", None),
        ("/code", b"", None),
    ];
    for (root, evaluated, want) in cases {
        let got = strip_root(Path::new(root), evaluated);
        assert_eq!(got, *want, "{root} {}", evaluated.escape_ascii());
    }
}

#[test]
fn only_regular_files_inside_are_read() {
    use PathError::*;
    let site = Site::new();
    let root = site.root();
    fs::write(root.join("full"), [b'x'; LIMIT]).unwrap();
    fs::write(root.join("over"), [b'x'; LIMIT + 1]).unwrap();
    fs::write(root.join("empty"), b"").unwrap();
    fs::hard_link(site.secret("a.lua"), root.join("hard")).unwrap();
    let mknod = |name: &str, kind, dev| mknodat(CWD, root.join(name), kind, 0o666.into(), dev);
    mknod("fifo", Kind::Fifo, 0).unwrap();
    let _listener = UnixListener::bind(root.join("socket")).unwrap();
    for (target, name) in [
        ("a.lua", "in"),
        ("sub", "in-dir"),
        ("sub/../sub/./deep/../b.lua", "in-winding"),
        ("../in", "sub/in-above"),
        ("in", "in-twice"),
        ("../secret/a.lua", "out"),
        ("../secret", "out-dir"),
        ("sub/../../secret/a.lua", "out-winding"),
        ("../code/a.lua", "out-and-in"),
        ("..", "root-parent"),
        (".", "root-itself"),
        ("sub/..", "root-again"),
        ("a.lua/", "slashed"),
        ("a.lua/.", "dotted"),
        ("sub/", "slashed-dir"),
        ("loop", "loop"),
        ("missing", "dangling"),
        ("fifo", "to-fifo"),
        ("/dev/null", "null"),
        ("/proc/self/root/etc/passwd", "proc"),
    ] {
        site.link(target, name);
    }
    site.link(root.join("a.lua"), "absolute-in");
    site.link(site.secret("a.lua"), "absolute-out");
    site.link("a.lua", "chain0");
    for n in 1..=40 {
        site.link(format!("chain{}", n - 1), &format!("chain{n}"));
    }

    let mut cases: Vec<(&str, Outcome)> = vec![
        ("a.lua", Ok(INSIDE)),
        (".//a.lua", Ok(INSIDE)),
        ("sub/deep/c.lua", Ok(INSIDE)),
        ("%2e%2e", Ok(INSIDE)),
        ("..a", Ok(INSIDE)),
        ("a\\b", Ok(INSIDE)),
        ("empty", Ok(b"")),
        ("full", Ok(&[b'x'; LIMIT])),
        ("in", Ok(INSIDE)),
        ("in-dir/b.lua", Ok(INSIDE)),
        ("in-winding", Ok(INSIDE)),
        ("sub/in-above", Ok(INSIDE)),
        ("in-dir/in-above", Ok(INSIDE)),
        ("in-twice", Ok(INSIDE)),
        ("root-itself/root-itself/a.lua", Ok(INSIDE)),
        ("root-again/a.lua", Ok(INSIDE)),
        ("chain39", Ok(INSIDE)),
        // A hard link is the file, as the module's head says.
        ("hard", Ok(OUTSIDE)),
        ("over", Err(TooLarge(LIMIT))),
        ("out", Err(Escapes)),
        ("out-dir/a.lua", Err(Escapes)),
        ("out-winding", Err(Escapes)),
        ("out-and-in", Err(Escapes)),
        ("root-parent/secret/a.lua", Err(Escapes)),
        ("absolute-out", Err(Escapes)),
        ("absolute-in", Err(Escapes)),
        ("null", Err(Escapes)),
        ("proc", Err(Escapes)),
        ("loop", Err(SymlinkLoop)),
        ("chain40", Err(SymlinkLoop)),
        ("dangling", Err(NotFound)),
        ("missing", Err(NotFound)),
        ("missing/a.lua", Err(NotFound)),
        ("a.lua/b", Err(NotFound)),
        ("slashed", Err(NotFound)),
        ("dotted", Err(NotFound)),
        ("%2e%2e/secret/a.lua", Err(NotFound)),
        ("%252e%252e%252fsecret", Err(NotFound)),
        ("sub", Err(Directory)),
        ("in-dir", Err(Directory)),
        ("root-itself", Err(Directory)),
        ("root-again", Err(Directory)),
        ("slashed-dir", Err(Directory)),
        ("fifo", Err(Fifo)),
        ("to-fifo", Err(Fifo)),
        ("socket", Err(Socket)),
        ("../secret/a.lua", Err(Parent)),
        ("a.lua/", Err(NamesDirectory)),
        ("a.lua\0", Err(Nul)),
        ("/etc/passwd", Err(Absolute)),
    ];
    match mknod("device", Kind::CharacterDevice, makedev(1, 3)) {
        Ok(()) => cases.push(("device", Err(Device))),
        Err(errno) => eprintln!("SKIPPED: no device node to test with: {errno}"),
    }
    for (way, open) in ways() {
        for (name, want) in &cases {
            let got = read_way(open, &root, name.as_bytes(), LIMIT);
            assert_eq!(got.as_deref().map_err(|e| *e), *want, "{way}: {name:?}");
            if let Err(refusal) = got {
                assert_eq!(refusal.status(), 404, "{way}: {name:?}");
            }
        }
        let absent = read_way(open, &site.root().join("none"), b"a.lua", LIMIT);
        assert_eq!(absent, Err(NotFound), "{way}: no root");
        let file_as_root = read_way(open, &root.join("a.lua"), b"a.lua", LIMIT);
        assert_eq!(file_as_root, Err(NotFound), "{way}: a file as root");
    }
}

#[test]
fn magic_links_lead_nowhere() {
    let file = tempfile::tempfile().unwrap();
    let own_fd = format!("fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file));
    for (way, open) in ways() {
        for name in [own_fd.as_str(), "root/etc/passwd", "cwd/Cargo.toml", "exe", "ns/net"] {
            let got = read_way(open, Path::new("/proc/self"), name.as_bytes(), usize::MAX);
            // openat2 names the magic, the walk where its text points to.
            let refused: &[PathError] = match way {
                "openat2" => &[PathError::SymlinkLoop],
                _ => &[PathError::Escapes, PathError::NotFound],
            };
            assert!(got.is_err_and(|e| refused.contains(&e)), "{way}: {name}");
        }
    }
}

#[test]
fn the_root_may_be_a_symlink_that_is_switched() {
    let site = Site::new();
    let current = site.0.path().join("current");
    let rel = normalize(b"a.lua").unwrap();
    for (target, want) in [("code", INSIDE), ("secret", OUTSIDE)] {
        let _ = fs::remove_file(&current);
        symlink(target, &current).unwrap();
        assert_eq!(read(&current, &rel, LIMIT).unwrap().bytes, want);
    }
}

#[test]
fn what_identifies_a_file_is_that_of_stat() {
    let site = Site::new();
    let path = site.root().join("a.lua");
    let meta = fs::metadata(&path).unwrap();
    let want = SourceFile { bytes: INSIDE.to_vec(), stamp: Stamp::of(&meta) };
    let rel = normalize(b"a.lua").unwrap();
    assert_eq!(read(&site.root(), &rel, usize::MAX), Ok(want.clone()));
    assert_eq!(read_static(&path, LIMIT), Ok(want));
}

#[test]
fn static_files_may_be_anywhere_but_are_regular() {
    use PathError::*;
    let site = Site::new();
    let root = site.root();
    site.link(site.secret("a.lua"), "out");
    site.link("/dev/null", "null");
    mknodat(CWD, root.join("fifo"), Kind::Fifo, 0o666.into(), 0).unwrap();
    let long = PathBuf::from(format!("/{}", "a/".repeat(4096)));
    let cases: &[(PathBuf, usize, Outcome)] = &[
        (root.join("a.lua"), LIMIT, Ok(INSIDE)),
        (root.join("out"), LIMIT, Ok(OUTSIDE)),
        (root.join("../secret/a.lua"), LIMIT, Ok(OUTSIDE)),
        (root.join("a.lua"), 3, Err(TooLarge(3))),
        (root.join("a.lua/"), LIMIT, Err(NotFound)),
        (root.join("null"), LIMIT, Err(Device)),
        (root.join("fifo"), LIMIT, Err(Fifo)),
        (root.clone(), LIMIT, Err(Directory)),
        (root.join("a.lua\0"), LIMIT, Err(Nul)),
        (PathBuf::from("a.lua"), LIMIT, Err(Relative)),
        (PathBuf::new(), LIMIT, Err(Empty)),
        (long, LIMIT, Err(TooLong)),
        // Claims 0 bytes and yields more: no two looks at it agree.
        (PathBuf::from("/proc/self/status"), usize::MAX, Err(Unstable)),
    ];
    for (path, limit, want) in cases {
        let got = read_static(path, *limit).map(|file| file.bytes);
        assert_eq!(got.as_deref().map_err(|e| *e), *want, "{path:?}");
    }
}

/// Root reads everything, so this test runs itself again as nobody.
#[test]
fn unreadable_files_are_refused() {
    const SITE: &str = "HOTLUA_TEST_UNREADABLE";
    if let Some(root) = std::env::var_os(SITE) {
        for (way, open) in ways() {
            for name in ["closed.lua", "closed/a.lua"] {
                let got = read_way(open, Path::new(&root), name.as_bytes(), LIMIT);
                assert_eq!(got, Err(PathError::Unreadable), "{way}: {name}");
            }
            let got = read_way(open, Path::new(&root), b"a.lua", LIMIT);
            assert_eq!(got.as_deref(), Ok(INSIDE), "{way}");
        }
        println!("refused as nobody");
        return;
    }
    let site = Site::new();
    let root = site.root();
    fs::write(root.join("closed.lua"), OUTSIDE).unwrap();
    fs::create_dir(root.join("closed")).unwrap();
    fs::write(root.join("closed/a.lua"), OUTSIDE).unwrap();
    let chmod = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    chmod(site.0.path(), 0o755);
    chmod(&root, 0o755);
    chmod(&root.join("closed.lua"), 0);
    chmod(&root.join("closed"), 0);
    let (_, module) = module_path!().split_once("::").unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "--nocapture", &format!("{module}::unreadable_files_are_refused")]);
    child.env(SITE, &root).current_dir("/");
    if fs::metadata(&root).unwrap().uid() == 0 {
        child.uid(65534).gid(65534);
    }
    match child.output() {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{text}{errors}");
            assert!(text.contains("refused as nobody"), "{text}{errors}");
        }
        Err(error) => eprintln!("SKIPPED: cannot run as nobody: {error}"),
    }
    chmod(&root.join("closed"), 0o755);
}

/// Reads `a.lua`, calling `act` before each opening with its count: odd ones
/// check, even ones open.
fn read_disturbed(site: &Site, way: Way, act: impl Fn(u32)) -> (Result<Vec<u8>, PathError>, u32) {
    let calls = Cell::new(0);
    let rel = normalize(b"a.lua").unwrap();
    let root = open_root(&site.root()).unwrap();
    let got = read_by(
        |flags| {
            calls.set(calls.get() + 1);
            act(calls.get());
            way(root.as_fd(), &rel, flags)
        },
        LIMIT,
    );
    (got.map(|file| file.bytes), calls.get())
}

#[test]
fn a_file_replaced_between_check_and_opening_is_tried_once_more() {
    for (way, open) in ways() {
        let site = Site::new();
        fs::write(site.root().join("new"), b"return 'new'").unwrap();
        let replace = |call| {
            if call == 2 {
                site.exchange("a.lua", "new");
            }
        };
        let (got, calls) = read_disturbed(&site, open, replace);
        assert_eq!((got.as_deref(), calls), (Ok(&b"return 'new'"[..]), 4), "{way}");

        let always = |call| {
            if call % 2 == 0 {
                site.exchange("a.lua", "new");
            }
        };
        let (got, calls) = read_disturbed(&site, open, always);
        assert_eq!((got, calls), (Err(PathError::Replaced), 4), "{way}");
    }
}

#[test]
fn what_takes_the_name_after_the_check_is_never_run() {
    for (way, open) in ways() {
        for (other, want) in [
            ("fifo", PathError::Fifo),
            ("socket", PathError::Socket),
            ("out", PathError::Escapes),
            ("sub", PathError::Directory),
        ] {
            let site = Site::new();
            mknodat(CWD, site.root().join("fifo"), Kind::Fifo, 0o666.into(), 0).unwrap();
            let _listener = UnixListener::bind(site.root().join("socket")).unwrap();
            site.link("../secret/a.lua", "out");
            let replace = |call| {
                if call == 2 {
                    site.exchange("a.lua", other);
                }
            };
            let (got, _) = read_disturbed(&site, open, replace);
            assert_eq!(got, Err(want), "{way}: {other}");
        }
    }
}

#[test]
fn a_file_written_while_it_is_read_is_noticed() {
    use std::io::Write;
    let site = Site::new();
    let path = site.root().join("a.lua");
    type Act = fn(&File);
    let same_length: Act = |mut f| f.write_all(b"RETURN").unwrap();
    let acts: [(&str, usize, Act, Result<(), PathError>); 7] = [
        ("untouched", LIMIT, |_| {}, Ok(())),
        ("grown", LIMIT, |f| f.set_len(20).unwrap(), Err(PathError::Unstable)),
        ("truncated", LIMIT, |f| f.set_len(4).unwrap(), Err(PathError::Unstable)),
        ("rewritten", LIMIT, same_length, Err(PathError::Unstable)),
        ("grown large", LIMIT, |f| f.set_len(1 << 40).unwrap(), Err(PathError::TooLarge(LIMIT))),
        ("full and grown", 15, |f| f.set_len(16).unwrap(), Err(PathError::TooLarge(15))),
        (
            "rewritten, mtime set back",
            LIMIT,
            |mut f| {
                let then = f.metadata().unwrap().modified().unwrap();
                f.write_all(b"RETURN").unwrap();
                f.set_modified(then).unwrap();
            },
            Err(PathError::Unstable),
        ),
    ];
    for (what, limit, act, want) in acts {
        fs::write(&path, INSIDE).unwrap();
        let file = File::open(&path).unwrap();
        let before = file.metadata().unwrap();
        // File systems' clocks tick as slowly as every 10 ms.
        std::thread::sleep(Duration::from_millis(20));
        act(&File::options().write(true).open(&path).unwrap());
        assert_eq!(read_settled(file, &before, limit).map(drop), want, "{what}");
    }
}

#[test]
fn a_race_of_names_never_serves_what_is_outside() {
    // (two names under the root that a thread keeps swapping, the name read)
    let races = [
        ("a.lua", "out", "a.lua"),
        ("a.lua", "fifo", "a.lua"),
        ("sub", "out-dir", "sub/a.lua"),
        ("sub/deep", "out-dir", "sub/deep/a.lua"),
        ("hop", "sub/deep", "hop/a.lua"),
    ];
    for (way, open) in ways() {
        for (a, b, name) in races {
            let site = Site::new();
            let root = site.root();
            fs::write(root.join("sub/a.lua"), INSIDE).unwrap();
            fs::write(root.join("sub/deep/a.lua"), INSIDE).unwrap();
            mknodat(CWD, root.join("fifo"), Kind::Fifo, 0o666.into(), 0).unwrap();
            site.link("../secret/a.lua", "out");
            site.link(site.secret(""), "out-dir");
            // From hop, a directory above is code/; from sub/deep it is sub/.
            fs::create_dir(root.join("hop")).unwrap();
            symlink("../../secret/a.lua", root.join("hop/a.lua")).unwrap();
            let stop = AtomicBool::new(false);
            let (mut served, mut refused) = (0, 0);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    for swaps in 1_u64.. {
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                        site.exchange(a, b);
                        // Rests in either state, or a slow reader never gets
                        // through; 63 is odd, so the states take turns.
                        if swaps % 63 == 0 {
                            std::thread::sleep(Duration::from_millis(1));
                        }
                    }
                });
                let start = Instant::now();
                let mut bad = None;
                while bad.is_none() {
                    let enough = start.elapsed() > Duration::from_millis(150);
                    let late = start.elapsed() > Duration::from_secs(10);
                    if late || enough && served > 0 && refused > 0 {
                        break;
                    }
                    match read_way(open, &root, name.as_bytes(), LIMIT) {
                        Ok(bytes) if bytes == INSIDE => served += 1,
                        Err(_) => refused += 1,
                        Ok(bytes) => bad = Some(bytes),
                    }
                    // The opening alone keeps inside too, without the check
                    // before it.
                    let rel = normalize(name.as_bytes()).unwrap();
                    let dir = open_root(&root).unwrap();
                    let flags = OFlags::RDONLY | OFlags::NONBLOCK;
                    if let Ok(opened) = open(dir.as_fd(), &rel, flags) {
                        let mut bytes = Vec::new();
                        let _ = File::from(opened).read_to_end(&mut bytes);
                        if bytes == OUTSIDE {
                            bad = Some(bytes);
                        }
                    }
                }
                stop.store(true, Ordering::Relaxed);
                assert_eq!(bad, None, "{way}: {a} <-> {b}");
            });
            println!("{way}: {a} <-> {b}: {served} served, {refused} refused");
            assert!(served > 0 && refused > 0, "{way}: {a} <-> {b}: no race took place");
        }
    }
}

#[test]
fn the_walk_takes_over_where_openat2_is_not_to_be_had() {
    let walked = || Err(PathError::NotRegular);
    for errno in [Errno::NOSYS, Errno::PERM] {
        assert!(or_walk(Err(errno), walked).is_err_and(|e| e == PathError::NotRegular));
    }
    for (errno, want) in [
        (Errno::XDEV, PathError::Escapes),
        (Errno::LOOP, PathError::SymlinkLoop),
        (Errno::AGAIN, PathError::Unstable),
        (Errno::ACCESS, PathError::Unreadable),
        (Errno::MFILE, PathError::Io(Errno::MFILE.raw_os_error())),
    ] {
        assert!(or_walk(Err(errno), walked).is_err_and(|e| e == want));
    }
    assert_eq!(PathError::from(Errno::MFILE).status(), 500);
    assert_eq!(PathError::Unreadable.status(), 404);
}

#[test]
fn errors_and_names_are_fit_for_a_log_line() {
    for (error, want) in [
        (PathError::Fifo, "is a FIFO, only regular files run"),
        (PathError::TooLarge(7), "is larger than the limit of 7 bytes"),
        (PathError::Io(2), "could not be read: No such file or directory (os error 2)"),
    ] {
        assert_eq!(error.to_string(), want);
    }
    let name = normalize("ä\n[alert]\u{1b}.lua".as_bytes()).unwrap();
    assert_eq!(name.to_string(), "ä\\n[alert]\\u{1b}.lua");
}
