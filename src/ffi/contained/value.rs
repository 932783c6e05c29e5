//! Values that cross between a contained VM and another one: copied, within limits.

use std::collections::HashMap;
use std::ffi::{c_int, c_void};
use std::fmt;
use std::rc::Rc;

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
    /// A table without its metatable: pairs in the order of `next`. One that stood in two places may be shared.
    Table(Rc<Vec<(Value, Value)>>),
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

/// How much may still cross, and what has: for one crossing, in which no Lua runs.
pub struct Allowance {
    values: usize,
    bytes: usize,
    most_bytes: usize,
    /// The depth that was reached in the table that is being read.
    deepest: usize,
    /// The tables that were read, by their address.
    copies: HashMap<*const c_void, Copied>,
}

/// A table that was read, and what that took of the allowance.
struct Copied {
    pairs: Rc<Vec<(Value, Value)>>,
    /// How deep values stand in it.
    height: usize,
    values: usize,
    bytes: usize,
}

impl Allowance {
    /// What may cross at once; strings up to `bytes` in sum.
    pub fn new(bytes: usize) -> Self {
        Self::of(MOST_VALUES, bytes)
    }

    /// So many values, and strings up to `bytes` in sum.
    pub(super) fn of(values: usize, bytes: usize) -> Self {
        Self { values, bytes, most_bytes: bytes, deepest: 0, copies: HashMap::new() }
    }

    /// Takes one value at `depth`, with `bytes` of string.
    pub fn take(&mut self, depth: usize, bytes: usize) -> Result<(), Uncrossable> {
        if depth > DEEPEST {
            return Err(Uncrossable::TooDeep);
        }
        self.values = self.values.checked_sub(1).ok_or(Uncrossable::TooMany)?;
        self.bytes = self.bytes.checked_sub(bytes).ok_or(Uncrossable::TooLarge(self.most_bytes))?;
        self.deepest = self.deepest.max(depth);
        Ok(())
    }

    /// The copy of a table that stands at `depth` again; none where it is new or more than what may still cross.
    fn again(&mut self, table: *const c_void, depth: usize) -> Option<Value> {
        let copy = self.copies.get(&table)?;
        if depth + copy.height > DEEPEST {
            return None;
        }
        let (values, bytes) = (self.values.checked_sub(copy.values)?, self.bytes.checked_sub(copy.bytes)?);
        (self.values, self.bytes) = (values, bytes);
        self.deepest = self.deepest.max(depth + copy.height);
        Some(Value::Table(Rc::clone(&copy.pairs)))
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
    // SAFETY: by this function's contract.
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
                let address = ffi::lua_topointer(state, index);
                match allowance.again(address, depth) {
                    Some(copy) => Ok(copy),
                    None => read_table(state, index, depth, allowance),
                }
            }
            ffi::LUA_TFUNCTION => Err(Uncrossable::Type("function")),
            ffi::LUA_TTHREAD => Err(Uncrossable::Type("coroutine")),
            _ => Err(Uncrossable::Type("userdata")),
        }
    }
}

/// Copies a table, for which one value was taken already.
///
/// Going over a table takes as long as it once was large, whatever is left in it. So none is gone over twice, or a
/// list of one large and empty table would keep the worker busy for minutes.
///
/// # Safety
/// As for [`read`].
unsafe fn read_table(
    state: *mut ffi::lua_State,
    index: c_int,
    depth: usize,
    allowance: &mut Allowance,
) -> Result<Value, Uncrossable> {
    let (values, bytes) = (allowance.values, allowance.bytes);
    let outer = std::mem::replace(&mut allowance.deepest, depth);
    let mut pairs = Vec::new();
    // SAFETY: by this function's contract; the key that `lua_next` is given is the one that it gave.
    let address = unsafe {
        let table = if index < 0 { ffi::lua_gettop(state) + 1 + index } else { index };
        ffi::lua_pushnil(state);
        while ffi::lua_next(state, table) != 0 {
            let key = read(state, -2, depth + 1, allowance);
            match key.and_then(|key| Ok((key, read(state, -1, depth + 1, allowance)?))) {
                Ok(pair) => pairs.push(pair),
                Err(why) => {
                    ffi::lua_pop(state, 2);
                    return Err(why);
                }
            }
            ffi::lua_pop(state, 1);
        }
        ffi::lua_topointer(state, table)
    };
    let pairs = Rc::new(pairs);
    let copied = Copied {
        pairs: Rc::clone(&pairs),
        height: allowance.deepest - depth,
        values: values - allowance.values,
        bytes: bytes - allowance.bytes,
    };
    allowance.copies.insert(address, copied);
    allowance.deepest = allowance.deepest.max(outer);
    Ok(Value::Table(pairs))
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
                for (key, value) in pairs.iter() {
                    push(state, key);
                    push(state, value);
                    ffi::lua_rawset(state, -3);
                }
            }
        }
    }
}
