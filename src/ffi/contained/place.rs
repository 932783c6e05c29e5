//! Where a script is: the `name:line` of verdicts.

use std::ffi::{CStr, c_int};

use mlua::ffi;

use super::library;

/// How many frames are looked at: Lua counts from the innermost each time, so thousands would take a second.
const FRAMES: c_int = 50;

/// Where a coroutine is, or the error that ended it was raised: its innermost function that is the script's own. Of one
/// that the hook has made yield it is the line of the instruction before: ask from the hook.
///
/// # Safety
/// `thread` must be a coroutine of a contained VM.
pub(super) unsafe fn place_of(thread: *mut ffi::lua_State) -> Option<String> {
    // SAFETY: by this function's contract; neither call allocates for `S` and `l`.
    unsafe {
        let mut frame: ffi::lua_Debug = std::mem::zeroed();
        for level in 0..FRAMES {
            if ffi::lua_getstack(thread, level, &raw mut frame) == 0 {
                break;
            }
            ffi::lua_getinfo(thread, c"Sl".as_ptr(), &raw mut frame);
            let source = CStr::from_ptr(frame.source).to_string_lossy();
            // C functions are in line -1, and a chunk that has not begun is in line 0.
            if frame.currentline >= 0 && source != library::NAME {
                return Some(format!("{}:{}", source.trim_start_matches('='), frame.currentline.max(1)));
            }
        }
        None
    }
}
