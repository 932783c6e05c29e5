//! The composition root: builds what runs Lua out of a configuration, and starts it in each worker.

use crate::conf::{MainConf, Source};
use crate::nginx::{Level, Phase, log_cycle};
use crate::phase::{Runtime, run_init};
use crate::{api, vm};

/// Opens the VM of a new configuration, compiles its inline Lua and runs `init_by_lua*`.
pub fn configured(main: &mut MainConf) -> Result<(), String> {
    if main.codes.is_empty() {
        return Ok(());
    }
    let runtime = Runtime::new(main, api::FAMILIES).map_err(|failure| failure.to_string())?;
    for code in &main.codes {
        if let Source::Inline { text, name, chunk } = &code.source {
            let compiled = runtime.vm.compile(text, name).map_err(|failure: vm::Failure| failure.to_string())?;
            let _ = chunk.set(compiled);
        }
    }
    let init = main.init.clone();
    if main.runtime.set(Box::new(runtime)).is_err() {
        return Err("the configuration was completed twice".into());
    }
    match init {
        Some(code) => run_init(main, &code, Phase::INIT).map_err(|error| format!("init_by_lua error: {error}")),
        None => Ok(()),
    }
}

/// Runs `init_worker_by_lua*`. What it raises is logged; the worker goes on without.
pub fn started(main: &mut MainConf) -> Result<(), String> {
    if let Some(code) = main.init_worker.clone()
        && let Err(error) = run_init(main, &code, Phase::INIT_WORKER)
    {
        log_cycle(Level::Err, format!("init_worker_by_lua error: {error}").as_bytes());
    }
    Ok(())
}
