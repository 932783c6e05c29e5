//! Directives of the worker process: its memory, its coroutines, its timers, its signals and what it captures of the log.

use crate::nginx::{Conf, LONGEST_LINE};

use super::MainConf;
use super::number::number;
use super::once::{argument, once};

impl MainConf {
    /// After how many requests free memory is given back to the system; 0: never.
    pub fn trims_every(&self) -> usize {
        self.malloc_trim.unwrap_or(1000)
    }

    /// How many finished coroutines a worker keeps for reuse.
    pub fn kept_coroutines(&self) -> usize {
        self.thread_cache.unwrap_or(1024)
    }

    /// How many VMs a worker has at most for Lua in threads.
    pub fn thread_vms(&self) -> usize {
        self.thread_vms.unwrap_or(10)
    }

    /// How many timers may wait in a worker.
    pub fn max_pending_timers(&self) -> usize {
        self.max_pending_timers.unwrap_or(1024)
    }

    /// How many timers may run in a worker.
    pub fn max_running_timers(&self) -> usize {
        self.max_running_timers.unwrap_or(256)
    }

    /// Says whether system calls go on that a signal has interrupted.
    pub fn restarts_system_calls(&self) -> bool {
        self.sa_restart.unwrap_or(true)
    }
}

pub(super) fn malloc_trim(conf: &mut Conf, main: &mut MainConf) -> Result<(), String> {
    let count = count(conf)?;
    once(conf, &mut main.malloc_trim, count)
}

pub(super) fn thread_cache(conf: &mut Conf, main: &mut MainConf) -> Result<(), String> {
    let count = count(conf)?;
    once(conf, &mut main.thread_cache, count)
}

pub(super) fn thread_vms(conf: &mut Conf, main: &mut MainConf) -> Result<(), String> {
    let count = count(conf)?;
    once(conf, &mut main.thread_vms, count)
}

pub(super) fn max_pending_timers(conf: &mut Conf, main: &mut MainConf) -> Result<(), String> {
    let count = count(conf)?;
    once(conf, &mut main.max_pending_timers, count)
}

pub(super) fn max_running_timers(conf: &mut Conf, main: &mut MainConf) -> Result<(), String> {
    let count = count(conf)?;
    once(conf, &mut main.max_running_timers, count)
}

pub(super) fn capture_error_log(conf: &mut Conf, main: &mut MainConf) -> Result<(), String> {
    let size = conf.size().ok_or_else(|| format!("invalid capture error log size \"{}\"", argument(conf)))?;
    if size <= LONGEST_LINE {
        return Err(format!(
            "invalid capture error log size \"{}\": a line may have {LONGEST_LINE} bytes, so it must be more",
            argument(conf)
        ));
    }
    once(conf, &mut main.capture_error_log, size)
}

/// Warns as upstream does: there is nothing to choose.
pub(super) fn load_resty_core(conf: &mut Conf) {
    conf.warn("lua_load_resty_core is deprecated (the lua-resty-core library is required since ngx_lua v0.10.16)");
}

fn count(conf: &Conf) -> Result<usize, String> {
    number(conf.arg()).ok_or_else(|| format!("\"{}\" directive invalid number", conf.name()))
}
