//! The composition root: builds what runs Lua out of a configuration, and starts it in each worker.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use crate::conf::{MainConf, Source};
use crate::nginx::{Conf, Level, Phase, WakeSet, Zone, is_test, log_cycle, worker_id};
use crate::phase::{Runtime, run_init};
use crate::{api, hot, vm};

/// `hotlua_zone`, where it is not given.
const ZONE_SIZE: usize = 32 << 20;
/// `hotlua_prepare_timeout`, where it is not given.
const PREPARE_TIMEOUT: Duration = Duration::from_secs(10);

thread_local! {
    /// What the master wakes the workers of every cycle by.
    static WAKE: RefCell<WakeSet> = RefCell::default();
}

/// Opens the VM of a new configuration, compiles its inline Lua, runs `init_by_lua*` and asks for shared memory.
pub fn configured(conf: &mut Conf, main: &mut MainConf) -> Result<(), String> {
    if !main.used {
        return Ok(());
    }
    main.zone = Some(Zone::request(conf, "hotlua", main.zone_size.unwrap_or(ZONE_SIZE))?);
    let runtime = Runtime::new(main, api::FAMILIES).map_err(|failure| failure.to_string())?;
    for code in &main.codes {
        if let Source::Inline { text, name, chunk } = &code.source {
            let compiled = runtime.live.vm.compile(text, name).map_err(|failure: vm::Failure| failure.to_string())?;
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

/// Prepares in the master what the workers inherit.
pub fn installed(main: &mut MainConf, workers: usize) -> Result<(), String> {
    let (Some(zone), Some(runtime)) = (main.zone, Runtime::of_conf(main)) else { return Ok(()) };
    if is_test() {
        return Ok(());
    }
    if workers > hot::MOST_WORKERS {
        return Err(format!("{workers} workers are more than the {} that can follow a change", hot::MOST_WORKERS));
    }
    hot::configured(zone)?;
    let wake = WAKE.with_borrow(|wake| wake.extended(workers))?;
    WAKE.set(wake.clone());
    runtime.set_wake(wake)
}

/// Makes a worker take part in changes and runs `init_worker_by_lua*`. What that raises is logged; the worker goes on.
pub fn started(main: &mut MainConf) -> Result<(), String> {
    let (Some(zone), Some(runtime), Some(slot)) = (main.zone, Runtime::of_conf(main), worker_id()) else {
        return Ok(());
    };
    if let Some(wake) = runtime.wake() {
        let live = Rc::clone(&runtime.live);
        hot::start(hot::Setup { zone, wake, live, roots: main.code_roots(), slot, timeout: PREPARE_TIMEOUT })?;
    }
    if let Some(code) = main.init_worker.clone()
        && let Err(error) = run_init(main, &code, Phase::INIT_WORKER)
    {
        log_cycle(Level::Err, format!("init_worker_by_lua error: {error}").as_bytes());
    }
    Ok(())
}
