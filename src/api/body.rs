//! `ngx.req.read_body`, `ngx.req.get_body_data`, `ngx.req.get_body_file`, `ngx.req.discard_body`.

use std::os::unix::ffi::OsStrExt;

use mlua::{IntoLuaMulti, Lua, LuaString, MultiValue, Table};

use crate::nginx::{Body, ReadBody, current};
use crate::vm::{Family, Operation};

pub(super) const FAMILY: Family = Family { name: "body", install, lua: include_str!("../lua/body.lua") };

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    prim.raw_set("read", lua.create_function(|lua, ()| read(lua))?)?;
    prim.raw_set("was_read", lua.create_function(|_, ()| Ok(current(|request| request.body_was_read())))?)?;
    prim.raw_set("data", lua.create_function(data)?)?;
    prim.raw_set("file", lua.create_function(|lua, ()| file(lua))?)?;
    prim.raw_set(
        "discard",
        lua.create_function(|_, ()| {
            Ok(current(|request| if request.body_was_read() { 0 } else { request.discard_body().0 }))
        })?,
    )
}

/// `true` where the body was read; `false` and what to wait for where it is still being sent; `nil` and a status where the request is to
/// be ended.
fn read(lua: &Lua) -> mlua::Result<MultiValue> {
    let mut started = None;
    let operation = Operation::start(|completion| {
        started = current(|request| request.read_body(move |_| completion.done()));
    });
    match started {
        Some(ReadBody::Done) => true.into_lua_multi(lua),
        Some(ReadBody::Pending) => (false, operation).into_lua_multi(lua),
        Some(ReadBody::Failed(status)) => (None::<bool>, status.0).into_lua_multi(lua),
        None => None::<bool>.into_lua_multi(lua),
    }
}

/// The body in memory, cut at `max` bytes; `nil` and whether it is in a file instead.
fn data(lua: &Lua, max: Option<usize>) -> mlua::Result<(Option<LuaString>, bool)> {
    let body = current(|request| match request.body() {
        Some(Body::Memory(text)) => {
            let length = max.map_or(text.len(), |max| max.min(text.len()));
            lua.create_string(&text[..length]).map(|text| (Some(text), false))
        }
        Some(Body::File(_)) => Ok((None, true)),
        None => Ok((None, false)),
    });
    body.unwrap_or(Ok((None, false)))
}

fn file(lua: &Lua) -> mlua::Result<Option<LuaString>> {
    let file = current(|request| match request.body() {
        Some(Body::File(path)) => lua.create_string(path.as_os_str().as_bytes()).map(Some),
        _ => Ok(None),
    });
    file.unwrap_or(Ok(None))
}
