//! The client's first message.

use std::ffi::c_int;

use ngx::ffi::*;

use super::connection::Tls;

/// The number of TLS 1.3.
const TLS_1_3: [u8; 2] = [3, 4];
/// The extension of the client's name for the server.
const SERVER_NAME: u32 = 0;
/// The extension of the versions that the client knows.
const SUPPORTED_VERSIONS: u32 = 43;

/// The versions of TLS by their names: the option that switches each off, and its number where it has one.
const PROTOCOLS: &[(&str, u32, Option<[u8; 2]>)] = &[
    ("SSLv2", 0, None),
    ("SSLv3", openssl_sys::SSL_OP_NO_SSLv3 as u32, Some([3, 0])),
    ("TLSv1", openssl_sys::SSL_OP_NO_TLSv1 as u32, Some([3, 1])),
    ("TLSv1.1", openssl_sys::SSL_OP_NO_TLSv1_1 as u32, Some([3, 2])),
    ("TLSv1.2", openssl_sys::SSL_OP_NO_TLSv1_2 as u32, Some([3, 3])),
    ("TLSv1.3", openssl_sys::SSL_OP_NO_TLSv1_3 as u32, Some(TLS_1_3)),
];

/// An extension of the client's first message; none where it has none of that type.
///
/// # Safety
/// For the time of a client hello callback.
pub(super) unsafe fn extension<'a>(ssl: *mut SSL, kind: u32) -> Option<&'a [u8]> {
    let (mut data, mut length) = (std::ptr::null(), 0);
    // SAFETY: by this function's contract; OpenSSL keeps the message for the time of the callback.
    unsafe {
        if SSL_client_hello_get0_ext(ssl, kind, &raw mut data, &raw mut length) != 1 {
            return None;
        }
        Some(if length == 0 { &[] } else { std::slice::from_raw_parts(data, length) })
    }
}

/// Says whether client and server both know TLS 1.3.
///
/// # Safety
/// As of [`extension`].
pub(super) unsafe fn offers_tls_1_3(ssl: *mut SSL) -> bool {
    // SAFETY: by this function's contract.
    unsafe {
        let newest = SSL_ctrl(ssl, SSL_CTRL_GET_MAX_PROTO_VERSION as c_int, 0, std::ptr::null_mut());
        let server = SSL_get_options(ssl) & openssl_sys::SSL_OP_NO_TLSv1_3 == 0
            && (newest == 0 || newest >= i64::from(TLS1_3_VERSION));
        let versions = extension(ssl, SUPPORTED_VERSIONS).and_then(supported_versions);
        server && versions.is_some_and(|mut versions| versions.any(|version| version == TLS_1_3))
    }
}

/// The versions in an extension; none where it is malformed.
fn supported_versions(extension: &[u8]) -> Option<impl DoubleEndedIterator<Item = [u8; 2]> + '_> {
    let (length, versions) = extension.split_first()?;
    let versions = versions.get(..usize::from(*length))?;
    let (pairs, rest) = versions.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().copied())
}

/// The host's name in an extension of server names; none where it is malformed.
fn host_name(extension: &[u8]) -> Option<&[u8]> {
    let (length, list) = extension.split_first_chunk::<2>()?;
    if usize::from(u16::from_be_bytes(*length)) != list.len() {
        return None;
    }
    // The type of a name: 0 is a host's, and no other was ever defined.
    let (length, name) = list.strip_prefix(&[0])?.split_first_chunk::<2>()?;
    name.get(..usize::from(u16::from_be_bytes(*length)))
}

impl Tls<'_> {
    /// An extension of the client's first message; none where it has none of that type. For the client hello hook.
    pub fn hello_extension(&self, kind: u32) -> Option<&[u8]> {
        // SAFETY: the hook runs in OpenSSL's callback; while its Lua waits OpenSSL keeps the message too.
        unsafe { extension(self.ssl(), kind) }
    }

    /// The server's name in the client's first message. For the client hello hook.
    ///
    /// # Errors
    /// The extension is malformed.
    pub fn hello_server_name(&self) -> Result<Option<&[u8]>, &'static str> {
        self.hello_extension(SERVER_NAME).map(|extension| host_name(extension).ok_or(MALFORMED)).transpose()
    }

    /// The names of the versions that the client's first message says it knows, from the oldest. For the client hello
    /// hook.
    ///
    /// # Errors
    /// The extension is malformed.
    pub fn hello_versions(&self) -> Result<Option<Vec<&'static str>>, &'static str> {
        let Some(extension) = self.hello_extension(SUPPORTED_VERSIONS) else { return Ok(None) };
        let versions: Vec<[u8; 2]> = supported_versions(extension).ok_or(MALFORMED)?.collect();
        let known = PROTOCOLS.iter().filter(|(.., number)| number.is_some_and(|number| versions.contains(&number)));
        Ok(Some(known.map(|(name, ..)| *name).collect()))
    }

    /// Lets the connection use the named versions of TLS only. For the client hello hook.
    ///
    /// # Errors
    /// A name is none of a version.
    pub fn set_protocols(&self, names: &[Vec<u8>]) -> Result<(), &'static str> {
        let all = PROTOCOLS.iter().fold(0, |all, (_, option, _)| all | option);
        let mut off = all;
        for name in names {
            let known = PROTOCOLS.iter().find(|(known, ..)| known.as_bytes() == name);
            let (_, option, _) = known.ok_or("invalid protocols failed")?;
            off &= !option;
        }
        // No name at all leaves all as it is, as upstream does.
        if !names.is_empty() {
            // SAFETY: a live connection that has chosen no version yet. nginx bounds them by these options too.
            unsafe {
                SSL_clear_options(self.ssl(), u64::from(all));
                SSL_set_options(self.ssl(), u64::from(off));
            }
        }
        Ok(())
    }
}

const MALFORMED: &str = "bad SSL Client Hello Extension";

#[cfg(test)]
mod tests {
    use super::{host_name, supported_versions};

    #[test]
    fn names_and_versions_are_read() {
        for (extension, want) in [
            (&b"\0\x06\0\0\x03abc"[..], Some(&b"abc"[..])),
            (b"\0\x05\0\0\x03abc", None),
            (b"\0\x06\x01\0\x03abc", None),
            (b"\0\x06\0\0\x04abc", None),
            (b"\0\x03\0\0\0", Some(b"")),
            (b"\0", None),
            (b"", None),
        ] {
            assert_eq!(host_name(extension), want, "{extension:?}");
        }
        for (extension, want) in [
            (&[4, 3, 4, 3, 3][..], Some(vec![[3, 4], [3, 3]])),
            (&[3, 3, 4, 3], None),
            (&[4, 3, 4], None),
            (&[], None),
            (&[0], Some(vec![])),
        ] {
            assert_eq!(supported_versions(extension).map(Iterator::collect), want, "{extension:?}");
        }
    }
}
