//! The publisher: one worker at a time makes a candidate, waits for every worker's report, and activates it.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use crate::code::Hash;
use crate::nginx::{Block, Level, Timer, WakeSet, ZoneFull, log_cycle, now, pid};
use crate::vm::Live;

use super::report::{ACTIVE, CANDIDATE, Change, Generation, Module, Published, REJECTED, RETAINED, Refused};
use super::resolve::{Resolved, resolve};
use super::store::{Candidate, Entry, Manifest, SlotWord, Store, Word, is_alive};

/// How often the publisher looks for workers that died, and a waiting one for its turn, if nothing wakes it before.
const TICK: Duration = Duration::from_millis(20);

type Done = Box<dyn FnOnce(Result<Published, Refused>)>;

/// This worker's publisher.
pub(super) struct Publisher {
    store: Store,
    wake: Rc<WakeSet>,
    live: Rc<Live>,
    roots: Vec<PathBuf>,
    timeout: Duration,
    waiting: RefCell<VecDeque<(Change, Done)>>,
    under_way: RefCell<Option<UnderWay>>,
    tick: Timer,
}

/// The candidate that this worker has published and that others prepare.
struct UnderWay {
    number: u64,
    manifest: Manifest,
    /// The blocks of sources that the candidate has brought.
    fresh: Vec<u64>,
    deadline: Instant,
    done: Done,
}

impl Publisher {
    pub fn new(store: Store, wake: Rc<WakeSet>, live: Rc<Live>, roots: Vec<PathBuf>, timeout: Duration) -> Rc<Self> {
        Rc::new_cyclic(|weak: &Weak<Self>| {
            let weak = weak.clone();
            Self {
                store,
                wake,
                live,
                roots,
                timeout,
                waiting: RefCell::default(),
                under_way: RefCell::default(),
                tick: Timer::new(move || {
                    if let Some(publisher) = weak.upgrade() {
                        publisher.woken();
                    }
                }),
            }
        })
    }

    /// Publishes a change as soon as it is its turn.
    pub fn publish(&self, change: Change, done: Done) {
        self.waiting.borrow_mut().push_back((change, done));
        self.woken();
    }

    /// Goes on with what is under way, then with what waits.
    pub fn woken(&self) {
        self.look();
        while self.under_way.borrow().is_none() && !self.waiting.borrow().is_empty() {
            if !self.take_turn() {
                self.tick.arm(TICK, false);
                return;
            }
            let next = self.waiting.borrow_mut().pop_front();
            if let Some((change, done)) = next {
                self.begin(change, done);
            }
        }
    }

    /// Takes the turn to publish: nobody else's, or that of a worker that died.
    fn take_turn(&self) -> bool {
        let me = pid() as u64;
        loop {
            let holder = self.store.load(Word::Publisher);
            if holder == me {
                return true;
            }
            if holder != 0 && is_alive(holder) {
                return false;
            }
            if self.store.exchange(Word::Publisher, holder, me) {
                if holder != 0 {
                    self.recover();
                }
                return true;
            }
        }
    }

    fn end_turn(&self) {
        self.store.store(Word::Publisher, 0);
        self.wake.wake_all();
    }

    /// Cleans up after a publisher that died: its candidate is rejected, unless it had been activated.
    fn recover(&self) {
        let candidate = self.store.load(Word::Candidate);
        self.store.store(Word::Candidate, 0);
        let active = self.store.load(Word::Active);
        let told = self.store.change_history(|history| {
            for generation in history.iter_mut().filter(|generation| generation.state == CANDIDATE) {
                if generation.generation == active {
                    generation.state = ACTIVE.into();
                } else {
                    generation.state = REJECTED.into();
                    generation.error = Some("its publisher died".into());
                }
            }
        });
        let text = format!("the publisher of candidate {candidate} died; generation {active} stays active");
        log_cycle(Level::Warn, text.as_bytes());
        if let Err(full) = told {
            log_cycle(Level::Err, full.to_string().as_bytes());
        }
    }

    /// Makes the candidate of a change and asks the workers to prepare it.
    fn begin(&self, change: Change, done: Done) {
        let registry: BTreeMap<String, Module> = self.store.read(Word::Registry).unwrap_or_default();
        let resolved = match resolve(&self.live.vm, &self.roots, &registry, &change) {
            Ok(resolved) => resolved,
            Err(refused) => {
                self.refuse(&change, &refused);
                self.end_turn();
                return done(Err(refused));
            }
        };
        match self.offer(&change, &resolved) {
            Ok((number, manifest, fresh)) => {
                let deadline = Instant::now() + self.timeout;
                self.under_way.replace(Some(UnderWay { number, manifest, fresh, deadline, done }));
                self.tick.arm(TICK, false);
                self.wake.wake_all();
            }
            Err(full) => {
                let refused = Refused::rejected(&full.to_string());
                self.refuse(&change, &refused);
                self.end_turn();
                done(Err(refused));
            }
        }
    }

    /// Puts the candidate into the zone.
    fn offer(&self, change: &Change, resolved: &Resolved) -> Result<(u64, Manifest, Vec<u64>), ZoneFull> {
        let number = self.store.count(Word::Next);
        let mut fresh = Vec::new();
        let made = self.store.locked(|shelf| {
            let mut manifest: Manifest = shelf.read(Word::Manifest).unwrap_or_default();
            for (file, source) in &resolved.files {
                let hash = Hash::of(source);
                let known = manifest.entries.iter().position(|entry| entry.file == *file);
                if known.is_some_and(|known| manifest.entries[known].hash == hash) {
                    continue;
                }
                let block = shelf.zone.put(source)?.0;
                fresh.push(block);
                let entry = Entry { file: file.clone(), hash, source: block };
                match known {
                    Some(known) => manifest.entries[known] = entry,
                    None => manifest.entries.push(entry),
                }
            }
            let candidate = Candidate {
                manifest,
                modules: resolved.modules.clone(),
                files: resolved.files.keys().cloned().collect(),
                dependents: change.dependents,
            };
            shelf.write(Word::Change, &candidate)?;
            Ok(candidate.manifest)
        });
        let told = made.and_then(|manifest| {
            let changed = resolved.files.keys().cloned().collect();
            self.store.change_history(|history| history.push(told(number, CANDIDATE, change, changed)))?;
            Ok(manifest)
        });
        match told {
            Ok(manifest) => {
                self.store.store(Word::Candidate, number);
                Ok((number, manifest, fresh))
            }
            Err(full) => {
                self.free(&fresh);
                Err(full)
            }
        }
    }

    fn free(&self, blocks: &[u64]) {
        self.store.locked(|shelf| blocks.iter().for_each(|&block| shelf.zone.free(Block(block))));
    }

    /// Looks whether every live worker has reported.
    fn look(&self) {
        let Some(number) = self.under_way.borrow().as_ref().map(|under_way| under_way.number) else { return };
        let mut reloaded: Vec<String> = Vec::new();
        let mut missing = None;
        for slot in self.store.live_slots() {
            if self.store.slot(slot, SlotWord::Reported) != number {
                missing = Some(self.store.slot(slot, SlotWord::Pid));
            }
        }
        let late = self.under_way.borrow().as_ref().is_some_and(|under_way| Instant::now() >= under_way.deadline);
        match missing {
            Some(worker) if late => {
                let text =
                    format!("worker {worker} did not prepare the candidate within {} ms", self.timeout.as_millis());
                return self.end(Err(Refused::rejected(&text).by_worker(worker as i32)));
            }
            Some(_) => return self.tick.arm(TICK, false),
            None => {}
        }
        let mut refusal = None;
        for slot in self.store.live_slots() {
            match self.store.take_report(slot) {
                Some(Ok(modules)) => modules.into_iter().for_each(|module| {
                    if !reloaded.contains(&module) {
                        reloaded.push(module);
                    }
                }),
                Some(Err(refused)) => refusal = refusal.or(Some(refused)),
                None => {}
            }
        }
        self.end(refusal.map_or(Ok(reloaded), Err));
    }

    /// Activates or rejects the candidate and answers.
    fn end(&self, outcome: Result<Vec<String>, Refused>) {
        let Some(UnderWay { number, manifest, fresh, done, .. }) = self.under_way.take() else { return };
        let outcome = outcome.and_then(|reloaded| {
            self.activate(number, &manifest).map_err(|full| Refused::rejected(&full.to_string()))?;
            Ok(reloaded)
        });
        let told = self.store.change_history(|history| {
            for generation in history.iter_mut() {
                if generation.generation == number {
                    match &outcome {
                        Ok(reloaded) => {
                            generation.state = ACTIVE.into();
                            generation.affected = reloaded.clone();
                        }
                        Err(refused) => {
                            generation.state = REJECTED.into();
                            generation.error = Some(refused.to_string());
                        }
                    }
                } else if outcome.is_ok() && generation.state == ACTIVE {
                    generation.state = RETAINED.into();
                }
            }
        });
        if let Err(full) = told {
            log_cycle(Level::Err, full.to_string().as_bytes());
        }
        if let Err(refused) = &outcome {
            self.store.store(Word::Candidate, 0);
            self.free(&fresh);
            log_cycle(Level::Err, format!("candidate {number} was rejected: {refused}").as_bytes());
        } else {
            log_cycle(Level::Notice, format!("generation {number} is active").as_bytes());
        }
        self.end_turn();
        done(outcome.map(|reloaded| Published { generation: number, reloaded }));
    }

    /// The store that flips every worker.
    fn activate(&self, number: u64, manifest: &Manifest) -> Result<(), ZoneFull> {
        self.store.locked(|shelf| {
            let before: Manifest = shelf.read(Word::Manifest).unwrap_or_default();
            shelf.write(Word::Manifest, manifest)?;
            self.store.store(Word::Active, number);
            self.store.store(Word::Candidate, 0);
            let kept: std::collections::HashSet<u64> = manifest.entries.iter().map(|entry| entry.source).collect();
            for entry in before.entries.iter().filter(|entry| !kept.contains(&entry.source)) {
                shelf.zone.free(Block(entry.source));
            }
            Ok(())
        })
    }

    /// Tells of a change that was refused before it became a candidate. Names that nobody knows are no news.
    fn refuse(&self, change: &Change, refused: &Refused) {
        if !matches!(refused, Refused::Rejected { .. }) {
            return;
        }
        let number = self.store.count(Word::Next);
        log_cycle(Level::Err, format!("candidate {number} was rejected: {refused}").as_bytes());
        let told = self.store.change_history(|history| {
            let mut generation = told(number, REJECTED, change, Vec::new());
            generation.error = Some(refused.to_string());
            history.push(generation);
        });
        if let Err(full) = told {
            log_cycle(Level::Err, full.to_string().as_bytes());
        }
    }
}

fn told(number: u64, state: &str, change: &Change, changed: Vec<String>) -> Generation {
    Generation {
        generation: number,
        state: state.into(),
        reason: change.reason.clone(),
        actor: change.actor.clone(),
        time: now(),
        changed,
        affected: Vec::new(),
        error: None,
    }
}

/// A new configuration reads its code anew from the disk: a generation without a manifest.
pub(super) fn start_over(store: &Store) -> Result<(), ZoneFull> {
    let first = store.load(Word::Active) == 0;
    if first {
        store.store(Word::Next, 1);
    }
    let number = store.count(Word::Next);
    let change = Change {
        reason: if first { "start" } else { "nginx reload" }.into(),
        actor: "nginx".into(),
        ..Change::default()
    };
    store.change_history(|history| {
        for generation in history.iter_mut().filter(|generation| generation.state == ACTIVE) {
            generation.state = RETAINED.into();
        }
        history.push(told(number, ACTIVE, &change, Vec::new()));
    })?;
    store.locked(|shelf| {
        let before: Manifest = shelf.read(Word::Manifest).unwrap_or_default();
        shelf.write(Word::Manifest, &Manifest::default())?;
        shelf.write(Word::Registry, &BTreeMap::<String, Module>::new())?;
        store.store(Word::Active, number);
        before.entries.iter().for_each(|entry| shelf.zone.free(Block(entry.source)));
        Ok(())
    })
}
