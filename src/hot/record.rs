//! What the zone's blocks hold: manifests, candidates and what keeps older generations alive.

use serde::{Deserialize, Serialize};

use crate::code::{Hash, Stamp};

use super::report::Refused;

/// Where a file of a generation came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Origin {
    /// The disk.
    Disk,
    /// `hotlua.publish`: it need not be on disk.
    Overlay,
    /// It does not exist in this generation, though the disk has it: a rollback went back to before it came.
    Gone,
}

/// A file of a generation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Of its source.
    pub hash: Hash,
    /// The block that holds its source; 0 where it is gone.
    pub block: u64,
    /// The generation that brought it.
    pub born: u64,
    /// Where it came from.
    pub origin: Origin,
    /// The state in which the disk's file was looked at last; none where that cannot be told from a later one.
    pub stamp: Option<Stamp>,
    /// What it is held against.
    pub held: Held,
}

impl Entry {
    /// What the disk has in its place, as far as that was looked at: of several rollbacks the last one is held against
    /// the same disk as the first.
    pub fn disk(&self) -> Held {
        match (self.held, self.origin) {
            (Held::No, Origin::Disk) => Held::Over(self.hash),
            (held, _) => held,
        }
    }
}

/// What a rollback has put a file before. A watched change leaves it so; a publish on demand takes the disk's again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Held {
    /// Nothing: it is as the disk has it, or no rollback's.
    No,
    /// The disk's file of that hash.
    Over(Hash),
    /// The disk's file was deleted.
    Deleted,
}

/// The files of a generation.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// Its number.
    pub number: u64,
    /// By absolute path, sorted.
    pub entries: Vec<(String, Entry)>,
}

/// How a file differs between two generations.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Changed {
    /// Its absolute path.
    pub file: String,
    /// As the older one has it; none: not at all.
    pub before: Option<Entry>,
    /// As the newer one has it.
    pub after: Option<Entry>,
}

/// What the workers are to prepare.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Candidate {
    /// Its number.
    pub number: u64,
    /// The generation that it follows.
    pub base: u64,
    /// How its files differ from that one's; among them, unchanged, those that workers have read late for that one.
    pub changes: Vec<Changed>,
    /// File → what it compiles to, for those that changed.
    pub bytecode: Vec<(String, Vec<u8>)>,
    /// The modules to reload where they are loaded, whether or not their file differs.
    pub modules: Vec<String>,
    /// Reload what requires them too.
    pub dependents: bool,
}

/// A generation before the active one that can be restored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    /// Its number.
    pub number: u64,
    /// How it differs from the one that followed it: file and what it has there.
    pub back: Vec<(String, Option<Entry>)>,
}

/// A source that the active generation has no more, and the generations that had it: from `born` to before `until`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Dropped {
    /// Its block.
    pub block: u64,
    /// The generation that brought it.
    pub born: u64,
    /// The generation that dropped it.
    pub until: u64,
}

/// A file that a worker has read from the disk for a generation that did not know it yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Late {
    /// The generation.
    pub number: u64,
    /// Its absolute path.
    pub file: String,
    /// What was read.
    pub entry: Entry,
    /// The manifest of the next generation has it too, and its block is that one's.
    pub merged: bool,
}

/// What a worker still runs on an older generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pinned {
    /// Its number.
    pub generation: u64,
    /// How many requests; 0 where something else still holds it.
    pub requests: u64,
    /// How many timers.
    pub timers: u64,
}

/// What a worker says of a candidate: the modules that it has reloaded, or why it refuses.
pub(super) type Report = Result<Vec<String>, Refused>;
