//! Names of the API that are not here yet, for libraries that look them up as they load; all of it is Lua.

use mlua::{Lua, Table};

use crate::vm::Family;

pub(super) const FAMILY: Family = Family { name: "absent", install, lua: include_str!("../lua/absent.lua") };

fn install(_: &Lua, _: &Table) -> mlua::Result<()> {
    Ok(())
}
