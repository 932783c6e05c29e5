//! `ngx.base64`: base64 with the alphabet of URLs, through `src/ffi/text.rs`.

use mlua::{Lua, Table};

use crate::vm::Family;

pub(super) const FAMILY: Family = Family { name: "base64", install, lua: include_str!("../lua/base64.lua") };

fn install(_: &Lua, _: &Table) -> mlua::Result<()> {
    Ok(())
}
