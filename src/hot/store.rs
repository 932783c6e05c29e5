//! What the workers share: words, slots and blocks of the zone.

use serde::de::DeserializeOwned;

use crate::nginx::{Block, SHARED, Zone, ZoneFull, pid};

use super::layout::{SLOTS, slot_word};
use super::record::{Manifest, Pinned, Report};
use super::report::{Generation, Refused, State, Totals, What};
use super::shelf::Shelf;

pub(super) use super::layout::{SlotWord, Word};

/// How many rejected candidates are told of.
const REJECTED_TOLD: usize = 20;
/// Why a change is refused whose turn was taken away.
pub(super) const RELOADED: &str = "nginx was reloaded meanwhile";

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

    /// Counts a generation that is activated: where the store to [`Word::Active`] is, under the same lock.
    pub fn count_activated(&self, what: &What) {
        self.count(Word::Activated);
        if matches!(what, What::Rollback(_)) {
            self.count(Word::RolledBack);
        }
    }

    pub fn totals(&self) -> Totals {
        let [activated, rejected, rolled_back] =
            [Word::Activated, Word::Rejected, Word::RolledBack].map(|word| self.load(word));
        Totals { activated, rejected, rolled_back }
    }

    pub fn slot(&self, slot: usize, word: SlotWord) -> u64 {
        self.0.word(slot_word(slot, word)).load(SHARED)
    }

    pub fn set_slot(&self, slot: usize, word: SlotWord, value: u64) {
        self.0.word(slot_word(slot, word)).store(value, SHARED);
    }

    /// Takes a slot for this process, worker number `worker` of the running configuration. That of the worker that it
    /// replaces, and of any process that died, is free. None where all are taken.
    pub fn claim_slot(&self, cycle: u64, worker: usize) -> Option<usize> {
        self.locked(|shelf| {
            for slot in 0..SLOTS {
                let held_by = self.slot(slot, SlotWord::Pid);
                let replaced =
                    self.slot(slot, SlotWord::Cycle) == cycle && self.slot(slot, SlotWord::Worker) == worker as u64;
                if held_by != 0 && (replaced || !is_alive(held_by)) {
                    self.set_slot(slot, SlotWord::Pid, 0);
                    for word in [SlotWord::Report, SlotWord::Pinned] {
                        shelf.zone.free(Block(self.slot(slot, word)));
                        self.set_slot(slot, word, 0);
                    }
                }
            }
            let free = (0..SLOTS).find(|&slot| self.slot(slot, SlotWord::Pid) == 0)?;
            self.set_slot(free, SlotWord::Generation, self.load(Word::Active));
            self.set_slot(free, SlotWord::Reported, 0);
            self.set_slot(free, SlotWord::Modules, 0);
            self.set_slot(free, SlotWord::Cycle, cycle);
            self.set_slot(free, SlotWord::Worker, worker as u64);
            self.set_slot(free, SlotWord::Pid, pid() as u64);
            Some(free)
        })
    }

    /// The slots of processes that are alive, those that drain too.
    pub fn live_slots(&self) -> impl Iterator<Item = usize> {
        (0..SLOTS).filter(|&slot| is_alive(self.slot(slot, SlotWord::Pid)))
    }

    /// The slots of the running configuration's workers that are alive, by their number.
    pub fn workers(&self) -> Vec<usize> {
        let cycle = self.load(Word::Cycle);
        let mut slots: Vec<usize> =
            self.live_slots().filter(|&slot| self.slot(slot, SlotWord::Cycle) == cycle).collect();
        slots.sort_by_key(|&slot| self.slot(slot, SlotWord::Worker));
        slots
    }

    /// Says whether a process takes part and is alive. A pid alone does not tell: the system uses them again.
    pub fn takes_part(&self, pid: u64) -> bool {
        pid != 0 && is_alive(pid) && (0..SLOTS).any(|slot| self.slot(slot, SlotWord::Pid) == pid)
    }

    /// Says whether it is this process's turn to publish; a reload of nginx takes it away.
    pub fn has_turn(&self) -> bool {
        self.load(Word::Publisher) == pid() as u64
    }

    /// Runs `call` with the zone's lock held, after what a process left half done, which died with the lock, is mended.
    pub fn locked<T>(&self, call: impl FnOnce(&Shelf) -> T) -> T {
        self.0.locked(|zone| {
            let shelf = Shelf { store: self, zone };
            shelf.mend();
            call(&shelf)
        })
    }

    /// Decodes what a block word points to.
    pub fn read<T: DeserializeOwned>(&self, word: Word) -> Option<T> {
        let bytes = self.locked(|shelf| shelf.bytes(word))?;
        postcard::from_bytes(&bytes).ok()
    }

    /// The manifest of the active generation. It may be large, so only its bytes are copied under the lock, for which
    /// other workers' requests may wait.
    pub fn manifest(&self) -> Manifest {
        self.manifest_of_active(|_| {})
    }

    /// The same, for a process that from now on gives it to new requests.
    pub fn manifest_for(&self, slot: usize) -> Manifest {
        self.manifest_of_active(|active| self.set_slot(slot, SlotWord::Generation, active))
    }

    fn manifest_of_active(&self, tell: impl FnOnce(u64)) -> Manifest {
        let (active, bytes) = self.locked(|shelf| {
            let active = self.load(Word::Active);
            tell(active);
            (active, shelf.word_of_manifest(active).and_then(|word| shelf.bytes(word)))
        });
        let manifest = bytes.and_then(|bytes| postcard::from_bytes(&bytes).ok());
        manifest.unwrap_or(Manifest { number: active, ..Manifest::default() })
    }

    /// The older generations that a process still has.
    pub fn pinned(&self, slot: usize) -> Vec<Pinned> {
        self.locked(|shelf| shelf.decode(self.slot(slot, SlotWord::Pinned))).unwrap_or_default()
    }

    /// Tells the older generations that this process still has.
    pub fn set_pinned(&self, slot: usize, pinned: &Vec<Pinned>) -> Result<(), ZoneFull> {
        self.locked(|shelf| shelf.replace(slot_word(slot, SlotWord::Pinned), pinned))
    }

    /// Decodes and frees the report of a worker.
    pub fn take_report(&self, slot: usize) -> Option<Report> {
        self.locked(|shelf| {
            let block = self.slot(slot, SlotWord::Report);
            let report = shelf.decode(block);
            self.set_slot(slot, SlotWord::Report, 0);
            shelf.zone.free(Block(block));
            report
        })
    }

    /// Why a worker refuses the candidate on which it has reported last; none where it does not.
    pub fn refusal(&self, slot: usize) -> Option<Refused> {
        self.locked(|shelf| shelf.decode::<Report>(self.slot(slot, SlotWord::Report)))?.err()
    }

    /// Leaves a worker's report for the publisher.
    pub fn report(&self, slot: usize, candidate: u64, report: &Report) -> Result<(), ZoneFull> {
        self.locked(|shelf| shelf.replace(slot_word(slot, SlotWord::Report), report))?;
        self.set_slot(slot, SlotWord::Reported, candidate);
        Ok(())
    }

    /// Changes the list of generations.
    pub fn change_history(&self, change: impl FnOnce(&mut Vec<Generation>)) -> Result<(), ZoneFull> {
        self.locked(|shelf| {
            let mut history: Vec<Generation> = shelf.read(Word::History).unwrap_or_default();
            change(&mut history);
            let kept: Vec<u64> = shelf.kept().iter().map(|kept| kept.number).collect();
            let mut rejected = history.iter().filter(|generation| generation.state == State::Rejected).count();
            history.retain(|generation| match generation.state {
                State::Rejected => {
                    rejected -= 1;
                    rejected < REJECTED_TOLD
                }
                State::Retained => kept.contains(&generation.generation),
                State::Active | State::Candidate => true,
            });
            shelf.write(Word::History, &history)
        })
    }
}

/// Says whether a process exists.
fn is_alive(pid: u64) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}
