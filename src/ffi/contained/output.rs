//! `ngx.say` and `ngx.print` of contained scripts: gathered beside the response, up to a limit.

use std::ffi::c_int;

use mlua::ffi;

use crate::text::number_text;

use super::Kind;
use super::host::Host;
use super::meter::BYTES;
use super::stack::bytes_at;

/// How deep arrays may stand in each other.
const DEEPEST: usize = 100;

/// The most values of one call: counting them cannot be paused.
const MOST: usize = 100_000;

/// Appends; false where the run is over.
fn append(host: &Host, text: &[u8]) -> bool {
    let mut output = host.output.borrow_mut();
    if output.len() + text.len() > host.output_limit.get() {
        drop(output);
        host.end(Kind::Output);
        return false;
    }
    output.extend_from_slice(text);
    drop(output);
    host.charge(1 + (text.len() / BYTES) as u64)
}

/// What cannot be put out.
enum Wrong {
    Type(&'static str),
    NoArray,
    TooDeep,
    TooMany,
    /// The run is over.
    Over,
}

/// Puts out the value at `index`, which is counted from the stack's bottom.
///
/// # Safety
/// A C function's body with room on its stack; it neither raises nor allocates.
unsafe fn put(
    state: *mut ffi::lua_State,
    host: &Host,
    index: c_int,
    depth: usize,
    left: &mut usize,
) -> Result<(), Wrong> {
    *left = left.checked_sub(1).ok_or(Wrong::TooMany)?;
    // SAFETY: by this function's contract.
    let is_done = unsafe {
        match ffi::lua_type(state, index) {
            ffi::LUA_TNUMBER => append(host, number_text(ffi::lua_tonumber(state, index)).as_bytes()),
            ffi::LUA_TNIL => append(host, b"nil"),
            ffi::LUA_TBOOLEAN => append(host, if ffi::lua_toboolean(state, index) != 0 { b"true" } else { b"false" }),
            ffi::LUA_TTABLE => return put_array(state, host, index, depth, left),
            ffi::LUA_TSTRING => append(host, bytes_at(state, index).unwrap_or_default()),
            ffi::LUA_TFUNCTION => return Err(Wrong::Type("function")),
            ffi::LUA_TTHREAD => return Err(Wrong::Type("thread")),
            _ => return Err(Wrong::Type("userdata")),
        }
    };
    if is_done { Ok(()) } else { Err(Wrong::Over) }
}

/// # Safety
/// As for [`put`].
unsafe fn put_array(
    state: *mut ffi::lua_State,
    host: &Host,
    table: c_int,
    depth: usize,
    left: &mut usize,
) -> Result<(), Wrong> {
    if depth >= DEEPEST {
        return Err(Wrong::TooDeep);
    }
    // SAFETY: as above; each value is popped before the next.
    unsafe {
        let mut length = 0;
        ffi::lua_pushnil(state);
        while ffi::lua_next(state, table) != 0 {
            let key = ffi::lua_tonumber(state, -2);
            let is_index = ffi::lua_type(state, -2) == ffi::LUA_TNUMBER && key >= 1.0 && key.fract() == 0.0;
            ffi::lua_pop(state, 1);
            *left = left.saturating_sub(1);
            let wrong = match is_index {
                false => Some(Wrong::NoArray),
                true if *left == 0 => Some(Wrong::TooMany),
                true if !host.charge(1) => Some(Wrong::Over),
                true => None,
            };
            if let Some(wrong) = wrong {
                ffi::lua_pop(state, 1);
                return Err(wrong);
            }
            length = length.max(key as u64);
        }
        for at in 1..=length {
            ffi::lua_rawgeti_(state, table, at as c_int);
            let put = put(state, host, ffi::lua_gettop(state), depth + 1, left);
            ffi::lua_pop(state, 1);
            put?;
        }
    }
    Ok(())
}

/// # Safety
/// A C function's body.
unsafe fn put_all(state: *mut ffi::lua_State, function: &'static std::ffi::CStr) -> c_int {
    // SAFETY: by this function's contract; what raises is the last thing it does, and nothing needs dropping then.
    unsafe {
        let host = Host::of(state);
        let count = ffi::lua_gettop(state);
        ffi::luaL_checkstack_(state, 3 * DEEPEST as c_int, function.as_ptr());
        let before = host.output.borrow().len();
        let mut left = MOST;
        for index in 1..=count {
            let put = put(state, host, index, 0, &mut left);
            if put.is_err() {
                // A call that raises puts out nothing.
                host.output.borrow_mut().truncate(before);
            }
            match put {
                Ok(()) => {}
                Err(Wrong::Over) => return 0,
                Err(Wrong::NoArray) => return ffi::luaL_argerror(state, index, c"non-array table found".as_ptr()),
                Err(Wrong::TooDeep) => return ffi::luaL_argerror(state, index, c"table is nested too deep".as_ptr()),
                Err(Wrong::TooMany) => return ffi::luaL_argerror(state, index, c"too many values in tables".as_ptr()),
                Err(Wrong::Type(name)) => {
                    ffi::lua_pushfstring(
                        state,
                        c"string, number, boolean, nil or array table expected, got %s".as_ptr(),
                        match name {
                            "function" => c"function",
                            "thread" => c"thread",
                            _ => c"userdata",
                        }
                        .as_ptr(),
                    );
                    let text = ffi::lua_tolstring(state, -1, std::ptr::null_mut());
                    return ffi::luaL_argerror(state, index, text);
                }
            }
        }
        count
    }
}

/// `ngx.print(...)`
pub(super) unsafe extern "C-unwind" fn print(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        put_all(state, c"print");
        ffi::lua_pushinteger(state, 1);
        1
    }
}

/// `ngx.say(...)`
pub(super) unsafe extern "C-unwind" fn say(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        put_all(state, c"say");
        append(Host::of(state), b"\n");
        ffi::lua_pushinteger(state, 1);
        1
    }
}
