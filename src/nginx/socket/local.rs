//! Where a connection comes from.

use std::fmt;
use std::net::IpAddr;

use super::address::{Address, Destination};

/// An address that a connection is bound to (`tcpsock:bind`); its port is the system's choice.
#[derive(Clone, Copy, Debug)]
pub struct Local {
    pub(super) address: Address,
    ip: IpAddr,
}

impl Local {
    /// Reads `127.0.0.1` or `::1`; none where it is no IP address.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let ip = std::str::from_utf8(text).ok()?.parse().ok()?;
        let host = match ip {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        match Destination::parse(host.as_bytes(), 0) {
            Ok(Destination::Address(address)) => Some(Self { address: address.with_port(0), ip }),
            _ => None,
        }
    }
}

impl fmt::Display for Local {
    /// `127.0.0.1` or `::1`.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.ip.fmt(f)
    }
}
