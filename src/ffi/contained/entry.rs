//! The way into a contained VM: a call whose errors are caught, without anything to allocate for it.

use std::ffi::{c_int, c_void};

use mlua::ffi;

use super::stack::{message_at, push};

/// Where the host's own values are, in a protected call: the table that keeps coroutines and the response's `ngx`
/// alive, and the names of two fields of `ngx`.
pub(super) const ANCHORS: c_int = ffi::lua_upvalueindex(1);
pub(super) const STATUS: c_int = ffi::lua_upvalueindex(2);
pub(super) const HEADER: c_int = ffi::lua_upvalueindex(3);

/// Where the function that all protected calls go through lies on the main state's stack.
const ENTRY: c_int = 1;

/// What a protected call is to do. How it is run comes first, so that it is found without knowing `F` and `T`.
#[repr(C)]
struct Call<F, T> {
    run: unsafe fn(*mut c_void, *mut ffi::lua_State),
    body: Option<F>,
    result: Option<T>,
}

/// Calls `body` where Lua's errors are caught.
///
/// # Errors
/// The message of what was raised.
pub(super) fn protected<F: FnOnce(*mut ffi::lua_State) -> T, T>(
    state: *mut ffi::lua_State,
    body: F,
) -> Result<T, String> {
    unsafe fn run<F: FnOnce(*mut ffi::lua_State) -> T, T>(call: *mut c_void, state: *mut ffi::lua_State) {
        // SAFETY: `enter` passes the `Call` of the same types.
        let call = unsafe { &mut *call.cast::<Call<F, T>>() };
        call.result = call.body.take().map(|body| body(state));
    }
    let mut call = Call { run: run::<F, T>, body: Some(body), result: None };
    // SAFETY: `make` has put the function there; `call` outlives it.
    unsafe {
        ffi::lua_pushvalue(state, ENTRY);
        ffi::lua_pushlightuserdata(state, (&raw mut call).cast());
        if ffi::lua_pcall(state, 1, 0, 0) == ffi::LUA_OK {
            return call.result.ok_or_else(|| "the call had no result".to_owned());
        }
        let message = message_at(state, -1);
        ffi::lua_pop(state, 1);
        Err(message)
    }
}

/// Makes the function that protected calls go through the first value of the main state's stack.
///
/// # Errors
/// There is no memory for it.
pub(super) fn prepare(state: *mut ffi::lua_State) -> Result<(), ()> {
    // SAFETY: a new state, whose stack is empty and has room.
    unsafe {
        if ffi::lua_cpcall(state, make, std::ptr::null_mut()) != ffi::LUA_OK {
            return Err(());
        }
        ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, REGISTERED);
    }
    Ok(())
}

/// Keeps the function in the registry.
unsafe extern "C-unwind" fn make(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: in a protected call.
    unsafe {
        ffi::lua_createtable(state, 8, 0);
        push(state, b"status");
        push(state, b"header");
        ffi::lua_pushcclosure(state, enter, 3);
        ffi::lua_rawseti_(state, ffi::LUA_REGISTRYINDEX, REGISTERED);
    }
    0
}

/// The place of that function in the registry, out of the way of `luaL_ref`.
const REGISTERED: c_int = -1;

unsafe extern "C-unwind" fn enter(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: what `protected` gave to `lua_pcall`; each `Call` begins with how it is run.
    unsafe {
        let call = ffi::lua_touserdata(state, 1);
        let run = *call.cast::<unsafe fn(*mut c_void, *mut ffi::lua_State)>();
        ffi::lua_settop(state, 0);
        run(call, state);
    }
    0
}
