//! Runs Lua that cannot wait, to its end: filters, `set_by_lua*`, `log_by_lua*`, `balancer_by_lua*`,
//! `ssl_session_store_by_lua*`.

use std::rc::Rc;

use mlua::{FromLuaMulti, Function};

use crate::conf::{Code, Confs};
use crate::nginx::{self, Level, Log, Request, enter};
use crate::vm::{Environment, Failure, LoadError, Vm};

use super::pin::pin;
use super::runtime::Runtime;

/// Runs a directive's Lua for a request and returns what it returned. None where it failed; that has been logged, as a
/// failure of `directive`.
pub(super) fn call<R: FromLuaMulti>(request: &Request, code: &Code, bit: nginx::Phase, directive: &str) -> Option<R> {
    let result = run(request, code, bit);
    result
        .inspect_err(|error| {
            // What it was to exit by belongs to a Lua that returns.
            if let Some(state) = request.state() {
                state.exit.set(None);
            }
            let text = match error {
                Failed::ToLoad(error) => error.to_string(),
                Failed::ToRun(failure) => format!("failed to run {directive}*: {failure}"),
            };
            Log::of(request).write(Level::Err, text.as_bytes());
        })
        .ok()
}

/// Why Lua has returned nothing.
enum Failed {
    ToLoad(LoadError),
    ToRun(Failure),
}

impl<E: Into<Failure>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::ToRun(error.into())
    }
}

fn run<R: FromLuaMulti>(request: &Request, code: &Code, bit: nginx::Phase) -> Result<R, Failed> {
    let runtime = Runtime::of(request).ok_or_else(|| Failure::new("no Lua VM"))?;
    let pinned = pin(request, runtime, request.loc_conf::<Confs>().caches_code())?;
    let chunk: Function =
        runtime.chunk(&pinned.vm, &pinned.environment, code, Some(request)).map_err(Failed::ToLoad)?;
    let _shown = Shown::new(&pinned.vm, &pinned.environment)?;
    let _scope = enter(Some(request), bit);
    let result = chunk.call::<R>(());
    runtime.live.tell_loaded();
    Ok(result?)
}

/// While it lives an environment is the VM's running one; afterwards the one before is again. A filter's Lua runs in
/// the middle of other Lua, which nginx may have interrupted for a request of another generation.
struct Shown<'v>(&'v Rc<Vm>, Option<Rc<Environment>>);

impl<'v> Shown<'v> {
    fn new(vm: &'v Rc<Vm>, environment: &Rc<Environment>) -> Result<Self, Failure> {
        let before = vm.running().filter(|before| !Rc::ptr_eq(before, environment));
        vm.switch_to(environment)?;
        Ok(Self(vm, before))
    }
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if let Some(before) = &self.1 {
            // Only memory can make it fail, and then the next Lua that is run says so.
            let _ = self.0.switch_to(before);
        }
    }
}
