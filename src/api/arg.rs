//! `ngx.arg`: the arguments of `set_by_lua*`, the part of a body in `body_filter_by_lua*`.

use mlua::{Lua, LuaString, Table};

use crate::nginx::{Phase, current, current_phase};
use crate::vm::Family;

pub(super) const FAMILY: Family = Family { name: "arg", install, lua: include_str!("../lua/arg.lua") };

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    prim.raw_set("is_set", lua.create_function(|_, ()| Ok(current_phase() == Phase::SET))?)?;
    prim.raw_set("is_body_filter", lua.create_function(|_, ()| Ok(current_phase() == Phase::BODY_FILTER))?)?;
    prim.raw_set("argument", lua.create_function(argument)?)?;
    prim.raw_set(
        "text",
        lua.create_function(|lua, ()| {
            let text = current(|request| request.body_chunk(|chunk| chunk.text())).flatten();
            text.map(|text| lua.create_string(text)).transpose()
        })?,
    )?;
    prim.raw_set(
        "set_text",
        lua.create_function(|_, text: LuaString| {
            let text = text.as_bytes().to_vec();
            Ok(current(|request| request.body_chunk(|chunk| chunk.set_text(text))).flatten().is_some())
        })?,
    )?;
    prim.raw_set(
        "is_last",
        lua.create_function(|_, ()| Ok(current(|request| request.body_chunk(|chunk| chunk.is_last())).flatten()))?,
    )?;
    prim.raw_set(
        "set_last",
        lua.create_function(|_, last: bool| {
            Ok(current(|request| request.body_chunk(|chunk| chunk.set_last(last))).flatten().is_some())
        })?,
    )
}

/// The argument at a place, from 1.
fn argument(lua: &Lua, place: usize) -> mlua::Result<Option<LuaString>> {
    let text = current(|request| {
        let arguments = request.state()?.arguments.borrow();
        arguments.get(place.checked_sub(1)?).cloned()
    });
    text.flatten().map(|text| lua.create_string(text)).transpose()
}
