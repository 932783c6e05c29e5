//! Whose turn it is to publish: one process at a time; that of one that died is taken over.

use crate::nginx::{Level, log_cycle, pid};

use super::history::{log_full, tell_active};
use super::report::State;
use super::store::{Store, Word};

/// Takes the turn to publish: nobody else's, or that of a process that died.
pub(super) fn take_turn(store: &Store, keep: usize) -> bool {
    let me = pid() as u64;
    loop {
        let holder = store.load(Word::Publisher);
        if holder == me {
            return true;
        }
        // nginx's master has it while it makes the snapshot of a new configuration.
        if holder != 0 && (store.takes_part(holder) || is_parent(holder)) {
            return false;
        }
        if store.exchange(Word::Publisher, holder, me) {
            if holder != 0 {
                recover(store, keep, "ended");
            }
            return true;
        }
    }
}

fn is_parent(pid: u64) -> bool {
    rustix::process::getppid().is_some_and(|parent| parent.as_raw_nonzero().get() as u64 == pid)
}

/// Takes the turn from whoever has it: for nginx's master, which starts a new configuration.
pub(super) fn seize_turn(store: &Store, keep: usize) {
    let holder = store.locked(|_| {
        let holder = store.load(Word::Publisher);
        store.store(Word::Publisher, pid() as u64);
        holder
    });
    if holder != 0 {
        recover(store, keep, "gave way to nginx's reload");
    }
}

/// Cleans up after a publisher that has lost its turn, for that reason: its candidate is rejected, unless it had been activated.
fn recover(store: &Store, keep: usize, why: &str) {
    let active = store.load(Word::Active);
    let candidate = store.load(Word::Candidate);
    store.locked(|shelf| {
        if let Err(full) = shelf.settle(keep) {
            // The active generation's manifest may still lie beside its own place, where readers find it.
            return log_full(Err(full));
        }
        store.store(Word::Candidate, 0);
        shelf.clear(Word::NextManifest);
        // What it had brought is in no list that could free it.
        shelf.sweep();
    });
    let mut lost = false;
    let told = store.change_history(|history| {
        for generation in history.iter_mut().filter(|generation| generation.state == State::Candidate) {
            if generation.generation != active {
                generation.state = State::Rejected;
                generation.error = Some("its publisher ended".into());
                store.count(Word::Rejected);
                lost = true;
            }
        }
        if history.iter().any(|generation| generation.generation == active) {
            tell_active(history, active);
        }
    });
    if lost || candidate != 0 {
        let text = format!("the publisher of candidate {candidate} {why}; generation {active} is active");
        log_cycle(Level::Warn, text.as_bytes());
    }
    log_full(told);
}
