//! TLS on a connection of our own: the client's side of the handshake. What is read and written goes through the
//! connection's own functions then, which nginx has replaced.

use std::ffi::{CStr, CString, c_int, c_long};
use std::ptr;

use ngx::ffi::*;

use super::channel::Side;
use super::stream::Stream;
use crate::nginx::request::Request;
use crate::nginx::tls::{Certificates, PrivateKey, TlsSession, use_identity};

/// A pool for what nginx keeps of a TLS connection, bytes.
const POOL_SIZE: usize = 256;

/// What a handshake begins with.
#[derive(Clone, Copy, Default)]
pub struct Offer<'a> {
    /// The name of the server that is asked for. It ends at its first NUL.
    pub server_name: Option<&'a [u8]>,
    /// A session to be resumed.
    pub session: Option<&'a TlsSession>,
    /// What the server is shown if it asks for a certificate.
    pub identity: Option<(&'a Certificates, &'a PrivateKey)>,
    /// The server is asked for what its certificate's OCSP responder says.
    pub wants_status: bool,
}

/// How far a handshake has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shake {
    /// It is over.
    Done,
    /// That side must be waited for.
    Waits(Side),
    /// It has failed; nginx has logged why.
    Failed,
}

/// Why a server is not whom it should be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unverified {
    /// Its certificate leads to nobody who is trusted: OpenSSL's number and words for it.
    Certificate(c_long, String),
    /// The certificate is another host's.
    Host,
}

impl Stream {
    /// Says whether a handshake is over.
    pub fn has_tls(&self) -> bool {
        // SAFETY: the connection is open.
        unsafe { (*self.as_ptr()).ssl.as_ref().is_some_and(|tls| tls.handshaked() != 0) }
    }

    /// Begins a handshake for a request, by what the directives of its location say.
    ///
    /// # Errors
    /// What OpenSSL refuses. The connection is what it was before then.
    pub fn begin_tls(&self, request: &Request, offer: &Offer<'_>) -> Result<(), &'static str> {
        let context = request.client_context().ok_or("ssl ctx not found")?;
        let connection = self.as_ptr();
        // SAFETY: the connection is open; the `SSL_CTX` outlives the request, and `SSL` objects hold it.
        unsafe {
            forget(connection);
            if (*connection).pool.is_null() {
                (*connection).pool = ngx_create_pool(POOL_SIZE, (*connection).log);
                if (*connection).pool.is_null() {
                    return Err("no memory");
                }
            }
            let flags = (NGX_SSL_BUFFER | NGX_SSL_CLIENT) as ngx_uint_t;
            if ngx_ssl_create_connection(context.as_ptr(), connection, flags) != NGX_OK as ngx_int_t {
                return Err("no memory");
            }
            let begun = self.set(offer);
            if begun.is_err() {
                // What OpenSSL has noted of it would be taken for an error of the next connection.
                ERR_clear_error();
                forget(connection);
            }
            begun
        }
    }

    /// # Safety
    /// The connection must have an `SSL` whose handshake has not begun.
    unsafe fn set(&self, offer: &Offer<'_>) -> Result<(), &'static str> {
        // SAFETY: by this function's contract; OpenSSL copies what it is given.
        unsafe {
            let tls = (*self.as_ptr()).ssl;
            let ssl = (*tls).connection;
            (*tls).save_session = Some(save_session);
            // A write that has to wait may go on with bytes that lie elsewhere by then.
            let modes = SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER;
            SSL_ctrl(ssl, SSL_CTRL_MODE as c_int, c_long::from(modes), ptr::null_mut());
            if let Some((certificates, key)) = offer.identity {
                use_identity(ssl, certificates, key)?;
            }
            if let Some(session) = offer.session.and_then(TlsSession::get)
                && ngx_ssl_set_session(self.as_ptr(), session.as_ptr()) != NGX_OK as ngx_int_t
            {
                return Err("ssl set session failed");
            }
            if let Some(name) = offer.server_name {
                let name = until_nul(name);
                let set = SSL_CTRL_SET_TLSEXT_HOSTNAME as c_int;
                let kind = c_long::from(TLSEXT_NAMETYPE_host_name);
                if SSL_ctrl(ssl, set, kind, name.as_ptr().cast_mut().cast()) == 0 {
                    return Err("SSL_set_tlsext_host_name failed");
                }
            }
            if offer.wants_status {
                let set = SSL_CTRL_SET_TLSEXT_STATUS_REQ_TYPE as c_int;
                if SSL_ctrl(ssl, set, c_long::from(TLSEXT_STATUSTYPE_ocsp), ptr::null_mut()) == 0 {
                    return Err("SSL_set_tlsext_status_type failed");
                }
            }
        }
        Ok(())
    }

    /// Goes on with a handshake that has begun, as far as it goes.
    pub fn shake(&self) -> Shake {
        let connection = self.as_ptr();
        // SAFETY: the connection is open and has the `SSL` of `begin_tls`. nginx puts handlers of its own on the events
        // where it has to wait; nothing of it is called before they are taken back.
        unsafe {
            let answer = ngx_ssl_handshake(connection);
            self.take_events();
            const OK: ngx_int_t = NGX_OK as ngx_int_t;
            const AGAIN: ngx_int_t = NGX_AGAIN as ngx_int_t;
            match answer {
                OK => {
                    let session = SSL_get_session((*(*connection).ssl).connection);
                    self.session.keep(session);
                    Shake::Done
                }
                AGAIN if SSL_want((*(*connection).ssl).connection) == SSL_WRITING as c_int => Shake::Waits(Side::Write),
                AGAIN => Shake::Waits(Side::Read),
                _ => Shake::Failed,
            }
        }
    }

    /// Says whether the server's certificate leads to somebody trusted, and is that of the host where one is given.
    ///
    /// # Errors
    /// Why it is not.
    pub fn verify(&self, host: Option<&[u8]>) -> Result<(), Unverified> {
        let connection = self.as_ptr();
        // SAFETY: the connection is open and its handshake over; OpenSSL's texts are literals.
        unsafe {
            let result = SSL_get_verify_result((*(*connection).ssl).connection);
            if result != c_long::from(X509_V_OK) {
                let text = CStr::from_ptr(X509_verify_cert_error_string(result)).to_string_lossy();
                return Err(Unverified::Certificate(result, text.into_owned()));
            }
            let Some(host) = host else { return Ok(()) };
            let mut name = ngx_str_t { len: host.len(), data: host.as_ptr().cast_mut() };
            if ngx_ssl_check_host(connection, &raw mut name) != NGX_OK as ngx_int_t {
                return Err(Unverified::Host);
            }
        }
        Ok(())
    }

    /// The session that was agreed on. It becomes one that can be resumed with TLS 1.3 when the server has sent its
    /// ticket, which comes with what is read.
    pub fn session(&self) -> TlsSession {
        self.session.clone()
    }
}

/// A session has come in, with the handshake or behind it.
unsafe extern "C" fn save_session(connection: *mut ngx_connection_t) {
    // SAFETY: nginx calls for a live connection, whose data is its stream, and has put the new session where
    // `ngx_ssl_get0_session` looks.
    unsafe {
        let stream = &*(*connection).data.cast::<Stream>();
        stream.session.keep(ngx_ssl_get0_session(connection));
    }
}

/// A C string of what stands before the first NUL.
fn until_nul(text: &[u8]) -> CString {
    let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
    CString::new(text).unwrap_or_default()
}

/// Takes a connection's TLS away that has not said anything yet.
///
/// # Safety
/// The connection must be open.
unsafe fn forget(connection: *mut ngx_connection_t) {
    // SAFETY: by this function's contract; nginx's own structure lies in the connection's pool.
    unsafe {
        if let Some(tls) = (*connection).ssl.as_ref() {
            SSL_free(tls.connection);
            (*connection).ssl = ptr::null_mut();
        }
    }
}

/// Tells the other end that a connection ends, and lets go of its TLS. Does nothing where it has none.
///
/// # Safety
/// The connection must be open.
pub(super) unsafe fn end(connection: *mut ngx_connection_t) {
    // SAFETY: by this function's contract.
    unsafe {
        let Some(tls) = (*connection).ssl.as_mut() else { return };
        // The other end's answer is not waited for, nor that there is room for the word.
        tls.set_no_wait_shutdown(1);
        if ngx_ssl_shutdown(connection) != NGX_OK as ngx_int_t {
            forget(connection);
        }
    }
}
