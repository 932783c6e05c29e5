//! `ngx.header` and `ngx.resp.get_headers`. Headers are read and set through `src/ffi/header.rs`.

use mlua::{Lua, LuaString, Table};

use crate::nginx::{Level, Log, current};
use crate::vm::Family;

pub(super) const FAMILY: Family = Family { name: "header", install, lua: include_str!("../lua/header.lua") };

pub(super) fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    prim.raw_set(
        "log_sent",
        lua.create_function(|_, field: LuaString| {
            log_sent(&field.to_string_lossy());
            Ok(())
        })?,
    )?;
    prim.raw_set(
        "bypass_if_checks",
        lua.create_function(|_, ()| Ok(current(|request| request.ignore_conditions()).is_some()))?,
    )?;
    prim.raw_set(
        "log_limit",
        lua.create_function(|_, (kind, limit): (LuaString, i64)| {
            log_limit(&kind.to_string_lossy(), limit);
            Ok(())
        })?,
    )
}

/// Logs that something was set too late.
pub(super) fn log_sent(field: &str) {
    current(|request| {
        let text = format!("attempt to set {field} after sending out response headers");
        Log::of(request).write(Level::Err, text.as_bytes());
    });
}

/// Logs, for those who debug, that headers were left out of a table.
fn log_limit(kind: &str, limit: i64) {
    current(|request| {
        let text = format!("lua exceeding {kind} header limit {} > {limit}", limit + 1);
        Log::of(request).write(Level::Debug, text.as_bytes());
    });
}
