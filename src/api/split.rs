//! The module `ngx.re`: `split` and `opt`; all of it is Lua.

use mlua::{Lua, Table};

use crate::vm::Family;

pub(super) const FAMILY: Family = Family { name: "split", install, lua: include_str!("../lua/split.lua") };

fn install(_: &Lua, _: &Table) -> mlua::Result<()> {
    Ok(())
}
