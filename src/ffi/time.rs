//! `ngx.now` and `ngx.time`.

use crate::nginx::{now, time};

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
