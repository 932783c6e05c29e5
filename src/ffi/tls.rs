//! The end of a TLS session that Lua has held by its address.

use std::ffi::c_void;

use crate::nginx::{Level, Log, TlsSession, log_cycle};

/// A cdata that stood for a session was collected.
#[unsafe(no_mangle)]
extern "C" fn hotlua_tls_session_free(session: *mut c_void) {
    if TlsSession::release(session.addr()) && Log::cycle().enabled(Level::Debug) {
        log_cycle(Level::Debug, format!("lua ssl free session: {:016X}", session.addr()).as_bytes());
    }
}
