//! Watches the code roots and hints when changes have settled. Whoever is told scans: what is on the disk is the truth.
//!
//! ```text
//! inotify ──► notify's thread ──► watcher's thread ──► Quiet ──► tell
//!             drops reads         │                    when it is told
//!                                 └► Reach ──► Places: where the roots lead
//!                                    what is   stamp:  where inotify is blind
//!                                    watched
//! ```

use std::any::Any;
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind, RenameMode};
use notify::{Config, Event, EventKind, RecommendedWatcher, Watcher};

use crate::nginx::without_signals;

use super::quiet::{GivenUp, Pace, Quiet};
use super::reach::Reach;
use super::stamp::remote;

/// How long a file that was written to and not closed holds back the others.
const HOLD: Duration = Duration::from_secs(10);

/// How long changes without a pause hold back.
const LONGEST: Duration = Duration::from_secs(60);

/// How often the roots are looked at for what inotify does not tell: a directory above them that was renamed, a mount;
/// and all files where polling is used.
const LOOK: Duration = Duration::from_secs(1);

/// Looking takes at most one part in this many of the time.
const LOOK_SHARE: u32 = 5;

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
        // The threads that this one spawns inherit its mask.
        let thread = without_signals(|| thread::Builder::new().name("hotlua watch".into()).spawn(run));
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

/// What the watcher takes from the system; tests have their own.
pub(super) struct System {
    /// When to tell.
    pub pace: Pace,
    /// How often to look.
    pub look: Duration,
    /// Makes the source of events.
    pub open: fn(Sender<Message>) -> notify::Result<Box<dyn Watcher + Send>>,
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
    pace: Pace,
    look: Duration,
    tell: &'a dyn Fn(Hint),
    quiet: Quiet,
    reach: Reach,
    doubt: Doubt,
    /// The stamp has changed at the last look: whether more changes follow, only the next one can tell.
    unconfirmed: bool,
}

impl<'a> Coordinator<'a> {
    fn new(
        system: System,
        roots: Vec<PathBuf>,
        tell: &'a dyn Fn(Hint),
        stop: Arc<AtomicBool>,
        inbox: Sender<Message>,
    ) -> Self {
        let System { pace, look, open, remote } = system;
        let reach = Reach::new(open(inbox), remote, look, roots, stop);
        Self { pace, look, tell, quiet: Quiet::new(pace), reach, doubt: Doubt::None, unconfirmed: false }
    }

    fn run(mut self, messages: &Receiver<Message>, ready: impl FnOnce()) {
        self.watch_again();
        // What was there from the start is no change.
        self.quiet = Quiet::new(self.pace);
        self.unconfirmed = false;
        ready();
        let mut next_look = Instant::now() + self.look;
        loop {
            self.tell_notes();
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
                next_look = Instant::now() + self.look.max(now.elapsed() * LOOK_SHARE);
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
            Doubt::Places if self.reach.is_current() => self.doubt = Doubt::None,
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
        self.reach.await_events();
        if !self.heed_all(messages) {
            return false;
        }
        let is_there = |path: &Path| path.symlink_metadata().is_ok();
        for GivenUp { path, steady } in self.quiet.give_up(Instant::now(), is_there) {
            let path = path.display();
            let Pace { hold, longest, .. } = self.pace;
            self.reach.note(match steady {
                true => format!("{path} has been written to for {longest:?}; not waiting for it until it is closed"),
                false => format!("{path} has not been closed for {hold:?} after it was written to; not waiting for it"),
            });
        }
        if !self.unconfirmed && self.quiet.is_quiet(Instant::now()) {
            self.quiet.told();
            self.tell_notes();
            (self.tell)(Hint::Quiet);
        }
        true
    }

    /// Looks for what inotify does not tell.
    fn look(&mut self) {
        if !self.reach.is_current() {
            self.watch_again();
        }
        self.unconfirmed = self.reach.stamp_changed();
        if self.unconfirmed {
            self.quiet.changed(Instant::now());
        }
    }

    /// Watches where the roots lead now.
    fn watch_again(&mut self) {
        self.reach.watch_again(self.doubt == Doubt::Watches);
        self.doubt = Doubt::None;
        self.quiet.keep(|path| self.reach.places().cover(path));
        self.quiet.changed(Instant::now());
    }

    fn heed(&mut self, event: notify::Result<Event>) {
        let now = Instant::now();
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                self.reach.note(format!("watching the code roots: {error}"));
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
        if left && self.reach.places().is_start(path) {
            self.doubt = Doubt::Watches;
            self.quiet.changed(now);
        }
        if !self.reach.places().cover(path) {
            return;
        }
        if self.doubt == Doubt::None && self.reach.places().is_name(path) {
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
                if !self.reach.is_watched(path) {
                    self.appeared(path, now);
                }
            }
        }
    }

    /// Something is there that may be a directory. Files in it may have been made before it was watched; the scan after
    /// the next quiet sees them.
    fn appeared(&mut self, path: &Path, now: Instant) {
        self.quiet.changed(now);
        if self.reach.places().is_in_tree(path) && is_directory(path) {
            self.reach.watch_tree(path);
            self.quiet.changed(Instant::now());
        }
    }

    fn tell_notes(&mut self) {
        self.reach.take_notes().into_iter().for_each(|note| (self.tell)(Hint::Note(note)));
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::fs;

    #[test]
    fn polling_waits_until_the_stamp_stays() {
        let root = tempfile::tempdir().unwrap();
        let quiets = Cell::new(0);
        let tell = |hint| quiets.set(quiets.get() + u32::from(matches!(hint, Hint::Quiet)));
        let system = System { open: |_| Err(notify::Error::generic("none")), ..System::new(Duration::ZERO) };
        let (inbox, messages) = channel();
        let roots = vec![root.path().to_owned()];
        let mut coordinator = Coordinator::new(system, roots, &tell, Arc::default(), inbox);
        coordinator.watch_again();
        coordinator.quiet = Quiet::new(coordinator.pace);
        // What is written before a look, and how many quiets there were after it.
        for (text, want) in [("", 0), ("half", 0), ("half and whole", 0), ("", 1), ("", 1), ("again", 1), ("", 2)] {
            if !text.is_empty() {
                fs::write(root.path().join("a.lua"), text).unwrap();
            }
            coordinator.look();
            assert!(coordinator.settle(&messages));
            assert_eq!(quiets.get(), want, "{text}");
        }
    }
}
