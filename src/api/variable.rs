//! `ngx.var`.

use mlua::{Lua, Table};

use crate::vm::Family;

pub(super) const FAMILY: Family = Family { name: "variable", install, lua: include_str!("../lua/variable.lua") };

fn install(_: &Lua, _: &Table) -> mlua::Result<()> {
    Ok(())
}
