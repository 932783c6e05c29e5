//! How much of the zone untrusted files may take: whatever tenants upload, the operator's next deploy must fit.

use super::store::{Store, Word};

/// What a file takes in the zone beside its source: its rounding up, its place in two manifests.
pub(super) const OVERHEAD: u64 = 512;
/// What a file takes in a list beside its name: more than its encoded entry.
const ENTRY: u64 = 128;

/// How much of a zone of that size may be in use for an untrusted source to find room there. Bytes.
pub(super) fn for_sources(zone_size: usize) -> u64 {
    zone_size as u64 / 2
}

/// How much the names of untrusted files may take in one list. Where they all change at once, lists of them are in the
/// manifests of both generations, in the candidate, in the history and in what is kept for a rollback. Bytes.
fn for_names(zone_size: usize) -> u64 {
    zone_size as u64 / 8
}

/// What a file takes in a list.
pub(super) fn listed(file: &str) -> u64 {
    ENTRY + file.len() as u64
}

/// The room that is left.
pub(super) struct Room {
    sources: u64,
    names: u64,
}

impl Room {
    /// In a zone where the lists have `names` bytes of untrusted files already.
    pub fn beside(store: &Store, names: u64) -> Self {
        let (size, used) = (store.zone().size(), store.zone().used() as u64);
        Self::new(for_sources(size).saturating_sub(used), for_names(size).saturating_sub(names))
    }

    /// For a file that a worker has read late for the active generation.
    pub fn late(store: &Store) -> Self {
        Self::beside(store, store.load(Word::Untrusted))
    }

    fn new(sources: u64, names: u64) -> Self {
        Self { sources, names }
    }

    /// Takes what a file of `length` bytes needs; false: it does not fit. One that is not `new` is in the lists already.
    pub fn take(&mut self, file: &str, length: usize, new: bool) -> bool {
        let source = length as u64 + OVERHEAD;
        let name = if new { listed(file) } else { 0 };
        let fits = source <= self.sources && name <= self.names;
        if fits {
            self.sources -= source;
            self.names -= name;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_gone() {
        let long = "x".repeat(4000);
        let mut room = Room::new(10_000, 10_000);
        for (length, new, fits) in [(9000, true, true), (0, true, false), (0, false, false)] {
            assert_eq!(room.take("a", length, new), fits, "{length} {new}");
        }
        let mut room = Room::new(100_000, 10_000);
        for (new, fits) in [(true, true), (true, true), (true, false), (false, true), (true, false)] {
            assert_eq!(room.take(&long, 1, new), fits, "long names, {new}");
        }
        assert!(room.take("short", 1, true));
    }
}
