//! `ngx.arg`: the arguments of `set_by_lua*`, the part of a body in `body_filter_by_lua*`.

use crate::nginx::{BodyChunk, Phase, current, current_phase};

use super::lua_bytes;

/// The phase has no `ngx.arg`.
const DISABLED: i32 = -1;

/// Stores text for Lua to copy at once. 1: stored; 0: there is none.
///
/// # Safety
/// Both cells must be writable.
unsafe fn store(text: Option<&[u8]>, data: *mut *const u8, length: *mut usize) -> i32 {
    let Some(text) = text else { return 0 };
    // SAFETY: by this function's contract.
    unsafe {
        *data = text.as_ptr();
        *length = text.len();
    }
    1
}

/// Calls with the part of the body that is being filtered.
fn with_chunk(call: impl FnOnce(&mut BodyChunk) -> i32) -> i32 {
    if current_phase() != Phase::BODY_FILTER {
        return DISABLED;
    }
    current(|request| request.body_chunk(call)).flatten().unwrap_or(DISABLED)
}

/// Reads `ngx.arg[place]` as text. 1: stored; 0: there is none; 2: it is a boolean, true; 3: false; -1: the phase has
/// no `ngx.arg`.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_arg_get(place: u32, data: *mut *const u8, length: *mut usize) -> i32 {
    if current_phase() == Phase::SET {
        let argument = |place: u32| place.checked_sub(1).map(|at| at as usize);
        return current(|request| {
            let Some(arguments) = request.state().map(|state| state.arguments.borrow()) else { return 0 };
            let text = argument(place).and_then(|at| arguments.get(at)).map(Vec::as_slice);
            // SAFETY: Lua passes the addresses of two cells of its own; the arguments stay while the Lua runs.
            unsafe { store(text, data, length) }
        })
        .unwrap_or(DISABLED);
    }
    with_chunk(|chunk| match place {
        // SAFETY: as above; the chunk keeps its text.
        1 => unsafe { store(Some(chunk.text()), data, length) },
        2 if chunk.is_last() => 2,
        2 => 3,
        _ => 0,
    })
}

/// Puts text in place of the part of the body. 0: done; -1: the phase has no `ngx.arg` to set.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_arg_set(data: *const u8, length: usize) -> i32 {
    with_chunk(|chunk| {
        // SAFETY: Lua passes a string of its own with its length.
        chunk.set_text(unsafe { lua_bytes(data, length) });
        0
    })
}

/// Makes the part of the body the last one, or not. Answers as [`hotlua_arg_set`] does.
#[unsafe(no_mangle)]
extern "C" fn hotlua_arg_set_last(last: bool) -> i32 {
    with_chunk(|chunk| {
        chunk.set_last(last);
        0
    })
}
