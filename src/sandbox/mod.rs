//! Untrusted scripts, contained: VMs of their own, an API that the operator chose, and limits that end a run.

mod allow;
mod api;
mod closest;
mod counters;
mod ledger;
mod names;
mod pool;
mod profile;
mod queue;
mod response;
mod run;
mod script;

pub use allow::{Allow, Variable};
pub use api::{FAMILIES, set_profiles};
pub use closest::closest;
pub use counters::{Place, Totals, configured, installed, started, totals};
pub use pool::Pool;
pub use profile::Profile;
pub use response::deliver;
pub use run::{Made, Progress, Run, Verdict};
pub use script::Script;

pub use crate::ffi::{Kind, Limits};
