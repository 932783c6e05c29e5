//! The response of a request: its header, its body, and the filters that they pass.

pub(super) mod body_chunk;
pub(super) mod buffer;
pub(super) mod error;
pub(super) mod filter;
pub(super) mod flush;
pub(super) mod header;
pub(super) mod header_list;
pub(super) mod header_text;
pub(super) mod output;
pub(super) mod respond;
