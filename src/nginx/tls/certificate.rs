//! What a connection proves itself with, and asks its client to.

use std::ffi::c_int;
use std::ptr;

use foreign_types::ForeignTypeRef;
use ngx::ffi::*;
use openssl::ssl::SslRef;
use openssl::stack::Stack;
use openssl::x509::X509Name;
use openssl::x509::store::{X509Store, X509StoreBuilder};

use super::connection::Tls;
use super::hooks::{server_of, ssl_conf};
use super::pem::{Certificates, PrivateKey};

impl Tls<'_> {
    /// Takes away every certificate and private key.
    pub fn clear_certificates(&self) {
        // SAFETY: a live connection.
        unsafe { SSL_certs_clear(self.ssl()) }
    }

    /// Makes a certificate and its chain those of the connection, beside such of other kinds of keys.
    ///
    /// # Errors
    /// The function of OpenSSL that refuses it.
    pub fn set_certificates(&self, certificates: &Certificates) -> Result<(), &'static str> {
        self.handle_mut().set_certificate(&certificates.leaf).map_err(|_| "SSL_use_certificate() failed")?;
        // The chain of the one before would stay.
        // SAFETY: a live connection; no chain is given.
        unsafe { SSL_ctrl(self.ssl(), SSL_CTRL_CHAIN as c_int, 0, ptr::null_mut()) };
        for certificate in &certificates.chain {
            self.handle_mut().add_chain_cert(certificate.clone()).map_err(|_| "SSL_add0_chain_cert() failed")?;
        }
        Ok(())
    }

    /// Makes a private key the connection's.
    ///
    /// # Errors
    /// The function of OpenSSL that refuses it, as it does a key of another certificate's.
    pub fn set_private_key(&self, key: &PrivateKey) -> Result<(), &'static str> {
        self.handle_mut().set_private_key(&key.0).map_err(|_| "SSL_use_PrivateKey() failed")
    }

    /// Asks the client for a certificate, one that `authorities` have signed where they are given, at the end of a chain
    /// of at most `depth` (None: that of `ssl_verify_depth`). The handshake goes on whatever comes of it:
    /// `$ssl_client_verify` tells.
    ///
    /// # Errors
    /// The function of OpenSSL that refuses it.
    pub fn verify_client(&self, authorities: Option<&Certificates>, depth: Option<u32>) -> Result<(), &'static str> {
        let ssl = self.ssl();
        // SAFETY: a live connection of a server; it takes over what it is given.
        unsafe {
            let depth = match depth {
                Some(depth) => c_int::try_from(depth).unwrap_or(c_int::MAX),
                None => c_int::try_from((*ssl_conf(server_of(ssl))).verify_depth).unwrap_or(c_int::MAX),
            };
            SSL_set_verify(ssl, SSL_VERIFY_PEER as c_int, Some(accept));
            SSL_set_verify_depth(ssl, depth);
        }
        let Some(authorities) = authorities else { return Ok(()) };
        let no_memory = |_| "no memory";
        let mut names = Stack::new().map_err(no_memory)?;
        for certificate in authorities.iter() {
            names.push(name_of(certificate).ok_or("no memory")?).map_err(no_memory)?;
        }
        self.handle_mut().set_client_ca_list(names);
        self.handle_mut().set_verify_cert_store(store(authorities)?).map_err(|_| "SSL_set0_verify_cert_store() failed")
    }
}

/// Has a connection of our own show a certificate and its chain where the server asks for one.
///
/// # Errors
/// What OpenSSL refuses, as it does a key of another certificate's.
///
/// # Safety
/// `ssl` must be live, and nothing else refer to it.
pub(in crate::nginx) unsafe fn use_identity(
    ssl: *mut SSL,
    certificates: &Certificates,
    key: &PrivateKey,
) -> Result<(), &'static str> {
    // SAFETY: by this function's contract; it is the same library's structure.
    let ssl = unsafe { SslRef::from_ptr_mut(ssl.cast()) };
    ssl.set_certificate(&certificates.leaf).map_err(|_| "ssl set client certificate failed")?;
    for certificate in &certificates.chain {
        ssl.add_chain_cert(certificate.clone()).map_err(|_| "ssl set client certificate chain failed")?;
    }
    ssl.set_private_key(&key.0).map_err(|_| "ssl set client private key failed")
}

/// A store that trusts these certificates.
pub(super) fn store(certificates: &Certificates) -> Result<X509Store, &'static str> {
    let mut store = X509StoreBuilder::new().map_err(|_| "X509_STORE_new() failed")?;
    for certificate in certificates.iter() {
        store.add_cert(certificate.clone()).map_err(|_| "X509_STORE_add_cert() failed")?;
    }
    Ok(store.build())
}

fn name_of(certificate: &openssl::x509::X509) -> Option<X509Name> {
    certificate.subject_name().to_owned().ok()
}

/// What is wrong with a client's certificate is nginx's to say, after the handshake.
unsafe extern "C" fn accept(_: c_int, _: *mut X509_STORE_CTX) -> c_int {
    1
}
