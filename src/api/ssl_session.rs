//! `ngx.ssl.session`: the session that a handshake resumes or has made.

use mlua::{Lua, LuaString, Table};

use crate::vm::Family;

use super::ssl::{Bytes, change, with_tls};

pub(super) const FAMILY: Family = Family { name: "ssl_session", install, lua: include_str!("../lua/ssl_session.lua") };

const NO_ID: &str = "uninitialized session id len in lua context";
const NO_SESSION: &str = "bad session in lua context";
const NOT_SERIALIZED: &str = "i2d_SSL_SESSION() failed";
const BAD_SESSION: &str = "failed to de-serialize session";

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    prim.raw_set(
        "id",
        lua.create_function(|_, ()| {
            let id = with_tls(|tls| tls.session_id()).and_then(|id| id.ok_or(NO_ID));
            Ok(id.map(|id| id.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
        })?,
    )?;
    prim.raw_set(
        "get",
        lua.create_function(|_, ()| {
            let session = with_tls(|tls| tls.serialized_session()).and_then(|session| session.ok_or(NO_SESSION));
            Ok(session.and_then(|session| session.ok_or(NOT_SERIALIZED)).map(Bytes))
        })?,
    )?;
    prim.raw_set(
        "set",
        lua.create_function(|_, session: LuaString| {
            Ok(change(|tls| tls.resume_session(&session.as_bytes()).then_some(()).ok_or(BAD_SESSION)))
        })?,
    )
}
