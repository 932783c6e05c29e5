//! What the workers share: words and blocks of the zone, under names.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::code::Hash;
use crate::nginx::{Block, Locked, SHARED, WORDS, Zone, ZoneFull};

use super::report::{Generation, Refused};

/// A word of the zone that all workers share.
#[derive(Clone, Copy)]
pub(super) enum Word {
    /// The number of the active generation; 0 before the first.
    Active = 0,
    /// The number of the candidate that workers are to prepare; 0: none.
    Candidate = 1,
    /// The pid of the worker that publishes; 0: none.
    Publisher = 2,
    /// The number that the next candidate gets.
    Next = 3,
    /// Block: [`Manifest`] of the active generation.
    Manifest = 4,
    /// Block: [`Candidate`].
    Change = 5,
    /// Block: every generation that is told of, oldest first.
    History = 6,
    /// Block: every module that some worker has loaded, by name.
    Registry = 7,
}

/// A word of a worker's slot.
#[derive(Clone, Copy)]
pub(super) enum SlotWord {
    /// The worker's pid; 0 where none ever was.
    Pid = 0,
    /// The generation that it gives new requests.
    Generation = 1,
    /// The last candidate that it has prepared or rejected.
    Reported = 2,
    /// Block: [`Report`] on that candidate.
    Report = 3,
    /// How many modules it has loaded.
    Modules = 4,
    /// From here on: pairs of an older generation and how many requests are pinned to it; 0 ends them.
    Pinned = 8,
}

const FIRST_SLOT: usize = 64;
const SLOT_WORDS: usize = 32;
/// How many older generations a worker tells of.
pub(super) const PINNED: usize = (SLOT_WORDS - SlotWord::Pinned as usize) / 2;
/// How many workers a zone has room for.
pub(super) const SLOTS: usize = (WORDS - FIRST_SLOT) / SLOT_WORDS;
/// How many generations are told of.
const HISTORY: usize = 64;

/// The files that differ from what the disk had when the first worker read them.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Manifest {
    /// By path.
    pub entries: Vec<Entry>,
}

/// A file of a manifest.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Entry {
    /// Absolute.
    pub file: String,
    /// Of its source.
    pub hash: Hash,
    /// The block that holds its source.
    pub source: u64,
}

/// What the workers are to prepare.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Candidate {
    /// Its files.
    pub manifest: Manifest,
    /// The modules to reload where they are loaded.
    pub modules: Vec<String>,
    /// The files to compile anew where they were compiled.
    pub files: Vec<String>,
    /// Reload what requires them too.
    pub dependents: bool,
}

/// What a worker says of a candidate: the modules that it has reloaded, or why it refuses.
pub(super) type Report = Result<Vec<String>, Refused>;

/// The zone with its layout.
#[derive(Clone, Copy)]
pub(super) struct Store(Zone);

impl Store {
    pub fn new(zone: Zone) -> Self {
        Self(zone)
    }

    pub fn zone(&self) -> &Zone {
        &self.0
    }

    #[inline]
    pub fn load(&self, word: Word) -> u64 {
        self.0.word(word as usize).load(SHARED)
    }

    pub fn store(&self, word: Word, value: u64) {
        self.0.word(word as usize).store(value, SHARED);
    }

    /// Sets a word from `from` to `to`; false where it was something else.
    pub fn exchange(&self, word: Word, from: u64, to: u64) -> bool {
        self.0.word(word as usize).compare_exchange(from, to, SHARED, SHARED).is_ok()
    }

    /// Counts a word up and returns what it was before.
    pub fn count(&self, word: Word) -> u64 {
        self.0.word(word as usize).fetch_add(1, SHARED)
    }

    pub fn slot(&self, slot: usize, word: SlotWord) -> u64 {
        self.slot_word(slot, word as usize)
    }

    pub fn set_slot(&self, slot: usize, word: SlotWord, value: u64) {
        self.set_slot_word(slot, word as usize, value);
    }

    fn slot_word(&self, slot: usize, word: usize) -> u64 {
        self.0.word(FIRST_SLOT + slot * SLOT_WORDS + word).load(SHARED)
    }

    fn set_slot_word(&self, slot: usize, word: usize, value: u64) {
        self.0.word(FIRST_SLOT + slot * SLOT_WORDS + word).store(value, SHARED);
    }

    /// The slots of workers that are alive.
    pub fn live_slots(&self) -> Vec<usize> {
        (0..SLOTS).filter(|&slot| is_alive(self.slot(slot, SlotWord::Pid))).collect()
    }

    /// The older generations that a worker's requests are pinned to.
    pub fn pinned(&self, slot: usize) -> Vec<(u64, u64)> {
        let first = SlotWord::Pinned as usize;
        (0..PINNED)
            .map(|i| (self.slot_word(slot, first + 2 * i), self.slot_word(slot, first + 2 * i + 1)))
            .take_while(|&(generation, _)| generation != 0)
            .collect()
    }

    pub fn set_pinned(&self, slot: usize, pinned: &[(u64, u64)]) {
        let first = SlotWord::Pinned as usize;
        for i in 0..PINNED {
            let (generation, count) = pinned.get(i).copied().unwrap_or_default();
            self.set_slot_word(slot, first + 2 * i, generation);
            self.set_slot_word(slot, first + 2 * i + 1, count);
        }
    }

    /// Runs `call` with the zone's lock held.
    pub fn locked<T>(&self, call: impl FnOnce(&Shelf) -> T) -> T {
        self.0.locked(|zone| call(&Shelf { store: self, zone }))
    }

    /// Decodes what a block word points to.
    pub fn read<T: DeserializeOwned>(&self, word: Word) -> Option<T> {
        self.locked(|shelf| shelf.read(word))
    }

    /// Decodes and frees the report of a worker.
    pub fn take_report(&self, slot: usize) -> Option<Report> {
        self.locked(|shelf| {
            let block = Block(self.slot(slot, SlotWord::Report));
            let report = shelf.zone.get(block).and_then(|bytes| postcard::from_bytes(&bytes).ok());
            shelf.zone.free(block);
            self.set_slot(slot, SlotWord::Report, 0);
            report
        })
    }

    /// Leaves a worker's report for the publisher.
    pub fn report(&self, slot: usize, candidate: u64, report: &Report) -> Result<(), ZoneFull> {
        self.locked(|shelf| {
            shelf.zone.free(Block(self.slot(slot, SlotWord::Report)));
            let block = shelf.put(report)?;
            self.set_slot(slot, SlotWord::Report, block.0);
            Ok(())
        })?;
        self.set_slot(slot, SlotWord::Reported, candidate);
        Ok(())
    }

    /// Changes the list of generations.
    pub fn change_history(&self, change: impl FnOnce(&mut Vec<Generation>)) -> Result<(), ZoneFull> {
        self.locked(|shelf| {
            let mut history: Vec<Generation> = shelf.read(Word::History).unwrap_or_default();
            change(&mut history);
            let surplus = history.len().saturating_sub(HISTORY);
            history.drain(..surplus);
            shelf.write(Word::History, &history)
        })
    }
}

/// The store while its lock is held.
pub(super) struct Shelf<'s> {
    store: &'s Store,
    pub zone: &'s Locked<'s>,
}

impl Shelf<'_> {
    /// Decodes what a block word points to.
    pub fn read<T: DeserializeOwned>(&self, word: Word) -> Option<T> {
        let bytes = self.zone.get(Block(self.store.load(word)))?;
        postcard::from_bytes(&bytes).ok()
    }

    /// Encodes a value into a new block and points a word to it; the block before is freed.
    pub fn write<T: Serialize>(&self, word: Word, value: &T) -> Result<(), ZoneFull> {
        let block = self.put(value)?;
        self.zone.free(Block(self.store.load(word)));
        self.store.store(word, block.0);
        Ok(())
    }

    fn put<T: Serialize>(&self, value: &T) -> Result<Block, ZoneFull> {
        // Only a value that cannot be encoded at all fails here, and ours can.
        let bytes = postcard::to_stdvec(value).unwrap_or_default();
        self.zone.put(&bytes)
    }
}

/// Says whether a process exists.
pub(super) fn is_alive(pid: u64) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}
