//! `ndk.set_var.DIRECTIVE`: calls what stands behind another module's directive.

use mlua::{IntoLuaMulti, Lua, LuaString, MultiValue, Table};

use crate::nginx::{SetVar, current_or_fake, has_ndk};
use crate::vm::Family;

pub(super) const FAMILY: Family = Family { name: "ndk", install, lua: include_str!("../lua/ndk.lua") };

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    prim.raw_set("loaded", has_ndk())?;
    prim.raw_set("find", lua.create_function(|_, name: LuaString| Ok(SetVar::find(&name.as_bytes()).is_some()))?)?;
    prim.raw_set("call", lua.create_function(call)?)
}

/// true and the value, or false and the code with which it has failed.
fn call(lua: &Lua, (name, text): (LuaString, LuaString)) -> mlua::Result<MultiValue> {
    let answer = current_or_fake(|request| {
        let value = SetVar::find(&name.as_bytes())?.call(request, &text.as_bytes());
        Some(value.map(|value| lua.create_string(value)))
    });
    match answer.flatten() {
        Some(Ok(value)) => (true, value?).into_lua_multi(lua),
        Some(Err(code)) => (false, code).into_lua_multi(lua),
        None => (false, -1).into_lua_multi(lua),
    }
}
