//! `ngx.log`: nginx's log runs no Lua, so it may be written from here.

use crate::nginx::{Level, Log, current_or_fake};

use super::lua_bytes;

/// 1: a line of the level would be written; 0: not; -1: there is no such level.
#[unsafe(no_mangle)]
extern "C" fn hotlua_log_enabled(level: i32) -> i32 {
    let Some(level) = Level::from_number(i64::from(level)) else {
        return -1;
    };
    i32::from(current_or_fake(|request| Log::of(request).enabled(level)).unwrap_or_else(|| Log::cycle().enabled(level)))
}

/// Writes a line to the log of the request, or of the cycle where there is no request.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_log(level: i32, text: *const u8, length: usize) {
    let Some(level) = Level::from_number(i64::from(level)) else {
        return;
    };
    // SAFETY: Lua passes a string of its own with its length.
    let text = unsafe { lua_bytes(text, length) };
    if current_or_fake(|request| Log::of(request).write(level, text)).is_none() {
        Log::cycle().write(level, text);
    }
}
