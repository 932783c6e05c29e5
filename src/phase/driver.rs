//! Starts a request's Lua that may wait: its code, its coroutine.

use mlua::Function;
use ngx::core::Status;

use crate::conf::{Code, Confs};
use crate::nginx::{Level, Log, Request};

use super::Phase;
use super::pin::pin;
use super::run::{Run, abort};
use super::runtime::Runtime;

const INTERNAL_SERVER_ERROR: Status = Status(500);

/// Starts a directive's Lua for a request. `NGX_DONE`: it waits, and the request is held until it goes on.
pub fn start(request: &Request, code: &Code, phase: &'static Phase, caches_code: bool) -> Status {
    let Some(runtime) = Runtime::of(request) else { return INTERNAL_SERVER_ERROR };
    let pinned = match pin(request, runtime, caches_code) {
        Ok(pinned) => pinned,
        Err(failure) => return abort(request, &failure),
    };
    let chunk: Function = match runtime.chunk(&pinned.vm, &pinned.environment, code, Some(request)) {
        Ok(chunk) => chunk,
        Err(error) => {
            Log::of(request).write(Level::Err, error.to_string().as_bytes());
            return Status(error.status() as isize);
        }
    };
    if request.loc_conf::<Confs>().runs_lua_in_filters() {
        request.unbuffer_output();
    }
    match pinned.vm.coroutine(&chunk) {
        Ok(coroutine) => Run::new(phase, coroutine).begin(request, &pinned),
        Err(failure) => abort(request, &failure),
    }
}
