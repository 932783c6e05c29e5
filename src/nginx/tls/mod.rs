//! TLS handshakes: the callbacks of OpenSSL that run Lua, the waiting in the middle of a handshake, and what Lua may ask
//! of and do to the connection.
//!
//! nginx of old knows nothing of a handshake that waits for Lua: whatever `SSL_do_handshake` wants but to read or to write
//! is an error to it. So the handshakes of a configuration that has such Lua are driven here ([`drive`]), by nginx's own
//! functions and in its own way but for the waiting.

mod addresses;
mod callbacks;
mod certificate;
mod client;
mod client_session;
mod connection;
mod drive;
mod handshake;
mod hello;
mod hooks;
mod key_log;
mod ocsp;
mod pem;
mod session;
mod stapling;

pub use addresses::RawAddress;
pub(super) use certificate::use_identity;
pub(super) use client::register_client_context;
pub use client::{BadSetting, ClientContext, ClientSettings, Protocols};
pub use client_session::TlsSession;
pub use connection::Tls;
pub(super) use hooks::register_tls;
pub use hooks::{TlsHandler, TlsHook, TlsHooks};
pub use ocsp::{OcspError, ocsp_request, ocsp_responder, validate_ocsp_response};
pub use pem::{Certificates, PrivateKey, certificates_pem_to_der, private_key_pem_to_der};
