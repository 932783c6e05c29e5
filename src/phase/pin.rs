//! The version of the code that a request runs, from its first Lua to its end.

use std::rc::Rc;

use crate::conf::Confs;
use crate::nginx::{Pinnable, Request, State};
use crate::vm::{Environment, Failure, Held, TimerCode, Vm};

use super::runtime::Runtime;

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

/// What a timer's fake request runs on. The hold on the environment counts as a timer's, not as a request's.
struct OfTimer(Rc<Vm>, Held);

impl Pinnable for OfTimer {
    fn pinned(&self) {}
    fn unpinned(&self) {}

    fn number(&self) -> Option<u64> {
        Some(self.1.environment().generation.number)
    }
}

/// Pins a timer's fake request to the code of its callback.
pub(super) fn pin_timer(request: &Request, runtime: &Runtime, code: TimerCode) -> Result<Pinned, Failure> {
    let (vm, held) = match code {
        TimerCode::Active => (Rc::clone(&runtime.live.vm), Held::new(runtime.live.pin())),
        TimerCode::Pinned(held) => (Rc::clone(&runtime.live.vm), held),
        TimerCode::Own(vm, held) => (vm, held),
    };
    let pinned = Pinned { vm: Rc::clone(&vm), environment: Rc::clone(held.environment()) };
    let state = request.state_or_new().ok_or_else(|| Failure::new("no memory"))?;
    state.settings.set(request.loc_conf::<Confs>().settings());
    state.pin(Rc::new(OfTimer(vm, held)));
    Ok(pinned)
}

/// The code that the request runs on; a subrequest runs on its main request's, and without the code cache on its own.
pub(super) fn pin(request: &Request, runtime: &Runtime, caches_code: bool) -> Result<Pinned, Failure> {
    let no_memory = || Failure::new("no memory");
    let own = request.state_or_new().ok_or_else(no_memory)?;
    own.settings.set(request.loc_conf::<Confs>().settings());
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
pub(super) fn pinned(request: &Request, runtime: &Runtime) -> Option<Pinned> {
    let own = request.state().and_then(State::pinned);
    match own.or_else(|| request.main().state()?.pinned())?.downcast::<Environment>() {
        Ok(environment) => Some(Pinned { vm: Rc::clone(&runtime.live.vm), environment }),
        Err(other) => {
            let (vm, environment) = match (other.downcast_ref(), other.downcast_ref()) {
                (Some(Fresh(vm, environment)), _) => (vm, environment),
                (None, Some(OfTimer(vm, held))) => (vm, held.environment()),
                (None, None) => return None,
            };
            Some(Pinned { vm: Rc::clone(vm), environment: Rc::clone(environment) })
        }
    }
}
