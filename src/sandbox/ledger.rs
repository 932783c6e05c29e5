//! The words that count: for each process that ever ran a slot, in it for each profile a place, in it a word a field.
//!
//! A process adds to its own slot only, so that no two of them share a cache line. What a slot has counted stays when
//! its process is gone and another one takes it over; what was so at a time only (a gauge) goes with the process.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Kind;

/// How many profiles have a place.
pub const PLACES: usize = 128;
/// How many processes have a slot, those that drain among them: more than can take part in changes of code.
const SLOTS: usize = 1024;
/// Words of a place: two cache lines.
const FIELDS: usize = 16;
/// How many words there are: who has each slot, then the slots.
pub const WORDS: usize = SLOTS + SLOTS * PLACES * FIELDS;

/// What is counted of a profile.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Field {
    /// Runs that ended well.
    Ok,
    /// Runs that did not.
    Ended(Kind),
    /// Instructions that runs took.
    Instructions,
    /// Slices in which they did.
    Slices,
    /// VMs that were made.
    Created,
    /// VMs that made room for other tenants'.
    Evicted,
    /// VMs that could not be used again.
    Replaced,
    /// VMs that there are; a gauge, as those below.
    Vms,
    /// Runs that wait for their first slice.
    Waiting,
    /// Runs that wait for their next slice.
    Paused,
}

impl Field {
    const GAUGES: [Self; 3] = [Self::Vms, Self::Waiting, Self::Paused];

    const fn index(self) -> usize {
        match self {
            Self::Ok => 0,
            Self::Ended(kind) => 1 + kind as usize,
            Self::Instructions => 6,
            Self::Slices => 7,
            Self::Created => 8,
            Self::Evicted => 9,
            Self::Replaced => 10,
            Self::Vms => 11,
            Self::Waiting => 12,
            Self::Paused => 13,
        }
    }
}

/// Who has a slot. One word, so that it is taken at once and whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Owner {
    /// The process.
    pub pid: u32,
    /// Its number among the workers of its configuration.
    pub worker: u16,
    /// Its configuration, counted up by each reload of nginx.
    pub cycle: u16,
}

impl Owner {
    fn word(self) -> u64 {
        u64::from(self.pid) << 32 | u64::from(self.worker) << 16 | u64::from(self.cycle)
    }

    fn of_word(word: u64) -> Self {
        Self { pid: (word >> 32) as u32, worker: (word >> 16) as u16, cycle: word as u16 }
    }

    /// Says whether `self` comes in the place of `before`: a pid alone does not tell, the system uses them again.
    fn replaces(self, before: Self) -> bool {
        self.pid == before.pid || (self.worker, self.cycle) == (before.worker, before.cycle)
    }
}

/// The word of a field.
pub fn word(slot: usize, place: usize, field: Field) -> usize {
    SLOTS + (slot * PLACES + place) * FIELDS + field.index()
}

/// All words.
#[derive(Clone, Copy)]
pub struct Ledger<'w>(pub &'w [AtomicU64]);

impl Ledger<'_> {
    /// Takes a slot for a process: that of the one that it replaces, or of any other that is gone. None where there is
    /// none.
    pub fn claim(&self, owner: Owner, is_alive: impl Fn(u32) -> bool) -> Option<usize> {
        let slot = (0..SLOTS).find(|&slot| {
            let held = self.0[slot].load(Ordering::Acquire);
            let before = Owner::of_word(held);
            let is_free = held == 0 || owner.replaces(before) || !is_alive(before.pid);
            // Where it fails another process was first, and that one is alive.
            is_free && self.0[slot].compare_exchange(held, owner.word(), Ordering::AcqRel, Ordering::Relaxed).is_ok()
        })?;
        for place in 0..PLACES {
            for field in Field::GAUGES {
                self.set(word(slot, place, field), 0);
            }
        }
        Some(slot)
    }

    /// Makes a place begin at 0.
    pub fn clear(&self, place: usize) {
        for slot in self.claimed() {
            let first = word(slot, place, Field::Ok);
            (first..first + FIELDS).for_each(|word| self.set(word, 0));
        }
    }

    /// What a place has counted, over all processes that ever were.
    pub fn total(&self, place: usize, field: Field) -> u64 {
        let words = self.claimed().map(|slot| self.0[word(slot, place, field)].load(Ordering::Relaxed));
        words.fold(0, u64::wrapping_add)
    }

    /// What a gauge shows, over the processes of `slots`.
    pub fn now(&self, slots: &[usize], place: usize, field: Field) -> u64 {
        // A process that drains may take away from a place that was cleared meanwhile.
        let shown = |&slot: &usize| self.0[word(slot, place, field)].load(Ordering::Relaxed).cast_signed().max(0);
        slots.iter().map(shown).sum::<i64>().cast_unsigned()
    }

    /// The slots of processes that are alive.
    pub fn live(&self, is_alive: impl Fn(u32) -> bool) -> Vec<usize> {
        let owner = |slot: usize| Owner::of_word(self.0[slot].load(Ordering::Acquire));
        self.claimed().filter(|&slot| is_alive(owner(slot).pid)).collect()
    }

    /// The slots that ever had a process. They are taken in their order and never given back, so that the others, whose
    /// memory nobody has touched, come behind them.
    fn claimed(&self) -> impl Iterator<Item = usize> {
        (0..SLOTS).take_while(|&slot| self.0[slot].load(Ordering::Acquire) != 0)
    }

    fn set(&self, word: usize, value: u64) {
        self.0[word].store(value, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Vec<AtomicU64> {
        (0..WORDS).map(|_| AtomicU64::new(0)).collect()
    }

    fn owner(pid: u32, worker: u16, cycle: u16) -> Owner {
        Owner { pid, worker, cycle }
    }

    fn add(ledger: Ledger, slot: usize, place: usize, field: Field, more: u64) {
        ledger.0[word(slot, place, field)].fetch_add(more, Ordering::Relaxed);
    }

    #[test]
    fn an_owner_is_one_word() {
        for owner in [owner(1, 0, 0), owner(4_194_304, 477, 9), owner(u32::MAX, u16::MAX, u16::MAX)] {
            assert_eq!(Owner::of_word(owner.word()), owner);
        }
    }

    #[test]
    fn no_two_words_are_the_same() {
        let kinds = Kind::ALL.map(Field::Ended);
        let others = [Field::Ok, Field::Instructions, Field::Slices, Field::Created, Field::Evicted, Field::Replaced];
        let fields: Vec<Field> = others.into_iter().chain(kinds).chain(Field::GAUGES).collect();
        let mut seen = std::collections::BTreeSet::new();
        for slot in [0, 1, SLOTS - 1] {
            for place in [0, 1, PLACES - 1] {
                for &field in &fields {
                    let word = word(slot, place, field);
                    assert!((SLOTS..WORDS).contains(&word), "{slot} {place} {field:?}");
                    assert!(seen.insert(word), "{slot} {place} {field:?}");
                }
            }
        }
    }

    #[test]
    fn a_slot_is_that_of_a_process_that_is_gone() {
        let words = words();
        let ledger = Ledger(&words);
        let all = |_| true;
        assert_eq!(ledger.claim(owner(100, 0, 1), all), Some(0));
        assert_eq!(ledger.claim(owner(101, 1, 1), all), Some(1));
        // The same worker of the next configuration: the one before drains.
        assert_eq!(ledger.claim(owner(102, 0, 2), all), Some(2));
        // It was replaced, though its pid seems to be alive.
        assert_eq!(ledger.claim(owner(103, 1, 1), all), Some(1));
        // A dead one's, of whatever number.
        assert_eq!(ledger.claim(owner(104, 1, 2), |pid| pid != 100), Some(0));
        // Its own pid was another process's before.
        assert_eq!(ledger.claim(owner(102, 5, 3), all), Some(2));
        assert_eq!(ledger.live(|pid| pid != 103), [0, 2]);
    }

    #[test]
    fn there_may_be_no_slot() {
        let words = words();
        let ledger = Ledger(&words);
        for number in 0..SLOTS as u16 {
            assert_eq!(ledger.claim(owner(1 + u32::from(number), number, 1), |_| true), Some(usize::from(number)));
        }
        assert_eq!(ledger.claim(owner(5000, 0, 2), |_| true), None);
        assert_eq!(ledger.claim(owner(5000, 0, 2), |pid| pid != 78), Some(77));
    }

    #[test]
    fn counters_stay_and_gauges_go_with_their_process() {
        let words = words();
        let ledger = Ledger(&words);
        let all = |_| true;
        for (slot, pid) in [(0, 100), (1, 101)] {
            ledger.claim(owner(pid, slot as u16, 1), all);
            add(ledger, slot, 3, Field::Ok, 10);
            add(ledger, slot, 3, Field::Ended(Kind::Cpu), 1);
            add(ledger, slot, 3, Field::Vms, 2);
            add(ledger, slot, 4, Field::Ok, 7);
        }
        let vms = |is_alive: &dyn Fn(u32) -> bool| ledger.now(&ledger.live(is_alive), 3, Field::Vms);
        let totals = |place| [Field::Ok, Field::Ended(Kind::Cpu)].map(|field| ledger.total(place, field));
        assert_eq!((totals(3), vms(&all)), ([20, 2], 4));
        assert_eq!((totals(3), vms(&|pid| pid != 101)), ([20, 2], 2), "a process has died");
        assert_eq!(ledger.claim(owner(102, 1, 1), all), Some(1));
        assert_eq!((totals(3), vms(&all)), ([20, 2], 2), "another one is in its place");
        add(ledger, 1, 3, Field::Ok, 1);
        assert_eq!(totals(3), [21, 2]);

        ledger.clear(3);
        assert_eq!((totals(3), vms(&all)), ([0, 0], 0));
        assert_eq!(totals(4), [14, 0], "the neighbour's stay");
        add(ledger, 0, 3, Field::Vms, 1u64.wrapping_neg());
        add(ledger, 1, 3, Field::Vms, 1);
        assert_eq!(vms(&all), 1, "what was cleared is taken away from");
    }
}
