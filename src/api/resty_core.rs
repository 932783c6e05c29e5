//! The modules of lua-resty-core by name, over the API as it is here; all of it is Lua.

use mlua::{Lua, Table};

use crate::vm::Family;

pub(super) const FAMILY: Family = Family { name: "resty_core", install, lua: include_str!("../lua/resty_core.lua") };

fn install(_: &Lua, _: &Table) -> mlua::Result<()> {
    Ok(())
}
