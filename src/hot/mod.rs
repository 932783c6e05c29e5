//! Changing code: publish a candidate, prepare it in every worker, activate it everywhere at once.
//!
//! ```text
//! change ──► publish ──► prepare (each worker) ──► activate ──► retire
//!            resolve,    compile, reload           one atomic   last request
//!            reread      modules and dependents    store        that is pinned
//! ```
//!
//! All of it runs beside the request path, which only compares the active generation's number with its own.

mod api;
mod begin;
mod follow;
mod history;
mod layout;
mod make;
mod prepare;
mod publish;
mod record;
mod report;
mod resolve;
mod room;
mod shelf;
mod snapshot;
mod store;
mod turn;
mod watcher;

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::code::{Root, Untrusted};
use crate::nginx::{WakeSet, Zone};
use crate::vm::{Family, Live};

use follow::Follower;
use prepare::Rules;
use publish::Publisher;
use record::Pinned;
use store::{SlotWord, Store, Word};
use watcher::Watcher;

pub use begin::plan_roots;
pub use report::{Change, Generation, Module, Named, Published, Refused, State, Status, Totals, What, Worker};

/// What scripts get of it.
pub const FAMILIES: &[Family] = &[api::FAMILY];

/// How a configuration changes its code.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The code roots.
    pub roots: Vec<Root>,
    /// Lua files outside of the roots that directives name.
    pub tracked: Vec<String>,
    /// What never runs as trusted code: the untrusted ones of the roots, and single files.
    pub untrusted: Untrusted,
    /// `hotlua_keep`
    pub keep: usize,
    /// `hotlua_prepare eager`
    pub eager: bool,
    /// `hotlua_prepare_timeout`
    pub timeout: Duration,
    /// `hotlua_check`
    pub check: Option<PathBuf>,
    /// `hotlua_watch`: the quiet time after the last change.
    pub watch: Option<Duration>,
}

/// What a worker needs to take part in changes.
pub struct Setup {
    /// The shared memory.
    pub zone: Zone,
    /// One eventfd a worker.
    pub wake: Rc<WakeSet>,
    /// The worker's Lua.
    pub live: Rc<Live>,
    /// What the configuration says.
    pub settings: Settings,
    /// This worker's number.
    pub worker: usize,
    /// The configuration's number, as [`configured`] gave it.
    pub cycle: u64,
}

struct Hot {
    store: Store,
    follower: Rc<Follower>,
    publisher: Rc<Publisher>,
    roots: Vec<Root>,
}

thread_local! {
    /// The process's part in changes; a worker runs one thread and serves one configuration.
    static HOT: OnceCell<Hot> = const { OnceCell::new() };
}

/// How many workers can take part; as many again may drain from earlier configurations.
pub const MOST_WORKERS: usize = layout::SLOTS / 2;

/// In the master: publishes the snapshot that the workers of a new configuration begin with. Returns the configuration's
/// number.
pub fn configured(zone: Zone, settings: &Settings, package_path: String) -> u64 {
    let store = Store::new(zone);
    begin::begin(store, settings, package_path);
    store.load(Word::Cycle)
}

/// Makes this worker take part in changes.
pub fn start(setup: Setup) -> Result<(), String> {
    let Setup { zone, wake, live, settings, worker, cycle } = setup;
    let store = Store::new(zone);
    let slot = store.claim_slot(cycle, worker).ok_or("too many processes take part in changes")?;
    let publisher = Publisher::new(store, Rc::clone(&wake), Rc::clone(&live), &settings);
    let roots: Arc<[Root]> = settings.roots.as_slice().into();
    let tracked = settings.tracked.iter().map(PathBuf::from);
    let whole = settings.roots.iter().filter(|root| root.whole).map(|root| root.path.clone());
    let watched: Vec<PathBuf> = whole.chain(tracked).collect();
    let rules = Rules { eager: settings.eager, check: settings.check, timeout: settings.timeout };
    let follower = Follower::start(store, live, Rc::clone(&wake), rules, roots, slot);
    let watcher = settings
        .watch
        .map(|settle| Watcher::start(store, Rc::clone(&publisher), Rc::clone(&wake), watched, settle, cycle));
    let (woken, pump) = (Rc::clone(&follower), Rc::clone(&publisher));
    wake.listen(worker, move || {
        woken.woken();
        if let Some(watcher) = &watcher {
            watcher.woken();
        }
        pump.woken();
    })?;
    // The worker may have been born in the middle of a change.
    follower.woken();
    HOT.with(|cell| cell.set(Hot { store, follower, publisher, roots: settings.roots }))
        .map_err(|_| "a worker was started twice".to_owned())
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

/// How many changes there were.
pub fn totals() -> Totals {
    HOT.with(|hot| hot.get().map(|hot| hot.store.totals())).unwrap_or_default()
}

/// Every generation that is told of, newest first.
pub fn generations() -> Vec<Generation> {
    let history: Option<Vec<Generation>> = HOT.with(|hot| hot.get()?.store.read(Word::History));
    let told = history.unwrap_or_default().into_iter().filter(|generation| generation.state != State::Candidate);
    told.rev().collect()
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
    let last = generations().into_iter().next().filter(|generation| generation.state == State::Rejected);
    for module in registry.values_mut().filter(|module| module.ffi) {
        module.reason =
            last.clone().filter(|last| last.file.as_ref() == Some(&module.file)).and_then(|last| last.error);
    }
    registry.into_values().collect()
}

impl Hot {
    fn status(&self) -> Status {
        let store = &self.store;
        self.follower.register();
        let candidate = store.load(Word::Candidate);
        let history: Vec<Generation> = store.read(Word::History).unwrap_or_default();
        Status {
            generation: store.load(Word::Active),
            candidate: (candidate != 0).then_some(candidate),
            workers: store
                .workers()
                .into_iter()
                .map(|slot| {
                    let pinned = store.pinned(slot);
                    let by = |count: fn(&Pinned) -> u64| {
                        pinned
                            .iter()
                            .map(|told| (told.generation, count(told)))
                            .filter(|(_, count)| *count > 0)
                            .collect()
                    };
                    Worker {
                        pid: store.slot(slot, SlotWord::Pid) as i32,
                        slot: store.slot(slot, SlotWord::Worker) as usize,
                        generation: store.slot(slot, SlotWord::Generation),
                        pinned: by(|told| told.requests),
                        timers: by(|told| told.timers),
                        modules: store.slot(slot, SlotWord::Modules) as usize,
                    }
                })
                .collect(),
            roots: self.roots.iter().map(|root| root.path.display().to_string()).collect(),
            zone: report::Zone { size: store.zone().size(), used: store.zone().used() },
            last_error: history
                .iter()
                .rfind(|generation| generation.state != State::Candidate)
                .and_then(|generation| generation.error.clone()),
        }
    }
}
