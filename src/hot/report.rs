//! What a change asks for and what is told of generations, workers and modules. The field names are the control API's.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A change that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What is asked for.
    pub what: What,
    /// Who asks, for the list of generations.
    pub actor: String,
    /// Why, for the list of generations.
    pub reason: String,
}

/// What a change does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Rereads what is named.
    Named(Named),
    /// Takes everything for the first time, what does not compile too: who needs it answers 500.
    First,
    /// Scans the roots and takes what changed.
    Rescan,
    /// The same, for files that were seen to change: what a rollback has put aside stays aside as long as it is the same.
    Settled,
    /// Sources that need not be on disk, by path: relative to the first root, or absolute in one. None takes an
    /// earlier one back.
    Overlay(BTreeMap<String, Option<Vec<u8>>>),
    /// The files of an earlier generation; None: of the one that was active before.
    Rollback(Option<u64>),
}

/// What to reread and reload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Module names.
    pub modules: Vec<String>,
    /// Files: absolute, or relative to a code root.
    pub files: Vec<String>,
    /// Patterns of module names, `*` for any run of characters.
    pub patterns: Vec<String>,
    /// Everything.
    pub all: bool,
    /// Reload what requires them too.
    pub dependents: bool,
}

/// What a change has done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The generation that is now active in every worker: the one before where nothing changed.
    pub generation: u64,
    /// The files that differ from the generation before.
    pub changed: Vec<String>,
    /// The modules that workers have reloaded, dependencies first.
    pub reloaded: Vec<String>,
    /// The generation whose files were restored; only a rollback has one.
    pub restored: Option<u64>,
}

/// Why a change was refused. The active generation goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refused {
    /// No module, file or generation has that name.
    Unknown {
        /// A sentence that names it.
        what: String,
    },
    /// The candidate was rejected.
    Rejected {
        /// The cause.
        error: String,
        /// The Lua file, where one is to blame.
        file: Option<String>,
        /// The line in it.
        line: Option<u32>,
        /// The worker's pid, where one has rejected it.
        worker: Option<i32>,
    },
}

/// How far a [`Generation`] came.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The workers prepare it.
    Candidate,
    /// It runs.
    Active,
    /// It ran and can be restored.
    Retained,
    /// It never ran.
    Rejected,
}

impl Refused {
    /// A rejection that no file is to blame for.
    pub(super) fn rejected(error: &str) -> Self {
        Self::Rejected { error: error.to_owned(), file: None, line: None, worker: None }
    }

    /// The same, with the worker that rejected.
    pub(super) fn by_worker(self, pid: i32) -> Self {
        match self {
            Self::Rejected { error, file, line, .. } => Self::Rejected { error, file, line, worker: Some(pid) },
            unknown @ Self::Unknown { .. } => unknown,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { what } => f.write_str(what),
            Self::Rejected { error, worker: Some(worker), .. } => write!(f, "{error}, worker: {worker}"),
            Self::Rejected { error, .. } => f.write_str(error),
        }
    }
}

/// `GET status`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Status {
    /// The active generation.
    pub generation: u64,
    /// The candidate under way.
    pub candidate: Option<u64>,
    /// The live workers.
    pub workers: Vec<Worker>,
    /// The code roots.
    pub roots: Vec<String>,
    /// The shared memory.
    pub zone: Zone,
    /// The last rejection; none once a later change was accepted.
    pub last_error: Option<String>,
}

/// One worker, in the status.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Worker {
    /// Its process.
    pub pid: i32,
    /// Its number.
    pub slot: usize,
    /// The generation that it gives new requests.
    pub generation: u64,
    /// Older generations that requests still run on → how many.
    pub pinned: BTreeMap<u64, u64>,
    /// Older generations that timers hold → how many.
    pub timers: BTreeMap<u64, u64>,
    /// How many modules it has loaded.
    pub modules: usize,
}

/// The shared memory, in the status. Bytes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Zone {
    /// `hotlua_zone`
    pub size: usize,
    /// What is in use.
    pub used: usize,
}

/// How many changes there were since nginx started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Generations that were activated, rollbacks among them.
    pub activated: u64,
    /// Candidates that were rejected.
    pub rejected: u64,
    /// Rollbacks that were activated.
    pub rolled_back: u64,
}

/// One generation, in the list of them. The zone keeps it encoded by the places of its fields, so none may be skipped.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Generation {
    /// Its number.
    pub generation: u64,
    /// How far it came.
    pub state: State,
    /// Why it was made.
    pub reason: String,
    /// Who asked.
    pub actor: String,
    /// Seconds since the epoch, with milliseconds.
    pub time: f64,
    /// The files that differ from the generation before.
    pub changed: Vec<String>,
    /// The modules that were reloaded.
    pub affected: Vec<String>,
    /// Why it was rejected.
    pub error: Option<String>,
    /// The Lua file that was to blame for that, where one was.
    pub file: Option<String>,
    /// The line in it.
    pub line: Option<u32>,
}

impl Generation {
    /// Says why it was rejected, or, for the first generation, what of it does not run.
    pub(super) fn blame(&mut self, refused: &Refused) {
        self.error = Some(refused.to_string());
        if let Refused::Rejected { file, line, .. } = refused {
            self.file.clone_from(file);
            self.line = *line;
        }
    }
}

/// One module, in the list of them. The zone keeps it as it does a [`Generation`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// As it is required.
    pub name: String,
    /// Its file.
    pub file: String,
    /// The hash of its source, hexadecimal.
    pub hash: String,
    /// The generation in which it was loaded last.
    pub loaded_in: u64,
    /// What it requires.
    pub requires: Vec<String>,
    /// What requires it.
    pub required_by: Vec<String>,
    /// It uses the `ffi` library.
    pub ffi: bool,
    /// Why it could not be reloaded, where it uses `ffi` and could not.
    pub reason: Option<String>,
}
