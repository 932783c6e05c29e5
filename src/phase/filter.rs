//! `header_filter_by_lua*` and `body_filter_by_lua*`.

use ngx::core::Status;

use crate::conf::{Confs, Slot};
use crate::nginx::{BodyChunk, Log, Phase, Request};

use super::call::call;

/// Runs `header_filter_by_lua*` before a response's header goes on.
pub fn header_filter(request: &Request) -> Status {
    let Some(code) = request.loc_conf::<Confs>().phases.get(Slot::HeaderFilter) else { return Status::NGX_OK };
    // What answers instead of a refused header passes here too.
    if request.state().is_some_and(|state| state.header_refused.get()) {
        return Status::NGX_OK;
    }
    tell_filters(request, "header");
    let Some(()) = call(request, code, Phase::HEADER_FILTER, "header_filter_by_lua") else { return Status::NGX_ERROR };
    match request.state().and_then(|state| state.exit.take()) {
        None | Some(0) => Status::NGX_OK,
        Some(status) => {
            if let Some(state) = request.state() {
                state.header_refused.set(true);
            }
            Status(status as isize)
        }
    }
}

/// Runs `body_filter_by_lua*` for a part of a response's body.
pub fn body_filter(request: &Request, chunk: &mut BodyChunk) -> Status {
    let Some(code) = request.loc_conf::<Confs>().phases.get(Slot::BodyFilter) else { return Status::NGX_OK };
    if request.state().is_some_and(|state| state.body_ended.get()) {
        chunk.drop_all();
        return Status::NGX_OK;
    }
    tell_filters(request, "body");
    let run = || call::<Option<i64>>(request, code, Phase::BODY_FILTER, "body_filter_by_lua");
    match request.filtering(chunk, run) {
        // What it returns ends the response, where that is an error.
        Some(Some(None | Some(0))) => {}
        _ => return Status::NGX_ERROR,
    }
    if chunk.is_last()
        && let Some(state) = request.state()
    {
        state.body_ended.set(true);
    }
    Status::NGX_OK
}

/// Tells those who debug that a filter's Lua is about to run.
fn tell_filters(request: &Request, what: &str) {
    let uri = || String::from_utf8_lossy(request.uri());
    Log::of(request).debug(|| format!("lua {what} filter for user lua code, uri \"{}\"", uri()));
}
