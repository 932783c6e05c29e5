//! `ngx.exec`, `ngx.redirect`: the request goes on elsewhere.

use mlua::{Lua, LuaString, Table};

use crate::nginx::current;
use crate::vm::Family;

pub(super) const FAMILY: Family = Family { name: "redirect", install, lua: include_str!("../lua/redirect.lua") };

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    // What keeps it from happening; nil: it will, once the Lua has yielded.
    prim.raw_set(
        "exec",
        lua.create_function(|_, (uri, args): (LuaString, LuaString)| {
            Ok(current(|request| request.set_exec(&uri.as_bytes(), &args.as_bytes()).err()).flatten())
        })?,
    )
}
