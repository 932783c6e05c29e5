//! `ngx.ctx`: finding the request's table.

use crate::nginx::current;

/// The slot of the request's table; 0: it has none yet; -1: no request runs this Lua.
#[unsafe(no_mangle)]
extern "C" fn hotlua_context() -> i32 {
    current(|request| request.state().map_or(0, |state| state.lua_context.get() as i32)).unwrap_or(-1)
}
