//! The numbers of `ngx.*`, `ngx.null`, `ngx.worker`, `ngx.config`, `ngx.exit`.

use mlua::{LightUserData, Lua, Table};

use crate::nginx::{
    Log, Phase, configure_arguments, current, current_or_fake, current_phase, is_debug, pid, prefix, version,
    worker_count, worker_exiting, worker_id, worker_pids,
};
use crate::vm::Family;

pub(super) const FAMILY: Family = Family { name: "constants", install, lua: include_str!("../lua/constants.lua") };

/// The version of lua-nginx-module that this module is to be taken for: 0.10.23.
const UPSTREAM_VERSION: u32 = 10_023;

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    use std::os::unix::ffi::OsStrExt;
    prim.raw_set("null", LightUserData(std::ptr::null_mut()))?;
    prim.raw_set("nginx_version", version())?;
    prim.raw_set("upstream_version", UPSTREAM_VERSION)?;
    prim.raw_set("debug", is_debug())?;
    prim.raw_set("configure", lua.create_string(configure_arguments())?)?;
    prim.raw_set("prefix", lua.create_function(|lua, ()| lua.create_string(prefix().as_os_str().as_bytes()))?)?;
    prim.raw_set("pid", lua.create_function(|_, ()| Ok(pid()))?)?;
    prim.raw_set("worker_id", lua.create_function(|_, ()| Ok(worker_id()))?)?;
    prim.raw_set("worker_count", lua.create_function(|_, ()| Ok(worker_count()))?)?;
    prim.raw_set("worker_exiting", lua.create_function(|_, ()| Ok(worker_exiting()))?)?;
    prim.raw_set(
        "worker_pids",
        lua.create_function(
            |_, ()| Ok((!current_phase().is_in(Phase::INIT.or(Phase::INIT_WORKER))).then(worker_pids)),
        )?,
    )?;
    prim.raw_set("exit_at_return", lua.create_function(|_, status: i64| Ok(exit_at_return(status)))?)?;
    prim.raw_set("set_status", lua.create_function(|_, status: usize| Ok(set_status(status)))?)
}

/// Notes the status for the end of a phase that cannot be left in the middle. False in the others.
fn exit_at_return(status: i64) -> bool {
    current_or_fake(|request| Log::of(request).debug(|| format!("lua exit with code {status}")));
    current_phase().is_in(Phase::EXIT_AT_RETURN)
        && current_or_fake(|request| request.state().map(|state| state.exit.set(Some(status)))).is_some()
}

/// Makes `status` the response's. Where its header has gone out with one already, returns that.
fn set_status(status: usize) -> Option<usize> {
    current(|request| {
        if request.output_gathers() {
            return None;
        }
        if request.output_begun() {
            return Some(request.status());
        }
        request.set_status(status);
        None
    })
    .flatten()
}
