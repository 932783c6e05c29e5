//! `ngx.say`, `ngx.print`, `ngx.flush`, `ngx.eof`: the slow paths; the fast one appends through `src/ffi/output.rs`.

use std::rc::Rc;

use mlua::{Lua, LuaString, Table, UserDataRef};

use crate::nginx::{Flush, OutputError, Phase, Request, current, current_phase};
use crate::vm::{Family, Operation};

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
    prim.raw_set("flush", lua.create_function(|_, wait: bool| Ok(flush(wait)))?)?;
    prim.raw_set(
        "flushed",
        lua.create_function(|_, flushing: UserDataRef<Operation>| {
            let flush = flushing.started(|flush: &Option<Rc<Flush>>| flush.as_ref().map(|flush| flush.outcome()));
            Ok(told(flush.flatten()))
        })?,
    )?;
    for &(name, call) in CALLS {
        prim.raw_set(name, lua.create_function(move |_, ()| Ok(outcome(call)))?)?;
    }
    Ok(())
}

type Call = fn(&Request) -> Result<(), OutputError>;

const CALLS: &[(&str, Call)] =
    &[("takes_output", Request::takes_output), ("eof", Request::eof), ("send_headers", Request::send_header)];

/// What `ngx.flush` answers; with it the operation to wait for, where the client has not taken everything.
fn flush(wait: bool) -> (Option<bool>, Option<String>, Option<Operation>) {
    let (done, error) = outcome(|request| {
        if wait {
            request.takes_flush()?;
        }
        request.flush(true)
    });
    let unsent = wait && done == Some(true) && current(|request| request.has_unsent()) == Some(true);
    let operation = unsent.then(|| {
        Operation::start(|completion| current(|request| request.when_sent(move || completion.done())).flatten())
    });
    (done, error, operation)
}

fn outcome(call: impl FnOnce(&Request) -> Result<(), OutputError>) -> Outcome {
    told(current(call))
}

fn told(outcome: Option<Result<(), OutputError>>) -> Outcome {
    match outcome {
        Some(Ok(())) => (Some(true), None),
        Some(Err(error)) => (None, Some(error.to_string())),
        None => (Some(false), None),
    }
}
