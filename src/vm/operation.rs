//! Something that a coroutine waits for: it owns what was started, and dropping it cancels that.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use mlua::UserData;

/// Calls the driver back, from the event loop and not at once.
pub type Waker = Box<dyn Fn()>;

/// An operation under way. Lua yields it, as userdata or as one that was left; the driver then gives it a waker.
#[derive(Clone)]
pub struct Operation(Rc<State>);

/// The side of an operation by which what was started tells that it is done.
#[derive(Clone)]
pub struct Completion(Weak<State>);

#[derive(Default)]
struct State {
    done: Cell<bool>,
    waker: RefCell<Option<Waker>>,
    started: RefCell<Option<Box<dyn Any>>>,
}

thread_local! {
    /// What the next coroutine that yields waits for.
    static LEFT: RefCell<Option<Operation>> = const { RefCell::new(None) };
}

impl UserData for Operation {}
impl UserData for Completion {}

impl Operation {
    /// Starts an operation: `start` gets the completion and returns what must live until then.
    pub fn start<T: 'static>(start: impl FnOnce(Completion) -> T) -> Self {
        let state = Rc::new(State::default());
        let started = start(Completion(Rc::downgrade(&state)));
        state.started.replace(Some(Box::new(started)));
        Self(state)
    }

    /// Sets what is called when it is done; at once where it is.
    pub fn wake_by(&self, waker: Waker) {
        if self.0.done.get() {
            waker();
        } else {
            self.0.waker.replace(Some(waker));
        }
    }

    /// Leaves it for the coroutine that calls, which is about to yield `true` in its place: a value less for the collector.
    pub fn leave(self) {
        // One before it that nobody has waited for is cancelled, which may leave or take another one.
        let before = LEFT.replace(Some(self));
        drop(before);
    }

    /// Takes the one that was left.
    pub(super) fn left() -> Option<Self> {
        LEFT.take()
    }

    /// Looks at what was started; none where that is no `T`, or was cancelled.
    pub fn started<T: 'static, R>(&self, look: impl FnOnce(&T) -> R) -> Option<R> {
        self.0.started.borrow().as_ref()?.downcast_ref().map(look)
    }

    /// Drops what was started; it will wake nobody.
    pub fn cancel(&self) {
        self.0.waker.take();
        self.0.started.take();
    }
}

impl Completion {
    /// Says whether someone still waits, and was not woken yet.
    pub fn is_waited_for(&self) -> bool {
        self.0.upgrade().is_some_and(|state| !state.done.get() && state.started.borrow().is_some())
    }

    /// Wakes who waits. Later calls, and one after a cancel, do nothing.
    pub fn done(&self) {
        if let Some(state) = self.0.upgrade()
            && !state.done.replace(true)
            && let Some(waker) = state.waker.take()
        {
            waker();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted() -> (Rc<Cell<u32>>, Waker) {
        let count = Rc::new(Cell::new(0));
        let waker = {
            let count = Rc::clone(&count);
            Box::new(move || count.set(count.get() + 1))
        };
        (count, waker)
    }

    #[test]
    fn wakes_once_whether_done_before_or_after_it_is_waited_for() {
        for done_first in [true, false] {
            let mut completion = None;
            let operation = Operation::start(|c| completion = Some(c));
            let completion = completion.unwrap();
            let (count, waker) = counted();
            if done_first {
                completion.done();
                operation.wake_by(waker);
            } else {
                operation.wake_by(waker);
                completion.done();
            }
            completion.done();
            assert_eq!(count.get(), 1, "done first: {done_first}");
        }
    }

    #[test]
    fn a_cancelled_one_drops_what_it_started_and_wakes_nobody() {
        let started = Rc::new(());
        let mut completion = None;
        let operation = Operation::start(|c| {
            completion = Some(c);
            Rc::clone(&started)
        });
        let (count, waker) = counted();
        operation.wake_by(waker);
        operation.cancel();
        completion.unwrap().done();
        assert_eq!((Rc::strong_count(&started), count.get()), (1, 0));
    }
}
