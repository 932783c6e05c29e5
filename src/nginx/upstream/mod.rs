//! Choosing the peers of an upstream.

pub(super) mod attempt;
pub(super) mod balancer;
