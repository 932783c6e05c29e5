//! Starts a request's Lua that may wait: its code, its coroutine.

use std::rc::Rc;

use mlua::Function;
use ngx::core::Status;

use crate::conf::{Code, Confs};
use crate::nginx::{Level, Log, ReadBody, Request};

use super::Phase;
use super::pin::pin;
use super::run::{Run, abort};
use super::runtime::Runtime;

const INTERNAL_SERVER_ERROR: Status = Status(500);

/// Starts a directive's Lua for a request, with `lua_need_request_body` once its body was read. `NGX_DONE`: it waits.
pub fn start(request: &Request, code: &Rc<Code>, phase: &'static Phase, caches_code: bool) -> Status {
    if !request.loc_conf::<Confs>().needs_request_body() {
        return begin(request, code, phase, caches_code, false);
    }
    let later = Rc::clone(code);
    let begin_later = move |request: &Request| {
        let status = begin(request, &later, phase, caches_code, true);
        if status != Status::NGX_DONE {
            (phase.resumed)(request, status);
        }
    };
    match request.read_body(begin_later) {
        ReadBody::Done => begin(request, code, phase, caches_code, false),
        ReadBody::Pending => {
            (phase.waits)(request);
            Status::NGX_DONE
        }
        ReadBody::Failed(status) => status,
    }
}

/// Begins the Lua of a request, which may have waited (`waits`).
fn begin(request: &Request, code: &Code, phase: &'static Phase, caches_code: bool, waits: bool) -> Status {
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
        Ok(coroutine) => Run::new(phase, coroutine, waits).begin(request, &pinned),
        Err(failure) => abort(request, &failure),
    }
}
