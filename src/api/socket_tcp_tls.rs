//! `tcpsock:sslhandshake` and `tcpsock:setclientcert`: TLS on a cosocket.

use mlua::{Lua, LuaString, Table, Value};

use super::socket_tcp::{of, stepped, with};
use super::ssl::{Chain, Key};
use crate::cosocket::{Greeting, Step};
use crate::nginx::{Log, TlsSession};
use crate::vm::Family;

pub(super) const FAMILY: Family =
    Family { name: "socket_tcp_tls", install, lua: include_str!("../lua/socket_tcp_tls.lua") };

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    prim.raw_set(
        "shake",
        lua.create_function(
            |lua, (socket, session, name, verifies, wants_status): (Value, Option<usize>, Option<LuaString>, bool, bool)| {
                let session = session.and_then(TlsSession::held);
                let server_name = name.map(|name| name.as_bytes().to_vec());
                let greeting = Greeting { server_name, session, verifies, wants_status };
                with(lua, &socket, |socket, request| stepped(lua, socket.shake(request, greeting).map(|()| true)))
            },
        )?,
    )?;
    prim.raw_set(
        "shaken",
        lua.create_function(|lua, socket: Value| {
            with(lua, &socket, |socket, request| stepped(lua, socket.shaken(request).map(|()| true)))
        })?,
    )?;
    // The address of its session, which is held by that until it is freed.
    prim.raw_set(
        "session",
        lua.create_function(|lua, socket: Value| {
            with(lua, &socket, |socket, request| {
                let address = socket.tls_session().and_then(|session| session.hold());
                if let Some(address) = address {
                    Log::of(request).debug(|| format!("lua ssl save session: {address:016X}"));
                }
                stepped(lua, Step::Done(address))
            })
        })?,
    )?;
    // False where one of the two is none.
    prim.raw_set(
        "set_identity",
        lua.create_function(|_, (socket, chain, key): (Value, Value, Value)| {
            let Some(socket) = of(&socket) else { return Ok(false) };
            if chain.is_nil() {
                socket.set_identity(None);
                return Ok(true);
            }
            let chain = chain.as_userdata().and_then(|chain| chain.borrow::<Chain>().ok());
            let key = key.as_userdata().and_then(|key| key.borrow::<Key>().ok());
            let (Some(chain), Some(key)) = (chain, key) else { return Ok(false) };
            socket.set_identity(Some((chain.0.clone(), key.0.clone())));
            Ok(true)
        })?,
    )?;
    prim.raw_set(
        "is_chain",
        lua.create_function(|_, chain: Value| Ok(chain.as_userdata().is_some_and(|chain| chain.is::<Chain>())))?,
    )
}
