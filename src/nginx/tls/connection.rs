//! The TLS side of a request's connection.

use std::ffi::CStr;

use foreign_types::ForeignTypeRef;
use ngx::ffi::*;
use openssl::ssl::{NameType, SslRef};

use super::session::Session;
use crate::nginx::request::Request;

/// The TLS connection of a request, lent for the time of a callback.
pub struct Tls<'r> {
    request: &'r Request,
    ssl: *mut SSL,
}

impl Request {
    /// The TLS connection that the request came by; none where it came by none.
    pub fn tls(&self) -> Option<Tls<'_>> {
        // SAFETY: a request's connection outlives it; nginx takes `c->ssl` away only when it closes the connection.
        let ssl = unsafe { (*(*self.as_ptr()).connection).ssl.as_ref()?.connection };
        (!ssl.is_null()).then_some(Tls { request: self, ssl })
    }
}

impl Tls<'_> {
    pub(super) fn ssl(&self) -> *mut SSL {
        self.ssl
    }

    pub(super) fn connection(&self) -> *mut ngx_connection_t {
        // SAFETY: a live request.
        unsafe { (*self.request.as_ptr()).connection }
    }

    /// The connection as the `openssl` crate sees it.
    pub(super) fn handle(&self) -> &SslRef {
        // SAFETY: it is the same library's structure, alive as long as this.
        unsafe { SslRef::from_ptr(self.ssl.cast()) }
    }

    /// As [`Tls::handle`], to change it. Nothing else refers to it for that time.
    #[allow(clippy::mut_from_ref, reason = "the structure is OpenSSL's, which this only lends")]
    pub(super) fn handle_mut(&self) -> &mut SslRef {
        // SAFETY: as above; each use ends before the next one begins.
        unsafe { SslRef::from_ptr_mut(self.ssl.cast()) }
    }

    /// The name that the client has called the server by; none before its first message was looked at.
    pub fn server_name(&self) -> Option<&[u8]> {
        self.handle().servername_raw(NameType::HOST_NAME)
    }

    /// The number of the version in use: 0x0303 for TLS 1.2.
    pub fn version(&self) -> i32 {
        // SAFETY: a live connection.
        unsafe { SSL_version(self.ssl) }
    }

    /// The name of the version in use: `TLSv1.2`.
    pub fn version_name(&self) -> &'static CStr {
        // SAFETY: OpenSSL's names are literals.
        unsafe { CStr::from_ptr(SSL_get_version(self.ssl)) }
    }

    /// The name of the session that the handshake's hook is to fetch or store. None in other hooks.
    pub fn session_id(&self) -> Option<Vec<u8>> {
        self.request.handshake()?.session_id()
    }

    /// The session that the handshake's hook is to store, as bytes. None in other hooks; inner none: no memory.
    pub fn serialized_session(&self) -> Option<Option<Vec<u8>>> {
        self.request.handshake()?.with_session(Session::serialize)
    }

    /// Has the handshake resume the session of [`Tls::serialized_session`]'s bytes. False where they are something else.
    pub fn resume_session(&self, bytes: &[u8]) -> bool {
        let Some(session) = Session::deserialize(bytes) else { return false };
        if let Some(handshake) = self.request.handshake() {
            handshake.resume(session);
        }
        true
    }
}
