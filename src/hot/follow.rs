//! A worker's part in changes: prepares candidates, follows the active generation, tells what it has loaded.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::time::Duration;

use crate::code::Node;
use crate::nginx::{Level, Timer, WakeSet, log_cycle, pid};
use crate::vm::{Environment, Follow, Live};

use super::prepare::{generation, prepare};
use super::report::{Module, Refused};
use super::store::{Candidate, Manifest, PINNED, Report, SlotWord, Store, Word};

/// How often a worker counts the requests that are still pinned to older generations, while there are any.
const REAP: Duration = Duration::from_millis(100);

/// A worker that follows.
pub(super) struct Follower {
    store: Store,
    live: Rc<Live>,
    wake: Rc<WakeSet>,
    slot: usize,
    prepared: RefCell<Option<Rc<Environment>>>,
    retired: RefCell<Vec<(u64, Weak<Environment>)>>,
    reap: Timer,
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
    /// Claims the worker's slot and makes the worker's Lua follow.
    pub fn start(store: Store, live: Rc<Live>, wake: Rc<WakeSet>, slot: usize) -> Rc<Self> {
        let follower = Rc::new_cyclic(|weak: &Weak<Self>| {
            let weak = weak.clone();
            Self {
                store,
                live,
                wake,
                slot,
                prepared: RefCell::default(),
                retired: RefCell::default(),
                reap: Timer::new(move || {
                    if let Some(follower) = weak.upgrade() {
                        // Nothing runs now, so the VM need not hold the environment of the request that ran last.
                        follower.show_active();
                        follower.reap();
                    }
                }),
                registered: Cell::new(0),
            }
        });
        store.set_pinned(slot, &[]);
        store.set_slot(slot, SlotWord::Reported, 0);
        store.set_slot(slot, SlotWord::Pid, pid() as u64);
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
        }
        self.register();
    }

    /// Says whether this process still owns its slot; after a reload of nginx its successor does.
    fn owns_slot(&self) -> bool {
        self.store.slot(self.slot, SlotWord::Pid) == pid() as u64
    }

    /// Prepares the candidate, if there is one that this worker has not reported on.
    fn prepare(&self) {
        let number = self.store.load(Word::Candidate);
        if number == 0 || !self.owns_slot() {
            return;
        }
        if self.store.slot(self.slot, SlotWord::Reported) == number {
            return;
        }
        let report = self.prepare_report(number);
        if let Err(full) = self.store.report(self.slot, number, &report) {
            // Without its report the publisher times out and names this worker.
            log_cycle(Level::Err, format!("failed to report on candidate {number}: {full}").as_bytes());
            self.prepared.take();
        }
        // The publisher waits for this; and where it is a worker of the cycle before, it may not know all of ours.
        self.wake.wake_all();
    }

    fn prepare_report(&self, number: u64) -> Report {
        self.prepared.take();
        let gone = || Refused::rejected("the candidate is gone");
        let candidate: Candidate = self.store.read(Word::Change).ok_or_else(gone)?;
        let before = self.live.environment();
        let generation = generation(&self.store, number, &candidate.manifest, &before.generation);
        let (environment, reloaded) =
            prepare(&self.live, generation, &candidate).map_err(|refused| refused.by_worker(pid()))?;
        self.prepared.replace(Some(environment));
        Ok(reloaded)
    }

    /// Makes the active generation this worker's: what it has prepared, or, where it came too late for that, what it
    /// makes of the manifest now.
    fn flip(&self) {
        let number = self.active();
        let before = self.live.environment();
        let prepared = self.prepared.take().filter(|environment| environment.generation.number == number);
        let next = prepared.or_else(|| self.catch_up(number, &before));
        if let Some(next) = next {
            self.live.activate(next);
            self.retire(before);
        }
        if self.owns_slot() {
            self.store.set_slot(self.slot, SlotWord::Generation, number);
        }
    }

    fn catch_up(&self, number: u64, before: &Environment) -> Option<Rc<Environment>> {
        let manifest: Manifest = self.store.read(Word::Manifest).unwrap_or_default();
        let next = generation(&self.store, number, &manifest, &before.generation);
        let of_manifest = manifest
            .entries
            .iter()
            .filter(|entry| before.generation.files.get(&entry.file).is_none_or(|file| file.hash != entry.hash));
        let files = of_manifest.map(|entry| entry.file.clone()).collect();
        let dropped = before.generation.files.keys().filter(|file| !next.files.contains_key(*file)).cloned();
        let files: Vec<String> = dropped.chain::<Vec<String>>(files).collect();
        let candidate = Candidate { manifest, modules: Vec::new(), files, dependents: true };
        match prepare(&self.live, next, &candidate) {
            Ok((environment, _)) => Some(environment),
            Err(refused) => {
                let text =
                    format!("failed to follow to generation {number}: {refused}; the worker goes on with its own");
                log_cycle(Level::Alert, text.as_bytes());
                None
            }
        }
    }

    /// Keeps an eye on an environment that requests may still be pinned to.
    fn retire(&self, environment: Rc<Environment>) {
        self.retired.borrow_mut().push((environment.generation.number, Rc::downgrade(&environment)));
        drop(environment);
        self.reap();
    }

    fn show_active(&self) {
        if let Err(failure) = self.live.vm.switch_to(&self.live.environment()) {
            log_cycle(Level::Alert, failure.to_string().as_bytes());
        }
    }

    /// Counts the requests on older generations and forgets those that have none.
    fn reap(&self) {
        let mut retired = self.retired.borrow_mut();
        retired.retain(|(_, environment)| environment.strong_count() > 0);
        let mut pinned: BTreeMap<u64, u64> = BTreeMap::new();
        for (number, environment) in retired.iter() {
            let requests = environment.upgrade().map_or(0, |environment| environment.requests.get());
            if requests > 0 {
                *pinned.entry(*number).or_default() += requests;
            }
        }
        let mut pinned: Vec<(u64, u64)> = pinned.into_iter().collect();
        pinned.truncate(PINNED);
        if self.owns_slot() {
            self.store.set_pinned(self.slot, &pinned);
        }
        if !retired.is_empty() {
            self.reap.arm(REAP, true);
        }
    }

    /// Tells the other workers which modules this one has loaded.
    pub fn register(&self) {
        let environment = self.live.environment();
        let modules = environment.modules.borrow();
        let stamp = modules.len() + (environment.generation.number as usize) * 1_000_003;
        if self.registered.replace(stamp) == stamp || !self.owns_slot() {
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
