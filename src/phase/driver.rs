//! Runs a request's Lua: starts its coroutine, resumes it, and turns how it ended into an answer.

use std::rc::Rc;

use mlua::Function;
use ngx::core::Status;

use crate::conf::{Code, Confs};
use crate::nginx::{Level, Log, Pinnable, Posted, Request, State, enter};
use crate::vm::{Coroutine, Environment, Failure, Operation, Step, Vm, Yield};

use super::Phase;
use super::runtime::Runtime;

const INTERNAL_SERVER_ERROR: Status = Status(500);

/// The VM and environment that a request runs in from its first Lua to its end: one version of the code, whatever is
/// published meanwhile.
pub(super) struct Pinned {
    pub(super) vm: Rc<Vm>,
    pub(super) environment: Rc<Environment>,
}

/// The fresh VM of a request without the code cache.
struct Fresh(Rc<Vm>, Rc<Environment>);

impl Pinnable for Fresh {
    fn pinned(&self) {}
    fn unpinned(&self) {}
}

impl Pinnable for Environment {
    fn pinned(&self) {
        self.requests.set(self.requests.get() + 1);
    }

    fn unpinned(&self) {
        self.requests.set(self.requests.get() - 1);
    }

    fn number(&self) -> Option<u64> {
        Some(self.generation.number)
    }
}

/// What runs for a request in one phase.
struct Run {
    phase: &'static Phase,
    coroutine: Coroutine,
    /// What the coroutine waits for.
    waiting: Option<Operation>,
    /// Resumes the coroutine from the event loop; made when it first waits.
    wake: Option<Rc<Posted>>,
}

/// Starts a directive's Lua for a request. `NGX_DONE`: it waits, and the request is held until it goes on.
pub fn start(request: &Request, code: &Code, phase: &'static Phase, caches_code: bool) -> Status {
    let Some(runtime) = Runtime::of(request) else { return INTERNAL_SERVER_ERROR };
    let pinned = match pin(request, runtime, caches_code) {
        Ok(pinned) => pinned,
        Err(failure) => return abort(request, &failure),
    };
    let chunk: Function = match runtime.chunk(&pinned.vm, &pinned.environment, code, Some(request)) {
        Ok(chunk) => chunk,
        Err(error) => {
            Log::of(request).write(Level::Err, error.to_string().as_bytes());
            return Status(error.status() as isize);
        }
    };
    if request.loc_conf::<Confs>().runs_lua_in_filters() {
        request.unbuffer_output();
    }
    match pinned.vm.coroutine(&chunk) {
        Ok(coroutine) => Run { phase, coroutine, waiting: None, wake: None }.resume(request, &pinned),
        Err(failure) => abort(request, &failure),
    }
}

/// The code that the request runs on; a subrequest runs on its main request's, and without the code cache on its own.
pub(super) fn pin(request: &Request, runtime: &Runtime, caches_code: bool) -> Result<Pinned, Failure> {
    let no_memory = || Failure::new("no memory");
    let own = request.state_or_new().ok_or_else(no_memory)?;
    own.keeps_underscores.set(!request.loc_conf::<Confs>().transforms_underscores());
    if let Some(pinned) = pinned(request, runtime)
        && (caches_code || own.pinned().is_some())
    {
        return Ok(pinned);
    }
    if caches_code {
        let state = request.main().state_or_new().ok_or_else(no_memory)?;
        let environment = runtime.live.pin();
        state.pin(Rc::clone(&environment) as Rc<dyn Pinnable>);
        return Ok(Pinned { vm: Rc::clone(&runtime.live.vm), environment });
    }
    let (vm, environment) = runtime.fresh()?;
    own.pin(Rc::new(Fresh(Rc::clone(&vm), Rc::clone(&environment))));
    Ok(Pinned { vm, environment })
}

/// What the request is pinned to; none before its first Lua.
fn pinned(request: &Request, runtime: &Runtime) -> Option<Pinned> {
    let own = request.state().and_then(State::pinned);
    match own.or_else(|| request.main().state()?.pinned())?.downcast::<Environment>() {
        Ok(environment) => Some(Pinned { vm: Rc::clone(&runtime.live.vm), environment }),
        Err(other) => {
            let Fresh(vm, environment) = other.downcast_ref()?;
            Some(Pinned { vm: Rc::clone(vm), environment: Rc::clone(environment) })
        }
    }
}

impl Run {
    fn resume(mut self, request: &Request, pinned: &Pinned) -> Status {
        if let Err(failure) = pinned.vm.switch_to(&pinned.environment) {
            return abort(request, &failure);
        }
        let scope = enter(Some(request), self.phase.bit);
        let step = self.coroutine.resume(());
        drop(scope);
        if let Some(runtime) = Runtime::of(request) {
            runtime.live.tell_loaded();
        }
        match step {
            Step::Done => (self.phase.returned)(request),
            Step::Yielded(Yield::Exit(status)) => match request.state().and_then(|state| state.exec.take()) {
                Some((uri, args)) => {
                    // What the Lua held of the request goes before the request may.
                    let (phase, waited) = (self.phase, self.wake.is_some());
                    drop(self);
                    let status = request.exec(&uri, &args);
                    if status == Status::NGX_DONE {
                        (phase.redirected)(request, waited);
                    }
                    status
                }
                None => (self.phase.exited)(request, status),
            },
            Step::Yielded(Yield::Wait(operation)) => self.wait(request, Some(operation)),
            Step::Yielded(Yield::Cooperate) => self.wait(request, None),
            Step::Failed(failure) => abort(request, &failure),
        }
    }

    /// Puts the run aside until the operation is done, or (None) until others had their turn.
    fn wait(mut self, request: &Request, operation: Option<Operation>) -> Status {
        let Some(state) = request.state() else { return INTERNAL_SERVER_ERROR };
        // What was output so far goes to the filters, as it would if each call had sent its own.
        if request.hand_over().is_err() {
            return Status::NGX_ERROR;
        }
        if self.wake.is_none() {
            (self.phase.waits)(request);
        }
        let wake = Rc::clone(self.wake.get_or_insert_with(|| Rc::new(request.posted(woken))));
        match &operation {
            Some(operation) => operation.wake_by(Box::new(move || wake.post())),
            None => wake.post(),
        }
        self.waiting = operation;
        request.block_events();
        state.put_driver(Box::new(self));
        Status::NGX_DONE
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Some(operation) = self.waiting.take() {
            operation.cancel();
        }
    }
}

/// Goes on with a request that waited.
fn woken(request: &Request) {
    let Some(mut run) = request.state().and_then(|state| state.take_driver::<Run>()) else { return };
    run.waiting = None;
    let resumed = run.phase.resumed;
    let status = match Runtime::of(request).and_then(|runtime| pinned(request, runtime)) {
        Some(pinned) => run.resume(request, &pinned),
        None => INTERNAL_SERVER_ERROR,
    };
    if status != Status::NGX_DONE {
        resumed(request, status);
    }
}

/// The end of Lua that raised.
fn abort(request: &Request, failure: &Failure) -> Status {
    Log::of(request)
        .write(Level::Err, format!("lua entry thread aborted: runtime error: {}", failure.in_coroutine()).as_bytes());
    if request.output_begun() {
        return Status::NGX_ERROR;
    }
    request.drop_gathered();
    INTERNAL_SERVER_ERROR
}
