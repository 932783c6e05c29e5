//! `ngx.status` and `ngx.headers_sent`. Both are read and set through `src/ffi/status.rs`.

use mlua::{Lua, Table};

use crate::vm::Family;

pub(super) const FAMILY: Family = Family { name: "status", install, lua: include_str!("../lua/status.lua") };

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    super::header::install(lua, prim)
}
