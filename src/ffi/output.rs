//! `ngx.say` and `ngx.print`: appending to the response's buffer.

use crate::nginx::{Append, current};

use super::lua_bytes;

/// Appends to the response. 1: done; 0: the header is not out or the buffer is full, so the slow path must run.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_append(data: *const u8, length: usize) -> i32 {
    // SAFETY: Lua passes a string of its own with its length.
    let bytes = unsafe { lua_bytes(data, length) };
    i32::from(current(|request| request.append(bytes)) == Some(Append::Done))
}

/// How many bytes [`hotlua_append`] will take.
#[unsafe(no_mangle)]
extern "C" fn hotlua_room() -> usize {
    current(|request| request.room()).unwrap_or(0)
}
