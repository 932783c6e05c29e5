//! Functions of the basic, table and string libraries whose stock ones take time in C, call Lua from C or tell
//! addresses.

use std::ffi::c_int;

use mlua::ffi;

use super::Kind;
use super::host::Host;
use super::meter::BYTES;
use super::stack::{bytes_at, check_bytes, push, raise};

/// How many table slots that are moved or looked at cost as much as an instruction.
const SLOTS: u64 = 4;
/// How many elements `table.insert` moves at once.
const MOVES: c_int = 1000;

/// How many values `string.format` takes: writing a number can take microseconds, and it cannot be paused.
const MOST_FORMATTED: c_int = 1000;
/// What each costs, in instructions.
const CONVERSION: u64 = 8;

/// `weigh(value, times)`: charges for what a stock function is about to do `times` over all of a string or table.
/// Copies of a string that no memory could hold end the run.
pub(super) unsafe extern "C-unwind" fn weigh(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua; nothing here raises or converts.
    unsafe {
        let length = ffi::lua_objlen(state, 1) as f64;
        let is_table = ffi::lua_type(state, 1) == ffi::LUA_TTABLE;
        let each = if is_table { SLOTS as f64 } else { BYTES as f64 };
        let times =
            if ffi::lua_type(state, 2) == ffi::LUA_TNUMBER { ffi::lua_tonumber(state, 2).max(0.0) } else { 1.0 };
        let host = Host::of(state);
        if !is_table && length * times > host.arena.limit() as f64 {
            host.end(Kind::Memory);
            return 0;
        }
        // What is more than any limit is as good as endless; NaN becomes 0.
        host.charge((length / each * times) as u64);
        0
    }
}

/// `insert(table, [at,] value)`: what `table.insert` does. Where many elements would have to move it moves none and
/// returns table, place, end and value: Lua moves them, and may be paused.
pub(super) unsafe extern "C-unwind" fn insert(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua; the table is read and written raw.
    unsafe {
        ffi::luaL_checktype(state, 1, ffi::LUA_TTABLE);
        let end = ffi::lua_objlen(state, 1) as c_int + 1;
        match ffi::lua_gettop(state) {
            2 => {
                ffi::lua_rawseti_(state, 1, end);
                0
            }
            3 => {
                let at = ffi::luaL_checkinteger(state, 2);
                let Some(at) = c_int::try_from(at).ok().filter(|at| (0..c_int::MAX).contains(at)) else {
                    return ffi::luaL_argerror(state, 2, c"position out of bounds".as_ptr());
                };
                if end - at > MOVES {
                    ffi::lua_settop(state, 3);
                    ffi::lua_pushinteger(state, ffi::lua_Integer::from(end));
                    ffi::lua_insert(state, 3);
                    return 4;
                }
                for slot in ((at + 1)..=end).rev() {
                    ffi::lua_rawgeti_(state, 1, slot - 1);
                    ffi::lua_rawseti_(state, 1, slot);
                }
                ffi::lua_rawseti_(state, 1, at);
                Host::of(state).charge((end - at).max(0) as u64 / SLOTS);
                0
            }
            _ => raise(state, b"wrong number of arguments to 'insert'"),
        }
    }
}

/// `address(value)`: what tells an object from others, and does not tell where it is.
pub(super) unsafe extern "C-unwind" fn address(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua; the address is only reckoned with.
    unsafe {
        let address = ffi::lua_topointer(state, 1) as u64;
        // An invertible mix under a key of the VM's: different objects stay different.
        let mixed = (address ^ Host::of(state).secret).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        let mut text = *b"0x000000000000";
        for (at, digit) in text[2..].iter_mut().enumerate() {
            *digit = b"0123456789abcdef"[(mixed >> (60 - 4 * at)) as usize & 15];
        }
        push(state, &text);
        1
    }
}

/// `metafield(value, name)`: raw, whatever `__metatable` says.
pub(super) unsafe extern "C-unwind" fn metafield(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua, by its own half with a string.
    unsafe {
        if ffi::lua_getmetatable(state, 1) == 0 {
            return 0;
        }
        ffi::lua_pushvalue(state, 2);
        ffi::lua_rawget_(state, -2);
        1
    }
}

/// `formattable(format, ...)`: false where an argument is an object, which the stock `string.format` would call Lua
/// for. Raises for `%p`, which tells addresses.
pub(super) unsafe extern "C-unwind" fn formattable(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let format = check_bytes(state, 1);
        if tells_address(format) {
            raise(state, b"invalid option '%p' to 'format'");
        }
        let top = ffi::lua_gettop(state);
        if top > MOST_FORMATTED {
            raise(state, b"too many arguments to 'format'");
        }
        Host::of(state).charge((format.len() / BYTES) as u64 + CONVERSION * top as u64);
        let is_plain = |index| {
            matches!(
                ffi::lua_type(state, index),
                ffi::LUA_TSTRING | ffi::LUA_TNUMBER | ffi::LUA_TNIL | ffi::LUA_TBOOLEAN
            )
        };
        ffi::lua_pushboolean(state, c_int::from((2..=top).all(is_plain)));
        1
    }
}

/// Says whether a format has a `%p`, with whatever stands between.
fn tells_address(format: &[u8]) -> bool {
    let mut rest = format;
    while let Some(at) = memchr::memchr(b'%', rest) {
        rest = &rest[at + 1..];
        let flags = rest.iter().take_while(|byte| b"-+ #0123456789.".contains(byte)).count();
        match rest.get(flags) {
            Some(b'p') => return true,
            // The second of `%%`.
            Some(b'%') => rest = &rest[flags + 1..],
            _ => {}
        }
    }
    false
}

/// `random()`: a number that scripts cannot guess, for the random generator.
pub(super) unsafe extern "C-unwind" fn random(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        ffi::lua_pushnumber(state, (Host::of(state).random() >> 11) as f64);
        1
    }
}

/// `is_short(text)`: for formats of `os.date`, whose time in C grows with them.
pub(super) unsafe extern "C-unwind" fn is_short(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let short = bytes_at(state, 1).is_none_or(|text| text.len() <= 256);
        ffi::lua_pushboolean(state, c_int::from(short));
        1
    }
}

#[cfg(test)]
mod tests {
    use super::tells_address;

    #[test]
    fn percent_p_is_found_however_it_is_written() {
        for (format, want) in [
            ("%p", true),
            ("%-10p", true),
            ("%.3p", true),
            ("%% %p", true),
            ("%%p", false),
            ("%5%p", false),
            ("%s p", false),
            ("", false),
            ("%", false),
            ("%%%p", true),
        ] {
            assert_eq!(tells_address(format.as_bytes()), want, "{format}");
        }
    }
}
