//! Watches the code roots and hints when changes have settled. Whoever is told scans: what is on the disk is the truth.
//!
//! ```text
//! inotify ──► notify's thread ──► watcher's thread ──► Quiet: when to tell
//! (hints)     drops reads         Places: what to      stamp: where inotify is blind
//!                                 watch, and again
//!                                 after each swap
//! ```
//!
//! Each directory is watched on its own rather than recursively by notify, which stops at the first directory that it
//! may not read, or that vanishes meanwhile, and leaves the rest of the tree unwatched.

use std::any::Any;
use std::collections::{BTreeSet, HashSet};
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind, RenameMode};
use notify::{Config, ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use walkdir::WalkDir;

use super::places::Places;
use super::quiet::{GivenUp, Pace, Quiet};
use super::stamp::{remote, stamp};

/// How long a file that was written to and not closed holds back the others.
const HOLD: Duration = Duration::from_secs(10);

/// How long changes without a pause hold back.
const LONGEST: Duration = Duration::from_secs(60);

/// How often the roots are looked at for what inotify does not tell: a directory above them that was renamed, a mount;
/// and all files where polling is used.
const LOOK: Duration = Duration::from_secs(1);

/// Looking takes at most one part in this many of the time.
const LOOK_SHARE: u32 = 5;

/// How often places are sought again that change while they are being watched.
const MOST_TRIES: usize = 8;

/// What the watcher has to tell.
#[derive(Debug)]
pub enum Hint {
    /// The roots changed, and have been quiet for `settle` since. There may have been no change that matters.
    Quiet,
    /// Something for the log.
    Note(String),
}

/// Watches until it is dropped.
pub struct Watch {
    inbox: Sender<Message>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Watches `roots`: directories (at any depth) or single files, also by way of symlinks, also ones that do not exist
    /// yet. Changes made after it returned are seen. `tell` is called from the watcher's thread, no longer once the
    /// watch was dropped, and must not drop it.
    ///
    /// All threads are spawned by this call or inherit from those that are: call it inside `nginx::without_signals`.
    ///
    /// # Errors
    /// No thread could be spawned. Where inotify cannot be used, polling is, and a note says so.
    pub fn start(
        roots: Vec<PathBuf>,
        settle: Duration,
        tell: impl Fn(Hint) + Send + Sync + 'static,
    ) -> Result<Self, String> {
        Self::start_with(System::new(settle), roots, tell)
    }

    pub(super) fn start_with(
        system: System,
        roots: Vec<PathBuf>,
        tell: impl Fn(Hint) + Send + Sync + 'static,
    ) -> Result<Self, String> {
        let roots = roots.iter().map(std::path::absolute).collect::<Result<Vec<_>, _>>();
        let roots = roots.map_err(|error| format!("the code roots cannot be watched: {error}"))?;
        let (inbox, messages) = channel();
        let (ready, is_ready) = sync_channel(1);
        let stop = Arc::new(AtomicBool::new(false));
        let (stopping, events) = (Arc::clone(&stop), inbox.clone());
        let run = move || {
            // notify panics when its thread is gone; that must not end the worker.
            let run = || Coordinator::new(system, roots, &tell, stopping, events).run(&messages, || _ = ready.send(()));
            if let Err(panic) = catch_unwind(AssertUnwindSafe(run)) {
                tell(Hint::Note(format!("the code roots are no longer watched: {}", text_of(&*panic))));
            }
        };
        let thread = thread::Builder::new().name("hotlua watch".into()).spawn(run);
        let thread = thread.map_err(|error| format!("no thread for watching the code roots: {error}"))?;
        is_ready.recv().map_err(|_| "the watcher of the code roots died".to_owned())?;
        Ok(Self { inbox, stop, thread: Some(thread) })
    }

    /// As if notify had sent this event.
    #[cfg(test)]
    pub(super) fn send(&self, event: Event) {
        self.inbox.send(Message::Event(Ok(event))).unwrap();
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Both fail only for a thread that has ended already.
        let _ = self.inbox.send(Message::Stop);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

type Open = fn(Sender<Message>) -> notify::Result<Box<dyn Watcher + Send>>;

/// What the watcher takes from the system; tests have their own.
pub(super) struct System {
    /// When to tell.
    pub pace: Pace,
    /// How often to look.
    pub look: Duration,
    /// Makes the source of events.
    pub open: Open,
    /// Names a file system that is to be polled.
    pub remote: fn(&Path) -> Option<&'static str>,
}

impl System {
    /// The real one.
    pub fn new(settle: Duration) -> Self {
        Self { pace: Pace { settle, hold: HOLD, longest: LONGEST }, look: LOOK, open, remote }
    }
}

/// What reaches the watcher's thread.
pub(super) enum Message {
    Event(notify::Result<Event>),
    Stop,
}

/// Opens inotify.
pub(super) fn open(inbox: Sender<Message>) -> notify::Result<Box<dyn Watcher + Send>> {
    let handle = move |event: notify::Result<Event>| {
        if event.as_ref().map_or(true, is_change) {
            // Fails when the watcher is about to end.
            let _ = inbox.send(Message::Event(event));
        }
    };
    // What symlinks inside a root point to is in the root too, or the loader refuses it.
    Ok(Box::new(RecommendedWatcher::new(handle, Config::default().with_follow_symlinks(false))?))
}

/// Tells changes from reading, of which there is a lot.
pub(super) fn is_change(event: &Event) -> bool {
    match event.kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        // Its halves were told of before.
        EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => false,
        _ => true,
    }
}

/// What may no longer be watched rightly.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Doubt {
    None,
    /// The roots may lead elsewhere.
    Places,
    /// Directories may be unwatched, or watched under a wrong name.
    Watches,
}

/// The watcher's thread.
struct Coordinator<'a> {
    system: System,
    roots: Vec<PathBuf>,
    tell: &'a dyn Fn(Hint),
    stop: Arc<AtomicBool>,
    quiet: Quiet,
    /// None when everything is polled.
    source: Option<Box<dyn Watcher + Send>>,
    places: Places,
    doubt: Doubt,
    watched: HashSet<PathBuf>,
    polled: BTreeSet<PathBuf>,
    stamp: u64,
    /// The stamp has changed at the last look: whether more changes follow, only the next one can tell.
    unconfirmed: bool,
    noted: HashSet<String>,
}

impl<'a> Coordinator<'a> {
    fn new(
        system: System,
        roots: Vec<PathBuf>,
        tell: &'a dyn Fn(Hint),
        stop: Arc<AtomicBool>,
        inbox: Sender<Message>,
    ) -> Self {
        let opened = (system.open)(inbox);
        let mut coordinator = Self {
            quiet: Quiet::new(system.pace),
            system,
            roots,
            tell,
            stop,
            source: None,
            places: Places::default(),
            doubt: Doubt::None,
            watched: HashSet::new(),
            polled: BTreeSet::new(),
            stamp: 0,
            unconfirmed: false,
            noted: HashSet::new(),
        };
        match opened {
            Ok(source) => coordinator.source = Some(source),
            Err(error) => coordinator.poll_all(&format!("inotify is not available ({error})")),
        }
        coordinator
    }

    fn run(mut self, messages: &Receiver<Message>, ready: impl FnOnce()) {
        self.watch_again();
        // What was there from the start is no change.
        self.quiet = Quiet::new(self.system.pace);
        self.unconfirmed = false;
        ready();
        let mut next_look = Instant::now() + self.system.look;
        loop {
            let due = self.quiet.due().filter(|_| !self.unconfirmed).map_or(next_look, |due| due.min(next_look));
            match messages.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(Message::Event(event)) => self.heed(event),
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if !self.heed_all(messages) {
                return;
            }
            let now = Instant::now();
            if now >= next_look {
                self.look();
                next_look = Instant::now() + self.system.look.max(now.elapsed() * LOOK_SHARE);
            }
            if !self.settle(messages) {
                return;
            }
        }
    }

    /// Heeds the messages that are there. False if one was to stop.
    fn heed_all(&mut self, messages: &Receiver<Message>) -> bool {
        for message in messages.try_iter() {
            match message {
                Message::Event(event) => self.heed(event),
                Message::Stop => return false,
            }
        }
        // A swapped release is watched at once, not when all is quiet: its files may be in the middle of being written.
        match self.doubt {
            Doubt::None => {}
            Doubt::Places if Places::find(&self.roots) == self.places => self.doubt = Doubt::None,
            _ => self.watch_again(),
        }
        true
    }

    /// Tells, if it is time to. False if a message was to stop.
    fn settle(&mut self, messages: &Receiver<Message>) -> bool {
        if self.unconfirmed || self.quiet.due().is_none_or(|due| due > Instant::now()) {
            return true;
        }
        // notify answers after the events that it has read: those that happened before this are in the inbox then.
        if let Some(source) = &mut self.source {
            let _ = source.configure(Config::default());
        }
        if !self.heed_all(messages) {
            return false;
        }
        let is_there = |path: &Path| path.symlink_metadata().is_ok();
        for GivenUp { path, steady } in self.quiet.give_up(Instant::now(), is_there) {
            let path = path.display();
            let Pace { hold, longest, .. } = self.system.pace;
            self.note(match steady {
                true => format!("{path} has been written to for {longest:?}; not waiting for it until it is closed"),
                false => format!("{path} has not been closed for {hold:?} after it was written to; not waiting for it"),
            });
        }
        if !self.unconfirmed && self.quiet.is_quiet(Instant::now()) {
            self.quiet.told();
            (self.tell)(Hint::Quiet);
        }
        true
    }

    /// Looks for what inotify does not tell.
    fn look(&mut self) {
        if Places::find(&self.roots) != self.places {
            self.watch_again();
        }
        let before = self.stamp;
        self.unconfirmed = self.take_stamp() && self.stamp != before;
        if self.unconfirmed {
            self.quiet.changed(Instant::now());
        }
    }

    /// False if it was interrupted.
    fn take_stamp(&mut self) -> bool {
        let taken = stamp(&self.polled, || self.is_stopping());
        self.stamp = taken.unwrap_or(self.stamp);
        taken.is_some()
    }

    fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn heed(&mut self, event: notify::Result<Event>) {
        let now = Instant::now();
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                self.note(format!("watching the code roots: {error}"));
                Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan)
            }
        };
        if event.need_rescan() {
            // Events were lost: new directories may be unwatched.
            self.doubt = Doubt::Watches;
            return self.quiet.changed(now);
        }
        let Some(path) = event.paths.first() else { return };
        let left = matches!(event.kind, EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(RenameMode::From)));
        if left && self.places.is_start(path) {
            self.doubt = Doubt::Watches;
            self.quiet.changed(now);
        }
        if !self.places.cover(path) {
            return;
        }
        if self.doubt == Doubt::None && self.places.is_name(path) {
            self.doubt = Doubt::Places;
        }
        match event.kind {
            EventKind::Access(_) => self.quiet.closed(path, now),
            EventKind::Create(CreateKind::File) if is_empty_file(path) => self.quiet.written(path, now),
            EventKind::Create(_) => self.appeared(path, now),
            EventKind::Modify(ModifyKind::Data(_)) if is_written(path) => self.quiet.written(path, now),
            EventKind::Modify(ModifyKind::Name(RenameMode::From)) => match event.tracker() {
                Some(cookie) => self.quiet.moved_from(path, cookie, now),
                // A directory tells of itself, late; its parent has told before.
                None => self.quiet.changed(now),
            },
            EventKind::Modify(ModifyKind::Name(_)) => {
                self.quiet.moved_to(path, event.tracker(), now);
                self.appeared(path, now);
            }
            EventKind::Remove(_) => self.quiet.gone(path, now),
            _ => {
                self.quiet.touched(path, now);
                // A directory that may be read only now.
                if !self.watched.contains(path) {
                    self.appeared(path, now);
                }
            }
        }
    }

    /// Something is there that may be a directory. Files in it may have been made before it was watched; the scan after
    /// the next quiet sees them.
    fn appeared(&mut self, path: &Path, now: Instant) {
        self.quiet.changed(now);
        if self.places.trees.keys().any(|tree| path.starts_with(tree)) && is_directory(path) {
            self.watch_tree(path);
            self.quiet.changed(Instant::now());
        }
    }

    /// Finds the places again and watches them.
    fn watch_again(&mut self) {
        for _ in 0..MOST_TRIES {
            let places = Places::find(&self.roots);
            let before = std::mem::replace(&mut self.places, places);
            let everything = self.doubt == Doubt::Watches;
            self.doubt = Doubt::None;
            // Before anything is watched anew: a directory that was renamed has one watch for both names.
            let stale = self.watched.extract_if(|path| everything || !self.places.watch_as(&before, path));
            for path in stale {
                if let Some(source) = &mut self.source {
                    // Fails where the directory is gone.
                    let _ = source.unwatch(&path);
                }
            }
            self.polled.clear();
            for directory in self.places.names.keys().cloned().collect::<Vec<_>>() {
                self.watch_directory(&directory);
            }
            for tree in self.places.trees.keys().cloned().collect::<Vec<_>>() {
                self.watch_tree(&tree);
            }
            for file in self.places.files.clone() {
                match (self.system.remote)(&file) {
                    Some(system) => self.poll(&file, system),
                    None if self.source.is_none() => _ = self.polled.insert(file),
                    None => {}
                }
            }
            // What was swapped before it was watched was not told of.
            if Places::find(&self.roots) == self.places || self.is_stopping() {
                break;
            }
        }
        self.quiet.keep(|path| self.places.cover(path));
        self.unconfirmed = self.take_stamp() && !self.polled.is_empty();
        self.quiet.changed(Instant::now());
    }

    /// Watches a directory and all below.
    fn watch_tree(&mut self, tree: &Path) {
        let mut entries = WalkDir::new(tree).follow_links(false).into_iter();
        while let Some(entry) = entries.next() {
            if self.source.is_none() {
                self.polled.insert(tree.to_owned());
                return;
            }
            if self.is_stopping() {
                return;
            }
            // What vanished meanwhile, or may not be read.
            let Ok(entry) = entry else { continue };
            if !entry.file_type().is_dir() {
                continue;
            }
            match (self.system.remote)(entry.path()) {
                Some(system) => {
                    self.poll(entry.path(), system);
                    entries.skip_current_dir();
                }
                None => self.watch_directory(entry.path()),
            }
        }
    }

    fn watch_directory(&mut self, path: &Path) {
        let Some(source) = &mut self.source else { return };
        let Err(error) = source.watch(path, RecursiveMode::NonRecursive) else {
            self.watched.insert(path.to_owned());
            return;
        };
        match error.kind {
            ErrorKind::MaxFilesWatch => {
                self.poll_all("there are too few inotify watches (sysctl fs.inotify.max_user_watches)");
            }
            // It vanished; its parent tells of that.
            ErrorKind::PathNotFound => {}
            ErrorKind::Io(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            _ => self.note_once(format!("changes in {} are not seen: {error}", path.display())),
        }
    }

    /// Polls one directory or file.
    fn poll(&mut self, path: &Path, system: &str) {
        if self.polled.insert(path.to_owned()) {
            let (path, look) = (path.display(), self.system.look);
            self.note_once(format!("{path} is polled each {look:?}: inotify does not see all changes on {system}"));
        }
    }

    /// Polls everything from now on.
    fn poll_all(&mut self, why: &str) {
        self.note(format!("the code roots are polled each {:?}: {why}", self.system.look));
        self.source = None;
        self.watched.clear();
        self.polled.extend(self.places.trees.keys().chain(&self.places.files).cloned());
    }

    fn note(&self, text: String) {
        (self.tell)(Hint::Note(text));
    }

    fn note_once(&mut self, text: String) {
        if self.noted.insert(text.clone()) {
            self.note(text);
        }
    }
}

fn is_empty_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_file() && found.len() == 0)
}

/// Tells writing from `touch -m`, which the kernel tells of in the same words, but no close follows: writing sets both
/// times to now. What is not there any more was written to before it was renamed or removed.
fn is_written(path: &Path) -> bool {
    path.symlink_metadata()
        .map_or(true, |found| (found.mtime(), found.mtime_nsec()) == (found.ctime(), found.ctime_nsec()))
}

fn is_directory(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_dir())
}

fn text_of(panic: &(dyn Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic")
}
