//! How scripts ended, by profile and kind, over all workers.

use crate::ffi::Kind;
use crate::nginx::Conf;

use super::profile::Profile;
use std::rc::Rc;

/// What the runs of a profile have come to since nginx started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Totals {
    /// The profile's name.
    pub profile: String,
    /// Runs that ended well.
    pub ok: u64,
    /// Runs that did not, by kind, in the order of [`Kind::ALL`].
    pub ended: [u64; Kind::ALL.len()],
}

/// Asks for the shared memory that the counters of `profiles` need. While the configuration is read.
pub fn configured(_conf: &mut Conf, _profiles: &[Rc<Profile>]) -> Result<(), String> {
    Ok(())
}

/// Counts the end of a run; `None`: it ended well.
pub fn count(_profile: &Profile, _ended: Option<Kind>) {}

/// The counters of every profile of the running configuration.
pub fn totals() -> Vec<Totals> {
    Vec::new()
}
