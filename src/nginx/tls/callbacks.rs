//! What OpenSSL calls in the middle of a handshake.

use std::ffi::{c_int, c_uchar, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::OnceLock;

use ngx::ffi::*;

use super::handshake::{Handshake, Verdict};
use super::hooks::{TlsHook, server_of, ssl_conf};
use super::session::{Session, wanted_session};
use crate::nginx::log::{Level, log_cycle};

type Info = unsafe extern "C" fn(*const SSL, c_int, c_int);

/// nginx's own information callback, the same for every `SSL_CTX`.
static NGINX_INFO: OnceLock<Option<Info>> = OnceLock::new();

/// Has [`info`] called for each handshake of `ctx`, before nginx's own callback.
///
/// # Safety
/// `ctx` must be an `SSL_CTX` that nginx has made.
pub(super) unsafe fn watch(ctx: *mut SSL_CTX) {
    // SAFETY: by this function's contract.
    unsafe {
        let before = SSL_CTX_get_info_callback(ctx);
        let is_ours = before.is_some_and(|before| ptr::fn_addr_eq(before, info as Info));
        if !is_ours {
            let _ = NGINX_INFO.set(before);
            SSL_CTX_set_info_callback(ctx, Some(info));
        }
    }
}

/// Takes a handshake over as it starts.
unsafe extern "C" fn info(ssl: *const SSL, place: c_int, value: c_int) {
    if place & SSL_CB_HANDSHAKE_START as c_int != 0 {
        // SAFETY: OpenSSL passes the connection that shakes hands; it only promises itself not to change it.
        let _ = guarded(|| unsafe { Handshake::begin(ssl.cast_mut()) });
    }
    if let Some(Some(nginx)) = NGINX_INFO.get() {
        // SAFETY: the arguments are those that nginx's callback would have got.
        unsafe { nginx(ssl, place, value) }
    }
}

/// What runs when the client's first message has come.
#[derive(Clone, Copy)]
pub(super) struct Wants {
    /// [`TlsHook::ClientHello`]
    pub hello: bool,
    /// [`TlsHook::SessionFetch`]
    pub session: bool,
}

impl Wants {
    /// It as OpenSSL keeps it for the callback: a number in place of an address.
    pub(super) fn as_argument(self) -> *mut c_void {
        ptr::without_provenance_mut(usize::from(self.hello) | usize::from(self.session) << 1)
    }

    fn of_argument(argument: *mut c_void) -> Self {
        Self { hello: argument.addr() & 1 != 0, session: argument.addr() & 2 != 0 }
    }
}

/// The client's first message has come.
pub(super) unsafe extern "C" fn client_hello(ssl: *mut SSL, alert: *mut c_int, argument: *mut c_void) -> c_int {
    let wants = Wants::of_argument(argument);
    // SAFETY: OpenSSL passes the connection that shakes hands.
    let verdict = guarded(|| unsafe {
        let handshake = Handshake::of(ssl)?;
        let verdict = if wants.hello { handshake.run(TlsHook::ClientHello) } else { Verdict::GoOn };
        if verdict != Verdict::GoOn || !wants.session {
            return Some(verdict);
        }
        // OpenSSL cannot wait while it looks for a session; it can here, where the session's name is known already.
        match handshake.begin_fetch(|| wanted_session(ssl)) {
            Verdict::Wait => Some(Verdict::Wait),
            _ => Some(Verdict::GoOn),
        }
    });
    match verdict {
        Some(Verdict::GoOn) => SSL_CLIENT_HELLO_SUCCESS as c_int,
        Some(Verdict::Wait) => SSL_CLIENT_HELLO_RETRY as c_int,
        Some(Verdict::Fail) | None => {
            // SAFETY: OpenSSL lends the cell for the time of the call.
            unsafe { *alert = SSL_AD_INTERNAL_ERROR as c_int };
            SSL_CLIENT_HELLO_ERROR as c_int
        }
    }
}

/// A full handshake needs a certificate. 1: go on, 0: fail, -1: wait.
pub(super) unsafe extern "C" fn certificate(ssl: *mut SSL, _: *mut c_void) -> c_int {
    // SAFETY: OpenSSL passes the connection that shakes hands.
    let verdict = guarded(|| unsafe {
        let handshake = Handshake::of(ssl)?;
        if handshake.is_due(TlsHook::Certificate) {
            // nginx's callback for `ssl_certificate` with variables has given way to this one.
            let conf = ssl_conf(server_of(ssl));
            if !(*conf).certificate_values.is_null() {
                ngx_http_ssl_certificate(ssl, conf.cast());
            }
        }
        Some(handshake.run(TlsHook::Certificate))
    });
    match verdict {
        Some(Verdict::GoOn) => 1,
        Some(Verdict::Wait) => -1,
        Some(Verdict::Fail) | None => 0,
    }
}

/// A client names a session that OpenSSL does not have.
pub(super) unsafe extern "C" fn session_fetch(
    ssl: *mut SSL,
    id: *const c_uchar,
    length: c_int,
    copy: *mut c_int,
) -> *mut SSL_SESSION {
    // SAFETY: OpenSSL lends the cell and the name for the time of the call; 0 says that it gets our reference.
    let found = guarded(|| unsafe {
        *copy = 0;
        let id = std::slice::from_raw_parts(id, usize::try_from(length).ok()?);
        Handshake::of(ssl)?.fetch(id)
    });
    found.map_or(ptr::null_mut(), Session::into_raw)
}

/// A session was made. 0: no reference to it was kept.
pub(super) unsafe extern "C" fn session_store(ssl: *mut SSL, session: *mut SSL_SESSION) -> c_int {
    // SAFETY: OpenSSL lends both for the time of the call.
    guarded(|| unsafe {
        Handshake::of(ssl)?.store(Session::share(session));
        Some(())
    });
    0
}

/// Runs `call`; a panic is logged instead of leaving an `extern "C"` function.
pub(super) fn guarded<T>(call: impl FnOnce() -> Option<T>) -> Option<T> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| {
        log_cycle(Level::Alert, b"internal error: the Lua module panicked in a TLS handshake");
        None
    })
}
