//! The second room with `unsafe`: the C ABI between LuaJIT and nginx.
//!
//! Why a room of its own: the hot calls (`ngx.say`, `ngx.var`, header reads) go through LuaJIT's `ffi.C`, which costs
//! 3 ns where a Rust closure costs 54. A function here may only read, write plain memory and append to buffers: Lua
//! that runs inside a function called through `ffi.C` crashes once the call is JIT-compiled. What may run a filter,
//! send, or yield is a closure of `src/api/` instead.

mod arg;
mod args;
mod carried;
mod contained;
mod context;
mod header;
mod hook;
mod log;
mod output;
mod refuse;
mod regex;
mod request_header;
mod resumable;
mod shared_dict;
mod socket;
mod status;
mod text;
mod time;
mod tls;
mod traceback;
mod variable;

use mlua::{Lua, LuaOptions, StdLib};

pub use carried::Carried;
pub use contained::{Advance, Allowance, Contained, Ended, Kind, Limits, ScriptKey, Uncrossable, Value};
pub use hook::{Interrupted, may_yield, place, watched};
pub use resumable::{Given, Resumable, Resumed, Yielded};
pub use socket::{FAILED, SocketCalls, WAITS, serve_sockets};

/// Opens a LuaJIT state with all its libraries, `ffi` and `debug` among them, and with C modules allowed.
pub fn open() -> Lua {
    // SAFETY: the operator's Lua is trusted as the operator's C modules are; untrusted scripts run in a VM of their
    // own without these libraries.
    unsafe { Lua::unsafe_new_with(StdLib::ALL, LuaOptions::default()) }
}

/// The bytes that Lua passes as pointer and length.
///
/// # Safety
/// `data` must be readable for `length` bytes during the call that it was passed to.
unsafe fn lua_bytes<'a>(data: *const u8, length: usize) -> &'a [u8] {
    if length == 0 {
        return &[];
    }
    // SAFETY: by this function's contract.
    unsafe { std::slice::from_raw_parts(data, length) }
}

/// The buffer that Lua passes as pointer and length.
///
/// # Safety
/// `data` must be writable for `length` bytes, and initialised, during the call that it was passed to.
unsafe fn lua_buffer<'a>(data: *mut u8, length: usize) -> &'a mut [u8] {
    if length == 0 {
        return &mut [];
    }
    // SAFETY: by this function's contract; what `ffi.new` makes is zeroed.
    unsafe { std::slice::from_raw_parts_mut(data, length) }
}
