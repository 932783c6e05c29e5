//! A request that goes on elsewhere: in another location, or in the next phase after it has waited.

use ngx::core::Status;
use ngx::ffi::*;

use crate::nginx::request::Request;

impl Request {
    /// Redirects internally to a path or, with an `@` before it, to a named location. The request may be gone when it returns: its caller
    /// must return what this answers (`NGX_DONE`, or what ends the request) and not touch it again.
    pub fn exec(&self, uri: &[u8], args: &[u8]) -> Status {
        let (Some(uri), Some(args)) = (self.copy(uri), self.copy(args)) else {
            return Status(NGX_HTTP_INTERNAL_SERVER_ERROR as _);
        };
        let text = |bytes: &[u8]| ngx_str_t { len: bytes.len(), data: bytes.as_ptr().cast_mut() };
        let (mut uri, mut args) = (text(uri), text(args));
        // SAFETY: a live request; the texts lie in its pool. A handler that has waited has put its own event handlers
        // there, which the redirect must not inherit.
        unsafe {
            let r = self.as_ptr();
            (*r).write_event_handler = Some(ngx_http_request_empty_handler);
            self.stop_watching();
            if *uri.data == b'@' {
                return Status(ngx_http_named_location(r, &raw mut uri));
            }
            Status(ngx_http_internal_redirect(r, &raw mut uri, &raw mut args))
        }
    }

    /// Lets nginx go on with the phases of a request that has waited in one of them: it calls the phase's handler again.
    pub fn run_phases(&self) {
        // SAFETY: a live request that waits in a phase; the request may be freed inside of the call, its connection is
        // asked for before.
        unsafe {
            let r = self.as_ptr();
            let connection = (*r).connection;
            (*r).write_event_handler = Some(ngx_http_core_run_phases);
            self.stop_watching();
            ngx_http_core_run_phases(r);
            ngx_http_run_posted_requests(connection);
        }
    }

    /// Gives back the reference that an internal redirect has taken, where the phase's checker does not.
    pub fn redirected_from_phase(&self) {
        // SAFETY: a live request with the redirect's reference.
        unsafe { ngx_http_finalize_request(self.as_ptr(), NGX_DONE as _) }
    }
}
