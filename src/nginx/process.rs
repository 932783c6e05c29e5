//! The process: what kind of process and which worker it is, who else there is, and whether it is about to end.

use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

use ngx::ffi::*;

/// The cycle whose configuration is being read; `ngx_cycle` is the one before or, at the start, one without any.
static CONFIGURING: AtomicPtr<ngx_cycle_t> = AtomicPtr::new(null_mut());

/// Makes a new cycle the one that [`worker_count`] and [`process_type`] look at while `call` runs.
///
/// # Safety
/// `cycle` must have its core module's configuration, be it incomplete, and be valid until `call` returns.
pub(super) unsafe fn while_configuring<T>(cycle: *mut ngx_cycle_t, call: impl FnOnce() -> T) -> T {
    CONFIGURING.store(cycle, Ordering::Relaxed);
    let result = call();
    CONFIGURING.store(null_mut(), Ordering::Relaxed);
    result
}

/// The cycle that is configured, or the one that runs.
fn cycle() -> *const ngx_cycle_t {
    let configuring = CONFIGURING.load(Ordering::Relaxed);
    // SAFETY: a plain variable of nginx.
    if configuring.is_null() { unsafe { ngx_cycle as *const ngx_cycle_t } } else { configuring }
}

/// What kind of process this is: `single`, `master`, `signaller`, `worker` or `helper`.
pub fn process_type() -> &'static str {
    // SAFETY: plain variables of nginx; a cycle that is configured has its core module's configuration. At the start
    // the master does not know yet that it will be one.
    let (kind, is_master) = unsafe {
        let configuring = CONFIGURING.load(Ordering::Relaxed).as_ref();
        let core = configuring.and_then(|cycle| core_conf(cycle).as_ref());
        (ngx_process as u32, core.is_some_and(|core| core.master != 0))
    };
    match kind {
        NGX_PROCESS_SINGLE if is_master => "master",
        NGX_PROCESS_SINGLE => "single",
        NGX_PROCESS_MASTER => "master",
        NGX_PROCESS_SIGNALLER => "signaller",
        NGX_PROCESS_WORKER => "worker",
        _ => "helper",
    }
}

/// The id of the master; of this process where it has none.
pub fn master_pid() -> i32 {
    // SAFETY: plain variables of nginx.
    unsafe {
        match ngx_process as u32 {
            NGX_PROCESS_WORKER | NGX_PROCESS_HELPER => ngx_parent,
            _ => ngx_pid,
        }
    }
}

/// The ids of the processes that the master has started, as far as this worker was told of them.
pub fn worker_pids() -> Vec<i32> {
    // SAFETY: plain variables of nginx, which only this thread writes; slots up to the last are initialised. A
    // process's own slot is filled in its master only.
    unsafe {
        let slots = &raw const ngx_processes;
        let (slots, own) = (&*slots, ngx_process_slot as usize);
        let last = usize::try_from(ngx_last_process).unwrap_or(0);
        let others = slots.iter().take(last).enumerate().filter(|(slot, other)| *slot != own && other.pid > 0);
        let mut pids: Vec<i32> = others.map(|(_, other)| other.pid).collect();
        pids.push(ngx_pid);
        pids.sort_unstable();
        pids.dedup();
        pids
    }
}

/// Makes the worker end as it does on SIGQUIT: once its requests have ended.
pub fn quit() {
    // SAFETY: a plain variable of nginx, which its loop looks at.
    unsafe { ngx_quit = 1 }
}

/// Has system calls go on that one of nginx's signal handlers has interrupted.
pub fn restart_system_calls() {
    for signal in 1..=libc::SIGSYS {
        // SAFETY: reads what is set for the signal and sets it again with one flag more; what cannot be read or set
        // (KILL, STOP) fails without a change.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            if libc::sigaction(signal, std::ptr::null(), &raw mut action) == 0
                && action.sa_sigaction != libc::SIG_DFL
                && action.sa_sigaction != libc::SIG_IGN
            {
                action.sa_flags |= libc::SA_RESTART;
                libc::sigaction(signal, &raw const action, null_mut());
            }
        }
    }
}

/// The process's id.
pub fn pid() -> i32 {
    // SAFETY: set by nginx before any module runs.
    unsafe { ngx_pid }
}

/// The worker's number from 0, the same for the one that replaces it. None in the master and in other processes.
pub fn worker_id() -> Option<usize> {
    // SAFETY: plain variables of nginx.
    unsafe {
        let is_worker =
            ngx_process == NGX_PROCESS_WORKER as ngx_uint_t || ngx_process == NGX_PROCESS_SINGLE as ngx_uint_t;
        is_worker.then_some(ngx_worker)
    }
}

/// How many workers the configuration asks for, as far as it was read.
pub fn worker_count() -> usize {
    // SAFETY: a running process has its cycle, and where a configuration is read that has the core module's.
    unsafe { worker_count_of(cycle()) }
}

/// How many workers a cycle's configuration asks for.
///
/// # Safety
/// `cycle` must have its configuration.
pub(super) unsafe fn worker_count_of(cycle: *const ngx_cycle_t) -> usize {
    // SAFETY: the core module's configuration exists in every configured cycle.
    unsafe {
        let core = core_conf(cycle);
        if (*core).master == 0 { 1 } else { ((*core).worker_processes).max(1) as usize }
    }
}

/// # Safety
/// `cycle` must have its configuration.
unsafe fn core_conf(cycle: *const ngx_cycle_t) -> *const ngx_core_conf_t {
    // SAFETY: by this function's contract.
    unsafe { (*(*cycle).conf_ctx.add(ngx_core_module.index)).cast() }
}

/// Says whether the worker drains its connections before it ends.
pub fn worker_exiting() -> bool {
    // SAFETY: plain variables of nginx.
    unsafe { ngx_exiting != 0 || ngx_quit != 0 || ngx_terminate != 0 }
}

/// Says whether only the configuration is tested (`nginx -t`).
pub fn is_test() -> bool {
    // SAFETY: a plain variable of nginx.
    unsafe { ngx_test_config != 0 }
}

/// Says whether nginx was built with debug logging.
pub const fn is_debug() -> bool {
    cfg!(ngx_feature = "debug")
}

/// nginx's version, 1022001 for 1.22.1.
pub const fn version() -> u32 {
    ngx::ffi::nginx_version
}

/// The arguments that nginx was configured with when it was built.
pub fn configure_arguments() -> &'static [u8] {
    NGX_CONFIGURE.to_bytes()
}
