//! Keeps watched, or polled, all directories that the code roots lead to.
//!
//! Each directory is watched on its own rather than recursively by notify, which stops at the first directory that it
//! may not read, or that vanishes meanwhile, and leaves the rest of the tree unwatched.

use std::collections::{BTreeSet, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use notify::{Config, ErrorKind, RecursiveMode, Watcher};
use walkdir::WalkDir;

use super::places::Places;
use super::stamp::stamp;

/// How often places are sought again that change while they are being watched.
const MOST_TRIES: usize = 8;

/// notify's watcher. It panics on use, also on being dropped, once its thread is gone; a second panic while the first
/// one unwinds would end the worker.
struct Source(Option<Box<dyn Watcher + Send>>);

impl Drop for Source {
    fn drop(&mut self) {
        let source = self.0.take();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(source)));
    }
}

/// What is watched and what is polled.
pub(super) struct Reach {
    /// Empty when everything is polled.
    source: Source,
    remote: fn(&Path) -> Option<&'static str>,
    look: Duration,
    roots: Vec<PathBuf>,
    stop: Arc<AtomicBool>,
    places: Places,
    watched: HashSet<PathBuf>,
    polled: BTreeSet<PathBuf>,
    stamp: u64,
    notes: Vec<String>,
    noted: HashSet<String>,
}

impl Reach {
    /// Nothing is watched yet. `look` is how often the caller will ask for the stamp; `stop` interrupts long walks.
    pub fn new(
        opened: notify::Result<Box<dyn Watcher + Send>>,
        remote: fn(&Path) -> Option<&'static str>,
        look: Duration,
        roots: Vec<PathBuf>,
        stop: Arc<AtomicBool>,
    ) -> Self {
        let mut reach = Self {
            source: Source(None),
            remote,
            look,
            roots,
            stop,
            places: Places::default(),
            watched: HashSet::new(),
            polled: BTreeSet::new(),
            stamp: 0,
            notes: Vec::new(),
            noted: HashSet::new(),
        };
        match opened {
            Ok(source) => reach.source = Source(Some(source)),
            Err(error) => reach.poll_all(&format!("inotify is not available ({error})")),
        }
        reach
    }

    /// Where the roots led when they were watched.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// Says whether the roots still lead there.
    pub fn is_current(&self) -> bool {
        Places::find(&self.roots) == self.places
    }

    /// Says whether a directory is watched.
    pub fn is_watched(&self, directory: &Path) -> bool {
        self.watched.contains(directory)
    }

    /// Waits until notify has handed on the events that it has read.
    pub fn await_events(&mut self) {
        if let Some(source) = &mut self.source.0 {
            // A request that changes nothing, and is answered in turn.
            let _ = source.configure(Config::default());
        }
    }

    /// Finds the places again and watches them; all of them anew if `lost` what is watched.
    pub fn watch_again(&mut self, mut lost: bool) {
        for _ in 0..MOST_TRIES {
            let places = Places::find(&self.roots);
            let before = std::mem::replace(&mut self.places, places);
            // Before anything is watched anew: a directory that was renamed has one watch for both names.
            for path in self.watched.extract_if(|path| lost || !self.places.watch_as(&before, path)) {
                if let Some(source) = &mut self.source.0 {
                    // Fails where the directory is gone.
                    let _ = source.unwatch(&path);
                }
            }
            lost = false;
            self.polled.clear();
            for directory in self.places.names.keys().cloned().collect::<Vec<_>>() {
                self.watch_directory(&directory);
            }
            for tree in self.places.trees.keys().cloned().collect::<Vec<_>>() {
                self.watch_tree(&tree);
            }
            for file in self.places.files.clone() {
                if let Some(system) = (self.remote)(&file) {
                    self.poll(&file, system);
                }
            }
            if self.source.0.is_none() {
                self.polled = self.all();
            }
            // What was swapped before it was watched was not told of.
            if self.is_current() || self.is_stopping() {
                break;
            }
        }
        self.stamp_changed();
    }

    /// Watches a directory and all below.
    pub fn watch_tree(&mut self, tree: &Path) {
        let mut entries = WalkDir::new(tree).follow_links(false).into_iter();
        while let Some(entry) = entries.next() {
            if self.source.0.is_none() || self.is_stopping() {
                return;
            }
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.unseen(error.path().unwrap_or(tree), error.io_error());
                    continue;
                }
            };
            if !entry.file_type().is_dir() {
                continue;
            }
            match (self.remote)(entry.path()) {
                Some(system) => {
                    self.poll(entry.path(), system);
                    entries.skip_current_dir();
                }
                None => self.watch_directory(entry.path()),
            }
        }
    }

    fn watch_directory(&mut self, path: &Path) {
        let Some(source) = &mut self.source.0 else { return };
        let Err(error) = source.watch(path, RecursiveMode::NonRecursive) else {
            self.watched.insert(path.to_owned());
            return;
        };
        match error.kind {
            ErrorKind::MaxFilesWatch => {
                self.poll_all("there are too few inotify watches (sysctl fs.inotify.max_user_watches)");
            }
            ErrorKind::Io(error) => self.unseen(path, Some(&error)),
            // It vanished; its parent tells of that.
            _ => {}
        }
    }

    /// Notes a directory that cannot be watched, unless it vanished: its parent tells of that.
    fn unseen(&mut self, path: &Path, error: Option<&std::io::Error>) {
        if let Some(error) = error.filter(|error| error.kind() != std::io::ErrorKind::NotFound) {
            self.note_once(format!("changes in {} are not seen: {error}", path.display()));
        }
    }

    /// Polls one directory or file.
    fn poll(&mut self, path: &Path, system: &str) {
        if self.polled.insert(path.to_owned()) {
            let (path, look) = (path.display(), self.look);
            self.note_once(format!("{path} is polled each {look:?}: inotify does not see all changes on {system}"));
        }
    }

    /// Polls everything from now on.
    fn poll_all(&mut self, why: &str) {
        self.note(format!("the code roots are polled each {:?}: {why}", self.look));
        self.source = Source(None);
        self.watched.clear();
        self.polled = self.all();
    }

    fn all(&self) -> BTreeSet<PathBuf> {
        self.places.trees.keys().chain(&self.places.files).cloned().collect()
    }

    /// Looks at what is polled and says whether it changed since the last time. False if it was interrupted.
    pub fn stamp_changed(&mut self) -> bool {
        let taken = stamp(&self.polled, || self.is_stopping()).unwrap_or(self.stamp);
        std::mem::replace(&mut self.stamp, taken) != taken
    }

    fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Keeps something for the log.
    pub fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    fn note_once(&mut self, text: String) {
        if self.noted.insert(text.clone()) {
            self.note(text);
        }
    }

    /// What was kept for the log.
    pub fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::sync::Mutex;

    type Calls = Arc<Mutex<Vec<(char, PathBuf)>>>;

    /// Writes down what it is asked for.
    struct Recorder(Calls);

    impl Watcher for Recorder {
        fn new<F: notify::EventHandler>(_: F, _: Config) -> notify::Result<Self> {
            Ok(Self(Calls::default()))
        }

        fn watch(&mut self, path: &Path, mode: RecursiveMode) -> notify::Result<()> {
            assert_eq!(mode, RecursiveMode::NonRecursive);
            self.0.lock().unwrap().push(('+', path.to_owned()));
            Ok(())
        }

        fn unwatch(&mut self, path: &Path) -> notify::Result<()> {
            self.0.lock().unwrap().push(('-', path.to_owned()));
            Ok(())
        }

        fn kind() -> notify::WatcherKind {
            notify::WatcherKind::NullWatcher
        }
    }

    #[test]
    fn what_is_left_is_unwatched_before_anything_is_watched() {
        let temporary = tempfile::tempdir().unwrap();
        let top = temporary.path().canonicalize().unwrap();
        let link = |target: &str| {
            symlink(target, top.join("new")).unwrap();
            fs::rename(top.join("new"), top.join("current")).unwrap();
        };
        ["1/lua", "2", "3"].iter().for_each(|release| fs::create_dir_all(top.join(release)).unwrap());
        link("1");
        let calls = Calls::default();
        let source = Box::new(Recorder(Arc::clone(&calls)));
        let roots = vec![top.join("current")];
        let mut reach = Reach::new(Ok(source), |_| None, Duration::ZERO, roots, Arc::default());
        let steps: &[(&str, &dyn Fn(), bool, &str)] = &[
            ("the start", &|| {}, false, "+ +1 +1/lua"),
            ("no change", &|| {}, false, "+ +1 +1/lua"),
            ("a swap", &|| link("2"), false, "-1 -1/lua + +2"),
            ("lost events", &|| {}, true, "- -2 + +2"),
            (
                "another directory under that name",
                &|| {
                    fs::rename(top.join("2"), top.join("old")).unwrap();
                    fs::rename(top.join("3"), top.join("2")).unwrap();
                },
                false,
                "-2 + +2",
            ),
        ];
        for (name, step, lost, want) in steps {
            step();
            reach.watch_again(*lost);
            let mut made = std::mem::take(&mut *calls.lock().unwrap());
            // Directories are unwatched in no order.
            made.chunk_by_mut(|(one, _), (next, _)| one == next).for_each(<[_]>::sort);
            let path = |path: &Path| path.strip_prefix(&top).unwrap().display().to_string();
            let made: Vec<String> = made.iter().map(|(call, of)| format!("{call}{}", path(of))).collect();
            assert_eq!(made.join(" "), *want, "{name}");
        }
    }
}
