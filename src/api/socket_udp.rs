//! `ngx.socket.udp`: datagram cosockets.

use std::cell::RefCell;

use mlua::{Lua, LuaString, Table, UserData, UserDataRef, Value};

use crate::cosocket::{LARGEST_DATAGRAM, SocketError, Step, Udp};
use crate::nginx::{Request, current_or_fake};
use crate::vm::Family;

pub(super) const FAMILY: Family = Family { name: "socket_udp", install, lua: include_str!("../lua/socket_udp.lua") };

thread_local! {
    /// What datagrams are received into. It is taken out meanwhile: making a string may run a finalizer that receives too.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl UserData for Udp {}

type Socket = UserDataRef<Udp>;

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    prim.raw_set("udp", lua.create_function(|lua, ()| lua.create_userdata(Udp::default()))?)?;
    prim.raw_set(
        "set_timeout",
        lua.create_function(|_, (socket, milliseconds): (Socket, i64)| {
            socket.set_timeout(milliseconds);
            Ok(())
        })?,
    )?;
    prim.raw_set(
        "bind",
        lua.create_function(|lua, (socket, address): (Socket, LuaString)| {
            results(lua, Some(socket.bind(&address.as_bytes())), |()| Ok(Value::Integer(1)))
        })?,
    )?;
    prim.raw_set(
        "connect",
        lua.create_function(|lua, (socket, host, port): (Socket, LuaString, u16)| {
            done(lua, |request| socket.connect(request, &host.as_bytes(), port))
        })?,
    )?;
    prim.raw_set(
        "connected",
        lua.create_function(|lua, socket: Socket| done(lua, |request| socket.connected(request)))?,
    )?;
    prim.raw_set(
        "send",
        lua.create_function(|lua, (socket, datagram): (Socket, LuaString)| {
            done(lua, |request| socket.send(request, &datagram.as_bytes()))
        })?,
    )?;
    prim.raw_set(
        "receive",
        lua.create_function(|lua, (socket, size, again): (Socket, usize, bool)| {
            let mut buffer = BUFFER.take();
            buffer.resize(LARGEST_DATAGRAM, 0);
            let into = &mut buffer[..size.min(LARGEST_DATAGRAM)];
            let received = current_or_fake(|request| socket.receive(request, into, again));
            let results = results(lua, received, |length| lua.create_string(&into[..length]).map(Value::String));
            BUFFER.set(buffer);
            results
        })?,
    )?;
    prim.raw_set("close", lua.create_function(|lua, socket: Socket| done(lua, |request| socket.close(request)))?)
}

fn done(lua: &Lua, call: impl FnOnce(&Request) -> Step<()>) -> mlua::Result<(Value, Value)> {
    results(lua, current_or_fake(call), |()| Ok(Value::Integer(1)))
}

/// What Lua gets: the result; or an operation, after which it asks again; or nil and why it has failed; or false and what
/// is to be raised. None: no request runs the Lua.
fn results<T>(
    lua: &Lua,
    answer: Option<Step<T>>,
    result: impl FnOnce(T) -> mlua::Result<Value>,
) -> mlua::Result<(Value, Value)> {
    let text = |text: &[u8]| lua.create_string(text).map(Value::String);
    Ok(match answer {
        Some(Step::Done(value)) => (result(value)?, Value::Nil),
        Some(Step::Wait(operation)) => (Value::UserData(lua.create_userdata(operation)?), Value::Nil),
        Some(Step::Failed(SocketError::BadRequest)) => (Value::Boolean(false), text(&SocketError::BadRequest.text())?),
        Some(Step::Failed(why)) => (Value::Nil, text(&why.text())?),
        None => (Value::Boolean(false), text(b"no request found")?),
    })
}
