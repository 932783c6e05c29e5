//! `ngx.semaphore`: resources that coroutines of a worker wait for, whichever request is theirs.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use mlua::{AnyUserData, Lua, Table, UserData, Value};

use crate::nginx::{Level, Timer, log_cycle};
use crate::vm::{Completion, Family, Operation};

pub(super) const FAMILY: Family = Family { name: "semaphore", install, lua: include_str!("../lua/semaphore.lua") };

/// The longest that anyone waits, milliseconds: nginx compares the times of its timers as signed numbers.
const LONGEST_WAIT: f64 = i32::MAX as f64;

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    let new = lua.create_function(|_, resources: f64| {
        let queue = Queue::default();
        queue.resources.set(resources as i64);
        Ok(Semaphore(Rc::new(queue)))
    })?;
    prim.raw_set("new_semaphore", new)?;
    let post = lua.create_function(|_, (semaphore, resources): (AnyUserData, f64)| {
        if let Ok(semaphore) = semaphore.borrow::<Semaphore>() {
            let queue = Rc::clone(&semaphore.0);
            drop(semaphore);
            queue.post(resources as i64);
        }
        Ok(())
    })?;
    prim.raw_set("post", post)?;
    let count = lua
        .create_function(|_, semaphore: AnyUserData| Ok(semaphore.borrow::<Semaphore>().map(|it| it.0.count()).ok()))?;
    prim.raw_set("count", count)?;
    // true: there was one; false: none, and no time to wait; else an operation to wait for.
    let wait = lua.create_function(|lua, (semaphore, milliseconds): (AnyUserData, f64)| {
        let Ok(semaphore) = semaphore.borrow::<Semaphore>() else { return Ok(Value::Boolean(false)) };
        if semaphore.0.take() {
            return Ok(Value::Boolean(true));
        }
        let after = Duration::from_millis(milliseconds.min(LONGEST_WAIT) as u64);
        if after.is_zero() {
            return Ok(Value::Boolean(false));
        }
        let operation = wait(Rc::clone(&semaphore.0), after);
        lua.create_userdata(operation).map(Value::UserData)
    })?;
    prim.raw_set("wait", wait)?;
    // Whether an operation that was waited for has got one.
    let waited = lua.create_function(|_, operation: AnyUserData| {
        let Ok(operation) = operation.borrow::<Operation>().map(|operation| operation.clone()) else {
            return Ok(false);
        };
        let got = operation.started(Waiting::take).unwrap_or(false);
        operation.cancel();
        Ok(got)
    })?;
    prim.raw_set("waited", waited)
}

/// Waits for a resource, for at most that time.
fn wait(queue: Rc<Queue>, after: Duration) -> Operation {
    Operation::start(|completion| {
        let turn = queue.join(completion);
        let late = (Rc::clone(&queue), Rc::clone(&turn));
        let timer = Timer::new(move || {
            let (queue, turn) = &late;
            if queue.leave(turn) {
                turn.completion.done();
            }
        });
        timer.arm(after, false);
        Waiting { queue, turn, _timer: timer }
    })
}

/// What Lua holds of a semaphore.
struct Semaphore(Rc<Queue>);

impl UserData for Semaphore {}

impl Drop for Semaphore {
    fn drop(&mut self) {
        log_cycle(Level::Debug, b"in lua gc, semaphore");
    }
}

/// The resources of a semaphore and those who wait for one, the first first.
#[derive(Default)]
struct Queue {
    resources: Cell<i64>,
    /// How many have been granted one, but have not gone on yet.
    granted: Cell<usize>,
    /// By their number; one that gives up leaves from the middle.
    waiting: RefCell<BTreeMap<u64, Rc<Turn>>>,
    last: Cell<u64>,
}

/// The place of one who waits.
struct Turn {
    number: u64,
    is: Cell<Is>,
    completion: Completion,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Is {
    Waiting,
    Granted,
    Over,
}

impl Queue {
    /// Adds resources: those who wait go on from the event loop.
    fn post(&self, resources: i64) {
        self.resources.set(self.resources.get().saturating_add(resources));
        self.grant();
    }

    fn grant(&self) {
        while self.resources.get() > 0 {
            let first = self.waiting.borrow_mut().pop_first();
            let Some((_, turn)) = first else { return };
            self.resources.set(self.resources.get() - 1);
            self.granted.set(self.granted.get() + 1);
            turn.is.set(Is::Granted);
            turn.completion.done();
        }
    }

    /// Takes a resource at once, but never before someone who came earlier has gone on.
    fn take(&self) -> bool {
        let free = self.resources.get() > 0 && self.granted.get() == 0 && self.waiting.borrow().is_empty();
        if free {
            self.resources.set(self.resources.get() - 1);
        }
        free
    }

    /// Takes the last place. What is left over is granted at once.
    fn join(&self, completion: Completion) -> Rc<Turn> {
        let number = self.last.get() + 1;
        self.last.set(number);
        let turn = Rc::new(Turn { number, is: Cell::new(Is::Waiting), completion });
        self.waiting.borrow_mut().insert(number, Rc::clone(&turn));
        self.grant();
        turn
    }

    /// Gives up a place. False for one who waits no more.
    fn leave(&self, turn: &Turn) -> bool {
        let waits = turn.is.get() == Is::Waiting;
        if waits {
            turn.is.set(Is::Over);
            self.waiting.borrow_mut().remove(&turn.number);
        }
        waits
    }

    /// Resources that are left, or, negative, how many wait for one.
    fn count(&self) -> i64 {
        let waiting = self.waiting.borrow().len();
        self.resources.get().saturating_sub(i64::try_from(waiting).unwrap_or(i64::MAX))
    }
}

/// Someone who waits: leaves the queue when dropped, and leaves to others what it was granted but never took.
struct Waiting {
    queue: Rc<Queue>,
    turn: Rc<Turn>,
    _timer: Timer,
}

impl Waiting {
    /// Says whether it was granted a resource, which is the caller's then.
    fn take(&self) -> bool {
        let granted = self.turn.is.get() == Is::Granted;
        if granted {
            self.turn.is.set(Is::Over);
            self.queue.granted.set(self.queue.granted.get() - 1);
        }
        granted
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.take() {
            self.queue.post(1);
        } else {
            self.queue.leave(&self.turn);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Someone who waits, and whether it was woken.
    fn waiter(queue: &Queue) -> (Operation, Rc<Turn>, Rc<Cell<bool>>) {
        let mut turn = None;
        let operation = Operation::start(|completion| turn = Some(queue.join(completion)));
        let woken = Rc::new(Cell::new(false));
        let waker = Rc::clone(&woken);
        operation.wake_by(Box::new(move || waker.set(true)));
        (operation, turn.unwrap(), woken)
    }

    #[test]
    fn the_first_who_waits_is_granted_first() {
        let queue = Queue::default();
        let waiters: Vec<_> = (0..4).map(|_| waiter(&queue)).collect();
        let woken = || waiters.iter().map(|(_, _, woken)| woken.get()).collect::<Vec<_>>();
        assert_eq!(queue.count(), -4);
        queue.post(1);
        assert_eq!((queue.count(), woken()), (-3, vec![true, false, false, false]));
        assert!(queue.leave(&waiters[1].1) && !queue.leave(&waiters[1].1) && !queue.leave(&waiters[0].1));
        queue.post(2);
        assert_eq!((queue.count(), woken()), (0, vec![true, false, true, true]));
        queue.post(1);
        assert_eq!(queue.count(), 1);
    }

    #[test]
    fn who_comes_later_takes_nothing_before_those_who_were_granted_have() {
        let queue = Queue::default();
        let (_operation, turn, _) = waiter(&queue);
        queue.post(2);
        assert!(!queue.take());
        let (_second, second, woken) = waiter(&queue);
        assert_eq!((second.is.get(), woken.get(), queue.count()), (Is::Granted, true, 0));
        for turn in [turn, second] {
            turn.is.set(Is::Over);
            queue.granted.set(queue.granted.get() - 1);
        }
        queue.post(1);
        assert!(queue.take() && !queue.take());
    }

    #[test]
    fn resources_saturate() {
        let queue = Queue::default();
        queue.post(i64::MAX);
        queue.post(i64::MAX);
        assert_eq!(queue.count(), i64::MAX);
    }
}
