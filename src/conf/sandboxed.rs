//! The untrusted script that a location runs: `content_by_sandbox_file`.

use std::cell::OnceCell;
use std::path::PathBuf;
use std::rc::Rc;

use crate::sandbox::Profile;

use super::code::Source;

/// What `content_by_sandbox_file NAME PATH` says.
pub struct Sandboxed {
    /// The name of the profile.
    pub name: String,
    /// The profile, found once the whole configuration is read.
    pub profile: OnceCell<Rc<Profile>>,
    /// [`Source::File`] or [`Source::Variable`].
    pub source: Source,
    /// The directory whose files are untrusted: the one before the first variable; without variables the file's own.
    pub directory: PathBuf,
    /// `file:line` of the directive, for what is only found out later.
    pub place: String,
}
