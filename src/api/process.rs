//! `ngx.process`: the kind of process, its master, and its orderly end.

use mlua::{Lua, Table};

use crate::nginx::{Phase, current_phase, master_pid, process_type, quit};
use crate::vm::Family;

pub(super) const FAMILY: Family = Family { name: "process", install, lua: include_str!("../lua/process.lua") };

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    prim.raw_set("type", lua.create_function(|_, ()| Ok(process_type()))?)?;
    prim.raw_set("master_pid", lua.create_function(|_, ()| Ok(master_pid()))?)?;
    prim.raw_set("in_init", lua.create_function(|_, ()| Ok(current_phase().is_in(Phase::INIT)))?)?;
    prim.raw_set(
        "quit",
        lua.create_function(|_, ()| {
            quit();
            Ok(())
        })?,
    )
}
