//! The version of the code that a request runs, from its first Lua to its end.

use std::rc::Rc;

use crate::conf::Confs;
use crate::nginx::{Pinnable, Request, State};
use crate::vm::{Environment, Failure, Vm};

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
            let Fresh(vm, environment) = other.downcast_ref()?;
            Some(Pinned { vm: Rc::clone(vm), environment: Rc::clone(environment) })
        }
    }
}
