//! Finding the running request: its `ngx.ctx` table, its address.

use crate::nginx::{Request, current, current_or_fake};

/// The slot of the request's table; 0: it has none yet; -1: no request runs this Lua.
#[unsafe(no_mangle)]
extern "C" fn hotlua_context() -> i32 {
    current_or_fake(|request| request.state().map_or(0, |state| state.lua_context.get() as i32)).unwrap_or(-1)
}

/// The address of nginx's structure of the request that runs this Lua, for C functions of other modules; 0: none does.
#[unsafe(no_mangle)]
extern "C" fn hotlua_request_address() -> usize {
    current(Request::address).unwrap_or(0)
}
