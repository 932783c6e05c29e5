//! Changing code: publish a candidate, prepare it in every worker, activate it everywhere at once.
//!
//! ```text
//! change ──► publish ──► prepare (each worker) ──► activate ──► retire
//!            resolve,    compile, reload           one atomic   last request
//!            reread      modules and dependents    store        that is pinned
//! ```
//!
//! All of it runs beside the request path, which only compares the active generation's number with its own.

mod follow;
mod prepare;
mod publish;
mod report;
mod resolve;
mod store;

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use crate::nginx::{WakeSet, Zone};
use crate::vm::Live;

use follow::Follower;
use publish::Publisher;
use store::{SlotWord, Store, Word};

pub use report::{Change, Generation, Module, Published, Refused, Status, Worker};

/// What a worker needs to take part in changes.
pub struct Setup {
    /// The shared memory.
    pub zone: Zone,
    /// One eventfd a worker.
    pub wake: Rc<WakeSet>,
    /// The worker's Lua.
    pub live: Rc<Live>,
    /// The code roots.
    pub roots: Vec<PathBuf>,
    /// This worker's number.
    pub slot: usize,
    /// How long workers may take to prepare a candidate.
    pub timeout: Duration,
}

struct Hot {
    store: Store,
    follower: Rc<Follower>,
    publisher: Rc<Publisher>,
    roots: Vec<PathBuf>,
}

thread_local! {
    /// The process's part in changes; a worker runs one thread and serves one configuration.
    static HOT: OnceCell<Hot> = const { OnceCell::new() };
}

/// How many workers can take part.
pub const MOST_WORKERS: usize = store::SLOTS;

/// Marks in the master that a new configuration starts: what it loads anew from the disk is a generation of its own.
pub fn configured(zone: Zone) -> Result<(), String> {
    let store = Store::new(zone);
    publish::start_over(&store).map_err(|full| full.to_string())
}

/// Makes this worker take part in changes.
pub fn start(setup: Setup) -> Result<(), String> {
    let store = Store::new(setup.zone);
    let follower = Follower::start(store, Rc::clone(&setup.live), Rc::clone(&setup.wake), setup.slot);
    let publisher =
        Publisher::new(store, Rc::clone(&setup.wake), Rc::clone(&setup.live), setup.roots.clone(), setup.timeout);
    let (woken, pump) = (Rc::clone(&follower), Rc::clone(&publisher));
    setup.wake.listen(setup.slot, move || {
        woken.woken();
        pump.woken();
    })?;
    // The worker may have been born in the middle of a change.
    follower.woken();
    let hot = Hot { store, follower, publisher, roots: setup.roots };
    HOT.with(|cell| cell.set(hot)).map_err(|_| "a worker was started twice".to_owned())
}

/// Publishes a change and calls `done` once every worker has flipped, or the change was refused. It may call `done`
/// at once or later from the event loop; it is called exactly once.
pub fn publish(change: Change, done: impl FnOnce(Result<Published, Refused>) + 'static) {
    let publisher = HOT.with(|hot| hot.get().map(|hot| Rc::clone(&hot.publisher)));
    match publisher {
        Some(publisher) => publisher.publish(change, Box::new(done)),
        None => done(Err(Refused::Unknown { what: "no Lua is configured, so there is nothing to change".into() })),
    }
}

/// What `GET status` answers.
pub fn status() -> Status {
    HOT.with(|hot| hot.get().map(Hot::status)).unwrap_or_default()
}

/// Every generation that is told of, newest first.
pub fn generations() -> Vec<Generation> {
    let history: Option<Vec<Generation>> = HOT.with(|hot| hot.get()?.store.read(Word::History));
    history.unwrap_or_default().into_iter().rev().collect()
}

/// Every module that some worker has loaded from a file, by name.
pub fn modules() -> Vec<Module> {
    let registry: Option<BTreeMap<String, Module>> = HOT.with(|hot| {
        let hot = hot.get()?;
        hot.follower.register();
        hot.store.read(Word::Registry)
    });
    let mut registry = registry.unwrap_or_default();
    let edges: Vec<(String, String)> = registry
        .values()
        .flat_map(|module| module.requires.iter().map(|required| (required.clone(), module.name.clone())))
        .collect();
    for (required, by) in edges {
        if let Some(module) = registry.get_mut(&required) {
            module.required_by.push(by);
        }
    }
    registry.into_values().collect()
}

impl Hot {
    fn status(&self) -> Status {
        let store = &self.store;
        self.follower.register();
        let candidate = store.load(Word::Candidate);
        let history: Vec<Generation> = store.read(Word::History).unwrap_or_default();
        let last = history.last().filter(|generation| generation.state == report::REJECTED);
        Status {
            generation: store.load(Word::Active),
            candidate: (candidate != 0).then_some(candidate),
            workers: store
                .live_slots()
                .into_iter()
                .map(|slot| Worker {
                    pid: store.slot(slot, SlotWord::Pid) as i32,
                    slot,
                    generation: store.slot(slot, SlotWord::Generation),
                    pinned: store.pinned(slot).into_iter().collect(),
                    modules: store.slot(slot, SlotWord::Modules) as usize,
                })
                .collect(),
            roots: self.roots.iter().map(|root| root.display().to_string()).collect(),
            zone: report::Zone { size: store.zone().size(), used: store.zone().used() },
            last_error: last.and_then(|generation| generation.error.clone()),
        }
    }
}
