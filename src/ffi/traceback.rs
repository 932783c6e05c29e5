//! The frames of a coroutine as LuaJIT itself writes them: mlua's own text names functions in another way and cuts
//! long ones elsewhere.

use std::ffi::{c_char, c_int};

use mlua::{Lua, LuaString, Thread, ffi};

unsafe extern "C-unwind" {
    /// LuaJIT's, which leaves out the middle of more than 22 frames.
    fn luaL_traceback(into: *mut ffi::lua_State, of: *mut ffi::lua_State, message: *const c_char, level: c_int);
}

/// The frames of a coroutine that has raised, one a line; empty where memory ran out.
pub fn traceback(lua: &Lua, thread: &Thread) -> String {
    // What Lua calls the pointer of a coroutine is its state.
    let state = thread.to_pointer().cast::<ffi::lua_State>().cast_mut();
    // SAFETY: `thread` keeps the coroutine alive, whose frames stay after it has raised; the call is protected and
    // pushes one string.
    let text = unsafe { lua.exec_raw::<LuaString>((), |into| luaL_traceback(into, state, std::ptr::null(), 0)) };
    let text = text.map(|text| text.to_string_lossy()).unwrap_or_default();
    text.strip_prefix("stack traceback:\n").unwrap_or(&text).to_owned()
}
