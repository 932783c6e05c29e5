//! `ngx.errlog`: what was captured of the error log, and lines without a place.

use mlua::{Lua, Table};

use crate::nginx::{Log, captures, current, next_captured, set_capture_filter};
use crate::vm::Family;

pub(super) const FAMILY: Family = Family { name: "errlog", install, lua: include_str!("../lua/errlog.lua") };

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    prim.raw_set("captures", lua.create_function(|_, ()| Ok(captures()))?)?;
    prim.raw_set("set_filter", lua.create_function(|_, level: usize| Ok(set_capture_filter(level)))?)?;
    prim.raw_set(
        "next",
        lua.create_function(|lua, ()| match next_captured() {
            Some(line) => Ok((Some(line.level), line.time, Some(lua.create_string(line.text)?))),
            None => Ok((None, 0.0, None)),
        })?,
    )?;
    prim.raw_set(
        "level",
        lua.create_function(|_, ()| {
            Ok(current(|request| Log::of(request).level()).unwrap_or_else(|| Log::cycle().level()))
        })?,
    )
}
