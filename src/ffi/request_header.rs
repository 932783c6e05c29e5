//! `ngx.req.get_headers`, `ngx.req.set_header` and `ngx.req.clear_header`.

use crate::nginx::current;

use super::header::{NO_REQUEST, Pair, Sink, outcome, settled};
use super::lua_bytes;

/// Reads all request headers into `pairs` and says how many there are.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_request_headers(raw: bool, pairs: *mut Pair, room: usize) -> i32 {
    // SAFETY: Lua passes an array of its own with its size.
    let mut sink = unsafe { Sink::new(pairs, room) };
    current(|request| request.request_headers(raw, |name, value| sink.pair(name, value)))
        .map_or(NO_REQUEST, |()| sink.count())
}

/// Sets or (`append`) adds to a request header; an empty value removes it.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_request_header_set(
    name: *const u8,
    name_length: usize,
    value: *const u8,
    value_length: usize,
    append: bool,
) -> i32 {
    // SAFETY: Lua passes strings of its own with their lengths.
    let (name, value) = unsafe { (lua_bytes(name, name_length), lua_bytes(value, value_length)) };
    settled(|request| outcome(request.set_request_header(name, value, append)))
}
