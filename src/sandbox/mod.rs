//! Untrusted scripts, contained: VMs of their own, an API that the operator chose, and limits that end a run.

mod allow;
mod counters;
mod profile;

pub use allow::Allow;
pub use counters::{Totals, configured, count, totals};
pub use profile::{Limits, Profile};

pub use crate::ffi::Kind;
