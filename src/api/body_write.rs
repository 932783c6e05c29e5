//! `ngx.req.set_body_data`, `ngx.req.set_body_file`, `ngx.req.init_body`, `ngx.req.append_body`,
//! `ngx.req.finish_body`.

use mlua::{Lua, LuaString, Table};

use crate::nginx::{BodyError, Request, current};
use crate::vm::Family;

pub(super) const FAMILY: Family = Family { name: "body_write", install, lua: include_str!("../lua/body_write.lua") };

/// Nothing where it was done; else what is wrong.
type Wrong = Option<String>;

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    prim.raw_set(
        "set",
        lua.create_function(|_, text: LuaString| Ok(wrong(|request| request.set_body(&text.as_bytes()))))?,
    )?;
    prim.raw_set(
        "set_file",
        lua.create_function(|_, (path, remove): (LuaString, bool)| {
            Ok(wrong(|request| request.set_body_file(&path.as_bytes(), remove)))
        })?,
    )?;
    prim.raw_set(
        "begin",
        lua.create_function(|_, room: Option<f64>| {
            // What a float cannot say exactly is far more than there is memory for.
            Ok(wrong(|request| request.begin_body(room.map(|room| room as usize))))
        })?,
    )?;
    prim.raw_set(
        "append",
        lua.create_function(|_, text: LuaString| Ok(wrong(|request| request.append_body(&text.as_bytes()))))?,
    )?;
    prim.raw_set("finish", lua.create_function(|_, ()| Ok(wrong(Request::finish_body)))?)
}

fn wrong(call: impl FnOnce(&Request) -> Result<(), BodyError>) -> Wrong {
    match current(call) {
        Some(outcome) => outcome.err().map(|error| error.to_string()),
        None => Some("no request found".to_owned()),
    }
}
