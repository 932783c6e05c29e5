//! `ngx.req`: the request's line and headers. Headers are read and set through `src/ffi/request_header.rs`.

use mlua::{IntoLua, Lua, Table, Value};

use crate::nginx::{METHODS, current};
use crate::vm::Family;

pub(super) const FAMILY: Family =
    Family { name: "request_header", install, lua: include_str!("../lua/request_header.lua") };

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    let methods = lua.create_table()?;
    for (number, name) in METHODS {
        methods.raw_set(*name, *number)?;
    }
    prim.raw_set("methods", methods)?;
    prim.raw_set("raw_header", lua.create_function(|lua, with_line: bool| raw_header(lua, with_line))?)?;
    prim.raw_set(
        "http_version",
        lua.create_function(|lua, ()| or_false(lua, current(|request| version(request.http_version()))))?,
    )?;
    prim.raw_set(
        "get_method",
        lua.create_function(|lua, ()| {
            or_false(lua, current(|request| lua.create_string(request.method_name())).transpose()?)
        })?,
    )?;
    prim.raw_set(
        "set_method",
        lua.create_function(|_, number: f64| {
            // A number that is not whole is no method's.
            let whole = if number.fract() == 0.0 { number as u32 } else { 0 };
            Ok(current(|request| {
                let _ = request.settle();
                request.set_method(whole)
            }))
        })?,
    )?;
    prim.raw_set("start_time", lua.create_function(|lua, ()| or_false(lua, current(|request| request.start_time())))?)?;
    prim.raw_set("is_internal", lua.create_function(|_, ()| Ok(current(|request| request.is_internal())))?)?;
    prim.raw_set("is_subrequest", lua.create_function(|_, ()| Ok(current(|request| request.is_subrequest())))?)
}

/// The answer; or false where no request runs this Lua.
fn or_false(lua: &Lua, answer: Option<impl IntoLua>) -> mlua::Result<Value> {
    answer.map_or(Ok(Value::Boolean(false)), |answer| answer.into_lua(lua))
}

/// The header; or nil and the error; or false where no request runs this Lua.
fn raw_header(lua: &Lua, with_line: bool) -> mlua::Result<(Value, Option<&'static str>)> {
    match current(|request| request.raw_header(with_line)) {
        Some(Some(header)) => Ok((Value::String(lua.create_string(header)?), None)),
        Some(None) => Ok((Value::Nil, Some("http2 requests not supported yet"))),
        None => Ok((Value::Boolean(false), None)),
    }
}

/// nginx's version number as Lua's users know it; none where it is unknown.
fn version(number: usize) -> Option<f64> {
    match number {
        9 => Some(0.9),
        1000 => Some(1.0),
        1001 => Some(1.1),
        2000 => Some(2.0),
        3000 => Some(3.0),
        _ => None,
    }
}
