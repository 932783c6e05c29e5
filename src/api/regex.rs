//! `ngx.re`: compiling and matching go through `src/ffi/regex/`.

use mlua::{Lua, Table};

use crate::vm::Family;

pub(super) const FAMILY: Family = Family { name: "regex", install, lua: include_str!("../lua/regex.lua") };

fn install(_: &Lua, _: &Table) -> mlua::Result<()> {
    Ok(())
}
