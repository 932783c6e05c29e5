//! `ngx.say`, `ngx.print`, `ngx.flush`, `ngx.eof`: the slow paths; the fast one appends through `src/ffi/output.rs`.

use mlua::{Lua, LuaString, Table};

use crate::nginx::{OutputError, Phase, Request, current, current_phase};
use crate::vm::Family;

pub(super) const FAMILY: Family = Family { name: "output", install, lua: include_str!("../lua/output.lua") };

/// `true`; or `nil` and the error; or `false` where no request runs this Lua, or its phase puts nothing out.
type Outcome = (Option<bool>, Option<String>);

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    prim.raw_set(
        "print",
        lua.create_function(|_, text: LuaString| {
            if !current_phase().is_in(Phase::OUTPUT) {
                return Ok((Some(false), None));
            }
            Ok(outcome(|request| request.print(&text.as_bytes())))
        })?,
    )?;
    // `wait` is for the driver: what is flushed leaves by itself, and waiting for it is an operation.
    prim.raw_set("flush", lua.create_function(|_, _wait: bool| Ok(outcome(|request| request.flush(true))))?)?;
    for &(name, call) in CALLS {
        prim.raw_set(name, lua.create_function(move |_, ()| Ok(outcome(call)))?)?;
    }
    Ok(())
}

type Call = fn(&Request) -> Result<(), OutputError>;

const CALLS: &[(&str, Call)] =
    &[("takes_output", Request::takes_output), ("eof", Request::eof), ("send_headers", Request::send_header)];

fn outcome(call: impl FnOnce(&Request) -> Result<(), OutputError>) -> Outcome {
    match current(call) {
        Some(Ok(())) => (Some(true), None),
        Some(Err(error)) => (None, Some(error.to_string())),
        None => (Some(false), None),
    }
}
