//! `ngx.arg`: read and set through `src/ffi/arg.rs`.

use mlua::{Lua, Table};

use crate::vm::Family;

pub(super) const FAMILY: Family = Family { name: "arg", install, lua: include_str!("../lua/arg.lua") };

fn install(_: &Lua, _: &Table) -> mlua::Result<()> {
    Ok(())
}
