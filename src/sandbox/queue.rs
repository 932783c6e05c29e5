//! Turns: who may run the next slice. One slice a round of the event loop, so that a worker full of long scripts
//! answers its other requests between any two.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::nginx::{Posted, Timer};
use crate::vm::{Completion, Operation};

/// How long a worker that drains stays for scripts that wait for their turn.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whose turn comes first: who has run the shortest time, then who has waited the longest.
type Place = (Duration, u64);

#[derive(Default)]
struct Queue {
    waiting: BTreeMap<Place, Completion>,
    next: u64,
    /// Made in the worker that first needs it.
    event: Option<Posted>,
    patience: Option<Timer>,
}

thread_local! {
    static QUEUE: RefCell<Queue> = RefCell::default();
}

/// Gives up its place when dropped.
struct Turn(Place);

impl Drop for Turn {
    fn drop(&mut self) {
        // What is dropped at the end of the process may outlive the queue.
        let _ = QUEUE.try_with(|queue| {
            if let Ok(mut queue) = queue.try_borrow_mut() {
                queue.leave(&self.0);
            }
        });
    }
}

/// Waits for a turn of someone who has run for `ran` so far. `T` is dropped with the operation: it cancels what waits.
pub fn turn<T: 'static>(ran: Duration, keep: T) -> Operation {
    Operation::start(|completion| {
        let place = QUEUE.with_borrow_mut(|queue| queue.enter(ran, completion));
        (Turn(place), keep)
    })
}

impl Queue {
    fn enter(&mut self, ran: Duration, completion: Completion) -> Place {
        let place = (ran, self.next);
        self.next += 1;
        self.waiting.insert(place, completion);
        self.event.get_or_insert_with(|| Posted::new(round)).post_next();
        self.patience.get_or_insert_with(|| Timer::new(|| {})).arm(PATIENCE, false);
        place
    }

    fn leave(&mut self, place: &Place) {
        self.waiting.remove(place);
        if self.waiting.is_empty()
            && let Some(patience) = &self.patience
        {
            patience.disarm();
        }
    }
}

/// A round of the event loop.
fn round() {
    let first = QUEUE.with_borrow_mut(|queue| {
        let (_, first) = queue.waiting.pop_first()?;
        match queue.waiting.is_empty() {
            true => queue.patience.iter().for_each(Timer::disarm),
            false => queue.event.iter().for_each(Posted::post_next),
        }
        Some(first)
    });
    // It only posts an event; the slice runs from there.
    if let Some(first) = first {
        first.done();
    }
}
