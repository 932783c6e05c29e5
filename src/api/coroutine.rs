//! `coroutine.*`: coroutines of Lua's own in which waiting calls work; all of it is Lua.

use mlua::{Lua, Table};

use crate::vm::Family;

pub(super) const FAMILY: Family = Family { name: "coroutine", install, lua: include_str!("../lua/coroutine.lua") };

fn install(_: &Lua, _: &Table) -> mlua::Result<()> {
    Ok(())
}
