//! `ngx.say` and `ngx.print`: appending to the response's buffer.
//!
//! A C function of Lua's own: a handler that says something once or twice runs interpreted, where a call through `ffi.C`
//! costs ten times as much.

use std::ffi::c_int;

use mlua::{Function, Lua, ffi};

use crate::nginx::{Append, Phase, current, current_phase};
use crate::text::{NumberText, number_text};

use super::lua_bytes;

/// How many values are appended; more go the slow way.
const MOST: usize = 8;

/// The name of [`put`] in Lua's registry.
const PUT: &str = "hotlua.put";

/// Makes `put(newline, ...)` known to a state; the API takes it by [`put_function`].
pub(super) fn install(lua: &Lua) -> mlua::Result<()> {
    // SAFETY: `put` keeps to Lua's stack and raises nothing.
    let put = unsafe { lua.create_c_function(put)? };
    lua.set_named_registry_value(PUT, put)
}

/// `put(newline, ...)`: appends strings and numbers and, for `newline`, the end of the line. True: all is in the buffer.
/// Nothing: none is, so the slow way must be gone: another type, no room, or a phase that puts nothing out.
pub fn put_function(lua: &Lua) -> mlua::Result<Function> {
    lua.named_registry_value(PUT)
}

unsafe extern "C-unwind" fn put(state: *mut ffi::lua_State) -> c_int {
    let mut numbers = [const { None::<NumberText> }; MOST];
    let mut pieces: [&[u8]; MOST + 1] = [&[]; MOST + 1];
    // SAFETY: the state that the function was called with. Strings stay where they are while they are arguments, and
    // none of these calls allocates or raises for strings and numbers.
    unsafe {
        let count = ffi::lua_gettop(state) as usize - 1;
        if count > MOST {
            return 0;
        }
        for at in 0..count {
            let place = at as c_int + 2;
            match ffi::lua_type(state, place) {
                ffi::LUA_TSTRING => {
                    let mut length = 0;
                    let text = ffi::lua_tolstring(state, place, &raw mut length);
                    pieces[at] = lua_bytes(text.cast(), length);
                }
                ffi::LUA_TNUMBER => numbers[at] = Some(number_text(ffi::lua_tonumber(state, place))),
                _ => return 0,
            }
        }
        for (piece, number) in pieces.iter_mut().zip(&numbers) {
            if let Some(text) = number {
                *piece = text.as_bytes();
            }
        }
        if ffi::lua_toboolean(state, 1) != 0 {
            pieces[count] = b"\n";
        }
        if !append(&pieces[..=count]) {
            return 0;
        }
        ffi::lua_pushboolean(state, 1);
    }
    1
}

/// False: nothing is in the buffer: the header is not out, the buffer is full, or the phase does not output.
#[inline]
fn append(pieces: &[&[u8]]) -> bool {
    current_phase().is_in(Phase::OUTPUT) && current(|request| request.append(pieces)) == Some(Append::Done)
}

/// Writes a number's text, at most 32 bytes, and returns its length.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_number(number: f64, into: *mut u8) -> i32 {
    let text = number_text(number);
    let bytes = text.as_bytes();
    // SAFETY: Lua passes a buffer of 32 bytes.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), into, bytes.len()) };
    bytes.len() as i32
}
