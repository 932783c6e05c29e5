//! Certificates and private keys: from PEM and DER, and back.

use openssl::pkey::{PKey, Private};
use openssl::x509::X509;

/// A certificate and those that lead from it to its root.
pub struct Certificates {
    /// The server's own.
    pub(super) leaf: X509,
    /// Those behind it.
    pub(super) chain: Vec<X509>,
}

/// A private key.
pub struct PrivateKey(pub(super) PKey<Private>);

impl Certificates {
    /// Reads PEM. Text around the certificates is skipped.
    ///
    /// # Errors
    /// The function of OpenSSL that refuses it.
    pub fn from_pem(pem: &[u8]) -> Result<Self, &'static str> {
        match X509::stack_from_pem(pem) {
            Ok(all) => Self::of(all).ok_or("PEM_read_bio_X509_AUX() failed"),
            Err(_) if X509::from_pem(pem).is_ok() => Err("PEM_read_bio_X509() failed"),
            Err(_) => Err("PEM_read_bio_X509_AUX() failed"),
        }
    }

    /// Reads DER: one certificate behind the other.
    ///
    /// # Errors
    /// The function of OpenSSL that refuses it.
    pub fn from_der(der: &[u8]) -> Result<Self, &'static str> {
        let mut rest = der;
        let mut all = Vec::new();
        loop {
            let length = element_length(rest).ok_or(BAD_DER)?;
            let (one, more) = rest.split_at_checked(length).ok_or(BAD_DER)?;
            all.push(X509::from_der(one).map_err(|_| BAD_DER)?);
            if more.is_empty() {
                return Self::of(all).ok_or(BAD_DER);
            }
            rest = more;
        }
    }

    fn of(all: Vec<X509>) -> Option<Self> {
        let mut all = all.into_iter();
        Some(Self { leaf: all.next()?, chain: all.collect() })
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &X509> {
        std::iter::once(&self.leaf).chain(&self.chain)
    }
}

const BAD_DER: &str = "d2i_X509_bio() failed";

/// The DER of a chain of certificates in PEM, one behind the other.
///
/// # Errors
/// The function of OpenSSL that refuses it.
pub fn certificates_pem_to_der(pem: &[u8]) -> Result<Vec<u8>, &'static str> {
    let mut der = Vec::new();
    for certificate in Certificates::from_pem(pem)?.iter() {
        der.extend(certificate.to_der().map_err(|_| "i2d_X509() failed")?);
    }
    Ok(der)
}

impl PrivateKey {
    /// Reads PEM, encrypted by `password` where it is.
    ///
    /// # Errors
    /// The function of OpenSSL that refuses it.
    pub fn from_pem(pem: &[u8], password: Option<&[u8]>) -> Result<Self, &'static str> {
        // Without a callback OpenSSL would ask the terminal for the password, and block the worker.
        let read = PKey::private_key_from_pem_callback(pem, |into| {
            let password = password.unwrap_or_default();
            let Some(into) = into.get_mut(..password.len()) else { return Ok(0) };
            into.copy_from_slice(password);
            Ok(password.len())
        });
        read.map(Self).map_err(|_| "PEM_read_bio_PrivateKey() failed")
    }

    /// Reads DER.
    ///
    /// # Errors
    /// The function of OpenSSL that refuses it.
    pub fn from_der(der: &[u8]) -> Result<Self, &'static str> {
        PKey::private_key_from_der(der).map(Self).map_err(|_| "d2i_PrivateKey_bio() failed")
    }
}

/// The DER of a private key in PEM, encrypted by `password` where it is.
///
/// # Errors
/// The function of OpenSSL that refuses it.
pub fn private_key_pem_to_der(pem: &[u8], password: Option<&[u8]>) -> Result<Vec<u8>, &'static str> {
    PrivateKey::from_pem(pem, password)?.0.private_key_to_der().map_err(|_| "i2d_PrivateKey() failed")
}

/// The length of the ASN.1 element that begins here, with its header. None where it is none, or one of unknown length.
fn element_length(der: &[u8]) -> Option<usize> {
    let (&[_, first], rest) = der.split_first_chunk::<2>()?;
    if first & 0x80 == 0 {
        return Some(2 + usize::from(first));
    }
    let digits = usize::from(first & 0x7f);
    if digits == 0 || digits > 4 {
        return None;
    }
    let length = rest.get(..digits)?.iter().fold(0usize, |length, &digit| length << 8 | usize::from(digit));
    (2 + digits).checked_add(length)
}

#[cfg(test)]
mod tests {
    use super::element_length;

    #[test]
    fn the_length_of_an_element() {
        for (der, want) in [
            (&[0x30, 0x05][..], Some(7)),
            (&[0x30, 0x81, 0x80], Some(131)),
            (&[0x30, 0x82, 0x01, 0x02], Some(262)),
            (&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff], Some(6 + 0xffff_ffff)),
            (&[0x30, 0x80], None),
            (&[0x30, 0x85, 0, 0, 0, 0, 1], None),
            (&[0x30, 0x82, 0x01], None),
            (&[0x30], None),
            (&[], None),
        ] {
            assert_eq!(element_length(der), want, "{der:?}");
        }
    }
}
