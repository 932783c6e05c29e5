//! Warns of globals that requests set.

use mlua::{Lua, Table};

use crate::nginx::{Phase, current_phase};
use crate::vm::Family;

pub(super) const FAMILY: Family = Family { name: "write_guard", install, lua: include_str!("../lua/write_guard.lua") };

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    // What is set outside of any phase belongs to a candidate that loads.
    let silent = |phase: Phase| phase == Phase::default() || phase.is_in(Phase::INIT.or(Phase::INIT_WORKER));
    prim.raw_set("guards", lua.create_function(move |_, ()| Ok(!silent(current_phase())))?)
}
