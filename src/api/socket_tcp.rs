//! `ngx.socket.tcp` and its like: the methods of a TCP or UNIX stream cosocket.

use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::rc::Rc;

use mlua::{IntoLua, Lua, LuaString, Table, UserData, Value};

use crate::cosocket::{self, Cosocket, Pooling, Read, SocketError, Step, Timeouts};
use crate::nginx::{Local, Request, SocketOption, current_or_fake};
use crate::text::receive::Until;
use crate::vm::{Family, Operation};

pub(super) const FAMILY: Family = Family { name: "socket_tcp", install, lua: include_str!("../lua/socket_tcp.lua") };

/// What a call of the Lua half gets: the result; or `false` and an operation, after which the call that goes on is made;
/// or `nil`, what is wrong, and what was read until then.
pub(super) type Answer = mlua::Result<(Value, Value, Value)>;

/// A cosocket as Lua holds it.
pub(super) struct Socket(pub(super) Rc<Cosocket>);

/// The pattern of an iterator of `receiveuntil`.
struct Pattern(Rc<RefCell<Until>>);

impl UserData for Socket {}
impl UserData for Pattern {}

/// Host and port; the name, size and backlog of a pool.
type ConnectArguments = (Value, LuaString, u16, Option<LuaString>, Option<usize>, Option<usize>);

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    cosocket::serve();
    prim.raw_set(
        "new",
        lua.create_function(|_, ()| {
            let (socket, number) = Cosocket::numbered();
            Ok((Socket(socket), number))
        })?,
    )?;
    prim.raw_set(
        "connect",
        lua.create_function(|lua, (socket, host, port, name, size, backlog): ConnectArguments| {
            let (host, name) = (host.as_bytes(), name.as_ref().map(LuaString::as_bytes));
            let pooling = Pooling { name: name.as_deref(), size, backlog };
            with(lua, &socket, |socket, request| {
                stepped(lua, socket.connect(request, &host, port, &pooling).map(|()| 1))
            })
        })?,
    )?;
    prim.raw_set(
        "connected",
        lua.create_function(|lua, socket: Value| {
            with(lua, &socket, |socket, request| stepped(lua, socket.connected(request).map(|()| 1)))
        })?,
    )?;
    install_io(lua, prim)?;
    install_settings(lua, prim)
}

fn install_io(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    prim.raw_set("LINE", cosocket::LINE)?;
    prim.raw_set("ALL", cosocket::ALL)?;
    prim.raw_set(
        "failure",
        lua.create_function(|lua, ()| {
            let (error, partial) = cosocket::failure();
            failed(lua, &error, partial.as_deref())
        })?,
    )?;
    prim.raw_set(
        "receive",
        lua.create_function(|lua, (socket, what): (Value, f64)| {
            with(lua, &socket, |socket, request| read(lua, socket, socket.receive(request, cosocket::wanted(what))))
        })?,
    )?;
    prim.raw_set(
        "receive_any",
        lua.create_function(|lua, (socket, most): (Value, usize)| {
            with(lua, &socket, |socket, request| read(lua, socket, socket.receive_any(request, most)))
        })?,
    )?;
    prim.raw_set(
        "pattern",
        lua.create_function(|_, (pattern, inclusive): (LuaString, bool)| {
            let until = Until::new(&pattern.as_bytes(), inclusive);
            Ok(until.map(|until| Pattern(Rc::new(RefCell::new(until)))))
        })?,
    )?;
    prim.raw_set(
        "receive_until",
        lua.create_function(|lua, (socket, pattern, size): (Value, Value, usize)| {
            let pattern = pattern.as_userdata().and_then(|pattern| pattern.borrow::<Pattern>().ok());
            with(lua, &socket, |socket, request| match &pattern {
                Some(pattern) => {
                    let until = socket.receive_until(request, &pattern.0, NonZeroUsize::new(size));
                    until.map_or(Ok((Value::Nil, Value::Nil, Value::Nil)), |done| read(lua, socket, done))
                }
                None => failed(lua, &SocketError::Closed, None),
            })
        })?,
    )?;
    prim.raw_set(
        "received",
        lua.create_function(|lua, socket: Value| {
            with(lua, &socket, |socket, request| read(lua, socket, socket.received(request)))
        })?,
    )?;
    prim.raw_set(
        "send",
        lua.create_function(|lua, (socket, data): (Value, LuaString)| {
            let data = data.as_bytes();
            with(lua, &socket, |socket, request| stepped(lua, socket.send(request, &data)))
        })?,
    )?;
    prim.raw_set(
        "sent",
        lua.create_function(|lua, socket: Value| {
            with(lua, &socket, |socket, request| stepped(lua, socket.sent(request)))
        })?,
    )
}

fn install_settings(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    prim.raw_set(
        "set_timeouts",
        lua.create_function(|_, (socket, connect, send, read): (Value, Option<u32>, Option<u32>, Option<u32>)| {
            if let Some(socket) = of(&socket) {
                socket.set_timeouts(|before| Timeouts {
                    connect: connect.unwrap_or(before.connect),
                    send: send.unwrap_or(before.send),
                    read: read.unwrap_or(before.read),
                });
            }
            Ok(())
        })?,
    )?;
    prim.raw_set(
        "close",
        lua.create_function(|lua, socket: Value| {
            with(lua, &socket, |socket, request| result(lua, socket.close(request).map(|()| 1)))
        })?,
    )?;
    prim.raw_set(
        "reused_times",
        lua.create_function(|lua, socket: Value| with(lua, &socket, |socket, _| result(lua, socket.reused_times())))?,
    )?;
    prim.raw_set(
        "set_keepalive",
        lua.create_function(|lua, (socket, timeout, size): (Value, Option<u32>, Option<usize>)| {
            with(lua, &socket, |socket, request| result(lua, socket.set_keepalive(request, timeout, size).map(|()| 1)))
        })?,
    )?;
    prim.raw_set(
        "has_pool",
        lua.create_function(|_, socket: Value| Ok(of(&socket).is_none_or(|socket| socket.has_pool())))?,
    )?;
    prim.raw_set(
        "bind",
        lua.create_function(|_, (socket, address): (Value, LuaString)| {
            let local = Local::parse(&address.as_bytes());
            let (Some(socket), Some(local)) = (of(&socket), local) else { return Ok(false) };
            Ok(current_or_fake(|request| socket.bind(request, local)).is_some())
        })?,
    )?;
    let options = lua.create_table()?;
    for (number, (name, _)) in SocketOption::NAMES.iter().enumerate() {
        options.raw_set(*name, number)?;
    }
    prim.raw_set("options", options)?;
    prim.raw_set(
        "option",
        lua.create_function(|lua, (socket, number): (Value, usize)| {
            with(lua, &socket, |socket, _| result(lua, option(number).and_then(|option| socket.option(option))))
        })?,
    )?;
    prim.raw_set(
        "set_option",
        lua.create_function(|lua, (socket, number, value): (Value, usize, i32)| {
            with(lua, &socket, |socket, _| {
                result(lua, option(number).and_then(|option| socket.set_option(option, value)).map(|()| true))
            })
        })?,
    )
}

fn option(number: usize) -> Result<SocketOption, SocketError> {
    SocketOption::NAMES.get(number).map(|(_, option)| *option).ok_or(SocketError::Closed)
}

/// The cosocket that a value of Lua's is. What is none is as one that was never connected.
pub(super) fn of(value: &Value) -> Option<Rc<Cosocket>> {
    Some(Rc::clone(&value.as_userdata()?.borrow::<Socket>().ok()?.0))
}

pub(super) fn with(lua: &Lua, socket: &Value, call: impl FnOnce(&Rc<Cosocket>, &Request) -> Answer) -> Answer {
    let answer = of(socket).and_then(|socket| current_or_fake(|request| call(&socket, request)));
    answer.unwrap_or_else(|| failed(lua, &SocketError::Closed, None))
}

pub(super) fn stepped(lua: &Lua, step: Step<impl IntoLua>) -> Answer {
    match step {
        Step::Done(value) => Ok((value.into_lua(lua)?, Value::Nil, Value::Nil)),
        Step::Wait(operation) => waiting(operation),
        Step::Failed(error) => failed(lua, &error, None),
    }
}

fn result(lua: &Lua, result: Result<impl IntoLua, SocketError>) -> Answer {
    match result {
        Ok(value) => Ok((value.into_lua(lua)?, Value::Nil, Value::Nil)),
        Err(error) => failed(lua, &error, None),
    }
}

fn read(lua: &Lua, socket: &Cosocket, read: Read) -> Answer {
    match read {
        Read::Done(data) => {
            let text = lua.create_string(&data)?;
            socket.give_back(data);
            Ok((Value::String(text), Value::Nil, Value::Nil))
        }
        Read::Wait(operation) => waiting(operation),
        Read::Failed(error, partial) => failed(lua, &error, partial.as_deref()),
    }
}

fn waiting(operation: Operation) -> Answer {
    operation.leave();
    Ok((Value::Boolean(false), Value::Boolean(true), Value::Nil))
}

fn failed(lua: &Lua, error: &SocketError, partial: Option<&[u8]>) -> Answer {
    let partial = partial.map(|partial| lua.create_string(partial)).transpose()?;
    Ok((Value::Nil, Value::String(lua.create_string(error.text())?), partial.map_or(Value::Nil, Value::String)))
}
