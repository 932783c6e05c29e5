//! `ngx.location.capture`, `ngx.location.capture_multi`: subrequests whose responses come back as values.

use std::cell::Cell;
use std::rc::Rc;

use mlua::{AnyUserData, IntoLuaMulti, Lua, LuaString, MultiValue, Table, Value};

use crate::nginx::{Capture, CapturedHeader, Phase, Refusal, Request, Subrequest, Variables, current, current_phase};
use crate::text::escape_control;
use crate::vm::{Family, Operation};

use super::context::set_context;

pub(super) const FAMILY: Family = Family { name: "location", install, lua: include_str!("../lua/location.lua") };

/// The subrequests that one call has started, in its order.
struct Captures(Vec<Rc<Capture>>);

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    prim.raw_set("start", lua.create_function(start)?)?;
    prim.raw_set("response", lua.create_function(response)?)?;
    prim.raw_set(
        "pending",
        lua.create_function(|_, ()| {
            // In a filter nothing is left: what it exits is the header or the part of the body.
            let leaves = current_phase().is_in(Phase::OUTPUT);
            Ok(current(|request| if leaves { request.running_subrequests() } else { 0 }).unwrap_or(0))
        })?,
    )
}

/// Starts subrequests. What to wait for, or `nil` and what is wrong.
fn start(lua: &Lua, queries: Table) -> mlua::Result<MultiValue> {
    let started = current(|request| {
        let mut checked = Vec::new();
        for query in queries.sequence_values::<Table>() {
            let query = query?;
            let what = subrequest(&query)?;
            let uri = what.uri.clone();
            match request.check_subrequest(what) {
                Ok(fit) => checked.push((fit, query.raw_get::<Option<Table>>("ctx")?)),
                Err(refusal) => return Ok(Err(text(refusal, &uri))),
            }
        }
        let left = Rc::new(Cell::new(checked.len()));
        let mut outcome = Ok(());
        let operation = Operation::start(|completion| {
            let mut captures = Vec::new();
            for (fit, context) in checked {
                let (completion, left) = (completion.clone(), Rc::clone(&left));
                let prepare = |subrequest: &Request| {
                    if let Some(context) = context {
                        give_context(lua, request, subrequest, context);
                    }
                };
                let done = move || {
                    left.set(left.get() - 1);
                    if left.get() == 0 {
                        completion.done();
                    }
                };
                match request.subrequest(fit, prepare, done) {
                    Ok(capture) => captures.push(capture),
                    Err(refusal) => {
                        outcome = Err(text(refusal, b""));
                        break;
                    }
                }
            }
            Captures(captures)
        });
        Ok::<_, mlua::Error>(outcome.map(|()| operation))
    });
    match started.transpose()? {
        Some(Ok(operation)) => operation.into_lua_multi(lua),
        Some(Err(wrong)) => (None::<bool>, lua.create_string(wrong)?).into_lua_multi(lua),
        None => (None::<bool>, "no request found").into_lua_multi(lua),
    }
}

/// Makes a table of the parent's Lua the subrequest's `ngx.ctx`, which then must run in the parent's VM. Only memory can
/// make it fail, and then the subrequest begins with a fresh one.
fn give_context(lua: &Lua, parent: &Request, subrequest: &Request, context: Table) {
    if let (Some(own), Some(parent)) = (subrequest.state_or_new(), parent.state()) {
        own.pin_as(parent);
        let _ = set_context(lua, subrequest, context);
    }
}

fn subrequest(query: &Table) -> mlua::Result<Subrequest> {
    let bytes = |field: &str| {
        let text = query.raw_get::<Option<LuaString>>(field)?;
        Ok::<_, mlua::Error>(text.map(|text| text.as_bytes().to_vec()))
    };
    let mut set = Vec::new();
    if let Some(vars) = query.raw_get::<Option<Table>>("vars")? {
        for pair in vars.pairs() {
            let (name, value): (LuaString, LuaString) = pair?;
            set.push((name.as_bytes().to_vec(), value.as_bytes().to_vec()));
        }
    }
    let has = |field: &str| query.raw_get::<bool>(field);
    let mut uri = bytes("uri")?.unwrap_or_default();
    // nginx passes arguments on as they are: a line end in them would end a proxied request line.
    if let Some(mark) = uri.iter().position(|&byte| byte == b'?')
        && let Some(escaped) = escape_control(&uri[mark..])
    {
        uri.truncate(mark);
        uri.extend_from_slice(&escaped);
    }
    let args = bytes("args")?.unwrap_or_default();
    Ok(Subrequest {
        uri,
        args: escape_control(&args).map_or(args, Into::into),
        method: query.raw_get::<f64>("method")? as u32,
        body: bytes("body")?,
        forwards_body: has("always_forward_body")?,
        variables: match (has("share_all_vars")?, has("copy_all_vars")?) {
            (true, _) => Variables::Shared,
            (false, true) => Variables::Copied,
            (false, false) => Variables::Fresh,
        },
        set,
    })
}

fn text(refusal: Refusal, uri: &[u8]) -> Vec<u8> {
    match refusal {
        Refusal::UnsafeUri => {
            // What nginx does not decode ends at a NUL.
            let shown = uri.split(|&byte| byte == 0).next().unwrap_or_default();
            [b"unsafe uri in argument #1: ", shown].concat()
        }
        Refusal::Unfit(why) => format!("failed to adjust the subrequest: {why}").into_bytes(),
        Refusal::NotStarted => b"failed to issue subrequest: -1".to_vec(),
    }
}

/// The response of the subrequest at `place`, from 1; nil where it was not captured.
fn response(lua: &Lua, (operation, place): (AnyUserData, usize)) -> mlua::Result<Option<Table>> {
    let operation = operation.borrow::<Operation>()?;
    let captured = operation.started(|captures: &Captures| captures.0.get(place.checked_sub(1)?)?.take());
    let Some(captured) = captured.flatten() else { return Ok(None) };
    let header = lua.create_table()?;
    for (name, value) in captured.headers {
        let name = lua.create_string(name)?;
        let value = match value {
            CapturedHeader::Text(text) => Value::String(lua.create_string(text)?),
            CapturedHeader::Length(length) => Value::Number(length as f64),
        };
        match header.raw_get(&name)? {
            Value::Nil => header.raw_set(name, value)?,
            Value::Table(values) => values.raw_push(value)?,
            first => header.raw_set(name, lua.create_sequence_from([first, value])?)?,
        }
    }
    let response = lua.create_table()?;
    response.raw_set("status", captured.status)?;
    response.raw_set("header", header)?;
    response.raw_set("body", lua.create_string(&captured.body)?)?;
    response.raw_set("truncated", captured.truncated)?;
    Ok(Some(response))
}
