//! What a script may touch and spend: one `hotlua_sandbox` block.

use std::rc::Rc;
use std::time::Duration;

use crate::ffi::Limits;
use crate::nginx::{ComplexValue, Request};

use super::allow::Allow;
use super::counters::Place;
use super::pool::{Pool, Tenant};

/// A profile, as nginx.conf gives it.
pub struct Profile {
    /// Its name.
    pub name: String,
    /// The names that a script finds.
    pub allow: Allow,
    /// What a run may spend.
    pub limits: Limits,
    /// The HTTP status that answers a request whose script did not end well.
    pub status: u16,
    /// What tells tenants apart: each value has VMs of its own. None: all scripts of the profile share them.
    pub per: Option<ComplexValue>,
    /// The most VMs that a worker keeps for the profile, idle and running.
    pub vms: usize,
    /// This process's VMs.
    pub pool: Pool,
    /// Where it is counted.
    pub place: Place,
}

thread_local! {
    /// Whom the scripts of a profile without `per` run for.
    static NOBODY: Tenant = Rc::new([]);
}

impl Profile {
    /// Whose script runs for a request.
    pub fn tenant(&self, request: &Request) -> Tenant {
        match &self.per {
            Some(per) => per.evaluate(request).unwrap_or_default().into(),
            None => NOBODY.with(Rc::clone),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { instructions: 1_000_000, time: Duration::from_millis(100), memory: 8 << 20, output: 1 << 20 }
    }
}
