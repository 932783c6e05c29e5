//! `ngx.var`: reading.

use crate::nginx::current;

use super::lua_bytes;

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
    current(|request| match request.variable(name) {
        Some(text) => {
            // SAFETY: Lua passes the addresses of two cells of its own; it copies the text before nginx runs again.
            unsafe {
                *value = text.as_ptr();
                *value_length = text.len();
            }
            1
        }
        None => 0,
    })
    .unwrap_or(-1)
}
