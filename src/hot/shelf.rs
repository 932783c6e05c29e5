//! The zone while its lock is held: blocks under names, and how long the sources of earlier generations are kept.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::nginx::{Block, Locked, SHARED, ZoneFull};

use super::layout::{BLOCK_WORDS, FIRST_BUCKET, FIRST_SLOT, SLOTS, SlotWord, Word, bucket};
use super::record::{Candidate, Changed, Dropped, Entry, Kept, Late, Manifest, Pinned};
use super::store::Store;

/// The store while its lock is held.
pub(super) struct Shelf<'s> {
    pub(super) store: &'s Store,
    pub zone: &'s Locked<'s>,
}

impl Shelf<'_> {
    /// Decodes what a block word points to.
    pub fn read<T: DeserializeOwned>(&self, word: Word) -> Option<T> {
        self.decode(self.store.load(word))
    }

    pub(super) fn bytes(&self, word: Word) -> Option<Vec<u8>> {
        self.zone.get(Block(self.store.load(word)))
    }

    /// Where the manifest of a generation lies. A publisher that died right after the activation has left it with the
    /// candidate's.
    pub(super) fn word_of_manifest(&self, number: u64) -> Option<Word> {
        // Its number is what a manifest begins with.
        let number_of = |word| Some(postcard::take_from_bytes::<u64>(&self.bytes(word)?).ok()?.0);
        [Word::NextManifest, Word::Manifest].into_iter().find(|&word| number_of(word) == Some(number))
    }

    pub(super) fn decode<T: DeserializeOwned>(&self, block: u64) -> Option<T> {
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

    pub(super) fn replace<T: Serialize>(&self, word: usize, value: &T) -> Result<(), ZoneFull> {
        // Only a value that cannot be encoded at all fails here, and ours can.
        let bytes = postcard::to_stdvec(value).unwrap_or_default();
        let block = self.zone.put(&bytes)?;
        let before = self.store.zone().word(word).swap(block.0, SHARED);
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
        self.decode(self.store.zone().word(bucket).load(SHARED)).unwrap_or_default()
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
                self.zone.free(Block(self.store.zone().word(bucket).swap(0, SHARED)));
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
    pub(super) fn mend(&self) {
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
            live.push(store.zone().word(bucket).load(SHARED));
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
