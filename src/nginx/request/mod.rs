//! A request as nginx sees it: its line, its flags, and how it is ended.

pub(super) mod body;
pub(super) mod body_write;
pub(super) mod client;
pub(super) mod client_stream;
pub(super) mod fake;
pub(super) mod header;
pub(super) mod later;
pub(super) mod method;
pub(super) mod origin;
pub(super) mod redirect;
pub(super) mod state;
pub(super) mod stream;
pub(super) mod variable;

use std::cell::UnsafeCell;

use ngx::core::Status;
use ngx::ffi::*;

use crate::nginx::event::Posted;
use crate::nginx::export::{Configuration, ctx_index, is_installed};
use crate::nginx::log::{Level, Log};
use crate::nginx::request::client::WATCH;
use crate::nginx::response::flush::write_event;
use crate::nginx::socket::channel::Side;
use crate::nginx::subrequest::running::{forward_reading, forward_writing};
use crate::nginx::value::bytes;

/// nginx's number of HTTP/0.9, which is also what such a request has for a status.
const HTTP_09: usize = 9;

/// What nginx calls for what a client sends that waits.
const BLOCK: unsafe extern "C" fn(*mut ngx_http_request_t) = ngx_http_block_reading;

/// An HTTP request, lent by nginx for the time of a callback.
#[repr(transparent)]
pub struct Request(UnsafeCell<ngx_http_request_t>);

impl Request {
    /// # Safety
    /// `r` must be a live request for `'a`.
    #[inline]
    pub(crate) unsafe fn from_ptr<'a>(r: *mut ngx_http_request_t) -> &'a Self {
        // SAFETY: the type is a transparent cell around nginx's structure.
        unsafe { &*r.cast::<Self>() }
    }

    #[inline]
    pub(crate) fn as_ptr(&self) -> *mut ngx_http_request_t {
        self.0.get()
    }

    /// Where nginx's structure lies, for C functions that Lua calls by itself.
    pub fn address(&self) -> usize {
        self.as_ptr().addr()
    }

    /// The module's configuration of the `http` block.
    #[inline]
    pub fn main_conf<C: Configuration>(&self) -> &C::Main {
        debug_assert!(is_installed::<C>());
        // SAFETY: `Glue::create` filled the slot with a `C::Main` that lives as long as the cycle.
        unsafe { &*(*(*self.as_ptr()).main_conf.add(ctx_index())).cast() }
    }

    /// The module's configuration of the location.
    #[inline]
    pub fn loc_conf<C: Configuration>(&self) -> &C::Loc {
        debug_assert!(is_installed::<C>());
        // SAFETY: as in `main_conf`.
        unsafe { &*(*(*self.as_ptr()).loc_conf.add(ctx_index())).cast() }
    }

    /// The name of the location: its prefix, exact path or pattern, or the `@name`.
    pub fn location_name(&self) -> &[u8] {
        // SAFETY: the configuration lives as long as the cycle.
        unsafe { bytes(&(*self.core_conf()).name) }
    }

    /// What nginx's own directives say of the location.
    pub(in crate::nginx) fn core_conf(&self) -> *const ngx_http_core_loc_conf_t {
        // SAFETY: the core module's configuration fills its slot in every location and lives as long as the cycle.
        unsafe { (*(*self.as_ptr()).loc_conf.add(ngx_http_core_module.ctx_index)).cast() }
    }

    /// The request's method, as it was written in the request line.
    pub fn method_name(&self) -> &[u8] {
        // SAFETY: the text lies in the request's header buffer or is a literal of nginx.
        unsafe { bytes(&(*self.as_ptr()).method_name) }
    }

    /// The normalised path, decoded.
    pub fn uri(&self) -> &[u8] {
        // SAFETY: the text lies in the request's pool.
        unsafe { bytes(&(*self.as_ptr()).uri) }
    }

    /// The query string, without the `?`.
    pub fn args(&self) -> &[u8] {
        // SAFETY: the text lies in the request's pool.
        unsafe { bytes(&(*self.as_ptr()).args) }
    }

    /// Changes the query string. False where memory ran out.
    pub fn set_args(&self, args: &[u8]) -> bool {
        let Some(copy) = self.copy(args) else {
            return false;
        };
        // SAFETY: the copy lives in the request's pool; the request line no longer is what was asked for.
        unsafe {
            (*self.as_ptr()).args = ngx_str_t { len: copy.len(), data: copy.as_ptr().cast_mut() };
            (*self.as_ptr()).set_valid_unparsed_uri(0);
        }
        true
    }

    /// Changes the path, decoded as [`Request::uri`] gives it. False where memory ran out.
    pub fn set_uri(&self, uri: &[u8]) -> bool {
        let Some(copy) = self.copy(uri) else {
            return false;
        };
        // SAFETY: as in `set_args`; the extension is found anew because `types` go by it. Proxying must escape a path
        // that no parser has seen, or its line ends would be those of the request line.
        unsafe {
            (*self.as_ptr()).uri = ngx_str_t { len: copy.len(), data: copy.as_ptr().cast_mut() };
            (*self.as_ptr()).set_valid_unparsed_uri(0);
            (*self.as_ptr()).set_quoted_uri(1);
            ngx_http_set_exten(self.as_ptr());
        }
        true
    }

    /// Has nginx look for the location anew at the end of the rewrite phase, by the path that was set. After ten times it
    /// answers 500.
    pub fn find_location_again(&self) {
        Log::of(self).write(Level::Debug, &[b"lua set uri jump to \"", self.uri(), b"\""].concat());
        // SAFETY: a live request.
        unsafe {
            (*self.as_ptr()).set_uri_changed(1);
            (*self.as_ptr()).set_valid_location(0);
        }
        // As after an internal redirect.
        if let Some(state) = self.state() {
            state.lua_context.set(0);
        }
    }

    /// Says whether the path was changed, so that nginx will look for its location.
    pub fn uri_changed(&self) -> bool {
        // SAFETY: a live request.
        unsafe { (*self.as_ptr()).uri_changed() != 0 }
    }

    /// 9, 1000, 1001, 2000 or 3000.
    pub fn http_version(&self) -> usize {
        // SAFETY: a live request.
        unsafe { (*self.as_ptr()).http_version }
    }

    /// Says whether it came by an internal redirect, subrequest or error page.
    pub fn is_internal(&self) -> bool {
        // SAFETY: a live request.
        unsafe { (*self.as_ptr()).internal() != 0 }
    }

    /// Says whether it is a subrequest.
    pub fn is_subrequest(&self) -> bool {
        // SAFETY: a live request.
        unsafe { (*self.as_ptr()).main != self.as_ptr() }
    }

    /// Says whether only a header is to be answered.
    pub fn header_only(&self) -> bool {
        // SAFETY: a live request.
        unsafe { (*self.as_ptr()).header_only() != 0 }
    }

    /// Says whether the response's header went out.
    pub fn header_sent(&self) -> bool {
        // SAFETY: a live request.
        unsafe { (*self.as_ptr()).header_sent() != 0 }
    }

    /// The response's status; 0 where none was set.
    pub fn status(&self) -> usize {
        // SAFETY: a live request.
        unsafe {
            let r = self.as_ptr();
            // What $status shows: an error status that was set before the header stands over the header's.
            match ((*r).err_status, (*r).headers_out.status, (*r).http_version) {
                (0, 0, HTTP_09) => HTTP_09,
                (0, status, _) => status,
                (error, ..) => error,
            }
        }
    }

    /// Sets the response's status.
    pub fn set_status(&self, status: usize) {
        // SAFETY: a live request; an empty status line lets nginx write its own for the number;
        // another lies in static memory.
        unsafe {
            let r = self.as_ptr();
            (*r).headers_out.status = status;
            if (*r).err_status != 0 {
                (*r).err_status = 0;
            }
            // nginx has no words for this one.
            let line: &[u8] =
                if status == NGX_HTTP_SWITCHING_PROTOCOLS as usize { b"101 Switching Protocols" } else { b"" };
            (*r).headers_out.status_line = ngx_str_t { len: line.len(), data: line.as_ptr().cast_mut() };
        }
    }

    /// Seconds since the epoch at which the request began, with milliseconds.
    pub fn start_time(&self) -> f64 {
        // SAFETY: a live request.
        unsafe { (*self.as_ptr()).start_sec as f64 + (*self.as_ptr()).start_msec as f64 / 1000.0 }
    }

    /// The address family of the client's connection and its address in binary.
    pub fn is_from_loopback(&self) -> bool {
        // SAFETY: nginx fills the connection's socket address when it accepts it.
        unsafe {
            let address = (*(*self.as_ptr()).connection).sockaddr;
            match i32::from((*address).sa_family) {
                libc::AF_UNIX => true,
                libc::AF_INET => (*address.cast::<libc::sockaddr_in>()).sin_addr.s_addr.to_ne_bytes()[0] == 127,
                libc::AF_INET6 => {
                    let address = std::net::Ipv6Addr::from((*address.cast::<libc::sockaddr_in6>()).sin6_addr.s6_addr);
                    address.is_loopback() || address.to_ipv4_mapped().is_some_and(|v4| v4.is_loopback())
                }
                _ => false,
            }
        }
    }

    /// Keeps the request while something that nginx does not know of is under way. Each call is undone by
    /// [`Request::finalize`].
    pub fn hold(&self) {
        // SAFETY: a live request has a live main request.
        unsafe {
            let main = (*self.as_ptr()).main;
            (*main).set_count((*main).count() + 1);
        }
    }

    /// How many hold the request, nginx itself among them.
    pub fn holders(&self) -> u32 {
        // SAFETY: a live request has a live main request.
        unsafe { (*(*self.as_ptr()).main).count() }
    }

    /// Undoes a [`Request::hold`] that something else will not finalize.
    pub fn release(&self) {
        // SAFETY: a live request has a live main request; the caller held it.
        unsafe {
            let main = (*self.as_ptr()).main;
            (*main).set_count((*main).count() - 1);
        }
    }

    /// Ends a request that was held; it must not be used afterwards.
    pub fn finalize(&self, status: Status) {
        // SAFETY: a live request; nginx frees it only here, and the posted requests run after it.
        unsafe {
            let connection = (*self.as_ptr()).connection;
            ngx_http_finalize_request(self.as_ptr(), status.0);
            ngx_http_run_posted_requests(connection);
        }
    }

    /// The main request; itself where it is no subrequest.
    pub fn main(&self) -> &Self {
        // SAFETY: the main request outlives its subrequests.
        unsafe { Self::from_ptr((*self.as_ptr()).main) }
    }

    /// An event that calls back with this request. Its owner must end with the request: [`crate::nginx::State`] does.
    pub fn posted(&self, call: impl Fn(&Self) + 'static) -> Posted {
        let r = self.as_ptr();
        Posted::new(move || {
            // SAFETY: the event is dropped, and so taken from nginx, before the request is freed. The call may end
            // the request; its connection says whether that is so. Its log shows the request that runs; that of a fake
            // request has something else there.
            unsafe {
                let connection = (*r).connection;
                if let Some(shown) = (*(*connection).log).data.cast::<ngx_http_log_ctx_t>().as_mut()
                    && !Self::from_ptr(r).is_fake()
                {
                    shown.current_request = r;
                }
                call(Self::from_ptr(r));
                // Subrequests that were started run now.
                ngx_http_run_posted_requests(connection);
            }
        })
    }

    /// Prepares a request that waits for its connection's events: what was output is sent on, and what the client sends
    /// or does waits until the request goes on, unless whether it is still there is watched.
    pub fn block_events(&self) {
        let has_told = self.state().is_some_and(|state| state.client.has_told());
        // Whoever reads the body is told there.
        let watches = self.watches_client() && !has_told && !self.streams_body();
        self.set_event_handlers(if watches { WATCH } else { BLOCK });
        self.await_writable();
    }

    /// As [`Request::block_events`], but a client that closes its connection ends the request.
    pub fn block_events_until_closed(&self) {
        self.set_event_handlers(ngx_http_test_reading);
    }

    fn set_event_handlers(&self, read: unsafe extern "C" fn(*mut ngx_http_request_t)) {
        let reads_body = self.state().is_some_and(|state| state.body_read.is_pending());
        let forwards = self.running_subrequests() > 0;
        let [reads, writes] = [Side::Read, Side::Write].map(|side| self.stream_handler(side));
        let blocks = std::ptr::fn_addr_eq(read, BLOCK);
        // SAFETY: handlers for a request that waits for something else. A body that is read or thrown away has its own.
        unsafe {
            let r = self.as_ptr();
            if reads.is_some() {
                (*r).read_event_handler = reads;
            } else if !reads_body && (*r).discard_body() == 0 {
                (*r).read_event_handler = Some(if forwards && blocks { forward_reading } else { read });
                if !blocks {
                    self.look_at_client();
                }
            }
            (*r).write_event_handler = writes.or(Some(if forwards { forward_writing } else { write_event }));
        }
    }

    /// Reads and throws away the request's body, as a handler must that does not use it.
    pub fn discard_body(&self) -> Status {
        self.give_body_back();
        // SAFETY: a live request.
        Status(unsafe { ngx_http_discard_request_body(self.as_ptr()) })
    }
}
