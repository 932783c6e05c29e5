//! Sessions that clients resume.

use foreign_types::ForeignType;
use ngx::ffi::*;
use openssl::ssl::SslSession;

use super::hello::{extension, offers_tls_1_3};

/// An OpenSSL session, with a reference of its own.
#[derive(Clone)]
pub(in crate::nginx) struct Session(SslSession);

/// OpenSSL's option that early data may come with tickets.
const NO_ANTI_REPLAY: u64 = 1 << 24;
/// The longest name that a session has.
const LONGEST_ID: usize = 32;
/// The ticket of a session, in TLS 1.2.
const SESSION_TICKET: u32 = 35;
/// The names of sessions, in TLS 1.3.
const PRE_SHARED_KEY: u32 = 41;

impl Session {
    /// Another reference to a session.
    ///
    /// # Safety
    /// The session must be live.
    pub(super) unsafe fn share(session: *mut SSL_SESSION) -> Self {
        // SAFETY: by this function's contract; the reference that is taken here is the one that is dropped.
        unsafe {
            SSL_SESSION_up_ref(session);
            Self(SslSession::from_ptr(session.cast()))
        }
    }

    /// The session that [`Session::serialize`] has made bytes of. None where they are something else.
    pub(super) fn deserialize(bytes: &[u8]) -> Option<Self> {
        SslSession::from_der(bytes).ok().map(Self)
    }

    /// It as bytes, without its ticket. None where memory ran out.
    pub(super) fn serialize(&self) -> Option<Vec<u8>> {
        self.0.to_der().ok()
    }

    /// Its name.
    pub(super) fn id(&self) -> &[u8] {
        self.0.id()
    }

    /// The address of it, good as long as this.
    pub(in crate::nginx) fn as_ptr(&self) -> *mut SSL_SESSION {
        self.0.as_ptr().cast()
    }

    /// Gives up the reference to whoever gets the address.
    pub(super) fn into_raw(self) -> *mut SSL_SESSION {
        let session = self.0.as_ptr();
        std::mem::forget(self);
        session.cast()
    }
}

/// The name of the session that OpenSSL is going to look for: the one that the client names, unless it brings the whole
/// session with it in a ticket. For the time of a client hello callback.
///
/// # Safety
/// `ssl` must be the connection that OpenSSL calls back for.
pub(super) unsafe fn wanted_session(ssl: *mut SSL) -> Option<Vec<u8>> {
    // SAFETY: by this function's contract.
    unsafe {
        let options = SSL_get_options(ssl);
        let tickets = options & openssl_sys::SSL_OP_NO_TICKET == 0;
        if offers_tls_1_3(ssl) {
            // With early data OpenSSL takes no tickets, so that none can be replayed.
            let early = SSL_get_max_early_data(ssl) > 0 && options & NO_ANTI_REPLAY == 0;
            if tickets && !early {
                return None;
            }
            return first_identity(extension(ssl, PRE_SHARED_KEY)?).map(<[u8]>::to_vec);
        }
        if tickets && extension(ssl, SESSION_TICKET).is_some_and(|ticket| !ticket.is_empty()) {
            return None;
        }
        let mut id = std::ptr::null();
        let length = SSL_client_hello_get0_session_id(ssl, &raw mut id);
        (length > 0 && length <= LONGEST_ID).then(|| std::slice::from_raw_parts(id, length).to_vec())
    }
}

/// The first name in an extension of pre-shared keys that may be a session's.
fn first_identity(extension: &[u8]) -> Option<&[u8]> {
    let (length, rest) = extension.split_first_chunk::<2>()?;
    let mut identities = rest.get(..usize::from(u16::from_be_bytes(*length)))?;
    while let Some((length, rest)) = identities.split_first_chunk::<2>() {
        let (identity, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        if !identity.is_empty() && identity.len() <= LONGEST_ID {
            return Some(identity);
        }
        // Each is followed by its age, 4 bytes.
        identities = rest.get(4..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::first_identity;

    #[test]
    fn the_first_name_that_may_be_a_sessions() {
        let long = [&[0, 33][..], &[7; 33], &[0; 4]].concat();
        let short = [0, 2, 5, 6, 0, 0, 0, 0];
        let list = |identities: &[u8]| [&(identities.len() as u16).to_be_bytes()[..], identities, &[9; 3]].concat();
        for (extension, want) in [
            (list(&short), Some(&[5, 6][..])),
            (list(&[&long[..], &short].concat()), Some(&[5, 6][..])),
            (list(&long), None),
            (list(&[]), None),
            (vec![], None),
            (vec![0], None),
            (vec![0, 9, 0, 2], None),
            (list(&[0, 9, 5, 6]), None),
            (list(&[0, 0, 0, 0, 0, 0]), None),
        ] {
            assert_eq!(first_identity(&extension), want, "{extension:?}");
        }
    }
}
