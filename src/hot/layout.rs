//! Where what lies in the zone: its words, and the words of each process's slot.

use crate::nginx::WORDS;

/// A word of the zone that all workers share.
#[derive(Clone, Copy)]
pub(super) enum Word {
    /// The number of the active generation; 0 before the first.
    Active = 0,
    /// The number of the candidate that workers are to prepare; 0: none.
    Candidate = 1,
    /// The pid of the process that publishes; 0: none.
    Publisher = 2,
    /// The number that the next candidate gets.
    Next = 3,
    /// The configuration that runs, counted up by each reload of nginx: its workers prepare candidates.
    Cycle = 4,
    /// The pid of the worker that watches the roots; 0: none.
    Watcher = 5,
    /// Bytes that the names of untrusted files take in a list of the active generation's files.
    Untrusted = 6,
    /// How many generations were activated.
    Activated = 7,
    /// How many candidates were rejected.
    Rejected = 8,
    /// How many of the generations that were activated are rollbacks.
    RolledBack = 9,
    /// Block: [`Manifest`] of the active generation.
    Manifest = 16,
    /// Block: [`Manifest`] of the candidate, or of the active generation where its publisher died right after.
    NextManifest = 17,
    /// Block: [`Candidate`]; it stays after the activation.
    Change = 18,
    /// Block: every generation that is told of, oldest first.
    History = 19,
    /// Block: every module that some worker has loaded, by name.
    Registry = 20,
    /// Block: a list of [`Kept`], oldest first.
    Kept = 21,
    /// Block: a list of [`Dropped`].
    Dropped = 22,
}

/// Words that hold blocks, for a sweep.
pub(super) const BLOCK_WORDS: [Word; 7] =
    [Word::Manifest, Word::NextManifest, Word::Change, Word::History, Word::Registry, Word::Kept, Word::Dropped];

/// A word of a process's slot.
#[derive(Clone, Copy)]
pub(super) enum SlotWord {
    /// The process's pid; 0 where the slot is free.
    Pid = 0,
    /// The generation that it gives new requests.
    Generation = 1,
    /// The last candidate that it has prepared or rejected.
    Reported = 2,
    /// Block: [`Report`] on that candidate.
    Report = 3,
    /// How many modules it has loaded.
    Modules = 4,
    /// Block: a list of [`Pinned`], the older generations that it still has.
    Pinned = 5,
    /// The configuration that it runs.
    Cycle = 6,
    /// Its number among that configuration's workers.
    Worker = 7,
}

/// Words of the buckets in which late files lie, by the hash of their path: a list of [`Late`] each.
pub(super) const FIRST_BUCKET: usize = 64;
const BUCKETS: usize = 1024;
pub(super) const FIRST_SLOT: usize = FIRST_BUCKET + BUCKETS;
const SLOT_WORDS: usize = 16;
/// How many processes a zone has room for; workers of the configuration before, which drain, are among them.
pub(super) const SLOTS: usize = (WORDS - FIRST_SLOT) / SLOT_WORDS;

/// The number of a slot's word.
pub(super) fn slot_word(slot: usize, word: SlotWord) -> usize {
    FIRST_SLOT + slot * SLOT_WORDS + word as usize
}

/// The number of the word in which a file lies that was read late.
pub(super) fn bucket(file: &str) -> usize {
    use std::hash::{BuildHasher, BuildHasherDefault};
    let hash = BuildHasherDefault::<rustc_hash::FxHasher>::default().hash_one(file);
    FIRST_BUCKET + (hash >> 32) as usize % BUCKETS
}
