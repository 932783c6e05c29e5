//! A request that goes on elsewhere: in another location, or in the next phase after it has waited.

use ngx::core::Status;
use ngx::ffi::*;

use crate::nginx::request::Request;
use crate::nginx::value::bytes;

impl Request {
    /// Decodes a path and splits off the arguments behind its `?`. None where it leads out of the root or memory ran out;
    /// with `logs` nginx says so.
    pub(in crate::nginx) fn parse_uri(&self, uri: &[u8], logs: bool) -> Option<(&[u8], &[u8])> {
        let copy = self.copy(uri)?;
        let mut uri = ngx_str_t { len: copy.len(), data: copy.as_ptr().cast_mut() };
        let (mut args, mut flags) = (ngx_str_t::empty(), if logs { NGX_HTTP_LOG_UNSAFE as ngx_uint_t } else { 0 });
        // SAFETY: a live request, and texts in its pool.
        unsafe {
            let rc = ngx_http_parse_unsafe_uri(self.as_ptr(), &raw mut uri, &raw mut args, &raw mut flags);
            (rc == NGX_OK as ngx_int_t).then(|| (bytes(&uri), bytes(&args)))
        }
    }

    /// Notes where the request is to go on once its Lua has ended: a path with arguments, or `@name`.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn set_exec(&self, uri: &[u8], args: &[u8]) -> Result<(), &'static str> {
        if self.output_begun() {
            return Err("attempt to call ngx.exec after sending out response headers");
        }
        let state = self.state_or_new().ok_or("no memory")?;
        let target = if uri.first() == Some(&b'@') {
            (uri.to_vec(), args.to_vec())
        } else {
            let (path, own) = self.parse_uri(uri, true).ok_or("unsafe uri")?;
            (path.to_vec(), join_args(own, args))
        };
        state.exec.replace(Some(target));
        Ok(())
    }

    /// Redirects internally to a path or, with an `@` before it, to a named location. The request may be gone when it
    /// returns: its caller must return what this answers (`NGX_DONE`, or what ends the request) and not touch it again.
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

/// The arguments that a path has brought, and more of them.
pub(in crate::nginx) fn join_args(own: &[u8], more: &[u8]) -> Vec<u8> {
    let between: &[u8] = if own.is_empty() || more.is_empty() { b"" } else { b"&" };
    [own, between, more].concat()
}
