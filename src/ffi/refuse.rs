//! The check that comes before most calls: does the phase that runs allow it?

use crate::nginx::{Phase, current_or_fake, current_phase};

/// 1: a request runs this Lua in one of `phases`; 0: in another; -1: no request runs it.
#[unsafe(no_mangle)]
extern "C" fn hotlua_allowed(phases: u32) -> i32 {
    current_or_fake(|_| i32::from(current_phase().is_in(Phase(phases)))).unwrap_or(-1)
}
