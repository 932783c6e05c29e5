//! What Lua in a thread has in place of what belongs to requests: its log lines, its phase, and no more of `ngx` than
//! upstream gives it.

use mlua::{Function, Lua, LuaString, Table};

use crate::nginx::{Level, Log};
use crate::vm::{Failure, Family, Vm};

pub(super) const FAMILY: Family = Family { name: "apart", install, lua: include_str!("../lua/apart.lua") };

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    let logs = lua.create_function(|_, severity: i64| {
        Ok(Level::from_number(severity).is_some_and(|level| Log::cycle().enabled(level)))
    })?;
    prim.raw_set("logs", logs)?;
    let log = lua.create_function(|_, (severity, text): (i64, LuaString)| {
        if let Some(level) = Level::from_number(severity) {
            Log::cycle().write(level, &text.as_bytes());
        }
        Ok(())
    })?;
    prim.raw_set("log", log)
}

/// Takes from `ngx` what Lua in a thread must not have, when the VM has got all the rest.
pub fn seal_apart(vm: &Vm) -> Result<(), Failure> {
    Ok(vm.shared().raw_get::<Function>("seal")?.call(())?)
}
