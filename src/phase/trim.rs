//! `lua_malloc_trim`: every so many requests free memory is given back to the system.

use std::cell::Cell;

use ngx::core::Status;

use crate::conf::Confs;
use crate::nginx::{Level, Log, Request, trim_heap};

thread_local! {
    /// The requests that have ended since memory was given back.
    static REQUESTS: Cell<usize> = const { Cell::new(0) };
}

/// Counts a request that has ended.
pub(super) fn count(request: &Request) -> Status {
    let every = request.main_conf::<Confs>().trims_every();
    if every == 0 {
        Log::of(request).write(Level::Debug, b"malloc_trim() disabled");
        return Status::NGX_OK;
    }
    let requests = REQUESTS.get() + 1;
    REQUESTS.set(requests % every);
    if requests >= every
        && let Some(given) = trim_heap()
    {
        Log::of(request).debug(|| format!("malloc_trim(1) returned {}", u8::from(given)));
    }
    Status::NGX_OK
}
