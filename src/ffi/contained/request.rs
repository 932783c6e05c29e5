//! What contained scripts may ask of the request, and the text functions of `ngx`.

use std::ffi::c_int;

use mlua::ffi;
use sha1::{Digest, Sha1};

use crate::nginx::{self, Request, current};
use crate::text::{Arg, Args, Escape, Limit, escape_uri, escaped_length, unescape_uri};

use super::super::{lua_buffer, lua_bytes};
use super::host::{Call, Host};
use super::meter::BYTES;
use super::stack::{check_bytes, push, raise};

/// How many arguments or headers are taken where a call says nothing else, and at most.
const MOST: usize = 100;
/// What nginx allocates for a variable that is looked up, bytes; its text comes on top.
const VALUE: usize = 16;
/// What an argument, header or variable costs, in instructions.
const EACH: usize = 20;

/// Pushes what `read` gives of the current request; nil where it gives none.
///
/// # Safety
/// A C function's body.
unsafe fn push_of_request(
    state: *mut ffi::lua_State,
    read: impl for<'r> FnOnce(&'r Request) -> Option<&'r [u8]>,
) -> c_int {
    // The text is nginx's and lives as long as the request, so nothing needs dropping where Lua has no memory.
    let text = current(|request| read(request).map(|text| (text.as_ptr(), text.len()))).flatten();
    let length = text.map_or(0, |(_, length)| length);
    // SAFETY: by this function's contract; the request is alive while its script runs.
    unsafe {
        let host = Host::of(state);
        host.charge((EACH + length / BYTES) as u64);
        // Looking a variable up takes memory of the request each time, and many make their text anew.
        host.lend(VALUE + length);
        match text {
            Some((data, length)) => push(state, lua_bytes(data, length)),
            None => ffi::lua_pushnil(state),
        }
    }
    1
}

/// `__index` of `ngx.var`.
pub(super) unsafe extern "C-unwind" fn variable(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let name = check_bytes(state, 2);
        if !(Host::of(state).allows_variable)(name) {
            ffi::lua_pushfstring(
                state,
                c"ngx.var.%s is not allowed in this sandbox".as_ptr(),
                ffi::lua_tolstring(state, 2, std::ptr::null_mut()),
            );
            let text = super::stack::bytes_at(state, -1).unwrap_or_default();
            raise(state, text);
        }
        push_of_request(state, |request| request.variable(name))
    }
}

/// `ngx.req.get_method()`
pub(super) unsafe extern "C-unwind" fn method(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { push_of_request(state, |request| Some(request.method_name())) }
}

/// Adds a value under a name to the table on top: a second one makes an array of both.
///
/// # Safety
/// A C function's body; the value is on top of the stack, the name below, and the table below that.
unsafe fn add(state: *mut ffi::lua_State) {
    // SAFETY: by this function's contract.
    unsafe {
        ffi::lua_pushvalue(state, -2);
        ffi::lua_rawget_(state, -4);
        match ffi::lua_type(state, -1) {
            ffi::LUA_TNIL => {
                ffi::lua_pop(state, 1);
                ffi::lua_rawset(state, -3);
            }
            ffi::LUA_TTABLE => {
                ffi::lua_insert(state, -2);
                let next = ffi::lua_objlen(state, -2) as c_int + 1;
                ffi::lua_rawseti_(state, -2, next);
                ffi::lua_pop(state, 2);
            }
            _ => {
                // table, name, value, known
                ffi::lua_createtable(state, 2, 0);
                ffi::lua_insert(state, -2);
                ffi::lua_rawseti_(state, -2, 1);
                ffi::lua_insert(state, -2);
                ffi::lua_rawseti_(state, -2, 2);
                ffi::lua_rawset(state, -3);
            }
        }
    }
}

/// How many an argument asks for; at most [`MOST`].
///
/// # Safety
/// A C function's body.
unsafe fn most(state: *mut ffi::lua_State, index: c_int) -> usize {
    // SAFETY: by this function's contract.
    match unsafe { ffi::luaL_optinteger(state, index, MOST as ffi::lua_Integer) } {
        most @ 1.. => (most as usize).min(MOST),
        _ => MOST,
    }
}

/// Decodes `text` into a new table.
///
/// # Safety
/// A C function's body; `text` lives during the call.
unsafe fn decode(state: *mut ffi::lua_State, text: &[u8], most: usize) -> c_int {
    let limit = Limit { max: most, counts_nameless: false };
    // SAFETY: by this function's contract; the decoded text is the VM's memory, anchored on the stack.
    unsafe {
        Host::of(state).charge((text.len() / BYTES) as u64);
        let into = ffi::lua_newuserdata(state, text.len().max(1)).cast::<u8>();
        std::ptr::write_bytes(into, 0, text.len().max(1));
        ffi::lua_createtable(state, 0, 0);
        let mut args = [Arg::default(); MOST];
        let mut count = 0;
        for (slot, arg) in args.iter_mut().zip(Args::new(text, lua_buffer(into, text.len()), limit)) {
            *slot = arg;
            count += 1;
        }
        Host::of(state).charge((EACH * count) as u64);
        for arg in &args[..count] {
            push(state, lua_bytes(into.add(arg.name), arg.name_length));
            match arg.value_length {
                Some(length) => push(state, lua_bytes(into.add(arg.value), length)),
                None => ffi::lua_pushboolean(state, 1),
            }
            add(state);
        }
        if Args::truncated(text, limit) {
            push(state, b"truncated");
            return 2;
        }
        1
    }
}

/// `ngx.req.get_uri_args([max])`
pub(super) unsafe extern "C-unwind" fn uri_args(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua; the text is the request's, which outlives its script.
    unsafe {
        let most = most(state, 1);
        let (data, length) =
            current(|request| (request.args().as_ptr(), request.args().len())).unwrap_or((std::ptr::null(), 0));
        decode(state, lua_bytes(data, length), most)
    }
}

/// `ngx.decode_args(text [, max])`
pub(super) unsafe extern "C-unwind" fn decode_args(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua; the text stays on the stack.
    unsafe {
        let text = check_bytes(state, 1);
        let most = most(state, 2);
        decode(state, text, most)
    }
}

/// `ngx.req.get_headers([max])`: names in lower case.
pub(super) unsafe extern "C-unwind" fn headers(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua; the headers' texts are the request's.
    unsafe {
        let most = most(state, 1);
        ffi::lua_createtable(state, 0, 8);
        // They are collected first, in what needs no dropping where Lua has no memory.
        let mut found = [((std::ptr::null(), 0), (std::ptr::null(), 0)); MOST];
        let mut number = 0;
        current(|request| {
            request.request_headers(false, |name, value| {
                if let Some(slot) = found.get_mut(number) {
                    *slot = ((name.as_ptr(), name.len()), (value.as_ptr(), value.len()));
                }
                number += 1;
            });
        });
        let taken = &found[..number.min(most)];
        Host::of(state).charge((number + EACH * taken.len()) as u64);
        for (name, value) in taken {
            push(state, lua_bytes(name.0, name.1));
            push(state, lua_bytes(value.0, value.1));
            add(state);
        }
        1
    }
}

/// `ngx.exit(status)`
pub(super) unsafe extern "C-unwind" fn exit(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let status = ffi::luaL_checkinteger(state, 1);
        let valid = i32::try_from(status).is_ok_and(|status| status == 0 || (200..=599).contains(&status));
        if !valid {
            ffi::luaL_argerror(state, 1, c"0 or a status from 200 to 599 expected".as_ptr());
        }
        Host::of(state).call.set(Call::Exit(status as i32));
        ffi::lua_yield(state, 0)
    }
}

/// Pushes what `write` makes of the first argument in `room` bytes of the VM's own; it returns the length.
///
/// # Safety
/// A C function's body.
unsafe fn convert(
    state: *mut ffi::lua_State,
    room: impl FnOnce(&[u8]) -> usize,
    write: impl FnOnce(&[u8], &mut [u8]) -> Option<usize>,
) -> c_int {
    // SAFETY: by this function's contract; the buffer is anchored on the stack and zeroed.
    unsafe {
        let text = check_bytes(state, 1);
        let room = room(text);
        Host::of(state).charge(((text.len() + room) / BYTES) as u64);
        let into = ffi::lua_newuserdata(state, room.max(1)).cast::<u8>();
        std::ptr::write_bytes(into, 0, room.max(1));
        match write(text, lua_buffer(into, room)) {
            Some(length) => push(state, lua_bytes(into, length)),
            None => ffi::lua_pushnil(state),
        }
        1
    }
}

/// `ngx.escape_uri(text)`
pub(super) unsafe extern "C-unwind" fn escape(state: *mut ffi::lua_State) -> c_int {
    let kind = Escape::Component;
    // SAFETY: called by Lua.
    unsafe {
        convert(
            state,
            |text| escaped_length(text, kind),
            |text, into| {
                escape_uri(text, kind, into);
                Some(into.len())
            },
        )
    }
}

/// `ngx.unescape_uri(text)`
pub(super) unsafe extern "C-unwind" fn unescape(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { convert(state, <[u8]>::len, |text, into| Some(unescape_uri(text, into))) }
}

/// `ngx.encode_base64(text [, no_padding])`
pub(super) unsafe extern "C-unwind" fn encode_base64(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let unpadded = ffi::lua_type(state, 2) == ffi::LUA_TBOOLEAN && ffi::lua_toboolean(state, 2) != 0;
        convert(
            state,
            |text| nginx::base64_length(text.len()),
            |text, into| {
                let length = nginx::encode_base64(text, into);
                Some(if unpadded { length - (3 - text.len() % 3) % 3 } else { length })
            },
        )
    }
}

/// `ngx.decode_base64(text)`
pub(super) unsafe extern "C-unwind" fn decode_base64(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { convert(state, |text| nginx::decoded_length(text.len()), nginx::decode_base64) }
}

/// `ngx.md5(text)`
pub(super) unsafe extern "C-unwind" fn md5(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        convert(
            state,
            |_| 2 * nginx::MD5_LENGTH,
            |text, into| {
                nginx::hex(&nginx::md5(text), into);
                Some(into.len())
            },
        )
    }
}

/// `ngx.md5_bin(text)`
pub(super) unsafe extern "C-unwind" fn md5_bin(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        convert(
            state,
            |_| nginx::MD5_LENGTH,
            |text, into| {
                into.copy_from_slice(&nginx::md5(text));
                Some(into.len())
            },
        )
    }
}

/// `ngx.sha1_bin(text)`
pub(super) unsafe extern "C-unwind" fn sha1_bin(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        convert(
            state,
            |_| 20,
            |text, into| {
                into.copy_from_slice(&Sha1::digest(text));
                Some(into.len())
            },
        )
    }
}

/// `ngx.crc32_long(text)`, and `ngx.crc32_short`
pub(super) unsafe extern "C-unwind" fn crc32(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let text = check_bytes(state, 1);
        Host::of(state).charge((text.len() / BYTES) as u64);
        ffi::lua_pushnumber(state, f64::from(crc32fast::hash(text)));
        1
    }
}

/// `ngx.time()`
pub(super) unsafe extern "C-unwind" fn time(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { ffi::lua_pushnumber(state, nginx::time() as f64) };
    1
}

/// `ngx.now()`
pub(super) unsafe extern "C-unwind" fn now(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { ffi::lua_pushnumber(state, nginx::now()) };
    1
}

/// Pushes a time that nginx has written; its text is dropped before Lua may raise.
///
/// # Safety
/// A C function's body.
unsafe fn push_time(state: *mut ffi::lua_State, text: String) -> c_int {
    let mut short = [0; 64];
    let length = text.len().min(short.len());
    short[..length].copy_from_slice(&text.as_bytes()[..length]);
    drop(text);
    // SAFETY: by this function's contract.
    unsafe { push(state, &short[..length]) };
    1
}

/// `ngx.localtime()`
pub(super) unsafe extern "C-unwind" fn local_time(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { push_time(state, nginx::local_time()) }
}

/// `ngx.utctime()`
pub(super) unsafe extern "C-unwind" fn utc_time(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { push_time(state, nginx::utc_time()) }
}

/// `ngx.http_time(seconds)`
pub(super) unsafe extern "C-unwind" fn http_time(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let seconds = ffi::luaL_checknumber(state, 1);
        push_time(state, nginx::http_time(seconds as i64))
    }
}

/// `ngx.cookie_time(seconds)`
pub(super) unsafe extern "C-unwind" fn cookie_time(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let seconds = ffi::luaL_checknumber(state, 1);
        push_time(state, nginx::cookie_time(seconds as i64))
    }
}
