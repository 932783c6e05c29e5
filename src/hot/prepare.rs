//! A worker's part of a change: makes the candidate's environment beside the active one, a slice at a time.

use std::collections::{HashSet, VecDeque};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mlua::Function;

use crate::code::{FILE_LIMIT, Found, Generation, Hash, Node, literal_requires, read_static};
use crate::vm::{Environment, Failure, Live, Progress, Sliced};

use super::record::Candidate;
use super::report::Refused;
use super::snapshot::Snapshot;

/// How long the event loop is held at a time.
const SLICE: Duration = Duration::from_millis(3);

/// What a worker prepares candidates by.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    /// Loads the affected modules; else they load when they are first required.
    pub eager: bool,
    /// Run last; what it raises rejects the candidate.
    pub check: Option<PathBuf>,
    /// How long a worker may take.
    pub timeout: Duration,
}

/// A candidate that is being prepared.
pub(super) struct Preparation {
    live: Rc<Live>,
    next: Rc<Environment>,
    snapshot: Arc<Snapshot>,
    affected: Vec<String>,
    tasks: VecDeque<Task>,
    running: Option<Sliced>,
    deadline: Instant,
}

/// What is left to do.
enum Task {
    /// Compile a file that a request has run before.
    Compile(String),
    /// Load a module.
    Load(String),
    /// Run the operator's check.
    Check(PathBuf),
}

impl Preparation {
    /// Makes the environment of a candidate, with nothing loaded yet that the candidate changes. The active
    /// environment is untouched, whatever happens.
    pub fn begin(
        live: &Rc<Live>,
        snapshot: Arc<Snapshot>,
        candidate: &Candidate,
        rules: &Rules,
    ) -> Result<Self, Refused> {
        let (next, mut affected) = successor(live, Arc::clone(&snapshot), candidate)?;
        let active = live.environment();
        let mut tasks = VecDeque::new();
        let bytecode = candidate.bytecode.iter().map(|(file, _)| file);
        tasks.extend(
            bytecode.filter(|file| active.chunks.borrow().contains_key(file.as_bytes())).cloned().map(Task::Compile),
        );
        // A module whose file is gone is gone; whoever still requires it says so.
        let went: HashSet<&str> =
            candidate.changes.iter().filter(|changed| changed.after.is_none()).map(|changed| &*changed.file).collect();
        let modules = active.modules.borrow();
        affected.retain(|name| modules.get(name).is_none_or(|module| !went.contains(&*module.file)));
        if rules.eager {
            tasks.extend(affected.iter().cloned().map(Task::Load));
        }
        tasks.extend(rules.check.clone().map(Task::Check));
        // The publisher's clock began earlier; this one names the line.
        let deadline = Instant::now() + rules.timeout * 9 / 10;
        Ok(Self { live: Rc::clone(live), next, snapshot, affected, tasks, running: None, deadline })
    }

    /// The number of the candidate.
    pub fn number(&self) -> u64 {
        self.next.generation.number
    }

    /// Goes on for a slice of time; true once all is done.
    pub fn advance(&mut self) -> Result<bool, Refused> {
        let end = Instant::now() + SLICE;
        loop {
            if let Some(mut running) = self.running.take() {
                let left = end.saturating_duration_since(Instant::now());
                match running.run(&self.next, left, self.deadline).map_err(|failure| rejected(&failure))? {
                    Progress::Done => {}
                    Progress::Paused => {
                        self.running = Some(running);
                        return Ok(false);
                    }
                }
            } else if let Some(task) = self.tasks.pop_front() {
                self.running = self.start(task).map_err(|failure| rejected(&failure))?;
            } else {
                return Ok(true);
            }
            if Instant::now() >= end {
                return Ok(false);
            }
        }
    }

    /// The environment, its files and the modules that were loaded for it.
    pub fn finish(self) -> (Rc<Environment>, Arc<Snapshot>, Vec<String>) {
        (self.next, self.snapshot, self.affected)
    }

    fn start(&self, task: Task) -> Result<Option<Sliced>, Failure> {
        let vm = &self.live.vm;
        match task {
            Task::Compile(file) => {
                if let Found::Source(source) = self.next.generation.sources.find(&file) {
                    let chunk = vm.compile_handler(&source.text, source.loadable(), &format!("@{file}"))?;
                    let mut graph = self.next.graph.borrow_mut();
                    graph.set_requires(&Node::chunk(&file), literal_requires(&source.text));
                    self.next.remember(vm, file.as_bytes(), chunk, source.hash);
                }
                Ok(None)
            }
            Task::Load(module) => vm.sliced_require(&module).map(Some),
            Task::Check(path) => vm.sliced(self.check(&path)?, ()).map(Some),
        }
    }

    fn check(&self, path: &std::path::Path) -> Result<Function, Failure> {
        let name = path.to_string_lossy();
        let chunk_name = format!("@{name}");
        if self.next.untrusted.holds(path) {
            return Err(Failure::new(format!("hotlua_check {name}: refused: the file is a sandboxed script")));
        }
        match self.next.generation.sources.find(&name) {
            Found::Source(source) => self.live.vm.compile(source.loadable(), &chunk_name),
            _ => {
                let source = read_static(path, FILE_LIMIT)
                    .map_err(|error| Failure::new(format!("hotlua_check {name}: {error}")))?;
                self.live.vm.compile(&source.bytes, &chunk_name)
            }
        }
    }
}

/// The environment of the generation that follows the active one, without what differs, and the affected modules that
/// this worker has loaded, dependencies first.
pub(super) fn successor(
    live: &Rc<Live>,
    snapshot: Arc<Snapshot>,
    candidate: &Candidate,
) -> Result<(Rc<Environment>, Vec<String>), Refused> {
    let active = live.environment();
    let generation = Generation { number: snapshot.number(), sources: snapshot };
    let affected = affected(&active, &generation, candidate);
    let files = stale_files(&active, &generation);
    let next = active.successor(&live.vm, Rc::new(generation), &affected, &files);
    Ok((next.map_err(|failure| rejected(&failure))?, affected))
}

/// Says whether a file that `environment` has loaded, with that hash, is another one in `generation`.
fn differs(environment: &Environment, generation: &Generation, file: &str, hash: Hash) -> bool {
    match generation.sources.hash(file) {
        Some(now) => now != hash,
        // It was there and is not any more; what no generation has is not the concern of one.
        None => environment.generation.sources.hash(file).is_some(),
    }
}

/// The modules of `environment` that differ in `generation`, or that `candidate` names, with their dependents,
/// dependencies first.
fn affected(environment: &Environment, generation: &Generation, candidate: &Candidate) -> Vec<String> {
    let modules = environment.modules.borrow();
    let changed: Vec<&str> = modules
        .iter()
        .filter(|(name, module)| {
            candidate.modules.contains(*name) || differs(environment, generation, &module.file, module.hash)
        })
        .map(|(name, _)| name.as_str())
        .collect();
    let in_order = environment.graph.borrow().affected(&changed, |name| modules.contains_key(name));
    if candidate.dependents {
        return in_order;
    }
    in_order.into_iter().filter(|name| changed.contains(&name.as_str())).collect()
}

/// The files of chunks and scripts that are others in `generation`.
fn stale_files(environment: &Environment, generation: &Generation) -> HashSet<String> {
    environment.stale_files(|file, hash| differs(environment, generation, file, hash))
}

/// Takes over into `next`, which was prepared, what requests have loaded in the active environment meanwhile, as far
/// as the change leaves it alone: a module's state must not start anew for that.
pub(super) fn take_over(live: &Live, next: &Rc<Environment>, candidate: &Candidate) -> Result<(), Failure> {
    let active = live.environment();
    let unaffected = {
        let (own, theirs) = (next.modules.borrow(), active.modules.borrow());
        if theirs.keys().all(|name| own.contains_key(name)) {
            return Ok(());
        }
        let affected = affected(&active, &next.generation, candidate);
        theirs
            .keys()
            .filter(|name| !own.contains_key(*name) && !affected.contains(*name))
            .cloned()
            .collect::<Vec<String>>()
    };
    next.take_over(&active, &unaffected)
}

fn rejected(failure: &Failure) -> Refused {
    let place = failure.raised_at();
    Refused::Rejected {
        error: failure.message.clone(),
        file: place.map(|(file, _)| file.to_owned()),
        line: place.map(|(_, line)| line),
        worker: None,
    }
}
