//! What is told of generations.

use crate::nginx::{Level, ZoneFull, log_cycle, now};

use super::report::{Change, Generation, Refused, State};

/// Marks the generation that is active, and only that one, so.
pub(super) fn tell_active(history: &mut [Generation], active: u64) {
    for generation in history.iter_mut() {
        if generation.generation == active {
            generation.state = State::Active;
        } else if generation.state == State::Active {
            generation.state = State::Retained;
        }
    }
}

/// What is told of a generation.
pub(super) fn record(number: u64, state: State, change: &Change, changed: Vec<String>) -> Generation {
    Generation {
        generation: number,
        state,
        reason: change.reason.clone(),
        actor: change.actor.clone(),
        time: now(),
        changed,
        affected: Vec::new(),
        error: None,
        file: None,
        line: None,
    }
}

/// What is told of a candidate that was rejected.
pub(super) fn rejection(number: u64, change: &Change, changed: Vec<String>, refused: &Refused) -> Generation {
    let mut rejected = record(number, State::Rejected, change, changed);
    rejected.blame(refused);
    rejected
}

/// What could not be written down is logged: the change itself stands.
pub(super) fn log_full(written: Result<(), ZoneFull>) {
    if let Err(full) = written {
        log_cycle(Level::Err, full.to_string().as_bytes());
    }
}
