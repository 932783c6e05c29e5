//! One coroutine at a time waits for something of a process, and learns how its wait has ended.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use crate::vm::{Completion, Operation};

use super::error::Error;

/// Whose turn it is. It is taken from the beginning of a wait until its coroutine goes on or is killed.
#[derive(Default)]
pub(super) struct Turn {
    waits: RefCell<Option<(Operation, Completion)>>,
    /// Why the wait was given up.
    failed: Cell<Option<Error>>,
}

/// Gives the turn back where the coroutine was killed.
struct GiveBack(Weak<Turn>);

impl Drop for GiveBack {
    fn drop(&mut self) {
        if let Some(turn) = self.0.upgrade() {
            turn.waits.take();
        }
    }
}

impl Turn {
    /// Says whether a coroutine has it.
    pub(super) fn is_taken(&self) -> bool {
        self.waits.borrow().is_some()
    }

    /// Takes it. What `start` returns lives as long as the wait.
    pub(super) fn take<T: 'static>(self: &Rc<Self>, start: impl FnOnce() -> T) -> Operation {
        self.failed.set(None);
        let mut completion = None;
        let operation = Operation::start(|given| {
            completion = Some(given);
            (start(), GiveBack(Rc::downgrade(self)))
        });
        self.waits.replace(completion.map(|completion| (operation.clone(), completion)));
        operation
    }

    /// Ends the wait, if there is one: its coroutine will go on.
    pub(super) fn end(&self, failed: Option<Error>) {
        let completion = self.waits.borrow().as_ref().map(|(_, completion)| completion.clone());
        if let Some(completion) = completion {
            // What came first has woken it.
            self.failed.set(self.failed.get().or(failed));
            completion.done();
        }
    }

    /// Gives it back: the coroutine goes on. Returns why its wait was given up.
    pub(super) fn go_on(&self) -> Option<Error> {
        if let Some((operation, _)) = self.waits.take() {
            operation.cancel();
        }
        self.failed.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_taken_until_its_coroutine_goes_on() {
        let turn = Rc::<Turn>::default();
        let started = Rc::new(());
        let operation = turn.take(|| Rc::clone(&started));
        turn.end(None);
        assert!(turn.is_taken(), "nobody has gone on yet");
        assert_eq!((turn.go_on(), turn.is_taken(), Rc::strong_count(&started)), (None, false, 1));
        // Lua may hold the operation of a wait that is over.
        let _next = turn.take(|| ());
        operation.cancel();
        drop(operation);
        assert!(turn.is_taken());
    }

    #[test]
    fn one_that_was_killed_gives_it_back() {
        let turn = Rc::<Turn>::default();
        turn.take(|| ()).cancel();
        assert!(!turn.is_taken());
    }

    #[test]
    fn the_first_reason_counts_and_only_once() {
        let turn = Rc::<Turn>::default();
        turn.end(Some(Error::Aborted));
        let _operation = turn.take(|| ());
        turn.end(Some(Error::Closed));
        turn.end(Some(Error::Timeout));
        assert_eq!((turn.go_on(), turn.go_on()), (Some(Error::Closed), None));
    }
}
