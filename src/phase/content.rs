//! `content_by_lua*`: Lua that makes the response.

use ngx::core::Status;

use crate::conf::Confs;
use crate::nginx::{self, Request};

use super::{Phase, driver, tell_begins};

/// The first status that nginx answers by a page of its own or a redirect.
const SPECIAL_RESPONSE: i64 = 300;
const NO_CONTENT: i64 = 204;
/// Those that close the connection, also in the middle of a response.
const REQUEST_TIME_OUT: i64 = 408;
const CLOSE: i64 = 444;
const CLIENT_CLOSED_REQUEST: i64 = 499;

static CONTENT: Phase = Phase {
    bit: nginx::Phase::CONTENT,
    waits: Request::hold,
    returned,
    exited,
    redirected,
    resumed: Request::finalize,
};

/// Runs the content handler of the request's location.
pub fn content(request: &Request) -> Status {
    let location = request.loc_conf::<Confs>();
    let Some(code) = &location.content else { return Status::NGX_DECLINED };
    tell_begins(request, "content handler");
    driver::start(request, code, &CONTENT, location.caches_code())
}

/// The end of a handler that returned.
pub(super) fn returned(request: &Request) -> Status {
    // A body that Lua did not read would be taken for the next request of the connection.
    let _ = request.discard_body();
    match request.end_output() {
        Ok(()) => Status::NGX_OK,
        Err(_) => Status::NGX_ERROR,
    }
}

/// The end of a handler that called `ngx.exit(status)`.
pub(super) fn exited(request: &Request, status: i64) -> Status {
    match status {
        0 => returned(request),
        REQUEST_TIME_OUT | CLOSE | CLIENT_CLOSED_REQUEST => {
            request.drop_gathered();
            Status(status as isize)
        }
        _ if request.has_output() && status >= 0 => returned(request),
        200..SPECIAL_RESPONSE if status != NO_CONTENT => returned(request),
        // No status that HTTP has an answer for: the connection is closed, as upstream does.
        ..200 => Status::NGX_ERROR,
        _ => {
            request.drop_gathered();
            Status(status as isize)
        }
    }
}

/// nginx gives back the redirect's reference when the content handler returns; once that has waited it is up to us.
fn redirected(request: &Request, waited: bool) {
    if waited {
        request.finalize(Status::NGX_DONE);
    }
}
