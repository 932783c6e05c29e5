//! The module's own connections to others: their addresses, and what waits for them.

pub(super) mod address;
pub(super) mod channel;
pub(super) mod datagram;
pub(super) mod errno;
pub(super) mod idle;
pub(super) mod local;
pub(super) mod option;
mod pipe;
pub(super) mod resolve;
pub(super) mod stream;
pub(super) mod tls;
