//! `ngx.on_abort`: Lua that runs when the client leaves before its answer.

use mlua::{IntoLuaMulti, Lua, MultiValue, Table};

use crate::nginx::{Watch, current};
use crate::vm::{Family, Operation};

pub(super) const FAMILY: Family = Family { name: "on_abort", install, lua: include_str!("../lua/on_abort.lua") };

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    prim.raw_set("watches", lua.create_function(|_, ()| Ok(current(|request| request.watches_client())))?)?;
    prim.raw_set("gone", lua.create_function(|lua, ()| gone(lua))?)
}

/// What is done when the client has gone; or `nil` and why that will not be known.
fn gone(lua: &Lua) -> mlua::Result<MultiValue> {
    let mut watch = None;
    let operation = Operation::start(|completion| {
        watch = current(|request| request.on_client_gone(move || completion.done()));
    });
    match watch {
        Some(Watch::Begun) => operation.into_lua_multi(lua),
        Some(Watch::Duplicate) => (None::<bool>, "duplicate call").into_lua_multi(lua),
        Some(Watch::Off) | None => (None::<bool>, "lua_check_client_abort is off").into_lua_multi(lua),
    }
}
