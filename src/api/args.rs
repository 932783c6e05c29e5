//! `ngx.req.set_uri_args`, `ngx.req.set_uri` with its jump; decoding goes through `src/ffi/args.rs`.

use mlua::{Lua, LuaString, Table};

use crate::nginx::{Phase, current};
use crate::text::escape_control;
use crate::vm::Family;

pub(super) const FAMILY: Family = Family { name: "args", install, lua: include_str!("../lua/args.lua") };

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    prim.raw_set(
        "set_args",
        lua.create_function(|_, args: LuaString| {
            let args = args.as_bytes();
            let escaped = escape_control(&args);
            Ok(current(|request| request.set_args(escaped.as_deref().unwrap_or(&args))))
        })?,
    )?;
    prim.raw_set(
        "set_uri",
        lua.create_function(|_, uri: LuaString| Ok(current(|request| request.set_uri(&uri.as_bytes()))))?,
    )?;
    prim.raw_set("jumps_in", Phase::REWRITE.or(Phase::SERVER_REWRITE).0)?;
    prim.raw_set("jump", lua.create_function(|_, ()| Ok(current(|request| request.find_location_again()).is_some()))?)
}
