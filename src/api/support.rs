//! What the Lua halves of all families share: the phase check and the tags of a yield.

use mlua::{Lua, Table};

use crate::nginx::{Phase, current, current_or_fake, current_phase};
use crate::vm::{Family, Yield};

pub(super) const FAMILY: Family = Family { name: "support", install, lua: include_str!("../lua/support.lua") };

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    let names = lua.create_table()?;
    for (phase, name) in Phase::NAMES {
        names.raw_set(phase.0, *name)?;
    }
    prim.raw_set("phase_names", names)?;
    prim.raw_set("phase", lua.create_function(|_, ()| Ok(current_phase().0))?)?;
    prim.raw_set(
        "settle",
        lua.create_function(|_, ()| {
            // What fails here is logged by nginx, and every later output fails too.
            let _ = current(|request| request.settle());
            Ok(())
        })?,
    )?;
    prim.raw_set("is_fake", lua.create_function(|_, ()| Ok(current_or_fake(|request| request.is_fake())))?)?;
    prim.raw_set("exit_tag", Yield::exit_tag())?;
    prim.raw_set("spawn_tag", Yield::spawn_tag())?;
    prim.raw_set("kill_tag", Yield::kill_tag())?;
    prim.raw_set("ended_tag", Yield::ended_tag())?;
    prim.raw_set("wait_tag", Yield::wait_tag())
}
