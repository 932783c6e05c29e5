//! `init_by_lua*` and `init_worker_by_lua*`: Lua that belongs to no request.

use std::rc::Rc;

use crate::conf::{Code, MainConf};
use crate::nginx::{Phase, enter};

use super::runtime::Runtime;

/// Runs a directive's Lua to its end, outside of any request.
pub fn run_init(main: &MainConf, code: &Code, phase: Phase) -> Result<(), String> {
    let runtime: &Runtime = main.runtime.get().and_then(|runtime| runtime.downcast_ref()).ok_or("no Lua VM")?;
    let _scope = enter(None, phase);
    let (vm, environment) = (Rc::clone(&runtime.live.vm), runtime.live.pin());
    let chunk = runtime.chunk(&vm, &environment, code, None).map_err(|error| error.to_string())?;
    vm.switch_to(&environment).map_err(|failure| failure.to_string())?;
    chunk.call::<()>(()).map_err(|error| crate::vm::Failure::from(error).to_string())
}
