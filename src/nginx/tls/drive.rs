//! Drives a handshake as nginx does (`ngx_ssl_handshake`), but for one thing: it can wait for Lua.

use std::ffi::c_int;
use std::ptr::NonNull;

use ngx::ffi::*;

use super::callbacks::guarded;
use super::handshake::Handshake;

/// What an `SSL` reads from while nginx makes its first step: from nothing, which is like a client that has not sent
/// anything yet. Only then does nginx say what it wants to be called when the handshake is over.
pub(super) struct Gate(NonNull<BIO>);

impl Gate {
    /// Has the connection read from nothing. None where memory ran out.
    ///
    /// # Safety
    /// `ssl` must be a connection that has not read yet.
    pub(super) unsafe fn shut(ssl: *mut SSL) -> Option<Self> {
        // SAFETY: by this function's contract; an empty memory BIO asks to be read again later. Each BIO has the one
        // reference more that its holder here gives up.
        unsafe {
            let socket = NonNull::new(SSL_get_rbio(ssl))?;
            let nothing = NonNull::new(BIO_new(BIO_s_mem()))?;
            BIO_up_ref(socket.as_ptr());
            SSL_set0_rbio(ssl, nothing.as_ptr());
            Some(Self(socket))
        }
    }

    /// Has the connection read from its socket again.
    ///
    /// # Safety
    /// It must be the connection that the gate was shut on, alive.
    pub(super) unsafe fn open(self, ssl: *mut SSL) {
        // SAFETY: by this function's contract; the reference passes to the connection.
        unsafe { SSL_set0_rbio(ssl, self.0.as_ptr()) };
        std::mem::forget(self);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        // SAFETY: the gate's own reference.
        unsafe { BIO_free(self.0.as_ptr()) };
    }
}

/// How a step of a handshake has ended.
enum Step {
    /// It is over, but for what nginx checks itself.
    Shaken,
    /// The early data of a resumed session came before it is over.
    Early(u8),
    /// The socket must be readable.
    Read,
    /// The socket must be writable.
    Write,
    /// Lua is waited for.
    Lua,
    /// It has failed, with that error of OpenSSL's.
    Failed(c_int),
}

/// Goes on with a handshake as far as it goes. The connection may be closed afterwards.
///
/// # Safety
/// The connection must be one whose handshake nginx has begun and waits for.
pub(super) unsafe fn go_on(connection: *mut ngx_connection_t) {
    // SAFETY: by this function's contract; these are the steps and the order of `ngx_ssl_handshake`.
    unsafe {
        let tls = (*connection).ssl;
        (*(*connection).read).handler = Some(on_event);
        (*(*connection).write).handler = Some(on_event);
        let result = match step(connection) {
            Step::Shaken => {
                finish(tls);
                ngx_ssl_handshake(connection)
            }
            Step::Early(byte) => early(connection, byte),
            Step::Read => {
                (*(*connection).read).set_ready(0);
                watch(connection)
            }
            Step::Write => {
                (*(*connection).write).set_ready(0);
                watch(connection)
            }
            Step::Lua => watch(connection),
            Step::Failed(error) => {
                fail(connection, error);
                NGX_ERROR as ngx_int_t
            }
        };
        if result != NGX_AGAIN as ngx_int_t {
            end(connection);
        }
    }
}

unsafe fn step(connection: *mut ngx_connection_t) -> Step {
    // SAFETY: a live connection whose handshake is not over.
    unsafe {
        let tls = (*connection).ssl;
        let ssl = (*tls).connection;
        if (*tls).in_ocsp() != 0 {
            return Step::Shaken;
        }
        // What other code has left would be taken for an error of this connection.
        ERR_clear_error();
        let mut result = 0;
        if (*tls).try_early_data() != 0 {
            let (mut byte, mut length) = (0u8, 0);
            result = SSL_read_early_data(ssl, (&raw mut byte).cast(), 1, &raw mut length);
            match result as u32 {
                SSL_READ_EARLY_DATA_SUCCESS => return Step::Early(byte),
                SSL_READ_EARLY_DATA_FINISH => (*tls).set_try_early_data(0),
                _ => {}
            }
        }
        if (*tls).try_early_data() == 0 {
            result = SSL_do_handshake(ssl);
            if result == 1 {
                return Step::Shaken;
            }
        }
        let error = SSL_get_error(ssl, result);
        match error as u32 {
            SSL_ERROR_WANT_READ => Step::Read,
            SSL_ERROR_WANT_WRITE => Step::Write,
            SSL_ERROR_WANT_X509_LOOKUP | SSL_ERROR_WANT_CLIENT_HELLO_CB
                if Handshake::known(ssl).is_some_and(Handshake::waits) =>
            {
                Step::Lua
            }
            _ => Step::Failed(error),
        }
    }
}

/// Lets go of what the handshake's Lua has held.
unsafe fn finish(tls: *mut ngx_ssl_connection_t) {
    // SAFETY: the connection is alive.
    if let Some(handshake) = unsafe { Handshake::known((*tls).connection) } {
        handshake.finish();
    }
}

/// What `ngx_ssl_handshake` does when early data has come: requests are served before the handshake is over.
unsafe fn early(connection: *mut ngx_connection_t, byte: u8) -> ngx_int_t {
    // SAFETY: a live connection; these are nginx's own functions for a connection with TLS.
    unsafe {
        let tls = (*connection).ssl;
        finish(tls);
        if watch(connection) == NGX_ERROR as ngx_int_t {
            return NGX_ERROR as ngx_int_t;
        }
        (*tls).set_try_early_data(0);
        (*tls).early_buf = byte;
        (*tls).set_early_preread(1);
        (*tls).set_in_early(1);
        (*connection).recv = Some(ngx_ssl_recv);
        (*connection).send = Some(ngx_ssl_write);
        (*connection).recv_chain = Some(ngx_ssl_recv_chain);
        (*connection).send_chain = Some(ngx_ssl_send_chain);
        (*(*connection).read).set_ready(1);
        (*(*connection).write).set_ready(1);
        let checked = ngx_ssl_ocsp_validate(connection);
        if checked == NGX_OK as ngx_int_t {
            (*tls).set_handshaked(1);
        }
        checked
    }
}

/// Has nginx watch the socket. `NGX_AGAIN`: it does.
unsafe fn watch(connection: *mut ngx_connection_t) -> ngx_int_t {
    // SAFETY: a live connection with both events.
    let watched = unsafe {
        ngx_handle_read_event((*connection).read, 0) == NGX_OK as ngx_int_t
            && ngx_handle_write_event((*connection).write, 0) == NGX_OK as ngx_int_t
    };
    if watched { NGX_AGAIN as ngx_int_t } else { NGX_ERROR as ngx_int_t }
}

/// Logs why a handshake has failed and has nginx close the connection without ceremony.
unsafe fn fail(connection: *mut ngx_connection_t, error: c_int) {
    // SAFETY: a live connection; the formats take no argument.
    unsafe {
        let tls = (*connection).ssl;
        let errno =
            if error as u32 == SSL_ERROR_SYSCALL { std::io::Error::last_os_error().raw_os_error() } else { None };
        let errno = errno.unwrap_or(0);
        (*tls).set_no_wait_shutdown(1);
        (*tls).set_no_send_shutdown(1);
        (*(*connection).read).set_eof(1);
        let reason = ERR_peek_last_error();
        if error as u32 == SSL_ERROR_ZERO_RETURN || reason == 0 {
            let text = c"peer closed connection in SSL handshake";
            ngx_connection_error(connection, errno, text.as_ptr().cast_mut());
        } else if (*tls).handshake_rejected() != 0 {
            ngx_connection_error(connection, errno, c"handshake rejected".as_ptr().cast_mut());
            ERR_clear_error();
        } else {
            (*(*connection).read).set_error(1);
            let text = c"SSL_do_handshake() failed".as_ptr().cast_mut();
            ngx_ssl_error(level_of(reason), (*connection).log, errno, text);
        }
    }
}

/// The level of an error's line. What a client may cause is no fault of the server's.
fn level_of(error: std::ffi::c_ulong) -> ngx_uint_t {
    let is_of_tls = openssl_sys::ERR_GET_LIB(error) == ERR_LIB_SSL as c_int;
    let is_common = openssl_sys::ERR_GET_REASON(error) >= FIRST_COMMON_REASON;
    let level = if is_of_tls && !is_common { NGX_LOG_INFO } else { NGX_LOG_CRIT };
    level as ngx_uint_t
}

/// Reasons from here on are common to all parts of OpenSSL: no memory, an internal error.
const FIRST_COMMON_REASON: c_int = 1 << 18;

/// Calls what nginx wants to be called when the handshake is over, whatever it has come to.
unsafe fn end(connection: *mut ngx_connection_t) {
    // SAFETY: nginx has set the handler before it first waited.
    unsafe {
        if let Some(handler) = (*(*connection).ssl).handler {
            handler(connection);
        }
    }
}

/// The socket is ready, or the time is up.
unsafe extern "C" fn on_event(event: *mut ngx_event_t) {
    // SAFETY: the event is one of a connection whose handshake `go_on` has left waiting.
    let _ = guarded(|| unsafe {
        let connection = (*event).data.cast::<ngx_connection_t>();
        let tls = (*connection).ssl;
        if (*event).timedout() != 0 {
            end(connection);
            return Some(());
        }
        if !Handshake::known((*tls).connection).is_some_and(Handshake::waits) {
            go_on(connection);
        } else if is_gone(connection) {
            fail(connection, SSL_ERROR_ZERO_RETURN as c_int);
            end(connection);
        } else if watch(connection) == NGX_ERROR as ngx_int_t {
            end(connection);
        }
        Some(())
    });
}

/// Says whether the client has closed its connection: nobody needs what Lua is waited for then.
unsafe fn is_gone(connection: *mut ngx_connection_t) -> bool {
    let mut byte = 0u8;
    // SAFETY: a live connection with its socket; the byte stays where it is.
    unsafe { libc::recv((*connection).fd, (&raw mut byte).cast(), 1, libc::MSG_PEEK) == 0 }
}
