//! `ngx.ocsp`: asking whether a certificate was revoked, and stapling the answer.

use mlua::{IntoLuaMulti, Lua, LuaString, Table, Value};

use crate::nginx::{OcspError, ocsp_request, ocsp_responder, validate_ocsp_response};
use crate::vm::Family;

use super::ssl::{Bytes, with_tls};

pub(super) const FAMILY: Family = Family { name: "ocsp", install, lua: include_str!("../lua/ocsp.lua") };

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    prim.raw_set(
        "responder",
        lua.create_function(|_, der: LuaString| Ok(told(ocsp_responder(&der.as_bytes()).map(|url| url.map(Bytes)))))?,
    )?;
    prim.raw_set(
        "request",
        lua.create_function(|_, der: LuaString| Ok(told(ocsp_request(&der.as_bytes()).map(Bytes))))?,
    )?;
    prim.raw_set(
        "validate",
        lua.create_function(|_, (response, der): (LuaString, LuaString)| {
            Ok(told(validate_ocsp_response(&response.as_bytes(), &der.as_bytes()).map(|()| true)))
        })?,
    )?;
    prim.raw_set(
        "staple",
        lua.create_function(|lua, response: LuaString| {
            match with_tls(|tls| tls.set_ocsp_response(&response.as_bytes())).flatten() {
                Ok(true) => true.into_lua_multi(lua),
                Ok(false) => (true, "no status req").into_lua_multi(lua),
                Err(error) => (Value::Nil, error).into_lua_multi(lua),
            }
        })?,
    )
}

/// To Lua: the answer; or `nil` and the error's text.
fn told<T>(result: Result<T, OcspError>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}
