//! `ngx.status` and `ngx.headers_sent`.

use crate::nginx::current;

use super::header::{NO_REQUEST, settled};

/// Reads the response's status into `*status`. 0: done; -1: no request runs this Lua.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_status_get(status: *mut i32) -> i32 {
    settled(|request| {
        // SAFETY: Lua passes the address of a cell of its own.
        unsafe { *status = request.status() as i32 }
        0
    })
}

/// Sets the response's status. 0: done; 1: the header was sent; -1: no request runs this Lua.
#[unsafe(no_mangle)]
extern "C" fn hotlua_status_set(status: i32) -> i32 {
    current(|request| {
        if request.output_begun() {
            return 1;
        }
        request.set_status(status as usize);
        0
    })
    .unwrap_or(NO_REQUEST)
}

/// 1: the response's header was sent; 0: not; -1: no request runs this Lua.
#[unsafe(no_mangle)]
extern "C" fn hotlua_headers_sent() -> i32 {
    current(|request| i32::from(request.output_begun())).unwrap_or(NO_REQUEST)
}
