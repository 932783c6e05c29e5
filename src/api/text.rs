//! `ngx.quote_sql_str`, `ngx.sha1_bin`, `ngx.hmac_sha1`; the others of the family go through `src/ffi/text.rs`.

use hmac::{Hmac, Mac};
use mlua::{Lua, LuaString, Table};
use sha1::{Digest, Sha1};

use crate::text::quote_sql;
use crate::vm::Family;

pub(super) const FAMILY: Family = Family { name: "text", install, lua: include_str!("../lua/text.lua") };

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    prim.raw_set(
        "quote_sql",
        lua.create_function(|lua, text: LuaString| lua.create_string(quote_sql(&text.as_bytes())))?,
    )?;
    prim.raw_set(
        "sha1",
        lua.create_function(|lua, text: LuaString| lua.create_string(Sha1::digest(text.as_bytes())))?,
    )?;
    prim.raw_set(
        "hmac_sha1",
        lua.create_function(|lua, (key, text): (LuaString, LuaString)| {
            // A key of any length is taken; the type of the error only says that others might not.
            let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(&key.as_bytes()) else {
                return Ok(None);
            };
            mac.update(&text.as_bytes());
            lua.create_string(mac.finalize().into_bytes()).map(Some)
        })?,
    )
}
