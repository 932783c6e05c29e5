//! Tests of scanning on real files: what is found, what counts as changed, and what must not pass for deleted.

use std::cell::Cell;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;

use super::*;

/// More than the tests read.
const ROOM: u64 = 1 << 20;

/// A directory with the root `code` and the directory `out` beside it.
struct Site(TempDir);

impl Site {
    fn new() -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        fs::create_dir(site.path("code")).unwrap();
        fs::create_dir(site.path("out")).unwrap();
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn name(&self, name: &str) -> String {
        self.path(name).into_os_string().into_string().unwrap()
    }

    /// Writes files whose text is their name.
    fn write(&self, names: &[&str]) {
        for name in names {
            let path = self.path(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
    }

    fn link(&self, target: impl AsRef<Path>, name: &str) {
        symlink(target, self.path(name)).unwrap();
    }

    fn root(&self, name: &str, whole: bool) -> Root {
        Root { path: self.path(name), whole, untrusted: false }
    }

    /// What a scan says, in words: each name below the site with `same`, `refused: ..` or the text read.
    fn scan(&self, roots: &[Root], tracked: &[&str], known: &Known) -> Result<Vec<String>, ScanError> {
        let tracked = tracked.iter().map(|name| self.name(name));
        let seen = scan(roots, tracked, |file| known.get(file).copied(), ROOM)?;
        let below = |file: String| file.strip_prefix(&self.name("")).unwrap().to_owned();
        let told = seen.into_iter().map(|(file, seen)| match seen {
            Seen::Same => format!("{} same", below(file)),
            Seen::Read { source, .. } => format!("{} {}", below(file), String::from_utf8(source).unwrap()),
            Seen::Refused(error) => format!("{} refused: {error:?}", below(file)),
            Seen::LeftOut(why) => format!("{} left out: {why}", below(file)),
        });
        Ok(told.collect())
    }

    /// The stamps of all files, once the clock has passed them.
    fn known(&self, roots: &[Root], tracked: &[&str]) -> Known {
        loop {
            let seen = scan(roots, tracked.iter().map(|name| self.name(name)), |_| None, ROOM).unwrap();
            let stamps = seen.iter().filter_map(|(file, seen)| match seen {
                Seen::Read { stamp, .. } => Some(stamp.map(|stamp| (file.clone(), stamp))),
                Seen::Same | Seen::Refused(_) | Seen::LeftOut(_) => None,
            });
            if let Some(known) = stamps.collect() {
                return known;
            }
            std::thread::yield_now();
        }
    }
}

type Known = BTreeMap<String, Stamp>;

#[test]
fn lua_files_of_whole_roots_and_tracked_ones_are_found() {
    let site = Site::new();
    site.write(&["code/a.lua", "code/sub/b.lua", "code/sub/deep/c.lua", "code/handler", "code/dir.lua/d.lua"]);
    site.write(&["code/.x.lua.swp", "code/x.lua~", "code/.#a.lua", "code/.a.lua.k3Jx", "code/.lua", "code/x.luac"]);
    site.write(&["code/.git/x.lua", "code/sub/.~tmp~/x.lua", "code/lost+found/x.lua", "code/.rocks/asked.lua"]);
    site.write(&["out/part.lua", "out/other.lua", "elsewhere/static.lua", "elsewhere/other.lua"]);
    fs::write(site.path("code").join(OsStr::from_bytes(b"\xff.lua")), "no name").unwrap();
    mknodat(CWD, site.path("code/fifo.lua"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    let roots = [site.root("code", true), site.root("out", false)];
    let tracked =
        ["code/a.lua", "code/handler", "code/.rocks/asked.lua", "code/gone", "out/part.lua", "elsewhere/static.lua"];
    let want = [
        "code/.rocks/asked.lua code/.rocks/asked.lua",
        "code/a.lua code/a.lua",
        "code/dir.lua refused: Directory",
        "code/dir.lua/d.lua code/dir.lua/d.lua",
        "code/fifo.lua refused: Fifo",
        "code/handler code/handler",
        "code/sub/b.lua code/sub/b.lua",
        "code/sub/deep/c.lua code/sub/deep/c.lua",
        "elsewhere/static.lua elsewhere/static.lua",
        "out/part.lua out/part.lua",
    ];
    assert_eq!(site.scan(&roots, &tracked, &Known::new()).unwrap(), want);
}

#[test]
fn symlinks_are_followed_as_reading_follows_them() {
    let site = Site::new();
    site.write(&["code/lib/a.lua", "out/a.lua"]);
    site.link("lib", "code/inside");
    site.link("lib/../lib/a.lua", "code/inside.lua");
    site.link("../out", "code/escapes");
    site.link("../out/a.lua", "code/escapes.lua");
    site.link(site.path("code/lib"), "code/absolute");
    site.link(site.path("code/lib/a.lua"), "code/absolute.lua");
    site.link(site.path("out"), "code/away.lua");
    site.link("nothing", "code/dangling.lua");
    site.link("loop.lua", "code/loop.lua");
    site.link(".", "code/self");
    site.link("../lib", "code/lib/back");
    site.link("code", "current");
    let want = [
        "absolute.lua refused: Escapes",
        "away.lua refused: Escapes",
        "escapes.lua refused: Escapes",
        "inside.lua code/lib/a.lua",
        "inside/a.lua code/lib/a.lua",
        "lib/a.lua code/lib/a.lua",
        "loop.lua refused: SymlinkLoop",
    ];
    for root in ["code", "current"] {
        let want: Vec<String> = want.iter().map(|line| format!("{root}/{line}")).collect();
        assert_eq!(site.scan(&[site.root(root, true)], &[], &Known::new()).unwrap(), want);
    }
    // A root of its own needs not stay inside another one.
    let roots = [site.root("code", true), site.root("code/absolute", true)];
    let seen = site.scan(&roots, &[], &Known::new()).unwrap();
    assert!(seen.contains(&"code/absolute/a.lua code/lib/a.lua".to_owned()), "{seen:?}");
}

/// What is done to a file, with how the next scan tells of it.
type Change = (&'static str, fn(&Site, PathBuf), Option<&'static str>);

#[test]
fn only_what_changed_is_read() {
    let changes: &[Change] = &[
        ("nothing", |_, _| {}, Some("same")),
        ("read", |_, file| drop(fs::read(file).unwrap()), Some("same")),
        ("written", |_, file| fs::write(file, "new").unwrap(), Some("new")),
        (
            "written in place, its size and mtime kept",
            |_, file| {
                let before = fs::metadata(&file).unwrap();
                fs::write(&file, fs::read_to_string(&file).unwrap().to_uppercase()).unwrap();
                fs::File::options().write(true).open(&file).unwrap().set_modified(before.modified().unwrap()).unwrap();
            },
            Some("CODE/X.LUA"),
        ),
        (
            "replaced by rename",
            |site, file| {
                fs::write(site.path("out/new"), "new").unwrap();
                fs::rename(site.path("out/new"), file).unwrap();
            },
            Some("new"),
        ),
        (
            "replaced by a symlink",
            |site, file| {
                fs::remove_file(&file).unwrap();
                site.write(&["code/y"]);
                site.link("y", "code/x.lua");
            },
            Some("code/y"),
        ),
        (
            "replaced by a symlink that leads outside",
            |site, file| {
                fs::remove_file(&file).unwrap();
                site.write(&["out/y"]);
                site.link("../out/y", "code/x.lua");
            },
            Some("refused: Escapes"),
        ),
        (
            "replaced by a directory",
            |_, file| {
                fs::remove_file(&file).unwrap();
                fs::create_dir(file).unwrap();
            },
            Some("refused: Directory"),
        ),
        (
            "too large",
            |_, file| fs::File::create(file).unwrap().set_len(FILE_LIMIT as u64 + 1).unwrap(),
            Some("refused: TooLarge(67108864)"),
        ),
        ("removed", |_, file| fs::remove_file(file).unwrap(), None),
    ];
    for (what, change, want) in changes {
        let site = Site::new();
        site.write(&["code/x.lua", "code/other.lua"]);
        let whole = [site.root("code", true)];
        let part = [site.root("code", false)];
        let known = site.known(&whole, &[]);
        change(&site, site.path("code/x.lua"));
        let mut all: Vec<String> = vec!["code/other.lua same".into()];
        all.extend(want.map(|want| format!("code/x.lua {want}")));
        assert_eq!(site.scan(&whole, &[], &known).unwrap(), all, "{what}");
        assert_eq!(site.scan(&part, &["code/x.lua"], &known).unwrap(), all[1..], "{what}, tracked");
        let file = site.name("code/x.lua");
        assert_eq!(look(&whole, &file, known.get(&file).copied()).is_some(), want.is_some(), "{what}, looked at");
    }
}

#[test]
fn a_symlinked_file_is_known_by_what_it_leads_to() {
    let site = Site::new();
    site.write(&["code/one", "code/two"]);
    site.link("one", "code/x.lua");
    let roots = [site.root("code", true)];
    let known = site.known(&roots, &[]);
    assert_eq!(site.scan(&roots, &[], &known).unwrap(), ["code/x.lua same"]);
    fs::remove_file(site.path("code/x.lua")).unwrap();
    site.link("two", "code/x.lua");
    assert_eq!(site.scan(&roots, &[], &known).unwrap(), ["code/x.lua code/two"]);
    fs::write(site.path("code/two"), "three").unwrap();
    assert_eq!(site.scan(&roots, &[], &known).unwrap(), ["code/x.lua three"]);
}

#[test]
fn a_root_that_is_not_there_has_deleted_nothing() {
    let site = Site::new();
    site.write(&["code/a.lua", "file"]);
    site.link("nothing", "dangling");
    let cases: &[(&str, bool, &[&str], Option<&str>)] = &[
        ("code", true, &[], None),
        ("missing", true, &[], Some("missing")),
        ("dangling", true, &[], Some("dangling")),
        ("file", true, &[], Some("file")),
        ("missing", false, &[], None),
        ("missing", false, &["code/gone.lua"], None),
        ("missing", false, &["missing/a.lua"], Some("missing")),
        ("file", false, &["file/a.lua"], Some("file")),
    ];
    for (root, whole, tracked, want) in cases {
        let got = site.scan(&[site.root(root, *whole)], tracked, &Known::new());
        assert_eq!(got.err().map(|error| error.path), want.map(|name| site.path(name)), "{root} {whole} {tracked:?}");
    }
}

#[test]
fn an_unreadable_directory_has_deleted_nothing() {
    const SITE: &str = "SCAN_AS_NOBODY";
    if let Ok(root) = std::env::var(SITE) {
        let path = PathBuf::from(&root);
        let error =
            scan(&[Root { path: path.clone(), whole: true, untrusted: false }], [], |_| None, ROOM).unwrap_err();
        assert_eq!(error.path, path.join("closed"));
        assert!(error.to_string().contains("ermission denied"), "{error}");
        let tracked = [format!("{root}/closed/a.lua"), format!("{root}/closed.lua")];
        let seen = scan(&[Root { path, whole: false, untrusted: false }], tracked.clone(), |_| None, ROOM).unwrap();
        assert_eq!(seen, tracked.map(|file| (file, Seen::Refused(PathError::Unreadable))).into());
        println!("scanned as nobody");
        return;
    }
    let site = Site::new();
    site.write(&["code/a.lua", "code/closed/a.lua", "code/.closed/a.lua", "code/closed.lua"]);
    let chmod = |name, mode| fs::set_permissions(site.path(name), fs::Permissions::from_mode(mode)).unwrap();
    chmod("", 0o755);
    for name in ["code/closed", "code/.closed", "code/closed.lua"] {
        chmod(name, 0);
    }
    let (_, module) = module_path!().split_once("::").unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "--nocapture", &format!("{module}::an_unreadable_directory_has_deleted_nothing")]);
    child.env(SITE, site.path("code")).current_dir("/");
    if fs::metadata(site.path("code")).unwrap().uid() == 0 {
        child.uid(65534).gid(65534);
    }
    match child.output() {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && text.contains("scanned as nobody"), "{text}{errors}");
        }
        Err(error) => eprintln!("SKIPPED: cannot run as nobody: {error}"),
    }
    chmod("code/closed", 0o755);
    chmod("code/.closed", 0o755);
}

#[test]
fn a_scan_never_mixes_two_releases() {
    let site = Site::new();
    let names: Vec<String> = (0..20).map(|i| format!("{i:02}.lua")).collect();
    for release in ["one", "two"] {
        for name in &names {
            site.write(&[&format!("{release}/{name}")]);
        }
    }
    site.link("one", "current");
    let roots = [site.root("current", true)];
    let switch = || {
        let target = if fs::read_link(site.path("current")).unwrap() == Path::new("one") { "two" } else { "one" };
        site.link(target, "next");
        fs::rename(site.path("next"), site.path("current")).unwrap();
    };
    // `known` is asked before each file is read.
    let switched = Cell::new(false);
    let once = |file: &str| {
        if file.ends_with("05.lua") && !switched.replace(true) {
            switch();
        }
        None
    };
    let seen = scan(&roots, [], once, ROOM).unwrap();
    assert_eq!(seen.len(), 20);
    for (file, seen) in seen {
        let Seen::Read { source, .. } = seen else { panic!("{file}: {seen:?}") };
        assert!(source.starts_with(b"two/"), "{file}: {}", source.escape_ascii());
    }
    let always = |file: &str| {
        if file.ends_with("05.lua") {
            switch();
        }
        None
    };
    assert_eq!(scan(&roots, [], always, ROOM).unwrap_err().path, site.path("current"));
}

#[test]
fn weighing_stops_above_its_limits() {
    let site = Site::new();
    site.write(&["code/a.lua", "code/b.lua", "code/sub/c.lua", "code/sub/.d.lua", "code/e.txt"]);
    fs::create_dir(site.path("code/dir.lua")).unwrap();
    let limit = |files, bytes| Weight { files, bytes };
    let code = site.root("code", true);
    let all = limit(3, 10 + 10 + 14);
    assert_eq!(weigh(&code, &[], &limit(3, 34)), all);
    assert_eq!(weigh(&site.root("missing", true), &[], &limit(3, 34)), Weight::default());
    assert_eq!(weigh(&code, &[], &limit(1, 34)).files, 2);
    assert!((10..34).contains(&weigh(&code, &[], &limit(9, 9)).bytes));
}

#[test]
fn nothing_that_a_tenant_does_fails_a_scan() {
    let site = Site::new();
    site.write(&[
        "code/a.lua",
        "code/tenants/1/x.lua",
        "code/tenants/2/large.lua",
        "code/tenants/.new.lua",
        "outer/y.lua",
    ]);
    fs::write(site.path("code/tenants/2/large.lua"), vec![b' '; 5000]).unwrap();
    site.link("../../a.lua", "code/tenants/1/out.lua");
    site.link("../2/large.lua", "code/tenants/1/in.lua");
    site.link("..", "code/tenants/1/loop");
    site.link("../2", "code/tenants/1/directory.lua");
    site.link("tenants/1", "code/alias");
    mknodat(CWD, site.path("code/tenants/1/fifo.lua"), FileType::Fifo, Mode::from(0o644), 0).unwrap();
    let untrusted = |name, whole| Root { untrusted: true, ..site.root(name, whole) };
    let room = "does not fit with the others into the part of hotlua_zone that is for them";
    let scan_within = |roots: &[Root], tracked: &[&str], room| {
        let tracked = tracked.iter().map(|name| site.name(name));
        scan(roots, tracked, |_| None, room)
    };
    let told = |seen: BTreeMap<String, Seen>| -> Vec<String> {
        let below = |file: String| file.strip_prefix(&site.name("")).unwrap().to_owned();
        let told = seen.into_iter().map(|(file, seen)| match seen {
            Seen::Same => format!("{} same", below(file)),
            Seen::Read { source, .. } => format!("{} {}", below(file), source.len()),
            Seen::Refused(error) => format!("{} refused: {error:?}", below(file)),
            Seen::LeftOut(why) => format!("{} left out: {why}", below(file)),
        });
        told.collect()
    };
    let roots = [site.root("code", true), untrusted("code/tenants", true)];
    let tenants = [
        "code/a.lua 10",
        "code/tenants/1/directory.lua refused: Directory",
        "code/tenants/1/fifo.lua refused: Fifo",
        &format!("code/tenants/1/in.lua left out: {room}"),
        "code/tenants/1/out.lua refused: Escapes",
        "code/tenants/1/x.lua 20",
        &format!("code/tenants/2/large.lua left out: {room}"),
    ];
    assert_eq!(told(scan_within(&roots, &[], 1000).unwrap()), tenants, "all that is there");
    let seen = told(scan_within(&roots, &[], 20_000).unwrap());
    assert!(seen.contains(&"code/tenants/1/in.lua 5000".to_owned()), "a symlink that stays inside: {seen:?}");
    // The code root alone would have found all of it.
    let part = [site.root("code", true), untrusted("code/tenants", false)];
    let x = "code/tenants/1/x.lua";
    assert_eq!(told(scan_within(&part, &[x], 1000).unwrap()), ["code/a.lua 10", "code/tenants/1/x.lua 20"], "tracked");
    assert_eq!(told(scan_within(&part, &[x], 10).unwrap())[1], format!("{x} left out: {room}"), "tracked, no room");
    // Elsewhere and gone.
    let gone = [site.root("code", true), untrusted("gone", true)];
    let seen = told(scan_within(&gone, &["gone/z.lua"], 1000).unwrap());
    assert!(seen.contains(&"gone/z.lua same".to_owned()), "what was known stays: {seen:?}");
    assert!(seen.iter().any(|line| line.starts_with("gone left out: is not scanned: No such file")), "{seen:?}");
    // Beneath the innermost one.
    let nested = [untrusted("code/tenants", true), untrusted("code/tenants/1", true)];
    let seen = told(scan_within(&nested, &[], 20_000).unwrap());
    assert!(seen.contains(&"code/tenants/1/in.lua refused: Escapes".to_owned()), "{seen:?}");
    site.link("code/tenants", "linked");
    let seen = told(scan_within(&[untrusted("linked", true)], &[], 1000).unwrap());
    assert!(seen.contains(&"linked/1/x.lua 20".to_owned()), "a root may be a symlink: {seen:?}");

    let limit = Weight { files: 100, bytes: 1 << 20 };
    assert_eq!(weigh(&roots[0], &roots, &limit), Weight { files: 1, bytes: 10 }, "tenants weigh nothing for others");
}
