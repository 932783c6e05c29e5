//! Which request's Lua is running, and in which phase: the bridge from Lua's calls back to nginx.
//!
//! Lua code names no request, so the driver marks one as current for the time in which it runs that request's Lua.

use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use ngx::ffi::ngx_http_request_t;

use crate::nginx::request::Request;

/// A phase in which Lua runs, as one bit, so that a call can name the several in which it is allowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Phase(pub u32);

impl Phase {
    /// While the configuration is loaded.
    pub const INIT: Self = Self(0x01);
    /// As a worker starts.
    pub const INIT_WORKER: Self = Self(0x02);
    /// `content_by_lua*`
    pub const CONTENT: Self = Self(0x04);
    /// `set_by_lua*`
    pub const SET: Self = Self(0x08);
    /// `server_rewrite_by_lua*`
    pub const SERVER_REWRITE: Self = Self(0x10);
    /// `rewrite_by_lua*`
    pub const REWRITE: Self = Self(0x20);
    /// `access_by_lua*`
    pub const ACCESS: Self = Self(0x40);
    /// `precontent_by_lua*`
    pub const PRECONTENT: Self = Self(0x80);
    /// `header_filter_by_lua*`
    pub const HEADER_FILTER: Self = Self(0x100);
    /// `body_filter_by_lua*`
    pub const BODY_FILTER: Self = Self(0x200);
    /// `log_by_lua*`
    pub const LOG: Self = Self(0x400);
    /// `balancer_by_lua*`
    pub const BALANCER: Self = Self(0x800);
    /// `ssl_client_hello_by_lua*`
    pub const SSL_CLIENT_HELLO: Self = Self(0x1000);
    /// `ssl_certificate_by_lua*`
    pub const SSL_CERTIFICATE: Self = Self(0x2000);
    /// `ssl_session_fetch_by_lua*`
    pub const SSL_SESSION_FETCH: Self = Self(0x4000);
    /// `ssl_session_store_by_lua*`
    pub const SSL_SESSION_STORE: Self = Self(0x8000);
    /// The callback of a timer.
    pub const TIMER: Self = Self(0x1_0000);
    /// As a worker ends.
    pub const EXIT_WORKER: Self = Self(0x2_0000);

    /// Those that may make the response: in the others nothing may be output.
    pub const OUTPUT: Self =
        Self::SERVER_REWRITE.or(Self::REWRITE).or(Self::ACCESS).or(Self::PRECONTENT).or(Self::CONTENT);
    /// Those of a request.
    pub const REQUEST: Self =
        Self::OUTPUT.or(Self::SET).or(Self::HEADER_FILTER).or(Self::BODY_FILTER).or(Self::LOG).or(Self::BALANCER);
    /// Those of a TLS handshake.
    pub const TLS: Self =
        Self::SSL_CLIENT_HELLO.or(Self::SSL_CERTIFICATE).or(Self::SSL_SESSION_FETCH).or(Self::SSL_SESSION_STORE);
    /// Those in which Lua may wait.
    pub const WAIT: Self =
        Self::OUTPUT.or(Self::SSL_CLIENT_HELLO).or(Self::SSL_CERTIFICATE).or(Self::SSL_SESSION_FETCH).or(Self::TIMER);
    /// Those in which `ngx.exit` ends something.
    pub const EXIT: Self = Self::WAIT.or(Self::EXIT_AT_RETURN);
    /// Those in which `ngx.exit` only notes the status and returns, for these cannot be left in the middle.
    pub const EXIT_AT_RETURN: Self = Self::HEADER_FILTER.or(Self::BALANCER).or(Self::SSL_SESSION_STORE);

    /// Both.
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Says whether it is one of `others`.
    #[inline]
    pub const fn is_in(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    /// What `ngx.get_phase()` answers, by bit.
    pub const NAMES: &'static [(Self, &'static str)] = &[
        (Self::INIT, "init"),
        (Self::INIT_WORKER, "init_worker"),
        (Self::CONTENT, "content"),
        (Self::SET, "set"),
        (Self::SERVER_REWRITE, "server_rewrite"),
        (Self::REWRITE, "rewrite"),
        (Self::ACCESS, "access"),
        (Self::PRECONTENT, "precontent"),
        (Self::HEADER_FILTER, "header_filter"),
        (Self::BODY_FILTER, "body_filter"),
        (Self::LOG, "log"),
        (Self::BALANCER, "balancer"),
        (Self::SSL_CLIENT_HELLO, "ssl_client_hello"),
        (Self::SSL_CERTIFICATE, "ssl_cert"),
        (Self::SSL_SESSION_FETCH, "ssl_session_fetch"),
        (Self::SSL_SESSION_STORE, "ssl_session_store"),
        (Self::TIMER, "timer"),
        (Self::EXIT_WORKER, "exit_worker"),
    ];

    /// What stands in "API disabled in the context of NAME", by bit.
    pub fn context(self) -> &'static str {
        match self {
            Self::SSL_CERTIFICATE => "ssl_certificate_by_lua*",
            Self::TIMER => "ngx.timer",
            Self::INIT => "init_by_lua*",
            Self::INIT_WORKER => "init_worker_by_lua*",
            Self::CONTENT => "content_by_lua*",
            Self::SET => "set_by_lua*",
            Self::SERVER_REWRITE => "server_rewrite_by_lua*",
            Self::REWRITE => "rewrite_by_lua*",
            Self::ACCESS => "access_by_lua*",
            Self::PRECONTENT => "precontent_by_lua*",
            Self::HEADER_FILTER => "header_filter_by_lua*",
            Self::BODY_FILTER => "body_filter_by_lua*",
            Self::LOG => "log_by_lua*",
            Self::BALANCER => "balancer_by_lua*",
            Self::SSL_CLIENT_HELLO => "ssl_client_hello_by_lua*",
            Self::SSL_SESSION_FETCH => "ssl_session_fetch_by_lua*",
            Self::SSL_SESSION_STORE => "ssl_session_store_by_lua*",
            Self::EXIT_WORKER => "exit_worker_by_lua*",
            _ => "(unknown)",
        }
    }
}

/// A worker's one thread reads and writes it; it is atomic only so that no `unsafe` is needed.
static REQUEST: AtomicPtr<ngx_http_request_t> = AtomicPtr::new(ptr::null_mut());
/// The same, but null for a fake request.
static CLIENT: AtomicPtr<ngx_http_request_t> = AtomicPtr::new(ptr::null_mut());
static PHASE: AtomicU32 = AtomicU32::new(0);

/// While it lives its request and phase are the current ones; when dropped those before are again.
pub struct Scope<'r> {
    request: *mut ngx_http_request_t,
    client: *mut ngx_http_request_t,
    phase: u32,
    entered: PhantomData<&'r Request>,
}

/// Makes a request and phase the current ones. Scopes nest: a filter's Lua runs inside a handler's.
pub fn enter(request: Option<&Request>, phase: Phase) -> Scope<'_> {
    let client = request.filter(|request| !request.is_fake()).map_or(ptr::null_mut(), Request::as_ptr);
    let request = request.map_or(ptr::null_mut(), Request::as_ptr);
    Scope {
        client: CLIENT.swap(client, Ordering::Relaxed),
        request: REQUEST.swap(request, Ordering::Relaxed),
        phase: PHASE.swap(phase.0, Ordering::Relaxed),
        entered: PhantomData,
    }
}

impl Drop for Scope<'_> {
    fn drop(&mut self) {
        REQUEST.store(self.request, Ordering::Relaxed);
        CLIENT.store(self.client, Ordering::Relaxed);
        PHASE.store(self.phase, Ordering::Relaxed);
    }
}

/// Calls `call` with the current request of a client; none where the Lua that runs belongs to none.
#[inline]
pub fn current<T>(call: impl FnOnce(&Request) -> T) -> Option<T> {
    with(&CLIENT, call)
}

/// As [`current`], but with fake requests too: for what asks nothing of a client.
#[inline]
pub fn current_or_fake<T>(call: impl FnOnce(&Request) -> T) -> Option<T> {
    with(&REQUEST, call)
}

#[inline]
fn with<T>(request: &AtomicPtr<ngx_http_request_t>, call: impl FnOnce(&Request) -> T) -> Option<T> {
    let request = request.load(Ordering::Relaxed);
    if request.is_null() {
        return None;
    }
    // SAFETY: the `Scope` that stored it borrows the request, and only `call` sees the reference.
    Some(call(unsafe { Request::from_ptr(request) }))
}

/// The phase whose Lua is running; no bit outside of any.
#[inline]
pub fn current_phase() -> Phase {
    Phase(PHASE.load(Ordering::Relaxed))
}
