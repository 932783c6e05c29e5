//! `ngx.say`, `ngx.print`, `ngx.flush`, `ngx.eof`: the slow paths; the fast one appends through `src/ffi/output.rs`.

use mlua::{Lua, LuaString, Table};

use crate::nginx::{OutputError, current};
use crate::vm::Family;

pub(super) const FAMILY: Family = Family { name: "output", install, lua: include_str!("../lua/output.lua") };

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    prim.raw_set(
        "print",
        lua.create_function(|_, text: LuaString| Ok(outcome(current(|request| request.print(&text.as_bytes())))))?,
    )
}

/// `true`; or `nil` and the error; or `false` where no request runs this Lua.
fn outcome(done: Option<Result<(), OutputError>>) -> (Option<bool>, Option<String>) {
    match done {
        Some(Ok(())) => (Some(true), None),
        Some(Err(error)) => (None, Some(error.to_string())),
        None => (Some(false), None),
    }
}
