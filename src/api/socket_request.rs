//! `ngx.req.socket`: the client's connection as a cosocket.

use std::rc::Rc;

use mlua::{Lua, Table};

use crate::cosocket::Cosocket;
use crate::nginx::{Request, StreamError, current};
use crate::vm::Family;

use super::socket_tcp::Socket;

pub(super) const FAMILY: Family =
    Family { name: "socket_request", install, lua: include_str!("../lua/socket_request.lua") };

/// A cosocket; or `nil`, what is wrong, and whether that is to be raised.
type Answer = (Option<Socket>, Option<String>, bool);

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    prim.raw_set("body", lua.create_function(|_, ()| Ok(open(Cosocket::of_body)))?)?;
    prim.raw_set("raw", lua.create_function(|_, ()| Ok(open(Cosocket::of_client)))?)
}

fn open(open: fn(&Request) -> Result<Rc<Cosocket>, StreamError>) -> Answer {
    match current(open) {
        Some(Ok(socket)) => (Some(Socket(socket)), None, false),
        Some(Err(error)) => (None, Some(error.to_string()), error.is_raised()),
        None => (None, Some("no request found".into()), true),
    }
}
