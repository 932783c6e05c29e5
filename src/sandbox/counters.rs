//! How scripts ended and what they took, by profile, over all workers.
//!
//! A profile has a place in shared memory as long as configurations have its name, so that its counters go on when
//! nginx is reloaded. nginx's master gives the places away and its workers inherit where they are.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use crate::nginx::{Conf, Counters, Level, log_cycle, pid};

use super::Kind;
use super::ledger::{Field, Ledger, Owner, PLACES, WORDS, word};
use super::profile::Profile;

/// What the runs of a profile have come to since nginx started, or since the profile came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// The profile's name.
    pub profile: String,
    /// Runs that ended well.
    pub ok: u64,
    /// Runs that did not, by kind, in the order of [`Kind::ALL`].
    pub ended: [u64; Kind::ALL.len()],
    /// Instructions that runs took.
    pub instructions: u64,
    /// Slices in which they did.
    pub slices: u64,
    /// VMs that were made.
    pub created: u64,
    /// VMs that made room for other tenants'.
    pub evicted: u64,
    /// VMs that could not be used again after a run.
    pub replaced: u64,
    /// VMs that there are now.
    pub vms: u64,
    /// Runs that wait for their first slice now.
    pub waiting: u64,
    /// Runs that wait for their next slice now.
    pub paused: u64,
}

/// Where the counters of a profile lie; nowhere before its configuration is certain to be used.
#[derive(Debug, Default)]
pub struct Place {
    counters: OnceCell<Counters>,
    number: OnceCell<usize>,
}

/// Counts something as long as it is there.
#[must_use = "what is dropped at once is counted for no time"]
#[derive(Debug)]
pub struct Gauged(Option<(Counters, usize)>);

impl Drop for Gauged {
    fn drop(&mut self) {
        if let Some((counters, word)) = self.0
            && let Some(words) = counters.words()
        {
            words[word].fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Which profile has which place, in the master and as its workers inherit it.
#[derive(Default)]
struct Places {
    /// The running configuration's memory; none where it has no profile.
    counters: Option<Counters>,
    /// The running configuration, counted up by each reload of nginx.
    cycle: u16,
    /// Its profiles and their places, in its order.
    running: Vec<(String, usize)>,
    /// The places that are free, the one that is so for the longest time first: a worker that drains may still count
    /// for the profile that it was.
    free: VecDeque<usize>,
}

thread_local! {
    static PLACES_OF: RefCell<Places> = RefCell::new(Places { free: (0..PLACES).collect(), ..Places::default() });
    /// This process's slot; none but in workers.
    static SLOT: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Asks for the shared memory that the counters of `profiles` need. While the configuration is read.
///
/// # Errors
/// There are more profiles than can be counted, or memory ran out.
pub fn configured(conf: &mut Conf, profiles: &[Rc<Profile>]) -> Result<(), String> {
    if profiles.is_empty() {
        return Ok(());
    }
    if profiles.len() > PLACES {
        return Err(format!(
            "{} profiles of \"hotlua_sandbox\" are more than the {PLACES} there may be",
            profiles.len()
        ));
    }
    let counters = Counters::request(conf, "hotlua_sandbox", WORDS)?;
    for profile in profiles {
        profile.place.counters.set(counters).map_err(|_| "a profile was completed twice")?;
    }
    Ok(())
}

/// Gives each profile of a configuration that is certain to be used its place, in the master. One whose name the
/// configuration before had goes on; the others begin at 0.
pub fn installed(profiles: &[Rc<Profile>]) {
    PLACES_OF.with_borrow_mut(|places| {
        places.counters = profiles.first().and_then(|profile| profile.place.counters.get().copied());
        let names: Vec<&str> = profiles.iter().map(|profile| profile.name.as_str()).collect();
        let counters = places.counters;
        places.take(&names, counters.as_ref().and_then(Counters::words).map(Ledger));
        for (profile, (_, place)) in profiles.iter().zip(&places.running) {
            let _ = profile.place.number.set(*place);
        }
    });
}

/// Makes a worker count; before that nothing does.
pub fn started(worker: usize) {
    PLACES_OF.with_borrow(|places| {
        let Some(words) = places.counters.as_ref().and_then(Counters::words) else { return };
        let owner = Owner { pid: pid().cast_unsigned(), worker: worker as u16, cycle: places.cycle };
        let slot = Ledger(words).claim(owner, is_alive);
        if slot.is_none() {
            log_cycle(Level::Alert, b"too many processes: what sandboxed scripts do in this worker is not counted");
        }
        SLOT.set(slot);
    });
}

impl Places {
    /// Gives the profiles of the next configuration their places; those that are new to them begin at 0.
    fn take(&mut self, names: &[&str], ledger: Option<Ledger>) {
        self.cycle = self.cycle.wrapping_add(1);
        let before = std::mem::take(&mut self.running);
        let (stay, gone): (Vec<_>, Vec<_>) = before.into_iter().partition(|(known, _)| names.contains(&known.as_str()));
        self.free.extend(gone.into_iter().map(|(_, place)| place));
        for &name in names {
            let known = stay.iter().find(|(known, _)| known == name).map(|(_, place)| *place);
            // There are as many as `configured` allows profiles.
            let Some(place) = known.or_else(|| self.free.pop_front()) else { continue };
            if let (None, Some(ledger)) = (known, ledger) {
                ledger.clear(place);
            }
            self.running.push((name.to_owned(), place));
        }
    }
}

/// Counts the end of a run; `None`: it ended well.
#[inline]
pub fn count(profile: &Profile, ended: Option<Kind>) {
    add(profile, ended.map_or(Field::Ok, Field::Ended), 1);
}

/// Counts instructions that a run took: at its end, or slice by slice.
#[inline]
pub fn spent(profile: &Profile, instructions: u64) {
    add(profile, Field::Instructions, instructions);
}

/// Counts a slice in which a run went on, its first one too.
#[inline]
pub fn sliced(profile: &Profile) {
    add(profile, Field::Slices, 1);
}

/// Counts a VM that was made, and as one that there is until what this returns is dropped.
pub fn vm_created(profile: &Profile) -> Gauged {
    add(profile, Field::Created, 1);
    gauged(profile, Field::Vms)
}

/// Counts a VM that makes room for another tenant's.
pub fn vm_evicted(profile: &Profile) {
    add(profile, Field::Evicted, 1);
}

/// Counts a VM that cannot be used again.
pub fn vm_replaced(profile: &Profile) {
    add(profile, Field::Replaced, 1);
}

/// Counts a run that waits for its first slice, until what this returns is dropped.
#[inline]
pub fn waiting(profile: &Profile) -> Gauged {
    gauged(profile, Field::Waiting)
}

/// Counts a run that waits for its next slice, until what this returns is dropped.
#[inline]
pub fn paused(profile: &Profile) -> Gauged {
    gauged(profile, Field::Paused)
}

/// The counters of every profile of the running configuration, in its order.
pub fn totals() -> Vec<Totals> {
    PLACES_OF.with_borrow(|places| match places.counters.as_ref().and_then(Counters::words) {
        Some(words) => places.totals(Ledger(words)),
        None => Vec::new(),
    })
}

impl Places {
    fn totals(&self, ledger: Ledger) -> Vec<Totals> {
        let live = ledger.live(is_alive);
        let totals = self.running.iter().map(|(name, place)| {
            let total = |field| ledger.total(*place, field);
            let now = |field| ledger.now(&live, *place, field);
            Totals {
                profile: name.clone(),
                ok: total(Field::Ok),
                ended: Kind::ALL.map(|kind| total(Field::Ended(kind))),
                instructions: total(Field::Instructions),
                slices: total(Field::Slices),
                created: total(Field::Created),
                evicted: total(Field::Evicted),
                replaced: total(Field::Replaced),
                vms: now(Field::Vms),
                waiting: now(Field::Waiting),
                paused: now(Field::Paused),
            }
        });
        totals.collect()
    }
}

fn add(profile: &Profile, field: Field, more: u64) {
    if let Some((counters, word)) = profile.place.word(field)
        && let Some(words) = counters.words()
    {
        words[word].fetch_add(more, Ordering::Relaxed);
    }
}

fn gauged(profile: &Profile, field: Field) -> Gauged {
    add(profile, field, 1);
    Gauged(profile.place.word(field))
}

impl Place {
    /// This process's word of a field; none where it does not count.
    #[inline]
    fn word(&self, field: Field) -> Option<(Counters, usize)> {
        Some((*self.counters.get()?, word(SLOT.get()?, *self.number.get()?, field)))
    }
}

/// Says whether a process exists.
fn is_alive(pid: u32) -> bool {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed());
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::atomic::AtomicU64;

    use super::*;

    fn places() -> Places {
        Places { free: (0..PLACES).collect(), ..Places::default() }
    }

    #[test]
    fn a_name_keeps_its_place() {
        let mut places = places();
        for (names, numbers) in [
            (vec!["a", "b"], vec![0, 1]),
            (vec!["b", "a"], vec![1, 0]),
            (vec!["b", "c"], vec![1, 2]),
            // What comes back takes no place that somebody may still count in.
            (vec!["a", "b", "c"], vec![3, 1, 2]),
            (vec![], vec![]),
            (vec!["c"], vec![4]),
        ] {
            places.take(&names, None);
            let running: Vec<(&str, usize)> = places.running.iter().map(|(name, at)| (name.as_str(), *at)).collect();
            assert_eq!(running, names.iter().copied().zip(numbers).collect::<Vec<_>>());
        }
        assert_eq!(places.cycle, 6);
    }

    #[test]
    fn a_place_that_is_used_again_begins_at_0() {
        let words: Vec<AtomicU64> = (0..WORDS).map(|_| AtomicU64::new(0)).collect();
        let ledger = Ledger(&words);
        let slot = ledger.claim(Owner { pid: std::process::id(), worker: 0, cycle: 1 }, |_| true).unwrap();
        let mut places = places();
        for round in 0..2 * PLACES {
            let fresh = format!("profile {round}");
            places.take(&["stays", &fresh], Some(ledger));
            for (_, place) in &places.running {
                words[word(slot, *place, Field::Ok)].fetch_add(1, Ordering::Relaxed);
            }
            let told: Vec<(String, u64)> =
                places.totals(ledger).into_iter().map(|totals| (totals.profile, totals.ok)).collect();
            assert_eq!(told, [("stays".to_owned(), round as u64 + 1), (fresh, 1)]);
        }
    }

    #[test]
    fn each_figure_has_its_field() {
        let words: Vec<AtomicU64> = (0..WORDS).map(|_| AtomicU64::new(0)).collect();
        let ledger = Ledger(&words);
        let slot = ledger.claim(Owner { pid: std::process::id(), worker: 0, cycle: 1 }, |_| true).unwrap();
        let mut places = places();
        places.take(&["other", "a"], Some(ledger));
        let kinds = Kind::ALL.map(Field::Ended);
        let others = [
            Field::Ok,
            Field::Instructions,
            Field::Slices,
            Field::Created,
            Field::Evicted,
            Field::Replaced,
            Field::Vms,
            Field::Waiting,
            Field::Paused,
        ];
        for (at, field) in kinds.into_iter().chain(others).enumerate() {
            words[word(slot, 1, field)].store(at as u64 + 1, Ordering::Relaxed);
        }
        let want = Totals {
            profile: "a".into(),
            ended: [1, 2, 3, 4, 5],
            ok: 6,
            instructions: 7,
            slices: 8,
            created: 9,
            evicted: 10,
            replaced: 11,
            vms: 12,
            waiting: 13,
            paused: 14,
        };
        assert_eq!(places.totals(ledger), [Totals { profile: "other".into(), ..Totals::default() }, want]);
    }

    #[test]
    fn there_are_places_for_all_profiles() {
        let mut places = places();
        for round in 0..3 * PLACES {
            let names: Vec<String> = (0..PLACES).map(|number| format!("{}", round / 2 + number)).collect();
            places.take(&names.iter().map(String::as_str).collect::<Vec<_>>(), None);
            let taken: BTreeSet<usize> = places.running.iter().map(|(_, place)| *place).collect();
            assert_eq!(taken.len(), PLACES, "round {round}");
        }
    }
}
