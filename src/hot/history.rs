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

/// How many untrusted files that are left out are named.
const LEFT_OUT_NAMED: usize = 10;

/// Logs which untrusted files a scan has left out.
pub(super) fn log_left_out(left_out: &[String]) {
    if left_out.is_empty() {
        return;
    }
    let named = left_out.iter().take(LEFT_OUT_NAMED).map(String::as_str).collect::<Vec<_>>().join("; ");
    let more = match left_out.len().saturating_sub(LEFT_OUT_NAMED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let text = format!("of the sandboxed scripts {} left out of the generation: {named}{more}", left_out.len());
    log_cycle(Level::Warn, text.as_bytes());
}

/// What could not be written down is logged: the change itself stands.
pub(super) fn log_full(written: Result<(), ZoneFull>) {
    if let Err(full) = written {
        log_cycle(Level::Err, full.to_string().as_bytes());
    }
}
