//! The frames of a coroutine as LuaJIT itself writes them: mlua's own text names functions in another way and cuts
//! long ones elsewhere.

use std::ffi::{c_char, c_int};

use mlua::ffi;

unsafe extern "C-unwind" {
    /// LuaJIT's, which leaves out the middle of more than 22 frames.
    pub(super) fn luaL_traceback(
        into: *mut ffi::lua_State,
        of: *mut ffi::lua_State,
        message: *const c_char,
        level: c_int,
    );
}
