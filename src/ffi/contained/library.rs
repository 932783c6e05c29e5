//! The libraries of a contained VM: stock ones that are safe, and ours in the place of those that are not.

use std::cell::RefCell;
use std::ffi::{CStr, c_int, c_void};

use mlua::ffi;

#[cfg(not(test))]
use super::request;
use super::stack::push;
use super::{functions, matching, output, switch};

/// The Lua half's chunk name.
pub(super) const NAME: &str = "=sandbox";
const CHUNK: &CStr = c"=sandbox";

type Open = unsafe extern "C-unwind" fn(*mut ffi::lua_State) -> c_int;

unsafe extern "C-unwind" {
    fn luaopen_base(state: *mut ffi::lua_State) -> c_int;
    fn luaopen_math(state: *mut ffi::lua_State) -> c_int;
    fn luaopen_string(state: *mut ffi::lua_State) -> c_int;
    fn luaopen_table(state: *mut ffi::lua_State) -> c_int;
    fn luaopen_os(state: *mut ffi::lua_State) -> c_int;
    fn luaopen_bit(state: *mut ffi::lua_State) -> c_int;
}

/// Those that are opened. `jit` is not: without it nothing is compiled, and compiled code runs no hook. Neither are
/// `ffi`, `debug`, `io` and `package`.
const STOCK: &[(&CStr, Open)] = &[
    (c"", luaopen_base),
    (c"math", luaopen_math),
    (c"string", luaopen_string),
    (c"table", luaopen_table),
    (c"os", luaopen_os),
    (c"bit", luaopen_bit),
];

/// What the Lua half finds in its table of primitives.
const PRIMITIVES: &[(&[u8], ffi::lua_CFunction)] = &[
    (b"weigh", functions::weigh),
    (b"insert", functions::insert),
    (b"address", functions::address),
    (b"metafield", functions::metafield),
    (b"formattable", functions::formattable),
    (b"random", functions::random),
    (b"is_short", functions::is_short),
    (b"find", matching::find),
    (b"match", matching::matches),
    (b"scan", matching::scan),
    (b"scan_unanchored", matching::scan_unanchored),
    (b"create", switch::create),
    (b"resume", switch::resume),
    (b"yield", switch::yields),
    (b"status", switch::status),
    (b"running", switch::running),
    (b"isyieldable", switch::is_yieldable),
    (b"say", output::say),
    (b"print", output::print),
];

/// Those that ask nginx. Unit tests run without it.
#[cfg(not(test))]
const OF_NGINX: &[(&[u8], ffi::lua_CFunction)] = &[
    (b"exit", request::exit),
    (b"variable", request::variable),
    (b"method", request::method),
    (b"uri_args", request::uri_args),
    (b"headers", request::headers),
    (b"decode_args", request::decode_args),
    (b"escape_uri", request::escape),
    (b"unescape_uri", request::unescape),
    (b"encode_base64", request::encode_base64),
    (b"decode_base64", request::decode_base64),
    (b"md5", request::md5),
    (b"md5_bin", request::md5_bin),
    (b"sha1_bin", request::sha1_bin),
    (b"crc32", request::crc32),
    (b"time", request::time),
    (b"now", request::now),
    (b"localtime", request::local_time),
    (b"utctime", request::utc_time),
    (b"http_time", request::http_time),
    (b"cookie_time", request::cookie_time),
];
#[cfg(test)]
const OF_NGINX: &[(&[u8], ffi::lua_CFunction)] = &[];

/// Opens the libraries and runs the Lua half on the names that scripts find; leaves the function that prepares a
/// script's globals on the stack.
///
/// # Safety
/// In a protected call.
pub(super) unsafe fn open(state: *mut ffi::lua_State, names: &[&str]) {
    // SAFETY: by this function's contract.
    unsafe {
        for (name, open) in STOCK {
            ffi::lua_pushcclosure(state, *open, 0);
            ffi::lua_pushstring_(state, name.as_ptr());
            ffi::lua_call(state, 1, 0);
        }
        load_half(state);
        ffi::lua_createtable(state, 0, PRIMITIVES.len() as c_int + 1);
        for (name, function) in PRIMITIVES.iter().chain(OF_NGINX) {
            push(state, name);
            ffi::lua_pushcclosure(state, *function, 0);
            ffi::lua_rawset(state, -3);
        }
        push(state, b"clone");
        push_clone(state);
        ffi::lua_rawset(state, -3);
        ffi::lua_createtable(state, names.len() as c_int, 0);
        for (at, name) in names.iter().enumerate() {
            push(state, name.as_bytes());
            ffi::lua_rawseti_(state, -2, at as c_int + 1);
        }
        ffi::lua_call(state, 2, 1);
    }
}

thread_local! {
    /// The Lua half, compiled: parsing it is half of what a new VM costs.
    static COMPILED: RefCell<Vec<u8>> = RefCell::default();
}

/// Pushes the Lua half.
///
/// # Safety
/// In a protected call.
unsafe fn load_half(state: *mut ffi::lua_State) {
    unsafe extern "C-unwind" fn write(
        _: *mut ffi::lua_State,
        data: *const c_void,
        length: usize,
        into: *mut c_void,
    ) -> c_int {
        // SAFETY: Lua lends `length` bytes; `into` is the vector that `lua_dump` was given.
        unsafe { (*into.cast::<Vec<u8>>()).extend_from_slice(std::slice::from_raw_parts(data.cast(), length)) };
        0
    }
    let source = include_str!("../../lua/contained.lua");
    let load = |text: &[u8]| {
        // SAFETY: by this function's contract.
        unsafe { ffi::luaL_loadbuffer(state, text.as_ptr().cast(), text.len(), CHUNK.as_ptr()) == ffi::LUA_OK }
    };
    // Nothing is borrowed where Lua may raise for lack of memory: the bytes are taken out meanwhile.
    let mut compiled = COMPILED.take();
    // SAFETY: by this function's contract. Bytecode of our own, made by this process.
    let loaded = unsafe {
        if compiled.is_empty() {
            let loaded = load(source.as_bytes());
            if loaded {
                ffi::lua_dump_(state, write, (&raw mut compiled).cast());
            }
            loaded
        } else {
            load(&compiled)
        }
    };
    COMPILED.set(compiled);
    if !loaded {
        // SAFETY: what did not load has left its error on the stack.
        unsafe { ffi::lua_error(state) };
    }
}

/// Pushes `table.clone`, which the table library has registered to be required.
///
/// # Safety
/// In a protected call.
unsafe fn push_clone(state: *mut ffi::lua_State) {
    // SAFETY: by this function's contract.
    unsafe {
        ffi::lua_getfield_(state, ffi::LUA_REGISTRYINDEX, c"_PRELOAD".as_ptr());
        ffi::lua_getfield_(state, -1, c"table.clone".as_ptr());
        ffi::lua_call(state, 0, 1);
        ffi::lua_remove(state, -2);
    }
}
