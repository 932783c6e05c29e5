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
            Ok(current(|request| {
                if request.output_begun() {
                    return Some("attempt to call ngx.exec after sending out response headers");
                }
                let Some(state) = request.state_or_new() else { return Some("no memory") };
                state.exec.replace(Some((uri.as_bytes().to_vec(), args.as_bytes().to_vec())));
                None
            })
            .flatten())
        })?,
    )?;
    prim.raw_set(
        "output_begun",
        lua.create_function(|_, ()| Ok(current(|request| request.output_begun()).unwrap_or(false)))?,
    )
}
