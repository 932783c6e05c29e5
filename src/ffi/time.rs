//! `ngx.now`, `ngx.time` and `resty.core.time`.

use crate::nginx::{monotonic, now, time};

/// Seconds since the epoch, with milliseconds.
#[unsafe(no_mangle)]
extern "C" fn hotlua_now() -> f64 {
    now()
}

/// Whole seconds since the epoch.
#[unsafe(no_mangle)]
extern "C" fn hotlua_time() -> f64 {
    time() as f64
}

/// Milliseconds of a clock that is never set.
#[unsafe(no_mangle)]
extern "C" fn hotlua_monotonic() -> f64 {
    monotonic() as f64
}
