//! `hotlua_watch`: one worker watches the code roots and publishes what has settled; if it dies another takes over.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::{Rc, Weak};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::nginx::{Level, Timer, WakeSet, log_cycle, pid};
use crate::watch::{Hint, Watch};

use super::publish::Publisher;
use super::report::{Change, What};
use super::store::{SlotWord, Store, Word};

/// How often a worker looks whether the one that watches is still there.
const LOOK: Duration = Duration::from_secs(1);

/// A worker that watches, or would.
pub(super) struct Watcher {
    store: Store,
    publisher: Rc<Publisher>,
    wake: Rc<WakeSet>,
    paths: Vec<PathBuf>,
    settle: Duration,
    cycle: u64,
    watch: RefCell<Option<(Watch, Receiver<Hint>)>>,
    /// A publish that was asked for and has not begun to look at the disk, so that it will see later changes too.
    asked: Rc<Cell<bool>>,
    look: Timer,
}

impl Watcher {
    /// Watches `paths`, directories and single files, if no other worker does.
    pub fn start(
        store: Store,
        publisher: Rc<Publisher>,
        wake: Rc<WakeSet>,
        paths: Vec<PathBuf>,
        settle: Duration,
        cycle: u64,
    ) -> Rc<Self> {
        let watcher = Rc::new_cyclic(|weak: &Weak<Self>| {
            let weak = weak.clone();
            let look = Timer::new(move || {
                if let Some(watcher) = weak.upgrade() {
                    watcher.look();
                }
            });
            let (watch, asked) = (RefCell::default(), Rc::default());
            Self { store, publisher, wake, paths, settle, cycle, watch, asked, look }
        });
        watcher.look();
        watcher
    }

    /// Does what the watcher's thread has hinted at.
    pub fn woken(&self) {
        let hints: Vec<Hint> = match &*self.watch.borrow() {
            Some((_, hints)) => hints.try_iter().collect(),
            None => return,
        };
        for hint in hints {
            match hint {
                Hint::Quiet => self.publish(),
                Hint::Note(text) => log_cycle(Level::Warn, text.as_bytes()),
            }
        }
    }

    /// Takes over from a worker that is gone, and ends where nginx was reloaded.
    fn look(&self) {
        if self.store.load(Word::Cycle) != self.cycle {
            self.watch.take();
            return;
        }
        let holder = self.store.load(Word::Watcher);
        let workers = self.store.workers();
        let is_watched = workers.iter().any(|&slot| self.store.slot(slot, SlotWord::Pid) == holder);
        if !is_watched && self.store.exchange(Word::Watcher, holder, pid() as u64) {
            self.begin();
        }
        self.look.arm(LOOK, true);
    }

    fn begin(&self) {
        let (sender, hints) = channel();
        let wake = self.wake.as_ref().clone();
        let tell = move |hint| {
            // Nobody listens any more where the worker ends.
            let _ = sender.send(hint);
            wake.wake_all();
        };
        match Watch::start(self.paths.clone(), self.settle, tell) {
            Ok(watch) => {
                self.watch.replace(Some((watch, hints)));
                log_cycle(Level::Notice, b"this worker watches the code roots");
                // For what has changed while nobody watched.
                self.publish();
            }
            Err(error) => log_cycle(Level::Alert, format!("hotlua_watch does not work: {error}").as_bytes()),
        }
    }

    fn publish(&self) {
        if self.asked.replace(true) {
            return;
        }
        let change = Change { what: What::Settled, actor: "watch".into(), reason: "files changed".into() };
        let asked = Rc::clone(&self.asked);
        // What it comes to is logged by the publisher.
        self.publisher.publish_noting(change, move || asked.set(false), Box::new(|_| {}));
    }
}
