//! `ngx.now`, `ngx.today`, `ngx.http_time` and their like. `now` and `time` go through `src/ffi/time.rs`.

use mlua::{Lua, LuaString, Table};

use crate::nginx::{cookie_time, http_time, local_time, parse_http_time, update_time, utc_time};
use crate::vm::Family;

pub(super) const FAMILY: Family = Family { name: "time", install, lua: include_str!("../lua/time.lua") };

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    prim.raw_set("local_time", lua.create_function(|_, ()| Ok(local_time()))?)?;
    prim.raw_set("utc_time", lua.create_function(|_, ()| Ok(utc_time()))?)?;
    prim.raw_set("http_time", lua.create_function(|_, seconds: f64| Ok(http_time(whole(seconds))))?)?;
    prim.raw_set("cookie_time", lua.create_function(|_, seconds: f64| Ok(cookie_time(whole(seconds))))?)?;
    prim.raw_set("parse_http_time", lua.create_function(|_, text: LuaString| Ok(parse_http_time(&text.as_bytes())))?)?;
    prim.raw_set(
        "update_time",
        lua.create_function(|_, ()| {
            update_time();
            Ok(())
        })?,
    )
}

/// Whole seconds. What no time_t holds is taken for before all time, as the processor's own conversion has it.
fn whole(seconds: f64) -> i64 {
    if seconds < i64::MAX as f64 { seconds as i64 } else { i64::MIN }
}
