//! `ngx.var`: reading and writing.

use crate::nginx::{Request, VariableError, VariableValue, current};

use super::header::{NO_REQUEST, settled};
use super::lua_bytes;

/// Stores where the text is. 1: stored; 0: there is none.
///
/// # Safety
/// Both cells must be writable.
unsafe fn store(text: VariableValue<'_>, value: *mut *const u8, value_length: *mut usize) -> i32 {
    let Some(text) = text else {
        return 0;
    };
    // SAFETY: by this function's contract.
    unsafe {
        *value = text.as_ptr();
        *value_length = text.len();
    }
    1
}

/// Says whether a variable shows the response, so that a header that is due must go out before it is read.
fn shows_response(name: &[u8]) -> bool {
    name.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"sent_"))
        || [&b"status"[..], b"bytes_sent", b"body_bytes_sent"].iter().any(|shown| name.eq_ignore_ascii_case(shown))
}

/// Reads a variable into `*value` and `*value_length`. 1: found; 0: not; -1: no request runs this Lua.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_var_get(
    name: *const u8,
    length: usize,
    value: *mut *const u8,
    value_length: *mut usize,
) -> i32 {
    // SAFETY: Lua passes a string of its own with its length.
    let name = unsafe { lua_bytes(name, length) };
    let read = |request: &Request| {
        // SAFETY: Lua passes the addresses of two cells of its own; it copies the text before nginx runs again.
        unsafe { store(request.variable(name), value, value_length) }
    };
    if shows_response(name) { settled(read) } else { current(read).unwrap_or(NO_REQUEST) }
}

/// Reads a capture of the last regular expression, counted from 1. Answers as [`hotlua_var_get`] does.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_var_capture(number: u32, value: *mut *const u8, value_length: *mut usize) -> i32 {
    // SAFETY: as in `hotlua_var_get`.
    current(|request| unsafe { store(request.capture(number as usize), value, value_length) }).unwrap_or(NO_REQUEST)
}

/// Changes a variable; `clear` makes it not found. 0: done; 1: not defined; 2: not changeable; 3: no memory; -1: no
/// request runs this Lua.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_var_set(
    name: *const u8,
    length: usize,
    value: *const u8,
    value_length: usize,
    clear: bool,
) -> i32 {
    // SAFETY: Lua passes strings of its own with their lengths.
    let (name, value) = unsafe { (lua_bytes(name, length), lua_bytes(value, value_length)) };
    settled(|request| match request.set_variable(name, (!clear).then_some(value)) {
        Ok(()) => 0,
        Err(VariableError::Undefined) => 1,
        Err(VariableError::ReadOnly) => 2,
        Err(VariableError::Memory) => 3,
    })
}
