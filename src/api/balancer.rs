//! `ngx.balancer`: the peer of an attempt at an upstream, its timeouts, and how many more there may be.

use mlua::{Lua, LuaString, Table};

use crate::nginx::{Attempt, Timeouts, current};
use crate::vm::Family;

pub(super) const FAMILY: Family = Family { name: "balancer", install, lua: include_str!("../lua/balancer.lua") };

/// What a call that is made while no request runs this Lua answers; the Lua half raises it.
const NO_REQUEST: &str = "no request found";

/// Calls `call` with the attempt for which a peer is being chosen. The error is what keeps it from being.
fn attempt<T>(call: impl FnOnce(&Attempt) -> Result<T, String>) -> Result<T, String> {
    current(|request| call(&request.attempt()?)).unwrap_or_else(|| Err(NO_REQUEST.to_owned()))
}

// Each primitive answers an error's text, or nil and what it was called for.
fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    prim.raw_set("no_request", NO_REQUEST)?;
    prim.raw_set(
        "set_peer",
        lua.create_function(|_, (address, port): (LuaString, u16)| {
            Ok(attempt(|attempt| attempt.set_peer(&address.as_bytes(), port)).err())
        })?,
    )?;
    prim.raw_set(
        "set_more_tries",
        lua.create_function(|_, count: u32| {
            Ok(match attempt(|attempt| Ok(attempt.set_more_tries(count as usize))) {
                Ok(all) => (None, all),
                Err(error) => (Some(error), false),
            })
        })?,
    )?;
    prim.raw_set(
        "last_failure",
        lua.create_function(|_, ()| {
            Ok(match attempt(|attempt| Ok(attempt.last_failure())) {
                Ok(Some(last)) => (None, Some(if last.connection { "failed" } else { "next" }), Some(last.status)),
                Ok(None) => (None, None, None),
                Err(error) => (Some(error), None, None),
            })
        })?,
    )?;
    prim.raw_set(
        "set_timeouts",
        lua.create_function(|_, (connect, send, read): (Option<u32>, Option<u32>, Option<u32>)| {
            let [connect, send, read] = [connect, send, read].map(|timeout| timeout.map(u64::from));
            let timeouts = Timeouts { connect, send, read };
            Ok(attempt(|attempt| attempt.set_timeouts(timeouts).then_some(()).ok_or("no memory".to_owned())).err())
        })?,
    )?;
    prim.raw_set(
        "recreate_request",
        lua.create_function(|_, ()| {
            let failed = || "failed to recreate the request".to_owned();
            Ok(attempt(|attempt| attempt.recreate_request().then_some(()).ok_or_else(failed)).err())
        })?,
    )
}
