//! `ngx.timer`: calls back later, outside of any request.
//!
//! A one-shot timer holds the version of the code that has made it until its callback has ended. One that repeats holds
//! none between its ticks: each tick runs on what is active then.

use std::any::Any;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::{Rc, Weak};
use std::time::Duration;

use mlua::{Function, Lua, LuaString, MultiValue, Table, Value};
use rustc_hash::FxBuildHasher;

use crate::nginx::{
    Level, Log, Origin, Phase, Posted, Timer, current_or_fake, current_phase, is_draining, log_cycle, monotonic,
    on_exiting,
};
use crate::vm::{Environment, Failure, Family, Going, Held, TimerCode, Vm};

use super::timer_call::{Call, Calls};

pub(super) const FAMILY: Family = Family { name: "timer", install, lua: include_str!("../lua/timer.lua") };

/// Runs a callback with a configuration, on that code, and drops the last argument once it has ended.
type RunTimer = fn(&Origin, TimerCode, &Function, MultiValue, Box<dyn Any>);

/// How many timers a worker may have.
#[derive(Clone, Copy, Debug)]
pub struct TimerLimits {
    /// `lua_max_pending_timers`
    pub pending: usize,
    /// `lua_max_running_timers`
    pub running: usize,
}

/// The timers of a worker.
pub struct Timers {
    limits: TimerLimits,
    run: RunTimer,
    pending: RefCell<HashMap<Id, Rc<Pending>, FxBuildHasher>>,
    last: Cell<Id>,
    running: Rc<Cell<usize>>,
    /// How many of those that pend belong to modules, and end when these are replaced.
    owned: Cell<usize>,
    /// How many a candidate has that do not run yet.
    due: Rc<Cell<usize>>,
    /// Those without a delay, for the next round of the event loop.
    next: RefCell<VecDeque<Id>>,
    /// Made when it is first needed: by then the worker runs.
    next_round: OnceCell<Posted>,
    watches_exit: Cell<bool>,
    /// The last that was used: timers of one request share it.
    origin: RefCell<Option<Rc<Origin>>>,
}

type Id = u64;

/// A timer that waits.
struct Pending {
    call: Call,
    /// None: one that repeats, on what is active.
    code: Cell<Option<TimerCode>>,
    /// None: it fires once.
    period: Option<Duration>,
    is_owned: bool,
    /// By nginx's clock, in milliseconds.
    fires: Cell<usize>,
    /// None where it waits for the next round of the event loop.
    timer: Option<Timer>,
}

/// Counts one more of something while it lives.
struct Counted(Rc<Cell<usize>>);

impl Counted {
    fn new(count: &Rc<Cell<usize>>) -> Self {
        count.set(count.get() + 1);
        Self(Rc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// Why a timer was not made.
const TOO_MANY: &str = "too many pending timers";
const EXITING: &str = "process exiting";
const NO_CONNECTION: &str = "worker_connections are not enough";
const NO_REQUEST: &str = "no request";

impl Timers {
    /// Those of a worker to be; `run` runs their callbacks.
    pub fn new(limits: TimerLimits, run: RunTimer) -> Rc<Self> {
        Rc::new(Self {
            limits,
            run,
            pending: RefCell::default(),
            last: Cell::default(),
            running: Rc::default(),
            owned: Cell::default(),
            due: Rc::default(),
            next: RefCell::default(),
            next_round: OnceCell::new(),
            watches_exit: Cell::default(),
            origin: RefCell::default(),
        })
    }

    /// Makes these the timers of a VM.
    pub fn share(self: &Rc<Self>, vm: &Vm) -> Result<(), Failure> {
        vm.lua().set_app_data((Rc::clone(self), Rc::new(Calls::of(vm)?)));
        Ok(())
    }

    /// Says why no more timers can be made, where that is so.
    fn refusal(self: &Rc<Self>, for_candidate: bool, delay: Duration) -> Option<&'static str> {
        if is_draining() && !delay.is_zero() {
            return Some(EXITING);
        }
        // Those of the modules that a candidate replaces end before its own begin.
        let pending = self.pending.borrow().len();
        let counted = if for_candidate { pending - self.owned.get() + self.due.get() } else { pending };
        if counted >= self.limits.pending {
            return Some(TOO_MANY);
        }
        if !self.watches_exit.get() && !is_draining() {
            let timers = Rc::downgrade(self);
            let watches = on_exiting(move || {
                if let Some(timers) = timers.upgrade() {
                    timers.abort();
                }
            });
            if !watches {
                return Some(NO_CONNECTION);
            }
            self.watches_exit.set(true);
        }
        None
    }

    /// Makes one pend.
    fn add(self: &Rc<Self>, call: Call, code: Option<TimerCode>, delay: Duration, repeats: bool, is_owned: bool) -> Id {
        let id = self.last.get() + 1;
        self.last.set(id);
        // In a worker that drains only a timer keeps the event loop going.
        let in_next_round = delay.is_zero() && !is_draining();
        let timer = (!in_next_round).then(|| {
            let timers = Rc::downgrade(self);
            Timer::new(move || {
                if let Some(timers) = timers.upgrade() {
                    timers.fire(id, false);
                }
            })
        });
        let pending = Pending {
            call,
            code: Cell::new(code),
            period: repeats.then_some(delay),
            is_owned,
            fires: Cell::default(),
            timer,
        };
        pending.arm(delay);
        self.owned.set(self.owned.get() + usize::from(is_owned));
        self.pending.borrow_mut().insert(id, Rc::new(pending));
        if in_next_round {
            self.next.borrow_mut().push_back(id);
            let timers = Rc::downgrade(self);
            let next_round = || {
                Posted::new(move || {
                    if let Some(timers) = timers.upgrade() {
                        timers.fire_next();
                    }
                })
            };
            self.next_round.get_or_init(next_round).post_next();
        }
        id
    }

    fn remove(&self, id: Id) -> Option<Rc<Pending>> {
        let pending = self.pending.borrow_mut().remove(&id)?;
        self.owned.set(self.owned.get() - usize::from(pending.is_owned));
        Some(pending)
    }

    /// Fires those without a delay; what they make anew has to wait for the next round.
    fn fire_next(self: &Rc<Self>) {
        for id in self.next.take() {
            self.fire(id, false);
        }
    }

    /// Fires all that pend, in their order, because the worker ends.
    fn abort(self: &Rc<Self>) {
        Log::cycle().debug(|| "lua abort pending timers".into());
        let mut all: Vec<(usize, Id)> =
            self.pending.borrow().iter().map(|(id, pending)| (pending.fires.get(), *id)).collect();
        all.sort_unstable();
        Log::cycle().debug(|| format!("lua found {} pending timers", all.len()));
        for (_, id) in all {
            self.fire(id, true);
        }
    }

    fn fire(self: &Rc<Self>, id: Id, premature: bool) {
        let known = self.pending.borrow().get(&id).map(Rc::clone);
        let Some(pending) = known else { return };
        match pending.period {
            // First, so that what the callback takes does not shift the ticks.
            Some(period) if !premature => pending.arm(period),
            _ => drop(self.remove(id)),
        }
        if self.running.get() >= self.limits.running {
            return self.tell_too_many(&pending.call);
        }
        let running = Box::new(Counted::new(&self.running));
        let code = pending.code.take().unwrap_or(TimerCode::Active);
        // The VM of a request without the code cache is that of all ticks.
        if let (TimerCode::Own(vm, held), Some(_)) = (&code, pending.period) {
            pending.code.set(Some(TimerCode::Own(Rc::clone(vm), Held::new(Rc::clone(held.environment())))));
        }
        let Call { calls, slot, origin } = &pending.call;
        let arguments = MultiValue::from_iter([Value::Integer((*slot).into()), Value::Boolean(premature)]);
        (self.run)(origin, code, &calls.dispatch, arguments, running);
    }

    fn tell_too_many(&self, call: &Call) {
        let text = format!(
            "lua failed to run timer with function defined at {}: {} lua_max_running_timers are not enough",
            call.place().unwrap_or_default(),
            self.limits.running
        );
        log_cycle(Level::Alert, text.as_bytes());
    }

    /// Whose configuration a timer has that is made now.
    fn origin(&self) -> Option<Rc<Origin>> {
        let mut last = self.origin.borrow_mut();
        if let Some(last) = &*last
            && current_or_fake(|request| last.is_of(request)) == Some(true)
        {
            return Some(Rc::clone(last));
        }
        let origin = current_or_fake(Origin::of).or_else(Origin::of_process)?;
        Some(Rc::clone(last.insert(Rc::new(origin))))
    }
}

impl Pending {
    fn arm(&self, delay: Duration) {
        // Without a delay it would fire in the same round for ever.
        let delay = delay.max(Duration::from_millis(1));
        self.fires.set(monotonic().wrapping_add(delay.as_millis() as usize));
        if let Some(timer) = &self.timer {
            timer.arm(delay, false);
        }
    }
}

/// A timer that ends with the instance of a module.
struct Owned(Weak<Timers>, Id);

impl Drop for Owned {
    fn drop(&mut self) {
        if let Some(timers) = self.0.upgrade() {
            timers.remove(self.1);
        }
    }
}

/// What a timer is made of.
struct Wanted {
    call: Call,
    delay: Duration,
    repeats: bool,
}

impl Wanted {
    /// Begins a timer of code that is active, or that a request runs.
    fn begin(self, timers: &Rc<Timers>, vm: &Rc<Vm>, environment: &Rc<Environment>, is_owned: bool) -> Id {
        let Self { call, delay, repeats } = self;
        let hold = || Held::new(Rc::clone(environment));
        let code = match (vm.is_of_request(), repeats) {
            (true, _) => Some(TimerCode::Own(Rc::clone(vm), hold())),
            (false, true) => None,
            (false, false) => Some(TimerCode::Pinned(hold())),
        };
        timers.add(call, code, delay, repeats, is_owned)
    }
}

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    type Arguments = (f64, bool, Option<LuaString>, bool);
    // the slot that its call is to be put in; or nil and why there is no such timer
    let start = lua.create_function(|lua, arguments: Arguments| {
        let (milliseconds, repeats, module, for_candidate) = arguments;
        let (Some((timers, calls)), Some(vm)) = (shared(lua), Vm::of(lua)) else { return Ok((None, Some(NO_REQUEST))) };
        // What is not a number of nginx's clock is as long as that counts.
        let delay = Duration::from_millis((milliseconds as u64).min(LONGEST));
        if let Some(refusal) = timers.refusal(for_candidate, delay) {
            return Ok((None, Some(refusal)));
        }
        let (Some(origin), Some(environment)) = (timers.origin(), vm.running()) else {
            return Ok((None, Some(NO_REQUEST)));
        };
        let call = Call::new(calls, origin);
        let slot = call.slot;
        let wanted = Wanted { call, delay, repeats };
        if !for_candidate && (!repeats || module.is_none()) {
            wanted.begin(&timers, &vm, &environment, false);
        } else {
            let module = module.map(|module| module.to_string_lossy());
            start_with(&timers, &vm, &environment, module.as_deref(), wanted, for_candidate);
        }
        Ok((Some(slot), None))
    })?;
    prim.raw_set("start", start)?;
    prim.raw_set("running", lua.create_function(|lua, ()| Ok(shared(lua).map(|(timers, _)| timers.running.get())))?)?;
    let pending = |lua: &Lua, ()| Ok(shared(lua).map(|(timers, _)| timers.pending.borrow().len()));
    prim.raw_set("pending", lua.create_function(pending)?)?;
    prim.raw_set("in_init", lua.create_function(|_, ()| Ok(current_phase().is_in(Phase::INIT)))?)?;
    prim.raw_set("in_exit", lua.create_function(|_, ()| Ok(current_phase().is_in(Phase::EXIT_WORKER)))?)
}

/// The longest delay in milliseconds, some three hundred years: nginx compares times by their difference.
const LONGEST: u64 = i64::MAX as u64 / 1_000_000;

/// The worker's timers, and what those of this VM call.
fn shared(lua: &Lua) -> Option<(Rc<Timers>, Rc<Calls>)> {
    lua.app_data_ref::<(Rc<Timers>, Rc<Calls>)>().map(|shared| shared.clone())
}

/// Begins a timer of a module that loads, or of a candidate, as soon as its environment is active.
fn start_with(
    timers: &Rc<Timers>,
    vm: &Rc<Vm>,
    environment: &Rc<Environment>,
    module: Option<&str>,
    wanted: Wanted,
    for_candidate: bool,
) {
    let (weak, vm) = (Rc::downgrade(timers), Rc::downgrade(vm));
    let due = for_candidate.then(|| Counted::new(&timers.due));
    environment.start(module, move |environment| -> Option<Going> {
        drop(due);
        let (timers, vm) = (weak.upgrade()?, vm.upgrade()?);
        if for_candidate && let Some(refusal) = timers.refusal(false, wanted.delay) {
            log_cycle(Level::Err, format!("a new generation's timer is not started: {refusal}").as_bytes());
            return None;
        }
        let repeats = wanted.repeats;
        let id = wanted.begin(&timers, &vm, environment, repeats);
        repeats.then(|| Box::new(Owned(Rc::downgrade(&timers), id)) as Going)
    });
}
