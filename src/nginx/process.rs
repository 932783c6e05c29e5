//! The process: which worker it is, and whether it is about to end.

use ngx::ffi::*;

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

/// How many workers the configuration asks for.
pub fn worker_count() -> usize {
    // SAFETY: a running process has its cycle.
    unsafe { worker_count_of(ngx_cycle) }
}

/// How many workers a cycle's configuration asks for.
///
/// # Safety
/// `cycle` must have its configuration.
pub(super) unsafe fn worker_count_of(cycle: *const ngx_cycle_t) -> usize {
    // SAFETY: the core module's configuration exists in every configured cycle.
    unsafe {
        let core = (*(*cycle).conf_ctx.add(ngx_core_module.index)).cast::<ngx_core_conf_t>();
        if (*core).master == 0 { 1 } else { ((*core).worker_processes).max(1) as usize }
    }
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
