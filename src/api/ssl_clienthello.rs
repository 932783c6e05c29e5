//! `ngx.ssl.clienthello`: the client's first message, and which versions of TLS are allowed.

use mlua::{Lua, LuaString, Table};

use crate::nginx::Tls;
use crate::vm::Family;

use super::ssl::{Bytes, change, with_tls};

pub(super) const FAMILY: Family =
    Family { name: "ssl_clienthello", install, lua: include_str!("../lua/ssl_clienthello.lua") };

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    prim.raw_set(
        "extension",
        lua.create_function(|_, kind: u32| {
            Ok(with_tls(|tls| tls.hello_extension(kind).map(<[u8]>::to_vec).map(Bytes)))
        })?,
    )?;
    prim.raw_set(
        "server_name",
        lua.create_function(|_, ()| {
            let read = |tls: &Tls<'_>| tls.hello_server_name().map(|name| name.map(<[u8]>::to_vec).map(Bytes));
            Ok(with_tls(read).flatten())
        })?,
    )?;
    prim.raw_set("versions", lua.create_function(|_, ()| Ok(with_tls(|tls| tls.hello_versions()).flatten()))?)?;
    prim.raw_set(
        "set_protocols",
        lua.create_function(|_, names: Vec<LuaString>| {
            let names: Vec<Vec<u8>> = names.iter().map(|name| name.as_bytes().to_vec()).collect();
            Ok(change(|tls| tls.set_protocols(&names)))
        })?,
    )
}
