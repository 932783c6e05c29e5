//! Values that cross between a contained VM and another one: copied, within limits.

use std::ffi::c_int;
use std::fmt;

use mlua::ffi;

use super::stack::{bytes_at, push as push_bytes};

/// How deep tables may stand in each other.
const DEEPEST: usize = 32;
/// How many values may cross at once, keys among them.
const MOST_VALUES: usize = 100_000;

/// A copy of a Lua value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `nil`
    Nil,
    /// `true` or `false`
    Boolean(bool),
    /// A number.
    Number(f64),
    /// A string.
    Text(Vec<u8>),
    /// A table without its metatable: pairs in the order of `next`.
    Table(Vec<(Value, Value)>),
}

/// Why values do not cross.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uncrossable {
    /// A function, coroutine, userdata or cdata, by its type's name.
    Type(&'static str),
    /// Tables stand in each other too deep, or in themselves.
    TooDeep,
    /// They are too many.
    TooMany,
    /// Their strings are too long in sum: more than so many bytes.
    TooLarge(usize),
}

impl fmt::Display for Uncrossable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type(name) => write!(f, "a {name} cannot cross into or out of a sandbox"),
            Self::TooDeep => write!(f, "tables cross a sandbox's border up to {DEEPEST} deep, and not in themselves"),
            Self::TooMany => write!(f, "at most {MOST_VALUES} values cross a sandbox's border at once"),
            Self::TooLarge(bytes) => write!(f, "at most {bytes} bytes of strings cross this sandbox's border at once"),
        }
    }
}

/// How much may still cross.
pub struct Allowance {
    values: usize,
    bytes: usize,
    most_bytes: usize,
}

impl Allowance {
    /// What may cross at once; strings up to `bytes` in sum.
    pub fn new(bytes: usize) -> Self {
        Self { values: MOST_VALUES, bytes, most_bytes: bytes }
    }

    /// Takes one value at `depth`, with `bytes` of string.
    pub fn take(&mut self, depth: usize, bytes: usize) -> Result<(), Uncrossable> {
        if depth > DEEPEST {
            return Err(Uncrossable::TooDeep);
        }
        self.values = self.values.checked_sub(1).ok_or(Uncrossable::TooMany)?;
        self.bytes = self.bytes.checked_sub(bytes).ok_or(Uncrossable::TooLarge(self.most_bytes))?;
        Ok(())
    }
}

/// Copies the value at `index`; no metamethod runs.
///
/// # Safety
/// The stack of `state` must have [`ROOM`], which the caller makes. It neither raises nor
/// allocates in Lua.
pub(super) unsafe fn read(
    state: *mut ffi::lua_State,
    index: c_int,
    depth: usize,
    allowance: &mut Allowance,
) -> Result<Value, Uncrossable> {
    // SAFETY: by this function's contract; the key that `lua_next` is given is the one that it gave.
    unsafe {
        if let Some(text) = bytes_at(state, index) {
            allowance.take(depth, text.len())?;
            return Ok(Value::Text(text.to_vec()));
        }
        allowance.take(depth, 0)?;
        match ffi::lua_type(state, index) {
            ffi::LUA_TNIL | ffi::LUA_TNONE => Ok(Value::Nil),
            ffi::LUA_TBOOLEAN => Ok(Value::Boolean(ffi::lua_toboolean(state, index) != 0)),
            ffi::LUA_TNUMBER => Ok(Value::Number(ffi::lua_tonumber(state, index))),
            ffi::LUA_TTABLE => {
                let table = if index < 0 { ffi::lua_gettop(state) + 1 + index } else { index };
                let mut pairs = Vec::new();
                ffi::lua_pushnil(state);
                while ffi::lua_next(state, table) != 0 {
                    let key = read(state, -2, depth + 1, allowance);
                    let value = read(state, -1, depth + 1, allowance);
                    match (key, value) {
                        (Ok(key), Ok(value)) => pairs.push((key, value)),
                        (Err(why), _) | (_, Err(why)) => {
                            ffi::lua_pop(state, 2);
                            return Err(why);
                        }
                    }
                    ffi::lua_pop(state, 1);
                }
                Ok(Value::Table(pairs))
            }
            ffi::LUA_TFUNCTION => Err(Uncrossable::Type("function")),
            ffi::LUA_TTHREAD => Err(Uncrossable::Type("coroutine")),
            _ => Err(Uncrossable::Type("userdata")),
        }
    }
}

/// How much of the stack [`read`] may need.
pub(super) const ROOM: c_int = 2 * DEEPEST as c_int + 8;

/// Pushes a copy of `value`.
///
/// # Safety
/// In a protected call; the stack must have [`ROOM`].
pub(super) unsafe fn push(state: *mut ffi::lua_State, value: &Value) {
    // SAFETY: by this function's contract; values that were read are no deeper than that.
    unsafe {
        match value {
            Value::Nil => ffi::lua_pushnil(state),
            Value::Boolean(value) => ffi::lua_pushboolean(state, c_int::from(*value)),
            Value::Number(value) => ffi::lua_pushnumber(state, *value),
            Value::Text(text) => push_bytes(state, text),
            Value::Table(pairs) => {
                ffi::lua_createtable(state, 0, 0);
                for (key, value) in pairs {
                    push(state, key);
                    push(state, value);
                    ffi::lua_rawset(state, -3);
                }
            }
        }
    }
}
