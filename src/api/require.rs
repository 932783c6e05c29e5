//! `require`: modules of the running generation.

use mlua::{IntoLuaMulti, Lua, MultiValue, Table};

use crate::code::Node;
use crate::vm::{Family, find_module};

pub(super) const FAMILY: Family = Family { name: "require", install, lua: include_str!("../lua/require.lua") };

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    let _ = (lua, prim);
    let _ = find_module;
    let _ = Node::module;
    let _: fn(MultiValue, &Lua) -> mlua::Result<MultiValue> = |values, lua| values.into_lua_multi(lua);
    Ok(())
}
