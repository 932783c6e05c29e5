//! The callbacks of timers: Lua that belongs to no request, run in a fake one.

use std::any::Any;

use mlua::{Function, MultiValue};
use ngx::core::Status;

use crate::nginx::{self, Level, Log, Origin, Request, log_cycle};
use crate::vm::{Failure, TimerCode};

use super::Phase;
use super::pin::pin_timer;
use super::run::{Run, abort};
use super::runtime::Runtime;

static TIMER: Phase = Phase {
    bit: nginx::Phase::TIMER,
    waits: |_| {},
    returned: |_| Status::NGX_OK,
    exited: |_, _| Status::NGX_OK,
    redirected: |_, _| {},
    resumed: |request, _| request.end_fake(),
};

/// Runs a timer's callback with the configuration that `origin` has, and drops `running` once it and all of its light
/// threads have ended: at once or later from the event loop. Not to be called while other Lua runs.
pub fn run_timer(origin: &Origin, code: TimerCode, callback: &Function, arguments: MultiValue, running: Box<dyn Any>) {
    Log::cycle().debug(|| "lua ngx.timer expired".into());
    let Some(fake) = origin.fake_request() else {
        return log_cycle(Level::Err, b"failed to run a timer: no memory");
    };
    fake.set_context(nginx::Phase::TIMER.context());
    if begin(fake.request(), code, callback, arguments) == Status::NGX_DONE {
        fake.leave(running);
    }
}

fn begin(request: &Request, code: TimerCode, callback: &Function, arguments: MultiValue) -> Status {
    let run = || {
        let runtime = Runtime::of(request).ok_or_else(|| Failure::new("no Lua VM"))?;
        let pinned = pin_timer(request, runtime, code)?;
        let coroutine = pinned.vm.coroutine(callback)?;
        Ok(Run::new(&TIMER, coroutine, false).begin_with(request, &pinned, arguments))
    };
    run().unwrap_or_else(|failure| abort(request, &failure))
}
