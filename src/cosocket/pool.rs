//! Pools of connections that nobody uses for now: by name, one of each in a worker, whatever code has opened them.
//!
//! A pool knows how many connections there are: those that rest in it and those in use that it has given a [`Slot`].

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::nginx::{Heard, Log, Stream, Woken, monotonic, worker_exiting};

thread_local! {
    /// The worker's pools. Never dropped: when a process ends, nginx's structures go before what threads hold.
    static POOLS: &'static RefCell<FxHashMap<Box<[u8]>, Rc<Pool>>> = Box::leak(Box::default());
}

/// Connections that lead to the same place. It is forgotten when it has none left.
pub(super) struct Pool {
    name: Box<[u8]>,
    /// How many connections rest in it at most; where `backlog` is given, how many there are at most in all.
    size: usize,
    /// How many callers may wait until there can be another connection.
    backlog: Option<usize>,
    /// The one that was put in last is the first.
    idle: RefCell<VecDeque<Rc<Idle>>>,
    in_use: Cell<usize>,
    queue: RefCell<VecDeque<Rc<Waiter>>>,
}

/// A connection that rests.
struct Idle {
    stream: Rc<Stream>,
    /// How often it has been taken out of a pool.
    reused: u32,
    /// When its time is over, by nginx's monotonic clock, milliseconds; none: never.
    until: Option<usize>,
}

/// A connection as a pool hands it out.
pub(super) struct Reused {
    pub(super) stream: Rc<Stream>,
    /// How often it has been taken out of a pool, this time included.
    pub(super) times: u32,
}

/// The right to one of a pool's connections in use, made or to be made. Dropping it lets the next one in.
pub(super) struct Slot(Rc<Pool>);

/// One who waits until there can be another connection.
struct Waiter {
    granted: Cell<Option<Grant>>,
    wake: Box<dyn Fn()>,
}

/// What was waited for: a slot, and perhaps a connection for it.
pub(super) struct Grant {
    pub(super) slot: Slot,
    pub(super) reused: Option<Reused>,
}

/// The place of one who waits. Dropping it leaves the queue, and gives back what was granted.
pub(super) struct Place {
    pool: Rc<Pool>,
    waiter: Rc<Waiter>,
}

/// How a connection is begun from a pool.
pub(super) enum Entry {
    /// With one that rested there.
    Reused(Slot, Reused),
    /// With a new one.
    New(Slot),
    /// Later: all connections that there may be are in use.
    Wait,
    /// Not at all: too many wait already.
    Full,
}

/// The pool of a name, if there is one.
pub(super) fn find(name: &[u8]) -> Option<Rc<Pool>> {
    POOLS.with(|pools| pools.borrow().get(name).cloned())
}

/// Makes the pool of a name that has none.
pub(super) fn make(name: &[u8], size: usize, backlog: Option<usize>) -> Rc<Pool> {
    let pool = Rc::new(Pool {
        name: name.into(),
        size,
        backlog,
        idle: RefCell::default(),
        in_use: Cell::new(0),
        queue: RefCell::default(),
    });
    POOLS.with(|pools| pools.borrow_mut().insert(name.into(), Rc::clone(&pool)));
    pool
}

impl Pool {
    /// Begins a connection: with one that rests, a new one, or not yet.
    pub(super) fn enter(self: &Rc<Self>) -> Entry {
        if let Some(reused) = self.take() {
            return Entry::Reused(self.slot(), reused);
        }
        match self.backlog {
            Some(backlog) if self.in_use.get() >= self.size => {
                if self.queue.borrow().len() < backlog {
                    Entry::Wait
                } else {
                    Entry::Full
                }
            }
            _ => Entry::New(self.slot()),
        }
    }

    /// Joins the queue; `wake` is called when [`Place::take`] has something, and may do no more than note that and post
    /// an event.
    pub(super) fn queue(self: &Rc<Self>, wake: impl Fn() + 'static) -> Place {
        let waiter = Rc::new(Waiter { granted: Cell::new(None), wake: Box::new(wake) });
        self.queue.borrow_mut().push_back(Rc::clone(&waiter));
        Place { pool: Rc::clone(self), waiter }
    }

    /// Puts a connection to rest for that long, where there is a limit; `times` it was taken out of a pool. Where somebody
    /// waits it goes there.
    pub(super) fn put(self: &Rc<Self>, stream: Rc<Stream>, times: u32, timeout: Option<Duration>, slot: Option<Slot>) {
        let waiter = self.queue.borrow_mut().pop_front();
        if let Some(waiter) = waiter {
            stream.detach();
            let slot = slot.unwrap_or_else(|| self.slot());
            waiter.grant(Grant { slot, reused: Some(Reused { stream, times: times + 1 }) });
            return;
        }
        let until =
            timeout.map(|timeout| monotonic() + usize::try_from(timeout.as_millis()).unwrap_or(usize::MAX >> 1));
        let idle = Rc::new(Idle { stream, reused: times, until });
        if self.watch(&idle) {
            let over = {
                let mut rest = self.idle.borrow_mut();
                rest.push_front(idle);
                if rest.len() > self.size { rest.pop_back() } else { None }
            };
            drop(over);
        }
        // Now that the connection is counted as one that rests.
        drop(slot);
        self.forget_if_empty();
    }

    /// Takes the connection that has rested for the shortest time and has nothing to say.
    fn take(self: &Rc<Self>) -> Option<Reused> {
        loop {
            let idle = self.idle.borrow_mut().pop_front()?;
            idle.stream.rouse();
            if idle.stream.heard() == Heard::Nothing {
                return Some(Reused { stream: Rc::clone(&idle.stream), times: idle.reused + 1 });
            }
        }
    }

    fn slot(self: &Rc<Self>) -> Slot {
        self.in_use.set(self.in_use.get() + 1);
        Slot(Rc::clone(self))
    }

    /// Watches a connection that rests, for as long as it may. False: it is not worth it.
    fn watch(self: &Rc<Self>, idle: &Rc<Idle>) -> bool {
        let left = idle.until.map(|until| Duration::from_millis(until.saturating_sub(monotonic()) as u64));
        let (pool, of) = (Rc::downgrade(self), Rc::downgrade(idle));
        idle.stream.rest(left, Box::new(move |woken| Self::woken(&pool, &of, woken)))
    }

    /// A connection that rests has something to say, or its time is over.
    fn woken(pool: &Weak<Self>, idle: &Weak<Idle>, woken: Woken) {
        let (Some(pool), Some(idle)) = (pool.upgrade(), idle.upgrade()) else { return };
        Log::cycle().debug(|| "lua tcp socket keepalive close handler".into());
        if woken == Woken::Ready && !worker_exiting() && idle.stream.heard() == Heard::Nothing && pool.watch(&idle) {
            return;
        }
        pool.idle.borrow_mut().retain(|other| !Rc::ptr_eq(other, &idle));
        drop(idle);
        pool.forget_if_empty();
    }

    fn forget_if_empty(&self) {
        if self.in_use.get() == 0 && self.idle.borrow().is_empty() && self.queue.borrow().is_empty() {
            let forgotten = POOLS.with(|pools| {
                let mut pools = pools.borrow_mut();
                let is_own = pools.get(&self.name).is_some_and(|pool| std::ptr::eq(&**pool, self));
                if is_own { pools.remove(&self.name) } else { None }
            });
            if forgotten.is_some() {
                Log::cycle().debug(|| {
                    let name = String::from_utf8_lossy(&self.name);
                    format!("lua tcp socket keepalive: free connection pool for \"{name}\"")
                });
            }
        }
    }
}

impl Slot {
    /// The pool that has given it.
    pub(super) fn pool(&self) -> &Rc<Pool> {
        &self.0
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let pool = &self.0;
        pool.in_use.set(pool.in_use.get() - 1);
        let waiter = pool.queue.borrow_mut().pop_front();
        match waiter {
            Some(waiter) => waiter.grant(Grant { slot: pool.slot(), reused: None }),
            None => pool.forget_if_empty(),
        }
    }
}

impl Waiter {
    fn grant(&self, grant: Grant) {
        self.granted.set(Some(grant));
        (self.wake)();
    }
}

impl Place {
    /// What was granted; none: nothing yet.
    pub(super) fn take(&self) -> Option<Grant> {
        self.waiter.granted.take()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut queue = self.pool.queue.borrow_mut();
        if let Some(at) = queue.iter().position(|other| Rc::ptr_eq(other, &self.waiter)) {
            queue.remove(at);
            Log::cycle().debug(|| "lua tcp socket abort queueing".into());
        }
        drop(queue);
        match self.waiter.granted.take() {
            // The next one gets the slot, once the connection is closed.
            Some(Grant { slot, reused }) => drop((reused, slot)),
            None => self.pool.forget_if_empty(),
        }
    }
}
