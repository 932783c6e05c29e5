//! Coroutines by a place in Lua's registry: mlua has room for 8,000 references, and each request that waits has one.

use std::cell::Cell;
use std::ptr::NonNull;

use mlua::{Function, Lua, LuaString, MultiValue, Value, WeakLua, ffi};

use super::traceback::luaL_traceback;

/// A coroutine that Rust resumes. It is kept from the collector until this is dropped.
pub struct Resumable {
    state: NonNull<ffi::lua_State>,
    place: i32,
    /// How many arguments wait on its stack for its function.
    arguments: Cell<i32>,
    lua: WeakLua,
}

/// What its function is called with, or its yield returns.
pub enum Given {
    /// Nothing.
    Nothing,
    /// `true` or `false`.
    Flag(bool),
    /// Any values.
    Values(MultiValue),
}

/// What it did when it was resumed.
pub enum Resumed {
    /// It returned; it may run another function.
    Returned,
    /// It yielded; the values of interest.
    Yielded(Yielded),
}

/// The values of a yield that begins with light userdata.
#[derive(Default)]
pub struct Yielded {
    /// The address of that; 0 where it begins with something else.
    pub tag: usize,
    /// The second one where it is userdata; else nil.
    pub second: Value,
    /// Where the second one is a function: a coroutine that will call it with all that comes behind the third one.
    pub started: Option<Resumable>,
    /// The second one where it is a number.
    pub number: Option<f64>,
    /// The address of the second one where it is a coroutine.
    pub coroutine: Option<usize>,
    /// The second one is `true`.
    pub flag: bool,
    /// The third one is neither nil nor false.
    pub third: bool,
}

impl Resumable {
    /// Makes one that has no function yet.
    pub fn new(lua: &Lua) -> mlua::Result<Self> {
        let mut made = None;
        // SAFETY: the call is protected and leaves its stack as it was; the registry holds the coroutine.
        unsafe {
            lua.exec_raw::<()>((), |state| {
                let new = ffi::lua_newthread(state);
                made = NonNull::new(new).map(|new| (new, ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX)));
            })?;
        }
        let (state, place) = made.ok_or(mlua::Error::StackError)?;
        Ok(Self { state, place, arguments: Cell::new(0), lua: lua.weak() })
    }

    /// Gives one that is new, or has returned, a function to run.
    pub fn load(&self, lua: &Lua, function: &Function) -> mlua::Result<()> {
        let own = self.state.as_ptr();
        lua.exec_raw_lua(|raw| {
            // SAFETY: the coroutine is alive and does not run; a stack that is empty has room for one value.
            unsafe {
                ffi::lua_settop(own, 0);
                raw.push(function)?;
                ffi::lua_xmove(raw.state(), own, 1);
            }
            Ok(())
        })
    }

    /// What Lua calls its address.
    pub fn address(&self) -> usize {
        self.state.addr().get()
    }

    /// Runs it until it returns, yields or raises.
    pub fn resume(&self, lua: &Lua, given: Given) -> mlua::Result<Resumed> {
        let own = self.state.as_ptr();
        lua.exec_raw_lua(|raw| {
            // SAFETY: the coroutine is alive and suspended, new with a function, or resumed once more than it may be,
            // which LuaJIT tells. What goes through the stack of `raw` is taken from it again.
            unsafe {
                let count = match given {
                    Given::Nothing => self.arguments.take(),
                    Given::Flag(flag) => {
                        ffi::lua_pushboolean(own, i32::from(flag));
                        1
                    }
                    Given::Values(values) => {
                        let count = i32::try_from(values.len()).map_err(|_| mlua::Error::StackError)?;
                        if ffi::lua_checkstack(own, count + 1) == 0 {
                            return Err(mlua::Error::StackError);
                        }
                        for value in values {
                            raw.push(value)?;
                            ffi::lua_xmove(raw.state(), own, 1);
                        }
                        count
                    }
                };
                match ffi::lua_resume_(own, count) {
                    ffi::LUA_OK => {
                        ffi::lua_settop(own, 0);
                        Ok(Resumed::Returned)
                    }
                    ffi::LUA_YIELD => {
                        let take_second = || {
                            ffi::lua_pushvalue(own, 2);
                            ffi::lua_xmove(own, raw.state(), 1);
                            raw.pop()
                        };
                        let yielded = yielded(own, take_second, || self.start(lua));
                        ffi::lua_settop(own, 0);
                        yielded.map(Resumed::Yielded)
                    }
                    _ => {
                        ffi::lua_xmove(own, raw.state(), 1);
                        Err(raised(raw.pop()?))
                    }
                }
            }
        })
    }

    /// Makes a coroutine of the function that this one has yielded second, and what comes behind the third value.
    fn start(&self, lua: &Lua) -> mlua::Result<Self> {
        let new = Self::new(lua)?;
        let (own, other) = (self.state.as_ptr(), new.state.as_ptr());
        // SAFETY: both are alive and neither runs; what is moved was pushed before, and there is room for it.
        unsafe {
            let top = ffi::lua_gettop(own);
            if ffi::lua_checkstack(other, top) == 0 {
                return Err(mlua::Error::StackError);
            }
            // What comes first is taken off last.
            ffi::lua_pushvalue(own, 2);
            ffi::lua_xmove(own, other, 1);
            let arguments = (top - 3).max(0);
            ffi::lua_xmove(own, other, arguments);
            new.arguments.set(arguments);
        }
        Ok(new)
    }

    /// Its frames, after it has raised, one a line; empty where memory ran out.
    pub fn traceback(&self, lua: &Lua) -> String {
        let own = self.state.as_ptr();
        // SAFETY: the coroutine is alive, and its frames stay after it has raised; the call is protected and pushes one
        // string.
        let text = unsafe { lua.exec_raw::<LuaString>((), |into| luaL_traceback(into, own, std::ptr::null(), 0)) };
        let text = text.map(|text| text.to_string_lossy()).unwrap_or_default();
        text.strip_prefix("stack traceback:\n").unwrap_or(&text).to_owned()
    }
}

impl Drop for Resumable {
    fn drop(&mut self) {
        if let Some(lua) = self.lua.try_upgrade() {
            // SAFETY: the place is this one's until now. Both slots that are written exist, so that nothing is raised.
            lua.exec_raw_lua(|raw| unsafe { ffi::luaL_unref(raw.state(), ffi::LUA_REGISTRYINDEX, self.place) });
        }
    }
}

/// Reads the values of a yield; `take_second` takes the second one over, and `start` makes a coroutine of it.
///
/// # Safety
/// `own` has yielded, and nothing but its values is on its stack.
unsafe fn yielded(
    own: *mut ffi::lua_State,
    take_second: impl FnOnce() -> mlua::Result<Value>,
    start: impl FnOnce() -> mlua::Result<Resumable>,
) -> mlua::Result<Yielded> {
    let mut yielded = Yielded::default();
    // SAFETY: by this function's contract; an index beyond the values has no type, and reading it changes nothing.
    unsafe {
        if ffi::lua_type(own, 1) != ffi::LUA_TLIGHTUSERDATA {
            return Ok(yielded);
        }
        yielded.tag = ffi::lua_touserdata(own, 1).addr();
        yielded.third = ffi::lua_toboolean(own, 3) != 0;
        match ffi::lua_type(own, 2) {
            ffi::LUA_TNUMBER => yielded.number = Some(ffi::lua_tonumber(own, 2)),
            ffi::LUA_TTHREAD => yielded.coroutine = Some(ffi::lua_tothread(own, 2).addr()),
            ffi::LUA_TBOOLEAN => yielded.flag = ffi::lua_toboolean(own, 2) != 0,
            ffi::LUA_TUSERDATA => yielded.second = take_second()?,
            ffi::LUA_TFUNCTION => yielded.started = Some(start()?),
            _ => {}
        }
    }
    Ok(yielded)
}

/// What a coroutine has raised, as an error without a traceback.
fn raised(value: Value) -> mlua::Error {
    match value {
        Value::Error(error) => *error,
        Value::String(text) => mlua::Error::RuntimeError(text.to_string_lossy()),
        // By its `__tostring` where it has one; where that raises it says nothing.
        other => mlua::Error::RuntimeError(other.to_string().unwrap_or_else(|_| "nil".to_owned())),
    }
}
