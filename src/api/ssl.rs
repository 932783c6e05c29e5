//! `ngx.ssl`: the TLS connection's names, addresses, version, certificates and keys.

use std::rc::Rc;

use mlua::{IntoLua, IntoLuaMulti, Lua, LuaString, MultiValue, Table, UserData, UserDataRef, Value};

use crate::nginx::{
    Certificates, PrivateKey, RawAddress, Tls, certificates_pem_to_der, current_or_fake, private_key_pem_to_der,
};
use crate::vm::Family;

pub(super) const FAMILY: Family = Family { name: "ssl", install, lua: include_str!("../lua/ssl.lua") };

/// What a call answers where no request runs this Lua, or one that came by no TLS connection.
const BAD_REQUEST: &str = "bad request";

/// A chain of certificates that Lua holds.
pub(super) struct Chain(pub Rc<Certificates>);

/// A private key that Lua holds.
pub(super) struct Key(pub Rc<PrivateKey>);

impl UserData for Chain {}
impl UserData for Key {}

/// Bytes that become a Lua string.
pub(super) struct Bytes(pub Vec<u8>);

impl IntoLua for Bytes {
    fn into_lua(self, lua: &Lua) -> mlua::Result<Value> {
        lua.create_string(self.0).map(Value::String)
    }
}

/// To Lua: `true`; or `nil` and the error.
type Outcome = Result<bool, &'static str>;

/// Changes the current request's TLS connection by `call`.
pub(super) fn change(call: impl FnOnce(&Tls<'_>) -> Result<(), &'static str>) -> Outcome {
    with_tls(call).flatten().map(|()| true)
}

/// Calls with the current request's TLS connection.
pub(super) fn with_tls<T>(call: impl FnOnce(&Tls<'_>) -> T) -> Result<T, &'static str> {
    current_or_fake(|request| request.tls().map(|tls| call(&tls))).flatten().ok_or(BAD_REQUEST)
}

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    install_pure(lua, prim)?;
    install_reads(lua, prim)?;
    install_changes(lua, prim)
}

/// What needs no connection.
fn install_pure(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    prim.raw_set(
        "cert_pem_to_der",
        lua.create_function(|_, pem: LuaString| Ok(certificates_pem_to_der(&pem.as_bytes()).map(Bytes)))?,
    )?;
    prim.raw_set(
        "priv_key_pem_to_der",
        lua.create_function(|_, (pem, password): (LuaString, Option<LuaString>)| {
            let password = password.as_ref().map(LuaString::as_bytes);
            Ok(private_key_pem_to_der(&pem.as_bytes(), password.as_deref()).map(Bytes))
        })?,
    )?;
    prim.raw_set(
        "parse_pem_cert",
        lua.create_function(|_, pem: LuaString| {
            Ok(Certificates::from_pem(&pem.as_bytes()).map(|chain| Chain(Rc::new(chain))))
        })?,
    )?;
    prim.raw_set(
        "parse_pem_priv_key",
        lua.create_function(|_, pem: LuaString| {
            Ok(PrivateKey::from_pem(&pem.as_bytes(), None).map(|key| Key(Rc::new(key))))
        })?,
    )
}

/// What only looks at the connection.
fn install_reads(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    prim.raw_set(
        "server_name",
        lua.create_function(|_, ()| Ok(with_tls(|tls| tls.server_name().map(<[u8]>::to_vec).map(Bytes))))?,
    )?;
    prim.raw_set(
        "server_port",
        // A UNIX socket has none.
        lua.create_function(|_, ()| Ok(with_tls(|tls| tls.server_port().filter(|port| *port != 0))))?,
    )?;
    for (name, read) in ADDRESSES {
        prim.raw_set(*name, lua.create_function(move |lua, ()| address(lua, *read))?)?;
    }
    prim.raw_set("version", lua.create_function(|_, ()| Ok(with_tls(|tls| tls.version())))?)?;
    prim.raw_set(
        "version_name",
        lua.create_function(|_, ()| Ok(with_tls(|tls| Bytes(tls.version_name().to_bytes().to_vec()))))?,
    )
}

type ReadAddress = fn(&Tls<'_>) -> Option<RawAddress>;

const ADDRESSES: &[(&str, ReadAddress)] =
    &[("raw_server_addr", |tls| tls.server_address()), ("raw_client_addr", |tls| tls.client_address())];

/// The address and its type; or `nil`, `nil` and the error.
fn address(lua: &Lua, read: ReadAddress) -> mlua::Result<MultiValue> {
    let address = with_tls(read).and_then(|address| address.ok_or("unknown address type"));
    match address {
        Ok(RawAddress::Inet(bytes)) => (lua.create_string(bytes)?, "inet").into_lua_multi(lua),
        Ok(RawAddress::Inet6(bytes)) => (lua.create_string(bytes)?, "inet6").into_lua_multi(lua),
        Ok(RawAddress::Unix(path)) => (lua.create_string(path)?, "unix").into_lua_multi(lua),
        Err(error) => (Value::Nil, Value::Nil, error).into_lua_multi(lua),
    }
}

/// What changes the connection. What is no chain or key where one must be is answered by false, for the Lua half to
/// raise.
fn install_changes(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    prim.raw_set(
        "clear_certs",
        lua.create_function(|_, ()| {
            Ok(change(|tls| {
                tls.clear_certificates();
                Ok(())
            }))
        })?,
    )?;
    prim.raw_set(
        "set_der_cert",
        lua.create_function(|_, der: LuaString| {
            Ok(change(|tls| tls.set_certificates(&Certificates::from_der(&der.as_bytes())?)))
        })?,
    )?;
    prim.raw_set(
        "set_der_priv_key",
        lua.create_function(|_, der: LuaString| {
            Ok(change(|tls| tls.set_private_key(&PrivateKey::from_der(&der.as_bytes())?)))
        })?,
    )?;
    prim.raw_set(
        "set_cert",
        lua.create_function(|_, chain: Value| {
            Ok(chain_of(&chain).map_or(Ok(false), |chain| change(|tls| tls.set_certificates(&chain))))
        })?,
    )?;
    prim.raw_set(
        "set_priv_key",
        lua.create_function(|_, key: Value| {
            let key = key.as_userdata().and_then(|key| key.borrow::<Key>().ok());
            Ok(key.map_or(Ok(false), |key: UserDataRef<Key>| change(|tls| tls.set_private_key(&key.0))))
        })?,
    )?;
    prim.raw_set(
        "verify_client",
        lua.create_function(|_, (chain, depth): (Value, Option<f64>)| {
            let authorities = chain_of(&chain);
            if authorities.is_none() && !chain.is_nil() {
                return Ok(Ok(false));
            }
            // As upstream has it, a depth below 0 is none.
            let depth = depth.filter(|depth| *depth >= 0.0).map(|depth| depth as u32);
            Ok(change(|tls| tls.verify_client(authorities.as_deref(), depth)))
        })?,
    )
}

fn chain_of(value: &Value) -> Option<Rc<Certificates>> {
    Some(Rc::clone(&value.as_userdata()?.borrow::<Chain>().ok()?.0))
}
