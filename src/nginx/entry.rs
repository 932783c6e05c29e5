//! Where nginx calls in: C handlers that make safe types of their arguments and keep panics inside.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use ngx::core::Status;
use ngx::ffi::*;

use super::log::{Level, Log};
use super::request::Request;

/// Handles a request. `Status::NGX_DONE`: it is held and will be finalized later; anything else ends it.
pub type Handler = fn(&Request) -> Status;

/// What answers in the locations that [`super::Conf::set_content_handler`] was called for. The rooms that know do
/// not stand below the configuration, so the composition root registers it.
static CONTENT: OnceLock<Handler> = OnceLock::new();

/// Registers what answers in the content phase, once.
pub(super) fn register_content(handler: Handler) {
    let _ = CONTENT.set(handler);
}

/// The content handler of a location.
pub(super) unsafe extern "C" fn content_handler(r: *mut ngx_http_request_t) -> ngx_int_t {
    // SAFETY: nginx passes a live request.
    let request = unsafe { Request::from_ptr(r) };
    guarded(request, || CONTENT.get().map_or(Status::NGX_DECLINED, |handle| handle(request))).0
}

/// Runs `call`; a panic is logged and answered by 500.
pub(super) fn guarded(request: &Request, call: impl FnOnce() -> Status) -> Status {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| {
        Log::of(request).write(Level::Alert, b"internal error: the Lua module panicked");
        Status(NGX_HTTP_INTERNAL_SERVER_ERROR as _)
    })
}
