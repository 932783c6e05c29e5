//! Query strings: decoding one into a table of structs that Lua reads.

use crate::nginx::current;
use crate::text::{Args, Limit};

use super::{lua_buffer, lua_bytes};

/// An argument as Lua's `hotlua_arg` has it: offsets into the decoded text.
#[repr(C)]
struct DecodedArg {
    name: u32,
    name_length: u32,
    value: u32,
    /// -1: without a value.
    value_length: i32,
}

/// How many arguments `text` may hold.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_args_count(text: *const u8, length: usize) -> usize {
    // SAFETY: Lua passes text that lives during the call, with its length.
    Args::count(unsafe { lua_bytes(text, length) })
}

/// Decodes up to `max` arguments (0: all) into `args`, which has room for `room` of them, and their text into `into`,
/// which is as long as the text. Returns how many; -1 less that where `max` left some out.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_args_decode(
    text: *const u8,
    length: usize,
    max: usize,
    counts_nameless: i32,
    into: *mut u8,
    args: *mut DecodedArg,
    room: usize,
) -> i32 {
    // SAFETY: Lua passes text that lives during the call, and a buffer of its own, with the length of both.
    let (text, into) = unsafe { (lua_bytes(text, length), lua_buffer(into, length)) };
    let limit = Limit { max, counts_nameless: counts_nameless != 0 };
    let mut count = 0;
    for arg in Args::new(text, into, limit).take(room) {
        let decoded = DecodedArg {
            name: arg.name as u32,
            name_length: arg.name_length as u32,
            value: arg.value as u32,
            value_length: arg.value_length.map_or(-1, |length| length as i32),
        };
        // SAFETY: Lua passes an array of `room` structs, and `take` stops there.
        unsafe { args.add(count).write(decoded) };
        count += 1;
    }
    if Args::truncated(text, limit) { -1 - count as i32 } else { count as i32 }
}

/// Points `*text` to the query string of the request and returns its length; -1 where there is no request.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_uri_args(text: *mut *const u8) -> isize {
    current(|request| {
        let args = request.args();
        // SAFETY: Lua passes the address of a cell of its own; it reads the text before nginx runs again.
        unsafe { *text = args.as_ptr() };
        args.len() as isize
    })
    .unwrap_or(-1)
}
