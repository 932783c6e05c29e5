//! The phases before the content's: `server_rewrite_by_lua*`, `rewrite_by_lua*`, `access_by_lua*`, `precontent_by_lua*`.

use ngx::core::Status;

use crate::conf::{Confs, Slot};
use crate::nginx::{self, Request};

use super::{Phase, content, driver, tell_begins};

/// The first status that ends a request in such a phase, by nginx's page or by what was output.
const HTTP_OK: i64 = 200;
/// `ngx.DECLINED`: this handler has no say.
const DECLINED: i64 = -5;
/// The request is answered: its phases end.
const ANSWERED: Status = Status(200);

static SERVER_REWRITE: Phase = before(nginx::Phase::SERVER_REWRITE, returned, exited);
static REWRITE: Phase = before(nginx::Phase::REWRITE, returned, exited);
static ACCESS: Phase = before(nginx::Phase::ACCESS, granted, access_exited);
static PRECONTENT: Phase = before(nginx::Phase::PRECONTENT, returned, exited);

const fn before(bit: nginx::Phase, returned: fn(&Request) -> Status, exited: fn(&Request, i64) -> Status) -> Phase {
    Phase { bit, waits: |_| {}, returned, exited, redirected, resumed }
}

/// Runs `server_rewrite_by_lua*`.
pub fn server_rewrite(request: &Request) -> Status {
    run(request, Slot::ServerRewrite, &SERVER_REWRITE, "server rewrite handler")
}

/// Runs `rewrite_by_lua*`.
pub fn rewrite(request: &Request) -> Status {
    // Another handler of the phase has changed the path: nginx looks for the location anew.
    if request.uri_changed() {
        return Status::NGX_DECLINED;
    }
    run(request, Slot::Rewrite, &REWRITE, "rewrite handler")
}

/// Runs `access_by_lua*`.
pub fn access(request: &Request) -> Status {
    run(request, Slot::Access, &ACCESS, "access handler")
}

/// Runs `precontent_by_lua*`.
pub fn precontent(request: &Request) -> Status {
    run(request, Slot::Precontent, &PRECONTENT, "precontent handler")
}

/// `NGX_DECLINED`: nginx goes on with the next handler. `NGX_DONE`: the Lua waits, or the request has gone elsewhere.
fn run(request: &Request, slot: Slot, phase: &'static Phase, name: &str) -> Status {
    let location = request.loc_conf::<Confs>();
    let Some(code) = location.phases.get(slot) else { return Status::NGX_DECLINED };
    // nginx asks again after the Lua has waited.
    if let Some(result) = request.state().and_then(|state| state.phase_result.take()) {
        return result;
    }
    tell_begins(request, name);
    driver::start(request, code, phase, location.caches_code())
}

/// Lua that has answered ends the request; nginx goes on with other.
fn returned(request: &Request) -> Status {
    answered(request).unwrap_or(Status::NGX_DECLINED)
}

/// Lua that returns grants access: with `satisfy any` nobody else is asked.
fn granted(request: &Request) -> Status {
    answered(request).unwrap_or(Status::NGX_OK)
}

fn access_exited(request: &Request, status: i64) -> Status {
    if status == 0 { granted(request) } else { exited(request, status) }
}

fn exited(request: &Request, status: i64) -> Status {
    match status {
        0 | DECLINED => returned(request),
        HTTP_OK.. => match content::exited(request, status) {
            Status::NGX_OK => ANSWERED,
            other => other,
        },
        _ => Status::NGX_ERROR,
    }
}

/// The end of a request that has begun to answer; None: it has not.
fn answered(request: &Request) -> Option<Status> {
    if !request.has_output() {
        return None;
    }
    Some(match content::returned(request) {
        Status::NGX_OK => ANSWERED,
        error => error,
    })
}

/// A phase's checker does not give back the reference that an internal redirect has taken.
fn redirected(request: &Request, waited: bool) {
    if waited { request.finalize(Status::NGX_DONE) } else { request.redirected_from_phase() }
}

/// Hands the result to nginx, which calls the phase's handler again and goes on by what that returns.
fn resumed(request: &Request, status: Status) {
    if let Some(state) = request.state() {
        state.phase_result.set(Some(status));
    }
    request.run_phases();
}
