//! Runs a request's Lua: starts its coroutine, resumes it, and turns how it ended into an answer.

use std::rc::Rc;

use ngx::core::Status;

use crate::conf::Code;
use crate::nginx::{Level, Log, Phase, Request, enter};
use crate::vm::{Coroutine, Environment, Failure, Step, Vm, Yield};

use super::runtime::Runtime;

const INTERNAL_SERVER_ERROR: Status = Status(500);
/// The first status that nginx answers by a page of its own or a redirect.
const SPECIAL_RESPONSE: i64 = 300;
const NO_CONTENT: i64 = 204;

/// What runs for a request. It pins the environment until the request's Lua has ended.
struct Run {
    phase: Phase,
    vm: Rc<Vm>,
    environment: Rc<Environment>,
    coroutine: Coroutine,
}

/// Starts a directive's Lua for a request.
pub fn start(request: &Request, code: &Code, phase: Phase, caches_code: bool) -> Status {
    let Some(runtime) = Runtime::of(request) else {
        return INTERNAL_SERVER_ERROR;
    };
    let (vm, environment) = match runtime.pin(caches_code) {
        Ok(pinned) => pinned,
        Err(failure) => return abort(request, &failure),
    };
    let chunk = match runtime.chunk(&vm, &environment, code, Some(request)) {
        Ok(chunk) => chunk,
        Err(error) => {
            Log::of(request).write(Level::Err, error.to_string().as_bytes());
            return Status(isize::from(error.status() as i16));
        }
    };
    match vm.coroutine(&chunk) {
        Ok(coroutine) => Run { phase, vm, environment, coroutine }.resume(request),
        Err(failure) => abort(request, &failure),
    }
}

impl Run {
    fn resume(mut self, request: &Request) -> Status {
        if let Err(failure) = self.vm.switch_to(&self.environment) {
            return abort(request, &failure);
        }
        let scope = enter(Some(request), self.phase);
        let step = self.coroutine.resume(());
        drop(scope);
        match step {
            Step::Done => finish(request),
            Step::Yielded(Yield::Exit(status)) => exit(request, status),
            Step::Yielded(_) => abort(request, &Failure::new("attempt to yield across the content handler")),
            Step::Failed(failure) => abort(request, &failure),
        }
    }
}

/// The end of a handler that returned.
fn finish(request: &Request) -> Status {
    match request.end_output() {
        Ok(()) => Status::NGX_OK,
        Err(_) => Status::NGX_ERROR,
    }
}

/// The end of a handler that called `ngx.exit(status)`.
fn exit(request: &Request, status: i64) -> Status {
    match status {
        0 => finish(request),
        _ if request.output_begun() && status >= 0 => finish(request),
        200..SPECIAL_RESPONSE if status != NO_CONTENT => finish(request),
        _ => {
            request.drop_gathered();
            Status(status as isize)
        }
    }
}

/// The end of a handler that raised.
fn abort(request: &Request, failure: &Failure) -> Status {
    Log::of(request).write(Level::Err, format!("lua entry thread aborted: runtime error: {failure}").as_bytes());
    if request.output_begun() {
        return Status::NGX_ERROR;
    }
    request.drop_gathered();
    INTERNAL_SERVER_ERROR
}
