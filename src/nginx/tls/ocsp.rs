//! OCSP: who tells whether a certificate was revoked, how to ask, and whether the answer holds.

use std::fmt;

use openssl::hash::MessageDigest;
use openssl::ocsp::{OcspCertId, OcspCertStatus, OcspFlag, OcspRequest, OcspResponse, OcspResponseStatus};
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::X509VerifyFlags;
use openssl::x509::{X509, X509Ref, X509VerifyResult};

use super::pem::Certificates;

/// How far the clocks of server and responder may differ, in seconds.
const CLOCK_SKEW: u32 = 300;

/// Why something about OCSP cannot be done.
#[derive(Debug, PartialEq, Eq)]
pub enum OcspError {
    /// OpenSSL's function that refuses it, or another reason.
    Because(&'static str),
    /// The responder has not answered the request: its number and what that is called.
    Unsuccessful(i32, &'static str),
    /// The certificate is not good: `revoked` or `unknown`.
    Status(&'static str),
}

impl From<&'static str> for OcspError {
    fn from(reason: &'static str) -> Self {
        Self::Because(reason)
    }
}

impl fmt::Display for OcspError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Because(reason) => f.write_str(reason),
            Self::Unsuccessful(number, name) => write!(f, "OCSP response not successful ({number}: {name})"),
            Self::Status(name) => write!(f, "certificate status \"{name}\" in the OCSP response"),
        }
    }
}

/// The certificate behind the first one, which has signed it.
fn issuer(certificates: &Certificates) -> Result<&X509, OcspError> {
    certificates.chain.first().ok_or("no issuer certificate in chain".into())
}

/// The URL of the OCSP responder of a chain's first certificate; none where it names none.
///
/// # Errors
/// It is no chain of certificates in DER, or one without the issuer.
pub fn ocsp_responder(der: &[u8]) -> Result<Option<Vec<u8>>, OcspError> {
    let certificates = Certificates::from_der(der)?;
    let Ok(responders) = certificates.leaf.ocsp_responders() else { return Ok(None) };
    let Some(responder) = responders.get(0) else { return Ok(None) };
    let issued = issuer(&certificates)?.issued(&certificates.leaf);
    if issued != X509VerifyResult::OK {
        return Err("issuer certificate not next to leaf".into());
    }
    Ok(Some(responder.as_bytes().to_vec()))
}

/// A request for the status of a chain's first certificate, in DER.
///
/// # Errors
/// It is no chain of certificates in DER, or one without the issuer.
pub fn ocsp_request(der: &[u8]) -> Result<Vec<u8>, OcspError> {
    let certificates = Certificates::from_der(der)?;
    let id = id(&certificates.leaf, issuer(&certificates)?)?;
    let mut request = OcspRequest::new().map_err(|_| "OCSP_REQUEST_new() failed")?;
    request.add_id(id).map_err(|_| "OCSP_request_add0_id() failed")?;
    request.to_der().map_err(|_| "i2d_OCSP_REQUEST() failed".into())
}

/// Checks that a response says of a chain's first certificate that it is good, now, and that the issuer or somebody whom
/// the issuer has entrusted with it has signed that.
///
/// # Errors
/// What is wrong with it.
pub fn validate_ocsp_response(response: &[u8], der: &[u8]) -> Result<(), OcspError> {
    let response = OcspResponse::from_der(response).map_err(|_| "d2i_OCSP_RESPONSE() failed")?;
    let status = response.status();
    if status != OcspResponseStatus::SUCCESSFUL {
        return Err(OcspError::Unsuccessful(status.as_raw(), status_name(status)));
    }
    let basic = response.basic().map_err(|_| "OCSP_response_get1_basic() failed")?;
    let certificates = Certificates::from_der(der)?;
    let issuer = issuer(&certificates)?;
    let mut others = Stack::new().map_err(|_| NO_MEMORY)?;
    for certificate in &certificates.chain {
        others.push(certificate.clone()).map_err(|_| NO_MEMORY)?;
    }
    let mut store = X509StoreBuilder::new().map_err(|_| NO_MEMORY)?;
    // The issuer need not be a root to be trusted with this.
    store.set_flags(X509VerifyFlags::PARTIAL_CHAIN).map_err(|_| NO_MEMORY)?;
    store.add_cert(issuer.clone()).map_err(|_| NO_MEMORY)?;
    basic.verify(&others, &store.build(), OcspFlag::empty()).map_err(|_| "OCSP_basic_verify() failed")?;
    let found = basic.find_status(&*id(&certificates.leaf, issuer)?);
    let found = found.ok_or("certificate status not found in the OCSP response")?;
    match found.status {
        OcspCertStatus::GOOD => {}
        OcspCertStatus::REVOKED => return Err(OcspError::Status("revoked")),
        _ => return Err(OcspError::Status("unknown")),
    }
    found.check_validity(CLOCK_SKEW, None).map_err(|_| "OCSP_check_validity() failed".into())
}

const NO_MEMORY: &str = "no memory";

/// What a request names a certificate by.
fn id(certificate: &X509Ref, issuer: &X509Ref) -> Result<OcspCertId, &'static str> {
    OcspCertId::from_cert(MessageDigest::sha1(), certificate, issuer).map_err(|_| "OCSP_cert_to_id() failed")
}

fn status_name(status: OcspResponseStatus) -> &'static str {
    match status {
        OcspResponseStatus::MALFORMED_REQUEST => "malformedrequest",
        OcspResponseStatus::INTERNAL_ERROR => "internalerror",
        OcspResponseStatus::TRY_LATER => "trylater",
        OcspResponseStatus::SIG_REQUIRED => "sigrequired",
        OcspResponseStatus::UNAUTHORIZED => "unauthorized",
        _ => "(UNKNOWN)",
    }
}
