//! `ngx.log`, `print`: their lines are written through `src/ffi/log.rs`.

use mlua::{Lua, Table};

use crate::vm::Family;

pub(super) const FAMILY: Family = Family { name: "log", install, lua: include_str!("../lua/log.lua") };

fn install(_: &Lua, _: &Table) -> mlua::Result<()> {
    Ok(())
}
