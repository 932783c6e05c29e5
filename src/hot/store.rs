//! What the workers share: words and blocks of the zone, under names.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::nginx::{Block, Locked, SHARED, WORDS, Zone, ZoneFull, pid};

use super::record::{Candidate, Changed, Dropped, Entry, Kept, Late, Manifest, Pinned, Report};
use super::report::{Generation, Refused, State};

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
const BLOCK_WORDS: [Word; 7] =
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
const FIRST_BUCKET: usize = 64;
const BUCKETS: usize = 1024;
const FIRST_SLOT: usize = FIRST_BUCKET + BUCKETS;
const SLOT_WORDS: usize = 16;
/// How many processes a zone has room for; workers of the configuration before, which drain, are among them.
pub(super) const SLOTS: usize = (WORDS - FIRST_SLOT) / SLOT_WORDS;
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
    fn live_slots(&self) -> impl Iterator<Item = usize> {
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

fn slot_word(slot: usize, word: SlotWord) -> usize {
    FIRST_SLOT + slot * SLOT_WORDS + word as usize
}

/// The store while its lock is held.
pub(super) struct Shelf<'s> {
    store: &'s Store,
    pub zone: &'s Locked<'s>,
}

impl Shelf<'_> {
    /// Decodes what a block word points to.
    pub fn read<T: DeserializeOwned>(&self, word: Word) -> Option<T> {
        self.decode(self.store.load(word))
    }

    fn bytes(&self, word: Word) -> Option<Vec<u8>> {
        self.zone.get(Block(self.store.load(word)))
    }

    /// Where the manifest of a generation lies. A publisher that died right after the activation has left it with the
    /// candidate's.
    fn word_of_manifest(&self, number: u64) -> Option<Word> {
        // Its number is what a manifest begins with.
        let number_of = |word| Some(postcard::take_from_bytes::<u64>(&self.bytes(word)?).ok()?.0);
        [Word::NextManifest, Word::Manifest].into_iter().find(|&word| number_of(word) == Some(number))
    }

    fn decode<T: DeserializeOwned>(&self, block: u64) -> Option<T> {
        let bytes = self.zone.get(Block(block))?;
        postcard::from_bytes(&bytes).ok()
    }

    /// Encodes a value into a new block and points a word to it; the block before is freed.
    pub fn write<T: Serialize>(&self, word: Word, value: &T) -> Result<(), ZoneFull> {
        self.replace(word as usize, value)
    }

    /// Empties a block word.
    pub fn clear(&self, word: Word) {
        let block = self.store.load(word);
        self.store.store(word, 0);
        self.zone.free(Block(block));
    }

    fn replace<T: Serialize>(&self, word: usize, value: &T) -> Result<(), ZoneFull> {
        // Only a value that cannot be encoded at all fails here, and ours can.
        let bytes = postcard::to_stdvec(value).unwrap_or_default();
        let block = self.zone.put(&bytes)?;
        let before = self.store.0.word(word).swap(block.0, SHARED);
        self.zone.free(Block(before));
        Ok(())
    }

    /// The manifest of the active generation.
    pub fn manifest(&self) -> Manifest {
        let active = self.store.load(Word::Active);
        let manifest = self.word_of_manifest(active).and_then(|word| self.read(word));
        manifest.unwrap_or(Manifest { number: active, ..Manifest::default() })
    }

    pub fn kept(&self) -> Vec<Kept> {
        self.read(Word::Kept).unwrap_or_default()
    }

    fn dropped(&self) -> Vec<Dropped> {
        self.read(Word::Dropped).unwrap_or_default()
    }

    fn late_in(&self, bucket: usize) -> Vec<Late> {
        self.decode(self.store.0.word(bucket).load(SHARED)).unwrap_or_default()
    }

    /// The file that a worker has read late for a generation.
    pub fn late(&self, number: u64, file: &str) -> Option<Entry> {
        let late = self.late_in(bucket(file)).into_iter();
        late.into_iter().find(|late| late.number == number && late.file == file).map(|late| late.entry)
    }

    /// All files that workers have read late for a generation.
    pub fn all_late(&self, number: u64) -> Vec<Late> {
        let all = (FIRST_BUCKET..FIRST_SLOT).flat_map(|bucket| self.late_in(bucket));
        all.filter(|late| late.number == number).collect()
    }

    /// Adds a file that was read late.
    pub fn add_late(&self, late: Late) -> Result<(), ZoneFull> {
        let bucket = bucket(&late.file);
        let mut list = self.late_in(bucket);
        list.push(late);
        self.replace(bucket, &list)
    }

    /// Makes the candidate that was activated the active generation in all other respects too. Each step may have
    /// been done by a publisher that died after it.
    ///
    /// # Errors
    /// There is no room to keep all earlier generations: the oldest ones were given up. All else is done.
    pub fn settle(&self, keep: usize) -> Result<(), ZoneFull> {
        let active = self.store.load(Word::Active);
        let Some(candidate) = self.read::<Candidate>(Word::Change).filter(|change| change.number == active) else {
            return Ok(());
        };
        // First what needs no room: the next candidate's manifest goes where this one's lies.
        self.promote_manifest(active);
        self.store.store(Word::Candidate, 0);
        let mut dropped = self.dropped();
        let revived: Vec<u64> =
            candidate.changes.iter().filter_map(|changed| Some(changed.after.as_ref()?.block)).collect();
        dropped.retain(|dropped| !revived.contains(&dropped.block));
        for Changed { before, .. } in &candidate.changes {
            if let Some(Entry { block, born, .. }) = before
                && *block != 0
                && !revived.contains(block)
                && !dropped.iter().any(|dropped| dropped.block == *block)
            {
                dropped.push(Dropped { block: *block, born: *born, until: active });
            }
        }
        let mut kept = self.kept();
        if candidate.base != 0 && !kept.iter().any(|kept| kept.number == candidate.base) {
            let back = candidate.changes.iter().map(|changed| (changed.file.clone(), changed.before.clone())).collect();
            kept.push(Kept { number: candidate.base, back });
        }
        let surplus = kept.len().saturating_sub(keep);
        kept.drain(..surplus);
        let written = self.keep(&dropped, kept);

        for bucket in FIRST_BUCKET..FIRST_SLOT {
            let mut list = self.late_in(bucket);
            let merged = list.iter_mut().filter(|late| !late.merged && revived.contains(&late.entry.block));
            if merged.map(|late| late.merged = true).count() > 0 && self.replace(bucket, &list).is_err() {
                // Their blocks are the manifest's now: a list that says otherwise would free them.
                self.zone.free(Block(self.store.0.word(bucket).swap(0, SHARED)));
            }
        }
        written
    }

    fn promote_manifest(&self, active: u64) {
        let (before, next) = (self.store.load(Word::Manifest), self.store.load(Word::NextManifest));
        if matches!(self.word_of_manifest(active), Some(Word::NextManifest)) {
            self.store.store(Word::Manifest, next);
            self.store.store(Word::NextManifest, 0);
            // They are the same where a publisher died between the two stores.
            if before != next {
                self.zone.free(Block(before));
            }
        }
    }

    /// Writes down what earlier generations have, without the oldest ones where there is no room for all.
    fn keep(&self, dropped: &Vec<Dropped>, mut kept: Vec<Kept>) -> Result<(), ZoneFull> {
        let mut lost = Ok(());
        while let Err(full) = self.write(Word::Dropped, dropped).and_then(|()| self.write(Word::Kept, &kept)) {
            lost = Err(full);
            if kept.is_empty() {
                break;
            }
            kept.remove(0);
            self.clear(Word::Kept);
        }
        lost
    }

    /// Frees the sources that no generation has which is active, kept or still in some process.
    pub fn collect(&self) -> Result<(), ZoneFull> {
        let store = self.store;
        let mut held: Vec<u64> = self.kept().iter().map(|kept| kept.number).collect();
        held.push(store.load(Word::Active));
        for slot in store.live_slots() {
            held.push(store.slot(slot, SlotWord::Generation));
            let pinned: Vec<Pinned> = self.decode(store.slot(slot, SlotWord::Pinned)).unwrap_or_default();
            held.extend(pinned.iter().map(|pinned| pinned.generation));
        }
        let (dead, dropped): (Vec<Dropped>, Vec<Dropped>) = self
            .dropped()
            .into_iter()
            .partition(|dropped| !held.iter().any(|&number| (dropped.born..dropped.until).contains(&number)));
        if !dead.is_empty() {
            self.write(Word::Dropped, &dropped)?;
            dead.iter().for_each(|dropped| self.zone.free(Block(dropped.block)));
        }
        for bucket in FIRST_BUCKET..FIRST_SLOT {
            let list = self.late_in(bucket);
            let (kept, dead): (Vec<Late>, Vec<Late>) = list.into_iter().partition(|late| held.contains(&late.number));
            if !dead.is_empty() {
                self.replace(bucket, &kept)?;
                dead.iter().filter(|late| !late.merged).for_each(|late| self.zone.free(Block(late.entry.block)));
            }
        }
        Ok(())
    }

    /// Rebuilds the zone's book-keeping from what is reachable, where a process died while it wrote.
    fn mend(&self) {
        if self.zone.needs_sweep() {
            self.sweep();
        }
    }

    /// Frees whatever nothing points to.
    pub fn sweep(&self) {
        let store = self.store;
        let mut live: Vec<u64> = BLOCK_WORDS.iter().map(|&word| store.load(word)).collect();
        for slot in 0..SLOTS {
            live.extend([SlotWord::Report, SlotWord::Pinned].map(|word| store.slot(slot, word)));
        }
        for bucket in FIRST_BUCKET..FIRST_SLOT {
            live.push(store.0.word(bucket).load(SHARED));
            live.extend(self.late_in(bucket).iter().map(|late| late.entry.block));
        }
        for word in [Word::Manifest, Word::NextManifest] {
            let manifest: Manifest = self.read(word).unwrap_or_default();
            live.extend(manifest.entries.iter().map(|(_, entry)| entry.block));
        }
        let entries = |entries: &mut dyn Iterator<Item = &Option<Entry>>| {
            entries.filter_map(|entry| Some(entry.as_ref()?.block)).collect::<Vec<u64>>()
        };
        let candidate: Candidate = self.read(Word::Change).unwrap_or_default();
        if store.load(Word::Candidate) == candidate.number || store.load(Word::Active) == candidate.number {
            live.extend(entries(&mut candidate.changes.iter().flat_map(|changed| [&changed.before, &changed.after])));
        }
        for kept in self.kept() {
            live.extend(entries(&mut kept.back.iter().map(|(_, entry)| entry)));
        }
        live.extend(self.dropped().iter().map(|dropped| dropped.block));
        let live: Vec<Block> = live.into_iter().filter(|&block| block != 0).map(Block).collect();
        self.zone.sweep(&live);
    }
}

fn bucket(file: &str) -> usize {
    use std::hash::{BuildHasher, BuildHasherDefault};
    let hash = BuildHasherDefault::<rustc_hash::FxHasher>::default().hash_one(file);
    FIRST_BUCKET + (hash >> 32) as usize % BUCKETS
}

/// Says whether a process exists.
pub(super) fn is_alive(pid: u64) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}
