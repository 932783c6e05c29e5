//! Memory that processes share, and what lies in it.

pub(super) mod arena;
pub(super) mod counters;
pub(super) mod dict;
pub(super) mod memory;
pub(super) mod shmtx;
pub(super) mod zone;
