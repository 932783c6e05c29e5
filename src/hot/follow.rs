//! A worker's part in changes: prepares candidates, follows the active generation, retires older ones, and tells what
//! it has loaded.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use crate::code::{Node, Root};
use crate::nginx::{Level, Timer, WakeSet, log_cycle, pid};
use crate::vm::{Environment, Follow, Live};

use super::history::log_full;
use super::prepare::{Preparation, Rules, successor, take_over};
use super::record::{Candidate, Pinned, Report};
use super::report::{Module, Refused};
use super::snapshot::Snapshot;
use super::store::{SlotWord, Store, Word};

/// How often a worker counts the requests and timers that still hold older generations, while there are any.
const REAP: Duration = Duration::from_millis(100);
/// The pause between two slices of preparing, in which requests have their turn.
const PAUSE: Duration = Duration::from_millis(1);

/// A candidate that is ready to become the active generation.
struct Prepared {
    environment: Rc<Environment>,
    snapshot: Arc<Snapshot>,
    candidate: Candidate,
}

/// A worker that follows.
pub(super) struct Follower {
    store: Store,
    live: Rc<Live>,
    wake: Rc<WakeSet>,
    rules: Rules,
    roots: Arc<[Root]>,
    slot: usize,
    /// The active generation's files, from which the candidate's are made.
    snapshot: RefCell<Option<Arc<Snapshot>>>,
    preparing: RefCell<Option<(Preparation, Candidate)>>,
    prepared: RefCell<Option<Prepared>>,
    retired: RefCell<Vec<Rc<Environment>>>,
    told_pinned: RefCell<Vec<Pinned>>,
    reap: Timer,
    go_on: Timer,
    registered: Cell<usize>,
}

impl Follow for Follower {
    #[inline]
    fn active(&self) -> u64 {
        self.store.load(Word::Active)
    }

    fn follow(&self) {
        self.flip();
    }

    fn tell_loaded(&self) {
        self.register();
    }
}

impl Follower {
    /// Makes the worker's Lua follow; `slot` is this process's.
    pub fn start(
        store: Store,
        live: Rc<Live>,
        wake: Rc<WakeSet>,
        rules: Rules,
        roots: Arc<[Root]>,
        slot: usize,
    ) -> Rc<Self> {
        let follower = Rc::new_cyclic(|weak: &Weak<Self>| {
            let (reaped, gone_on) = (weak.clone(), weak.clone());
            Self {
                store,
                live,
                wake,
                rules,
                roots,
                slot,
                snapshot: RefCell::default(),
                preparing: RefCell::default(),
                prepared: RefCell::default(),
                retired: RefCell::default(),
                told_pinned: RefCell::default(),
                reap: Timer::new(move || {
                    if let Some(follower) = reaped.upgrade() {
                        // Nothing runs now, so the VM need not hold the environment of the request that ran last.
                        follower.show_active();
                        follower.reap();
                    }
                }),
                go_on: Timer::new(move || {
                    if let Some(follower) = gone_on.upgrade() {
                        follower.prepare();
                    }
                }),
                registered: Cell::new(0),
            }
        });
        follower.flip();
        follower.register();
        follower.live.set_follow(Rc::clone(&follower) as Rc<dyn Follow>);
        follower
    }

    /// Does what the zone asks for.
    pub fn woken(&self) {
        self.prepare();
        if self.active() != self.live.environment().generation.number {
            self.flip();
            // Whoever publishes waits for that.
            if self.store.load(Word::Publisher) != 0 {
                self.wake.wake_all();
            }
        }
        self.register();
    }

    /// Says whether this process is a worker of the running configuration; one that drains follows, but has no say.
    fn has_say(&self) -> bool {
        self.store.slot(self.slot, SlotWord::Cycle) == self.store.load(Word::Cycle)
    }

    /// Prepares the candidate, if there is one that this worker has not reported on, for a slice of time.
    fn prepare(&self) {
        let number = self.store.load(Word::Candidate);
        let stale = self.preparing.borrow().as_ref().is_some_and(|(preparation, _)| preparation.number() != number);
        if stale {
            self.preparing.take();
        }
        let (active, prepared) = (self.active(), self.prepared.take());
        let is_wanted = |prepared: &Prepared| [number, active].contains(&prepared.candidate.number);
        self.prepared.replace(prepared.filter(is_wanted));
        if number == 0 || !self.has_say() || self.store.slot(self.slot, SlotWord::Reported) == number {
            return;
        }
        let report: Report = match self.prepare_slice() {
            Ok(None) => return self.go_on.arm(PAUSE, false),
            Ok(Some(affected)) => Ok(affected),
            Err(refused) => Err(refused.by_worker(pid())),
        };
        if let Err(full) = self.store.report(self.slot, number, &report) {
            // Without its report the publisher times out and names this worker.
            log_cycle(Level::Err, format!("failed to report on candidate {number}: {full}").as_bytes());
            self.prepared.take();
        }
        // The publisher waits for this; and where it is a worker of the cycle before, it may not know all of ours.
        self.wake.wake_all();
    }

    /// The affected modules once all is prepared.
    fn prepare_slice(&self) -> Result<Option<Vec<String>>, Refused> {
        let begun = self.preparing.take();
        let (mut preparation, candidate) = match begun {
            Some(begun) => begun,
            None => {
                self.prepared.take();
                let gone = || Refused::rejected("the candidate is gone");
                let candidate: Candidate = self.store.read(Word::Change).ok_or_else(gone)?;
                let snapshot = self.snapshot().next(&candidate);
                let snapshot = snapshot.ok_or_else(|| Refused::rejected("the candidate follows another generation"))?;
                let preparation = Preparation::begin(&self.live, Arc::new(snapshot), &candidate, &self.rules)?;
                (preparation, candidate)
            }
        };
        if !preparation.advance()? {
            self.preparing.replace(Some((preparation, candidate)));
            return Ok(None);
        }
        let (environment, snapshot, affected) = preparation.finish();
        self.prepared.replace(Some(Prepared { environment, snapshot, candidate }));
        Ok(Some(affected))
    }

    /// The files of the active generation.
    fn snapshot(&self) -> Arc<Snapshot> {
        let active = self.active();
        let own = self.snapshot.borrow().clone();
        if let Some(own) = own.filter(|snapshot| snapshot.number() == active) {
            return own;
        }
        let manifest = self.store.manifest();
        let snapshot = Arc::new(Snapshot::new(self.store, &self.roots, manifest));
        self.snapshot.replace(Some(Arc::clone(&snapshot)));
        snapshot
    }

    /// Makes the active generation this worker's: what it has prepared, or, where it came too late for that, one in
    /// which whatever differs is loaded when it is first required.
    fn flip(&self) {
        let number = self.active();
        let before = self.live.environment();
        if before.generation.number == number {
            return;
        }
        // First, so that the sources of what requests are pinned to stay.
        self.retired.borrow_mut().push(Rc::clone(&before));
        drop(before);
        self.tell_pinned();
        let prepared = self.prepared.take().filter(|prepared| prepared.candidate.number == number);
        let next = match prepared {
            Some(Prepared { environment, snapshot, candidate }) => {
                self.store.set_slot(self.slot, SlotWord::Generation, number);
                self.snapshot.replace(Some(snapshot));
                take_over(&self.live, &environment, &candidate)
                    .map(|()| environment)
                    .map_err(|failure| failure.to_string())
            }
            None => self.catch_up().map_err(|refused| refused.to_string()),
        };
        match next {
            Ok(next) => {
                self.live.activate(next);
                self.register();
                self.reap();
            }
            Err(error) => {
                let text = format!("failed to follow to generation {number}: {error}; the worker goes on with its own");
                log_cycle(Level::Alert, text.as_bytes());
            }
        }
    }

    fn catch_up(&self) -> Result<Rc<Environment>, Refused> {
        // Told under the same lock, so that the sources stay of just the generation that the manifest is of.
        let manifest = self.store.manifest_for(self.slot);
        let snapshot = Arc::new(Snapshot::new(self.store, &self.roots, manifest));
        self.snapshot.replace(Some(Arc::clone(&snapshot)));
        let any = Candidate { dependents: true, ..Candidate::default() };
        successor(&self.live, snapshot, &any).map(|(next, _)| next)
    }

    fn show_active(&self) {
        if let Err(failure) = self.live.vm.switch_to(&self.live.environment()) {
            log_cycle(Level::Alert, failure.to_string().as_bytes());
        }
    }

    /// Forgets the older generations that nothing runs on any more, and counts what holds the others.
    fn reap(&self) {
        loop {
            let gone = {
                let mut retired = self.retired.borrow_mut();
                let at = retired.iter().position(|environment| Rc::strong_count(environment) == 1);
                at.map(|at| retired.remove(at))
            };
            let Some(environment) = gone else { break };
            for failure in environment.retire(&self.live.vm) {
                log_cycle(Level::Err, format!("hotlua.on_retire callback raised: {failure}").as_bytes());
            }
        }
        self.tell_pinned();
        if self.retired.borrow().is_empty() {
            if let Err(failure) = self.live.vm.settle_globals() {
                log_cycle(Level::Alert, failure.to_string().as_bytes());
            }
        } else {
            self.reap.arm(REAP, true);
        }
    }

    /// Tells which older generations this worker still has.
    fn tell_pinned(&self) {
        let mut pinned: BTreeMap<u64, Pinned> = BTreeMap::new();
        for environment in self.retired.borrow().iter() {
            let generation = environment.generation.number;
            let told = pinned.entry(generation).or_insert(Pinned { generation, requests: 0, timers: 0 });
            told.requests += environment.requests.get();
            told.timers += environment.timers.get();
        }
        let pinned: Vec<Pinned> = pinned.into_values().collect();
        if *self.told_pinned.borrow() == pinned {
            return;
        }
        let fewer = pinned.len() < self.told_pinned.borrow().len();
        log_full(self.store.set_pinned(self.slot, &pinned));
        self.told_pinned.replace(pinned);
        if fewer {
            log_full(self.store.locked(|shelf| shelf.collect()));
        }
    }

    /// Tells the other workers which modules this one has loaded.
    pub fn register(&self) {
        let environment = self.live.environment();
        let modules = environment.modules.borrow();
        let stamp = modules.len() + (environment.generation.number as usize) * 1_000_003;
        if self.registered.replace(stamp) == stamp || !self.has_say() {
            return;
        }
        self.store.set_slot(self.slot, SlotWord::Modules, modules.len() as u64);
        let graph = environment.graph.borrow();
        let told = self.store.locked(|shelf| {
            let mut registry: BTreeMap<String, Module> = shelf.read(Word::Registry).unwrap_or_default();
            let before = registry.clone();
            for (name, module) in modules.iter() {
                let entry = Module {
                    name: name.clone(),
                    file: module.file.clone(),
                    hash: module.hash.to_hex(),
                    loaded_in: module.loaded_in,
                    requires: graph.requires(&Node::module(name)).into_iter().map(str::to_owned).collect(),
                    required_by: Vec::new(),
                    ffi: module.ffi,
                    reason: None,
                };
                if registry.get(name).is_none_or(|known| known.loaded_in <= entry.loaded_in) {
                    registry.insert(name.clone(), entry);
                }
            }
            if registry == before { Ok(()) } else { shelf.write(Word::Registry, &registry) }
        });
        if let Err(full) = told {
            self.registered.set(0);
            log_cycle(Level::Err, format!("failed to tell which modules are loaded: {full}").as_bytes());
        }
    }
}
