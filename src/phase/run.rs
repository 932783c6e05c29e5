//! What runs for a request in one phase: the handler's own coroutine, the entry thread, and the light threads that it
//! has spawned. Each goes on when what it waits for is done; the phase has ended when all have.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use mlua::MultiValue;
use ngx::core::Status;
use rustc_hash::FxBuildHasher;

use crate::nginx::{Level, Log, Posted, Request, enter};
use crate::vm::{Coroutine, Failure, Given, Operation, Step, Yield};

use super::Phase;
use super::pin::{Pinned, pinned};
use super::runtime::Runtime;

const INTERNAL_SERVER_ERROR: Status = Status(500);

/// A light thread's number in its run.
type Id = u32;
const ENTRY: Id = 0;

/// How often light threads may yield to each other before the event loop has its turn.
const MOST_TURNS: u32 = 100;

struct LightThread {
    /// That of its coroutine, also after this has ended.
    address: usize,
    coroutine: Coroutine,
    /// What it waits for.
    waiting: Option<Operation>,
    /// It does not keep the request while it waits for the first time (`ngx.on_abort`).
    idle: Idle,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Idle {
    No,
    /// It will be once it has begun.
    Begins,
    Yes,
}

impl LightThread {
    fn new(coroutine: Coroutine, idle: Idle) -> Self {
        Self { address: coroutine.address(), coroutine, waiting: None, idle }
    }
}

impl Drop for LightThread {
    fn drop(&mut self) {
        if let Some(operation) = self.waiting.take() {
            operation.cancel();
        }
    }
}

/// The threads of a run but the entry thread, by their number.
#[derive(Default)]
struct Others {
    threads: HashMap<Id, LightThread, FxBuildHasher>,
    /// By the address of their coroutine.
    numbers: HashMap<usize, Id, FxBuildHasher>,
    /// How many keep nobody.
    idle: usize,
}

impl Others {
    fn insert(&mut self, id: Id, thread: LightThread) {
        self.numbers.insert(thread.address, id);
        self.threads.insert(id, thread);
    }

    fn get_mut(&mut self, id: Id) -> Option<&mut LightThread> {
        self.threads.get_mut(&id)
    }

    fn find(&self, address: usize) -> Option<Id> {
        self.numbers.get(&address).copied()
    }

    /// Notes that a thread is about to go on.
    fn resumes(&mut self, id: Id) {
        let Some(thread) = self.threads.get_mut(&id) else { return };
        match thread.idle {
            Idle::No => {}
            Idle::Begins => {
                thread.idle = Idle::Yes;
                self.idle += 1;
            }
            Idle::Yes => {
                thread.idle = Idle::No;
                self.idle -= 1;
            }
        }
    }

    fn remove(&mut self, id: Id) {
        if let Some(thread) = self.threads.remove(&id) {
            self.numbers.remove(&thread.address);
            self.idle -= usize::from(thread.idle == Idle::Yes);
        }
    }

    fn is_empty(&self) -> bool {
        self.threads.is_empty()
    }

    /// Says whether none of them keeps the request.
    fn are_idle(&self) -> bool {
        self.idle == self.threads.len()
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

/// How a run goes on from the event loop.
struct Wake {
    /// The threads that can go on, in the order in which they could.
    ready: RefCell<VecDeque<Id>>,
    event: Posted,
}

impl Wake {
    fn of(request: &Request) -> Self {
        Self { ready: RefCell::default(), event: request.posted(woken) }
    }

    fn wake(&self, id: Id) {
        self.ready.borrow_mut().push_back(id);
        self.event.post();
    }
}

/// The threads of a request in one phase.
pub(super) struct Run {
    phase: &'static Phase,
    /// None once it has returned.
    entry: Option<LightThread>,
    others: Others,
    /// The number of the thread that was spawned last.
    last: Id,
    /// Made when a thread first waits.
    wake: Option<Rc<Wake>>,
    /// How often threads have yielded to each other since the event loop had its turn.
    turns: u32,
    /// nginx's handler has returned: there is nobody to return a status to.
    has_waited: bool,
}

/// What the run does after a thread's step.
enum Next {
    /// Others go on.
    Others,
    /// This thread goes on at once.
    Thread(Id, Given),
    /// The phase ends with that, whatever other threads do.
    End(Status),
}

impl Run {
    /// A run of a handler's coroutine; `waiting`: of a request that waits already.
    pub(super) fn new(phase: &'static Phase, coroutine: Coroutine, waiting: bool) -> Self {
        let entry = Some(LightThread::new(coroutine, Idle::No));
        Self { phase, entry, others: Others::default(), last: ENTRY, wake: None, turns: 0, has_waited: waiting }
    }

    /// Begins it. `NGX_DONE`: it waits.
    pub(super) fn begin(self, request: &Request, pinned: &Pinned) -> Status {
        self.drive(request, pinned, VecDeque::new(), Some((ENTRY, Given::Nothing)))
    }

    /// The same, with arguments for the handler.
    pub(super) fn begin_with(self, request: &Request, pinned: &Pinned, arguments: MultiValue) -> Status {
        self.drive(request, pinned, VecDeque::new(), Some((ENTRY, Given::Values(arguments))))
    }

    /// Runs `turn`, then those of `later` in their order, until none can go on.
    fn drive(
        mut self,
        request: &Request,
        pinned: &Pinned,
        mut later: VecDeque<(Id, Given)>,
        mut turn: Option<(Id, Given)>,
    ) -> Status {
        while let Some((id, given)) = turn.take().or_else(|| later.pop_front()) {
            // One that was killed since is not there.
            let Some(step) = self.resume(request, pinned, id, given) else { continue };
            match self.take_step(request, pinned, id, step, &mut later) {
                Next::Others => {}
                Next::Thread(id, given) => turn = Some((id, given)),
                Next::End(status) => return status,
            }
        }
        if self.entry.is_none() && self.others.are_idle() {
            return (self.phase.returned)(request);
        }
        self.put_aside(request)
    }

    fn resume(&mut self, request: &Request, pinned: &Pinned, id: Id, given: Given) -> Option<Step> {
        let phase = self.phase;
        self.others.resumes(id);
        let thread = self.thread(id)?;
        // What was started goes when the thread has gone on: its Lua may ask for results first.
        let waited = thread.waiting.take();
        if let Err(failure) = pinned.vm.switch_to(&pinned.environment) {
            return Some(Step::Failed(failure));
        }
        let scope = enter(Some(request), phase.bit);
        let step = thread.coroutine.resume(given);
        drop((scope, waited));
        if let Some(runtime) = Runtime::of(request) {
            runtime.live.tell_loaded();
        }
        Some(step)
    }

    fn take_step(
        &mut self,
        request: &Request,
        pinned: &Pinned,
        id: Id,
        step: Step,
        later: &mut VecDeque<(Id, Given)>,
    ) -> Next {
        match step {
            Step::Done | Step::Yielded(Yield::Ended) => {
                self.remove(id);
                Next::Others
            }
            Step::Yielded(Yield::Exit(status)) => Next::End(self.exit(request, status)),
            Step::Yielded(Yield::Wait(operation)) => {
                let wake = self.wake(request);
                operation.wake_by(Box::new(move || wake.wake(id)));
                if let Some(thread) = self.thread(id) {
                    thread.waiting = Some(operation);
                }
                Next::Others
            }
            // Others of the run come first; where it has none, others of the event loop.
            Step::Yielded(Yield::Cooperate) if self.turns < MOST_TURNS && !self.others.is_empty() => {
                self.turns += 1;
                later.push_back((id, Given::Nothing));
                Next::Others
            }
            Step::Yielded(Yield::Cooperate) => {
                self.turns = 0;
                self.wake(request).wake(id);
                Next::Others
            }
            Step::Yielded(Yield::Spawn(started, idle)) => {
                let new = self.spawn(pinned.vm.light_thread(started), idle);
                // The new thread runs first, until it waits.
                later.push_back((id, Given::Nothing));
                Next::Thread(new, Given::Nothing)
            }
            Step::Yielded(Yield::Kill(address)) => {
                let killed = self.others.find(address);
                if let Some(killed) = killed {
                    self.remove(killed);
                }
                Next::Thread(id, Given::Flag(killed.is_some()))
            }
            Step::Failed(failure) if id == ENTRY => Next::End(abort(request, &failure)),
            Step::Failed(failure) => {
                self.remove(id);
                log_aborted(request, "user", &failure);
                Next::Others
            }
        }
    }

    /// Ends all threads and the phase.
    fn exit(&mut self, request: &Request, status: i64) -> Status {
        // What the Lua held of the request goes before the request may.
        self.entry = None;
        self.others.clear();
        let Some((uri, args)) = request.state().and_then(|state| state.exec.take()) else {
            return (self.phase.exited)(request, status);
        };
        let status = request.exec(&uri, &args);
        if status == Status::NGX_DONE {
            (self.phase.redirected)(request, self.has_waited);
        }
        status
    }

    fn spawn(&mut self, coroutine: Coroutine, idle: bool) -> Id {
        self.last += 1;
        let idle = if idle { Idle::Begins } else { Idle::No };
        self.others.insert(self.last, LightThread::new(coroutine, idle));
        self.last
    }

    fn thread(&mut self, id: Id) -> Option<&mut LightThread> {
        if id == ENTRY { self.entry.as_mut() } else { self.others.get_mut(id) }
    }

    fn remove(&mut self, id: Id) {
        if id == ENTRY { self.entry = None } else { self.others.remove(id) }
    }

    fn wake(&mut self, request: &Request) -> Rc<Wake> {
        Rc::clone(self.wake.get_or_insert_with(|| Rc::new(Wake::of(request))))
    }

    /// Puts the run aside until a thread can go on.
    fn put_aside(mut self, request: &Request) -> Status {
        let Some(state) = request.state() else { return INTERNAL_SERVER_ERROR };
        // What was output so far goes to the filters, as it would if each call had sent its own.
        if request.hand_over().is_err() {
            return Status::NGX_ERROR;
        }
        if !self.has_waited {
            self.has_waited = true;
            (self.phase.waits)(request);
        }
        request.block_events();
        state.put_driver(Box::new(self));
        Status::NGX_DONE
    }
}

/// Goes on with a request that waited.
fn woken(request: &Request) {
    let Some(run) = request.state().and_then(|state| state.take_driver::<Run>()) else { return };
    let resumed = run.phase.resumed;
    let ready = run.wake.as_ref().map(|wake| wake.ready.take()).unwrap_or_default();
    let ready = ready.into_iter().map(|id| (id, Given::Nothing)).collect();
    let status = match Runtime::of(request).and_then(|runtime| pinned(request, runtime)) {
        Some(pinned) => run.drive(request, &pinned, ready, None),
        None => INTERNAL_SERVER_ERROR,
    };
    if status != Status::NGX_DONE {
        resumed(request, status);
    }
}

/// The end of Lua that raised in the entry thread: the other threads end with it.
pub(super) fn abort(request: &Request, failure: &Failure) -> Status {
    log_aborted(request, "entry", failure);
    // An error ends the subrequests that still run too; a page would leave them the connection until they end.
    if request.output_begun() || request.running_subrequests() > 0 {
        return Status::NGX_ERROR;
    }
    request.drop_gathered();
    INTERNAL_SERVER_ERROR
}

fn log_aborted(request: &Request, thread: &str, failure: &Failure) {
    let text = format!("lua {thread} thread aborted: runtime error: {}", failure.in_coroutine());
    Log::of(request).write(Level::Err, text.as_bytes());
}
