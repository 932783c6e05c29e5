//! The `ffi` library for modules that are loaded more than once; all of it is Lua.

use mlua::{Lua, Table};

use crate::vm::Family;

pub(super) const FAMILY: Family = Family { name: "ffi", install, lua: include_str!("../lua/ffi.lua") };

fn install(_: &Lua, _: &Table) -> mlua::Result<()> {
    Ok(())
}
