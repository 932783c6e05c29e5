//! Tests of watching, on the real file system.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, CreateKind, DataChange, Flag, ModifyKind, RenameMode};
use notify::{Config, ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tempfile::TempDir;

use super::coordinator::{Hint, Message, System, Watch, is_change, open};

const SETTLE: Duration = Duration::from_millis(30);

/// So long that only a test that fails waits for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// So rarely that only inotify can have told.
const NEVER: Duration = Duration::from_secs(3600);

/// So often that what only looking can tell is told soon.
const OFTEN: Duration = Duration::from_millis(20);

/// A directory of files.
struct Disk(TempDir);

impl Disk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn make(&self, path: &str) {
        fs::create_dir_all(self.at(path)).unwrap();
    }

    /// Writes a file, making its directory.
    fn write(&self, path: &str) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), "return 1").unwrap();
    }

    fn write_all(&self, paths: &[&str]) {
        paths.iter().for_each(|path| self.write(path));
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.at(from), self.at(to)).unwrap();
    }

    /// As `ln -s`.
    fn link(&self, target: &str, path: &str) {
        symlink(target, self.at(path)).unwrap();
    }

    /// As `ln -s target temporary; mv -T temporary path`.
    fn swap(&self, target: &str, path: &str) {
        self.link(target, "temporary-link");
        self.rename("temporary-link", path);
    }

    fn chmod(&self, path: &str, mode: u32) {
        fs::set_permissions(self.at(path), Permissions::from_mode(mode)).unwrap();
    }

    fn open(&self, path: &str) -> File {
        OpenOptions::new().create(true).append(true).open(self.at(path)).unwrap()
    }
}

/// A watch and what it tells.
struct Seen {
    watch: Watch,
    hints: Receiver<Hint>,
    /// Changes that quiet must not come before.
    allowed: Arc<AtomicBool>,
}

impl Seen {
    fn new(disk: &Disk, roots: &[&str], system: System) -> Self {
        let roots = roots.iter().map(|root| disk.at(root)).collect();
        let (sender, hints) = channel();
        let allowed = Arc::new(AtomicBool::new(true));
        let is_allowed = Arc::clone(&allowed);
        let tell = move |hint| {
            let hint = match hint {
                Hint::Quiet if !is_allowed.load(Ordering::SeqCst) => Hint::Note("quiet came too early".into()),
                hint => hint,
            };
            let _ = sender.send(hint);
        };
        let watch = Watch::start_with(system, roots, tell).unwrap();
        Self { watch, hints, allowed }
    }

    /// Waits for a quiet; the notes before it are returned.
    #[track_caller]
    fn quiet(&self, what: &str) -> Vec<String> {
        let mut notes = Vec::new();
        loop {
            match self.hints.recv_timeout(PATIENCE) {
                Ok(Hint::Quiet) => return notes,
                Ok(Hint::Note(note)) => notes.push(note),
                Err(_) => panic!("no quiet after {what}; notes: {notes:?}"),
            }
        }
    }

    /// Overlooks quiets that are still on their way after changes that were told of.
    fn catch_up(&self) {
        wait_for_witness();
        self.hints.try_iter().for_each(drop);
    }

    fn allow(&self, allowed: bool) {
        self.allowed.store(allowed, Ordering::SeqCst);
    }
}

/// Waits until another watch was told of two changes that came later: what is to be told of earlier ones was told then.
fn wait_for_witness() {
    let disk = Disk::new();
    let witness = Seen::new(&disk, &[""], local());
    for _ in 0..2 {
        disk.write("a");
        witness.quiet("a write that was made for a witness");
    }
}

fn local() -> System {
    System { look: NEVER, ..System::new(SETTLE) }
}

type Act = fn(&Disk);

#[test]
fn changes_are_told() {
    let cases: &[(&str, Act)] = &[
        ("a new file", |disk| disk.write("root/new.lua")),
        ("a file written in place", |disk| disk.write("root/a.lua")),
        ("an editor's rename over", |disk| {
            disk.write("root/a.lua~");
            disk.rename("root/a.lua~", "root/a.lua");
        }),
        ("an editor's rename aside", |disk| {
            disk.rename("root/a.lua", "root/a.lua~");
            disk.write("root/a.lua");
        }),
        ("rsync", |disk| {
            disk.write("root/sub/.b.lua.x7d2");
            disk.chmod("root/sub/.b.lua.x7d2", 0o600);
            disk.rename("root/sub/.b.lua.x7d2", "root/sub/b.lua");
        }),
        ("a file moved in", |disk| disk.rename("other.lua", "root/other.lua")),
        ("a file moved out", |disk| disk.rename("root/a.lua", "out.lua")),
        ("a removed file", |disk| fs::remove_file(disk.at("root/sub/b.lua")).unwrap()),
        ("a removed directory", |disk| fs::remove_dir_all(disk.at("root/sub")).unwrap()),
        ("a new directory", |disk| disk.make("root/new")),
        ("a directory moved in", |disk| disk.rename("releases/2", "root/new")),
        ("a touch", |disk| File::open(disk.at("root/a.lua")).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap()),
        ("a touch of both times", |disk| {
            let times = fs::FileTimes::new().set_accessed(std::time::UNIX_EPOCH).set_modified(std::time::UNIX_EPOCH);
            File::open(disk.at("root/a.lua")).unwrap().set_times(times).unwrap();
        }),
        ("chmod", |disk| disk.chmod("root/a.lua", 0o600)),
        ("chmod of a directory", |disk| disk.chmod("root/sub", 0o700)),
        ("a truncation", |disk| _ = File::create(disk.at("root/a.lua")).unwrap()),
        ("an empty file", |disk| _ = File::create(disk.at("root/empty.lua")).unwrap()),
        ("a hard link", |disk| fs::hard_link(disk.at("other.lua"), disk.at("root/hard.lua")).unwrap()),
        ("a symlink in the root", |disk| disk.link("a.lua", "root/link.lua")),
        ("a swapped symlink in the root", |disk| disk.swap("sub", "root/inner")),
        ("the root removed", |disk| fs::remove_dir_all(disk.at("solo/root")).unwrap()),
        ("the root moved away", |disk| disk.rename("solo/root", "solo/old")),
        ("a swapped symlink", |disk| disk.swap("releases/2", "current")),
        ("a replaced symlink", |disk| {
            fs::remove_file(disk.at("current")).unwrap();
            disk.link("releases/2", "current");
        }),
        ("a removed symlink", |disk| fs::remove_file(disk.at("current")).unwrap()),
        ("a write beyond a symlink", |disk| disk.write("releases/1/lua/a.lua")),
        ("the release moved away", |disk| disk.rename("releases/1", "releases/0")),
        ("a symlink behind a symlink", |disk| disk.swap("../releases/2", "links/second")),
        ("a missing root made", |disk| disk.make("missing/deep/root")),
        ("a missing root moved in", |disk| {
            disk.make("tree/deep/root");
            disk.rename("tree", "missing");
        }),
        ("a single file", |disk| disk.write("single/a.lua")),
        ("a single file renamed over", |disk| {
            disk.write("single/b.lua");
            disk.rename("single/b.lua", "single/a.lua");
        }),
        ("a single file removed", |disk| fs::remove_file(disk.at("single/a.lua")).unwrap()),
        ("a single file behind a symlink", |disk| disk.write("single/target.lua")),
        ("a single file's symlink swapped", |disk| disk.swap("a.lua", "single/link.lua")),
        ("a single file that was missing", |disk| disk.write("single/missing.lua")),
    ];
    for (name, act) in cases {
        let disk = Disk::new();
        disk.write_all(&[
            "root/a.lua",
            "root/sub/b.lua",
            "solo/root/a.lua",
            "other.lua",
            "single/a.lua",
            "single/target.lua",
        ]);
        disk.write_all(&["releases/1/lua/a.lua", "releases/2/lua/a.lua", "links/readme"]);
        disk.link("releases/1", "current");
        disk.link("../releases/1", "links/second");
        disk.link("links/second", "first");
        disk.link(".", "root/inner");
        disk.link("target.lua", "single/link.lua");
        let roots = [
            "root",
            "solo/root",
            "current/lua",
            "first",
            "missing/deep/root",
            "single/a.lua",
            "single/link.lua",
            "single/missing.lua",
        ];
        let seen = Seen::new(&disk, &roots, local());
        act(&disk);
        assert_eq!(seen.quiet(name), [""; 0], "{name}");
    }
}

#[test]
fn what_comes_later_is_watched() {
    let cases: &[(&str, Act, Act)] = &[
        ("a new directory", |disk| disk.make("root/new"), |disk| disk.write("root/new/a.lua")),
        ("new directories", |disk| disk.make("root/new/deep/er"), |disk| disk.write("root/new/deep/er/a.lua")),
        ("a new directory with files", |disk| disk.write("root/new/a.lua"), |disk| disk.write("root/new/a.lua")),
        ("a directory moved in", |disk| disk.rename("releases/2", "root/new"), |disk| disk.write("root/new/lua/a.lua")),
        ("a directory renamed", |disk| disk.rename("root/sub", "root/new"), |disk| disk.write("root/new/b.lua")),
        (
            "a directory made again",
            |disk| {
                fs::remove_dir_all(disk.at("root/sub")).unwrap();
                disk.make("root/sub");
            },
            |disk| disk.write("root/sub/b.lua"),
        ),
        (
            "a directory replaced",
            |disk| {
                disk.rename("root/sub", "root/sub.old");
                disk.make("root/sub");
            },
            |disk| disk.write("root/sub/b.lua"),
        ),
        ("a swapped symlink", |disk| disk.swap("releases/2", "current"), |disk| disk.write("releases/2/lua/a.lua")),
        (
            "a symlink swapped twice",
            |disk| {
                disk.swap("releases/2", "current");
                disk.swap("releases/1", "current");
            },
            |disk| disk.write("releases/1/lua/a.lua"),
        ),
        (
            "a symlink behind a symlink",
            |disk| disk.swap("../releases/2", "links/second"),
            |disk| disk.write("releases/2/lua/a.lua"),
        ),
        ("a missing root made", |disk| disk.make("missing/deep/root"), |disk| disk.write("missing/deep/root/a.lua")),
        ("a missing root half made", |disk| disk.make("missing"), |disk| disk.make("missing/deep")),
        (
            "the root replaced",
            |disk| {
                disk.rename("solo/root", "solo/old");
                disk.make("solo/root");
            },
            |disk| disk.write("solo/root/a.lua"),
        ),
        (
            "the root made again",
            |disk| {
                fs::remove_dir_all(disk.at("solo/root")).unwrap();
                disk.make("solo/root");
            },
            |disk| disk.write("solo/root/a.lua"),
        ),
        ("the root removed", |disk| fs::remove_dir_all(disk.at("solo/root")).unwrap(), |disk| disk.make("solo/root")),
        ("a broken symlink", |disk| disk.swap("releases/3", "current"), |disk| disk.make("releases/3")),
        ("a single file renamed over", |disk| disk.rename("other.lua", "single.lua"), |disk| disk.write("single.lua")),
        (
            "a single file's symlink swapped",
            |disk| disk.swap("releases/2/lua/a.lua", "link.lua"),
            |disk| disk.write("releases/2/lua/a.lua"),
        ),
    ];
    for (name, act, later) in cases {
        let disk = Disk::new();
        disk.write_all(&["root/a.lua", "root/sub/b.lua", "solo/root/a.lua", "other.lua", "single.lua", "links/readme"]);
        disk.write_all(&["releases/1/lua/a.lua", "releases/2/lua/a.lua"]);
        disk.link("releases/1", "current");
        disk.link("../releases/1", "links/second");
        disk.link("links/second", "first");
        disk.link("single.lua", "link.lua");
        let seen =
            Seen::new(&disk, &["root", "solo/root", "current", "first", "missing/deep/root", "link.lua"], local());
        act(&disk);
        seen.quiet(name);
        seen.catch_up();
        later(&disk);
        assert_eq!(seen.quiet(&format!("what came after {name}")), [""; 0], "{name}");
    }
}

#[test]
fn many_changes_are_told_in_one() {
    let disk = Disk::new();
    let file = |number: usize| format!("root/{}/{}/{number}.lua", number % 7, number % 31);
    (0..250).for_each(|number| disk.write(&file(number)));
    let seen = Seen::new(&disk, &["root"], local());
    // As `git checkout` does: removes and makes anew, with new directories.
    for number in 0..500 {
        let _ = fs::remove_file(disk.at(&file(number)));
        disk.write(&file(number));
    }
    seen.quiet("500 files");
    wait_for_witness();
    let told = 1 + seen.hints.try_iter().count();
    // A machine under load makes pauses among the files, but not after each.
    assert!(told < 50, "{told}");
}

#[test]
fn reading_is_not_told() {
    let disk = Disk::new();
    disk.write("root/sub/a.lua");
    let seen = Seen::new(&disk, &["root"], local());
    seen.allow(false);
    for _ in 0..100 {
        fs::read(disk.at("root/sub/a.lua")).unwrap();
        fs::read_dir(disk.at("root/sub")).unwrap().count();
        fs::metadata(disk.at("root/sub/a.lua")).unwrap();
    }
    wait_for_witness();
    seen.allow(true);
    disk.write("root/sub/a.lua");
    assert_eq!(seen.quiet("writing"), [""; 0]);
}

#[test]
fn siblings_of_links_and_files_are_not_told() {
    let disk = Disk::new();
    disk.write_all(&["releases/1/a.lua", "single.lua"]);
    disk.link("releases/1", "current");
    let seen = Seen::new(&disk, &["current", "single.lua"], local());
    seen.allow(false);
    disk.write_all(&["releases/2/a.lua", "other.lua"]);
    disk.link("releases/2", "next");
    wait_for_witness();
    seen.allow(true);
    disk.write("single.lua");
    assert_eq!(seen.quiet("writing"), [""; 0]);
}

#[test]
fn a_file_that_is_open_holds_back() {
    let nothing: Act = |_| {};
    // What is done before a file is opened, and while it is.
    let cases: &[(&str, Act, &str, &str, Act)] = &[
        ("written", nothing, "root/a.lua", "half", nothing),
        ("new and empty", nothing, "root/new.lua", "", nothing),
        ("in a new directory", |disk| disk.make("root/new"), "root/new/a.lua", "half", nothing),
        ("renamed", nothing, "root/a.lua", "half", |disk| disk.rename("root/a.lua", "root/b.lua")),
        ("renamed with its directory", nothing, "root/sub/a.lua", "half", |disk| disk.rename("root/sub", "root/bus")),
        ("a single file", nothing, "single.lua", "half", nothing),
        ("behind a swapped symlink", |disk| disk.swap("2", "current"), "2/a.lua", "half", nothing),
        ("while a symlink is swapped", nothing, "root/a.lua", "half", |disk| disk.swap("2", "current")),
    ];
    for (name, before, path, text, act) in cases {
        let disk = Disk::new();
        disk.write_all(&["root/a.lua", "root/sub/a.lua", "1/a.lua", "2/a.lua", "single.lua"]);
        disk.link("1", "current");
        let seen = Seen::new(&disk, &["root", "single.lua", "current"], local());
        before(&disk);
        disk.write("root/other.lua");
        seen.quiet(name);
        seen.catch_up();
        seen.allow(false);
        let mut file = disk.open(path);
        file.write_all(text.as_bytes()).unwrap();
        act(&disk);
        disk.write("root/other.lua");
        wait_for_witness();
        seen.allow(true);
        drop(file);
        assert_eq!(seen.quiet(name), [""; 0], "{name}");
    }
}

#[test]
fn a_file_that_is_gone_no_longer_holds_back() {
    let cases: &[(&str, Act)] = &[
        ("removed", |disk| fs::remove_file(disk.at("root/sub/a.lua")).unwrap()),
        ("removed with its directory", |disk| fs::remove_dir_all(disk.at("root/sub")).unwrap()),
        ("moved out", |disk| disk.rename("root/sub/a.lua", "out.lua")),
        ("moved out with its directory", |disk| disk.rename("root/sub", "out")),
        ("replaced", |disk| {
            disk.write("new.lua");
            disk.rename("new.lua", "root/sub/a.lua");
        }),
        ("only touched", |disk| {
            disk.write("root/sub/a.lua");
            File::open(disk.at("root/sub/a.lua")).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
        }),
        ("in a release that was left", |disk| disk.swap("root/sub", "current")),
    ];
    for (name, act) in cases {
        let disk = Disk::new();
        disk.write_all(&["root/sub/a.lua", "1/a.lua"]);
        disk.link("1", "current");
        let seen = Seen::new(&disk, &["root", "current"], local());
        let path = if name.contains("release") { "1/a.lua" } else { "root/sub/a.lua" };
        let mut file = disk.open(path);
        file.write_all(b"half").unwrap();
        wait_for_witness();
        act(&disk);
        assert_eq!(seen.quiet(name), [""; 0], "{name}");
        drop(file);
    }
}

#[test]
fn a_writer_that_forgot_its_file_is_named() {
    let disk = Disk::new();
    disk.make("root");
    let mut system = local();
    system.pace.hold = Duration::from_millis(200);
    let seen = Seen::new(&disk, &["root"], system);
    let mut file = disk.open("root/forgotten.lua");
    file.write_all(b"half").unwrap();
    let notes = seen.quiet("a forgotten file");
    assert!(notes.len() == 1 && notes[0].contains("root/forgotten.lua has not been closed for 200ms"), "{notes:?}");
    drop(file);
    seen.quiet("its end");
}

#[test]
fn after_lost_events_all_is_watched_again() {
    fn forgetful(inbox: Sender<Message>) -> notify::Result<Box<dyn Watcher + Send>> {
        let handle = move |event: notify::Result<Event>| {
            let lost = event.as_ref().is_ok_and(|event| event.kind == EventKind::Create(CreateKind::Folder));
            if !lost && event.as_ref().map_or(true, is_change) {
                let _ = inbox.send(Message::Event(event));
            }
        };
        Ok(Box::new(RecommendedWatcher::new(handle, Config::default())?))
    }
    let disk = Disk::new();
    disk.make("root");
    let seen = Seen::new(&disk, &["root"], System { open: forgetful, ..local() });
    disk.make("root/new");
    seen.watch.send(Event::new(EventKind::Other).set_flag(Flag::Rescan));
    seen.quiet("lost events");
    seen.catch_up();
    disk.write("root/new/a.lua");
    assert_eq!(seen.quiet("a write in what was lost"), [""; 0]);
}

/// inotify with two watches.
struct Few(RecommendedWatcher, usize);

impl Watcher for Few {
    fn new<F: notify::EventHandler>(handler: F, config: Config) -> notify::Result<Self> {
        Ok(Self(RecommendedWatcher::new(handler, config)?, 2))
    }

    fn watch(&mut self, path: &Path, mode: RecursiveMode) -> notify::Result<()> {
        let left = self.1.checked_sub(1).ok_or_else(|| notify::Error::new(ErrorKind::MaxFilesWatch))?;
        self.1 = left;
        self.0.watch(path, mode)
    }

    fn unwatch(&mut self, path: &Path) -> notify::Result<()> {
        self.0.unwatch(path)
    }

    fn kind() -> notify::WatcherKind {
        notify::WatcherKind::Inotify
    }
}

#[test]
fn where_inotify_is_blind_files_are_polled() {
    fn few(_: Sender<Message>) -> notify::Result<Box<dyn Watcher + Send>> {
        Ok(Box::new(Few::new(|_| {}, Config::default())?))
    }
    fn deaf(_: Sender<Message>) -> notify::Result<Box<dyn Watcher + Send>> {
        Ok(Box::new(RecommendedWatcher::new(|_| {}, Config::default())?))
    }
    fn none(_: Sender<Message>) -> notify::Result<Box<dyn Watcher + Send>> {
        Err(notify::Error::generic("too many open files"))
    }
    fn remote(path: &Path) -> Option<&'static str> {
        path.to_str().unwrap().contains("remote").then_some("NFS")
    }
    let system = || System { look: OFTEN, ..System::new(SETTLE) };
    let cases = [
        (System { open: few, ..system() }, "polled each 20ms: there are too few inotify watches"),
        (System { open: none, ..system() }, "polled each 20ms: inotify is not available"),
        (System { open: deaf, remote, ..system() }, "is polled each 20ms: inotify does not see all changes on NFS"),
    ];
    let changes: &[(&str, Act)] = &[
        ("a write", |disk| disk.write("root/remote/a.lua")),
        ("a new directory", |disk| disk.make("root/remote/new/deep")),
        ("a file in it", |disk| disk.write("root/remote/new/deep/a.lua")),
        ("chmod", |disk| disk.chmod("root/remote/a.lua", 0o600)),
        ("a removal", |disk| fs::remove_file(disk.at("root/remote/a.lua")).unwrap()),
        ("a single file", |disk| disk.write("remote.lua")),
        ("a swap", |disk| disk.swap("root/remote", "current")),
    ];
    for (system, note) in cases {
        let disk = Disk::new();
        disk.write_all(&["root/remote/a.lua", "root/local/sub/a.lua", "1/a.lua", "remote.lua"]);
        disk.link("1", "current");
        let seen = Seen::new(&disk, &["root", "remote.lua", "current"], system);
        for (number, (name, change)) in changes.iter().enumerate() {
            change(&disk);
            let notes = seen.quiet(name);
            let noted = notes.iter().any(|text| text.contains(note));
            assert!(noted == (number == 0), "{name}: {notes:?}");
            seen.catch_up();
        }
    }
}

#[test]
fn what_inotify_does_not_tell_is_looked_for() {
    let disk = Disk::new();
    disk.write_all(&["top/mid/root/a.lua", "new/mid/root/a.lua"]);
    let seen = Seen::new(&disk, &["top/mid/root"], System { look: OFTEN, ..System::new(SETTLE) });
    disk.rename("top", "old");
    seen.quiet("a directory above moved away");
    seen.catch_up();
    disk.rename("new", "top");
    seen.quiet("another one in its place");
    seen.catch_up();
    disk.write("top/mid/root/a.lua");
    assert_eq!(seen.quiet("a write"), [""; 0]);
}

#[test]
fn a_watch_that_is_dropped_tells_no_more() {
    let disk = Disk::new();
    disk.make("root");
    let Seen { watch, hints, .. } = Seen::new(&disk, &["root"], local());
    disk.write("root/a.lua");
    drop(watch);
    // `tell` owned the other end.
    while hints.recv_timeout(PATIENCE).is_ok() {}
    assert!(matches!(hints.try_recv(), Err(std::sync::mpsc::TryRecvError::Disconnected)));
}

#[test]
fn its_threads_have_signals_blocked() {
    let disk = Disk::new();
    disk.make("root");
    let _seen = Seen::new(&disk, &["root"], local());
    let mut blocked = Vec::new();
    for task in fs::read_dir("/proc/self/task").unwrap() {
        // Threads of other tests come and go.
        let Ok(status) = fs::read_to_string(task.unwrap().path().join("status")) else { continue };
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
        if ["hotlua watch", "notify-rs inoti"].contains(&field("Name:").as_str()) {
            // SIGHUP is 1, so bit 0; SIGCHLD 17.
            let mask = u64::from_str_radix(&field("SigBlk:"), 16).unwrap();
            blocked.push(mask & 1 != 0 && mask & 1 << 16 != 0);
        }
    }
    assert!(blocked.len() >= 2 && blocked.iter().all(|blocked| *blocked), "{blocked:?}");
}

#[test]
fn the_surface_watches_the_real_system() {
    let disk = Disk::new();
    disk.make("root");
    let (sender, hints) = channel();
    let sender = std::sync::Mutex::new(sender);
    let tell = move |hint| _ = sender.lock().unwrap().send(hint);
    let _watch = Watch::start(vec![disk.at("root")], SETTLE, tell).unwrap();
    disk.write("root/a.lua");
    assert!(matches!(hints.recv_timeout(PATIENCE), Ok(Hint::Quiet)));
}

#[test]
fn reading_is_told_from_changes() {
    let cases = [
        (EventKind::Access(AccessKind::Open(AccessMode::Any)), false),
        (EventKind::Access(AccessKind::Read), false),
        (EventKind::Access(AccessKind::Close(AccessMode::Read)), false),
        (EventKind::Access(AccessKind::Close(AccessMode::Write)), true),
        (EventKind::Create(CreateKind::File), true),
        (EventKind::Modify(ModifyKind::Data(DataChange::Any)), true),
        (EventKind::Modify(ModifyKind::Name(RenameMode::To)), true),
        (EventKind::Modify(ModifyKind::Name(RenameMode::Both)), false),
        (EventKind::Other, true),
    ];
    for (kind, want) in cases {
        assert_eq!(is_change(&Event::new(kind)), want, "{kind:?}");
    }
    assert!(open(channel().0).is_ok());
}
