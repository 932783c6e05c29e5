//! `init_by_lua*`, `init_worker_by_lua*`, `exit_worker_by_lua*`: Lua that belongs to no request.

use std::rc::Rc;

use crate::conf::{Code, MainConf, Source};
use crate::nginx::{FakeRequest, Phase, enter};
use crate::vm::{Failure, LoadError};

use super::runtime::Runtime;

/// Runs a directive's Lua to its end, outside of any request. The error begins with the directive's name.
pub fn run_init(main: &MainConf, code: &Code, phase: Phase) -> Result<(), String> {
    let file = if matches!(code.source, Source::Inline { .. }) { "" } else { "_file" };
    run(main, code, phase).map_err(|error| format!("{}{file} error: {error}", code.directive))
}

fn run(main: &MainConf, code: &Code, phase: Phase) -> Result<(), String> {
    let runtime: &Runtime = main.runtime.get().and_then(|runtime| runtime.downcast_ref()).ok_or("no Lua VM")?;
    // A configuration that is being read has no process to belong to.
    let fake = if phase == Phase::INIT { None } else { FakeRequest::of_process() };
    // As upstream has it, the lines of a worker's end name no context.
    if let Some(fake) = fake.as_ref().filter(|_| phase != Phase::EXIT_WORKER) {
        fake.set_context(phase.context());
    }
    let _scope = enter(fake.as_ref().map(FakeRequest::request), phase);
    let (vm, environment) = (Rc::clone(&runtime.live.vm), runtime.live.pin());
    let chunk = runtime.chunk(&vm, &environment, code, None).map_err(|error| match error {
        LoadError::Compile(failure) | LoadError::File(_, failure) => failure.to_string(),
        other => other.to_string(),
    })?;
    vm.switch_to(&environment).map_err(|failure| failure.to_string())?;
    chunk.call::<()>(()).map_err(|error| Failure::from(error).to_string())
}
