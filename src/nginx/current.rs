//! Which request's Lua is running, and in which phase: the bridge from Lua's calls back to nginx.
//!
//! Lua code names no request, so the driver marks one as current for the time in which it runs that request's Lua.

use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use ngx::ffi::ngx_http_request_t;

use super::request::Request;

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

    /// Those that make the response: in the others nothing may be output.
    pub const OUTPUT: Self = Self::CONTENT;
    /// Those of a request.
    pub const REQUEST: Self = Self::CONTENT;

    /// Says whether it is one of `others`.
    #[inline]
    pub const fn is_in(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    /// What `ngx.get_phase()` answers, by bit.
    pub const NAMES: &'static [(Self, &'static str)] =
        &[(Self::INIT, "init"), (Self::INIT_WORKER, "init_worker"), (Self::CONTENT, "content")];
}

/// A worker's one thread reads and writes it; it is atomic only so that no `unsafe` is needed.
static REQUEST: AtomicPtr<ngx_http_request_t> = AtomicPtr::new(ptr::null_mut());
static PHASE: AtomicU32 = AtomicU32::new(0);

/// While it lives its request and phase are the current ones; when dropped those before are again.
pub struct Scope<'r> {
    request: *mut ngx_http_request_t,
    phase: u32,
    entered: PhantomData<&'r Request>,
}

/// Makes a request and phase the current ones. Scopes nest: a filter's Lua runs inside a handler's.
pub fn enter(request: Option<&Request>, phase: Phase) -> Scope<'_> {
    let request = request.map_or(ptr::null_mut(), Request::as_ptr);
    Scope {
        request: REQUEST.swap(request, Ordering::Relaxed),
        phase: PHASE.swap(phase.0, Ordering::Relaxed),
        entered: PhantomData,
    }
}

impl Drop for Scope<'_> {
    fn drop(&mut self) {
        REQUEST.store(self.request, Ordering::Relaxed);
        PHASE.store(self.phase, Ordering::Relaxed);
    }
}

/// Calls `call` with the current request; none where the Lua that runs belongs to no request.
#[inline]
pub fn current<T>(call: impl FnOnce(&Request) -> T) -> Option<T> {
    let request = REQUEST.load(Ordering::Relaxed);
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
