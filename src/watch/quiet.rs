//! Decides when watched files have come to rest: nothing changed for a while, and no writer is in the middle of a file.
//!
//! It knows neither clocks nor disks: events come in with their times, so that it unit-tests alone.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long to wait for what.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    /// How long nothing may change before it counts as quiet.
    pub settle: Duration,
    /// How long a file that is open for writing, but is not written to, holds quiet back.
    pub hold: Duration,
    /// How long steady changes hold quiet back: a log among the code must not hold it back for ever.
    pub longest: Duration,
}

/// A file that was written to and not closed since.
struct Writing {
    since: Instant,
    last: Instant,
    /// It was looked whether the file is still there since it was last written to.
    checked: bool,
}

impl Writing {
    /// When to look at it again.
    fn due(&self, Pace { settle, hold, longest }: Pace) -> Instant {
        (self.last + if self.checked { hold } else { settle }).min(self.since + longest)
    }
}

/// Changes that nobody was told of yet.
struct Burst {
    since: Instant,
    last: Instant,
}

/// A directory or file that was renamed away, with what was being written in it, until its new name comes.
struct Moving {
    cookie: usize,
    writing: Vec<(PathBuf, Writing)>,
}

/// A file that is no longer waited for.
#[derive(Debug, PartialEq)]
pub(super) struct GivenUp {
    /// The file.
    pub path: PathBuf,
    /// It is written to all the time, rather than forgotten by its writer. Its writes go unheeded until it is closed.
    pub steady: bool,
}

/// What changed and is not at rest yet.
pub(super) struct Quiet {
    pace: Pace,
    burst: Option<Burst>,
    writing: HashMap<PathBuf, Writing>,
    moving: Option<Moving>,
    steady: HashSet<PathBuf>,
}

impl Quiet {
    /// Nothing has changed yet.
    pub fn new(pace: Pace) -> Self {
        Self { pace, burst: None, writing: HashMap::new(), moving: None, steady: HashSet::new() }
    }

    /// Something changed.
    pub fn changed(&mut self, now: Instant) {
        self.burst.get_or_insert(Burst { since: now, last: now }).last = now;
    }

    /// Something about a file changed that says nothing about its writer.
    pub fn touched(&mut self, path: &Path, now: Instant) {
        if self.steady.contains(path) {
            return;
        }
        if let Some(writing) = self.writing.get_mut(path) {
            writing.last = now;
        }
        self.changed(now);
    }

    /// A writer is in the middle of a file.
    pub fn written(&mut self, path: &Path, now: Instant) {
        if self.steady.contains(path) {
            return;
        }
        let writing = Writing { since: now, last: now, checked: false };
        let writing = self.writing.entry(path.to_owned()).or_insert(writing);
        (writing.last, writing.checked) = (now, false);
        self.changed(now);
    }

    /// A writer has closed a file.
    pub fn closed(&mut self, path: &Path, now: Instant) {
        self.steady.remove(path);
        self.writing.remove(path);
        self.changed(now);
    }

    /// A file, or a directory with all in it, is no longer there.
    pub fn gone(&mut self, path: &Path, now: Instant) {
        self.take_below(path);
        self.changed(now);
    }

    /// As `gone`; `cookie` is the rename's.
    pub fn moved_from(&mut self, path: &Path, cookie: usize, now: Instant) {
        let below = self.take_below(path);
        let relative = |file: PathBuf| file.strip_prefix(path).map(Path::to_owned).unwrap_or_default();
        let writing = below.into_iter().map(|(file, writing)| (relative(file), writing)).collect();
        self.moving = Some(Moving { cookie, writing });
        self.changed(now);
    }

    /// A file or directory got this name; what was being written under the earlier one still is.
    pub fn moved_to(&mut self, path: &Path, cookie: Option<usize>, now: Instant) {
        self.take_below(path);
        if let Some(moving) = self.moving.take_if(|moving| Some(moving.cookie) == cookie) {
            let renamed = |file: PathBuf| match file.as_os_str().is_empty() {
                true => path.to_owned(),
                false => path.join(file),
            };
            self.writing.extend(moving.writing.into_iter().map(|(file, writing)| (renamed(file), writing)));
        }
        self.changed(now);
    }

    /// Forgets the writers of files that are no longer watched.
    pub fn keep(&mut self, watched: impl Fn(&Path) -> bool) {
        self.writing.retain(|path, _| watched(path));
        self.steady.retain(|path| watched(path));
    }

    /// Gives up on files that hold quiet back for too long, and forgets those that are no longer there: the kernel tells
    /// of writes to a removed file under its old name.
    pub fn give_up(&mut self, now: Instant, is_there: impl Fn(&Path) -> bool) -> Vec<GivenUp> {
        let Pace { settle, hold, longest } = self.pace;
        self.writing.retain(|path, writing| {
            let check = !writing.checked && writing.last + settle <= now;
            writing.checked |= check;
            !check || is_there(path)
        });
        let late = |writing: &Writing| writing.last + hold <= now || writing.since + longest <= now;
        let given_up: Vec<GivenUp> = (self.writing.extract_if(|_, writing| late(writing)))
            .map(|(path, writing)| GivenUp { path, steady: writing.last + hold > now })
            .collect();
        self.steady.extend(given_up.iter().filter(|file| file.steady).map(|file| file.path.clone()));
        given_up
    }

    /// Says whether there were changes and they have come to rest.
    pub fn is_quiet(&self, now: Instant) -> bool {
        self.burst.is_some() && self.due().is_some_and(|due| due <= now) && self.writing.is_empty()
    }

    /// When to look at `give_up` and `is_quiet` again, if nothing happens before.
    pub fn due(&self) -> Option<Instant> {
        let Pace { settle, longest, .. } = self.pace;
        let held = self.writing.values().map(|writing| writing.due(self.pace)).min();
        held.or_else(|| self.burst.as_ref().map(|burst| (burst.last + settle).min(burst.since + longest)))
    }

    /// The changes were told of.
    pub fn told(&mut self) {
        self.burst = None;
    }

    fn take_below(&mut self, path: &Path) -> Vec<(PathBuf, Writing)> {
        self.steady.retain(|file| !file.starts_with(path));
        self.writing.extract_if(|file, _| file.starts_with(path)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace =
        Pace { settle: Duration::from_millis(50), hold: Duration::from_secs(10), longest: Duration::from_secs(60) };

    /// What happens at a time (ms).
    #[derive(Clone, Copy)]
    enum Event {
        Changed,
        Touched(&'static str),
        Written(&'static str),
        Closed(&'static str),
        Gone(&'static str),
        From(&'static str, usize),
        To(&'static str, usize),
    }
    use Event::*;

    type Events<'a> = &'a [(u64, Event)];

    /// Lets the events happen and says when (ms) it was quiet, and what was given up on.
    fn rest(events: Events) -> (Vec<u64>, Vec<(&'static str, bool)>) {
        let start = Instant::now();
        let mut quiet = Quiet::new(PACE);
        let (mut quiets, mut given_up) = (Vec::new(), Vec::new());
        let mut wait = |quiet: &mut Quiet, until: Option<Instant>| {
            while let Some(due) = quiet.due().filter(|&due| until.is_none_or(|until| due < until)) {
                assert!(!quiet.is_quiet(due - Duration::from_millis(1)));
                given_up.extend(quiet.give_up(due, |path| path != Path::new("/unlinked")).into_iter().map(|file| {
                    let path: &'static str = file.path.into_os_string().into_string().unwrap().leak();
                    (path, file.steady)
                }));
                if quiet.is_quiet(due) {
                    quiets.push((due - start).as_millis() as u64);
                    quiet.told();
                }
            }
        };
        for &(at, event) in events {
            let now = start + Duration::from_millis(at);
            wait(&mut quiet, Some(now));
            match event {
                Changed => quiet.changed(now),
                Touched(path) => quiet.touched(Path::new(path), now),
                Written(path) => quiet.written(Path::new(path), now),
                Closed(path) => quiet.closed(Path::new(path), now),
                Gone(path) => quiet.gone(Path::new(path), now),
                From(path, cookie) => quiet.moved_from(Path::new(path), cookie, now),
                To(path, cookie) => quiet.moved_to(Path::new(path), Some(cookie), now),
            }
        }
        wait(&mut quiet, None);
        (quiets, given_up)
    }

    #[test]
    fn quiet_comes_when_all_is_at_rest() {
        let cases: &[(&str, Events, u64)] = &[
            ("one change", &[(0, Changed)], 50),
            ("the last change counts", &[(0, Changed), (40, Changed), (80, Changed)], 130),
            ("a touch", &[(0, Touched("/a"))], 50),
            ("closed after writing", &[(0, Written("/a")), (500, Closed("/a"))], 550),
            (
                "one of two is open",
                &[(0, Written("/a")), (0, Written("/b")), (500, Closed("/a")), (900, Closed("/b"))],
                950,
            ),
            ("removed while open", &[(0, Written("/a")), (500, Gone("/a"))], 550),
            ("removed with its directory", &[(0, Written("/d/a")), (500, Gone("/d"))], 550),
            ("a longer name is another", &[(0, Written("/da")), (500, Gone("/d")), (600, Closed("/da"))], 650),
            ("renamed out of sight", &[(0, Written("/a")), (500, From("/a", 1))], 550),
            (
                "renamed while open",
                &[(0, Written("/a")), (1, From("/a", 1)), (1, To("/b", 1)), (700, Closed("/b"))],
                750,
            ),
            (
                "its directory renamed",
                &[(0, Written("/d/a")), (1, From("/d", 1)), (1, To("/e", 1)), (700, Closed("/e/a"))],
                750,
            ),
            ("another rename", &[(0, Written("/a")), (1, From("/a", 1)), (1, To("/b", 2))], 51),
            ("written after its removal", &[(0, Gone("/unlinked")), (20, Written("/unlinked"))], 70),
            ("renamed over while open", &[(0, Written("/a")), (1, From("/b", 1)), (1, To("/a", 1))], 51),
        ];
        for (name, events, want) in cases {
            assert_eq!(rest(events), (vec![*want], vec![]), "{name}");
        }
    }

    #[test]
    fn a_writer_that_does_not_end_is_given_up_on() {
        let steps = |range: std::ops::RangeInclusive<u64>, step, event| {
            range.step_by(step).map(|at| (at, event)).collect::<Vec<(u64, Event)>>()
        };
        let log = steps(0..=90_000, 1_000, Written("/log"));
        let [touched, closed] = [Touched("/log"), Closed("/log")].map(|event| [&log[..], &[(91_000, event)]].concat());
        let again = [&closed[..], &[(92_000, Written("/log")), (92_500, Closed("/log"))]].concat();
        let paused = [(0, Written("/a")), (11_000, Written("/a")), (11_500, Closed("/a"))];
        const SILENT: (&str, bool) = ("/a", false);
        const STEADY: (&str, bool) = ("/log", true);
        type Case<'a> = (&'static str, Events<'a>, &'static [u64], &'static [(&'static str, bool)]);
        let cases: &[Case] = &[
            ("never closed", &[(0, Written("/a"))], &[10_000], &[SILENT]),
            ("written again", &[(0, Written("/a")), (9_000, Written("/a"))], &[19_000], &[SILENT]),
            ("touched", &[(0, Written("/a")), (9_000, Touched("/a"))], &[19_000], &[SILENT]),
            ("others changed", &[(0, Written("/a")), (9_980, Changed)], &[10_030], &[SILENT]),
            ("goes on after a pause", &paused, &[10_000, 11_550], &[SILENT]),
            ("written for ever", &log, &[60_000], &[STEADY]),
            ("and touched", &touched, &[60_000], &[STEADY]),
            ("and closed at last", &closed, &[60_000, 91_050], &[STEADY]),
            ("and written anew", &again, &[60_000, 91_050, 92_550], &[STEADY]),
            ("changes without a pause", &steps(0..=70_000, 20, Changed), &[60_000, 70_050], &[]),
        ];
        for (name, events, quiets, given_up) in cases {
            assert_eq!(rest(events), (quiets.to_vec(), given_up.to_vec()), "{name}");
        }
    }

    #[test]
    fn what_is_no_longer_watched_is_forgotten() {
        let now = Instant::now();
        let mut quiet = Quiet::new(PACE);
        quiet.written(Path::new("/old/a"), now);
        quiet.keep(|path| path.starts_with("/new"));
        assert!(quiet.is_quiet(now + PACE.settle));
    }
}
