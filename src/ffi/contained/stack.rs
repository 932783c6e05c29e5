//! Strings and errors on the stack of a contained VM.

use std::ffi::c_int;

use mlua::ffi;

/// The longest message that is kept of an error, bytes.
const MESSAGE: usize = 2048;

/// Raises `text` with the position of the function at `level` in front: 1 is the one that called.
///
/// # Safety
/// As for [`raise`].
pub(super) unsafe fn raise_at(state: *mut ffi::lua_State, level: c_int, text: &[u8]) -> ! {
    // SAFETY: by this function's contract.
    unsafe {
        ffi::luaL_where(state, level);
        push(state, text);
        ffi::lua_concat(state, 2);
        ffi::lua_error(state)
    }
}

/// Raises `text` with the caller's position in front.
///
/// # Safety
/// Called from a C function or a hook of `state`; nothing that needs dropping may be alive.
pub(super) unsafe fn raise(state: *mut ffi::lua_State, text: &[u8]) -> ! {
    // SAFETY: by this function's contract.
    unsafe { raise_at(state, 1, text) }
}

/// Pushes a string.
///
/// # Safety
/// As for [`raise`]: it may run out of memory.
pub(super) unsafe fn push(state: *mut ffi::lua_State, text: &[u8]) {
    // SAFETY: the text lives during the call; Lua copies it.
    unsafe { ffi::lua_pushlstring_(state, text.as_ptr().cast(), text.len()) }
}

/// An argument's string; a number is converted in its place. Raises for others.
///
/// # Safety
/// As for [`raise`]; the result lives as long as the argument is on the stack.
pub(super) unsafe fn check_bytes<'a>(state: *mut ffi::lua_State, index: c_int) -> &'a [u8] {
    let mut length = 0;
    // SAFETY: by this function's contract.
    unsafe {
        let text = ffi::luaL_checklstring(state, index, &raw mut length);
        bytes(text.cast(), length)
    }
}

/// The string at an index; none where there is no string.
///
/// # Safety
/// As for [`check_bytes`], but it neither raises nor allocates.
pub(super) unsafe fn bytes_at<'a>(state: *mut ffi::lua_State, index: c_int) -> Option<&'a [u8]> {
    let mut length = 0;
    // SAFETY: a value that is a string already is not converted.
    unsafe {
        if ffi::lua_type(state, index) != ffi::LUA_TSTRING {
            return None;
        }
        let text = ffi::lua_tolstring(state, index, &raw mut length);
        Some(bytes(text.cast(), length))
    }
}

/// # Safety
/// `data` must be readable for `length` bytes as long as the result is used.
unsafe fn bytes<'a>(data: *const u8, length: usize) -> &'a [u8] {
    // SAFETY: by this function's contract; Lua's strings are never null.
    unsafe { std::slice::from_raw_parts(data, length) }
}

/// The error at an index as text; of objects only what they are is told, as their metamethods are the script's.
///
/// # Safety
/// The index must be one of the stack's.
pub(super) unsafe fn message_at(state: *mut ffi::lua_State, index: c_int) -> String {
    // SAFETY: by this function's contract; a number is not converted in its place.
    unsafe {
        if let Some(text) = bytes_at(state, index) {
            let text = String::from_utf8_lossy(&text[..text.len().min(MESSAGE)]);
            return text.into_owned();
        }
        match ffi::lua_type(state, index) {
            ffi::LUA_TNUMBER => ffi::lua_tonumber(state, index).to_string(),
            kind => {
                let name = std::ffi::CStr::from_ptr(ffi::lua_typename(state, kind)).to_string_lossy();
                format!("(error object is a {name} value)")
            }
        }
    }
}
