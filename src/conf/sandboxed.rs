//! The untrusted script that a location runs: `content_by_sandbox_file`.

use std::cell::OnceCell;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use crate::nginx::{Conf, prefix};
use crate::sandbox::Profile;

use super::code::Source;
use super::roots::{plain, static_directory};

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

impl Sandboxed {
    /// Reads the directive's arguments.
    pub(super) fn read(conf: &mut Conf) -> Result<Self, String> {
        let args: Vec<Vec<u8>> = conf.args().into_iter().map(<[u8]>::to_vec).collect();
        let [profile, path] = args.as_slice() else {
            return Err(format!("\"{}\" needs a profile and the path of a Lua file", conf.name()));
        };
        if profile.is_empty() || path.is_empty() {
            return Err(format!("\"{}\" needs a profile and the path of a Lua file", conf.name()));
        }
        let directory = static_directory(path, b'$');
        if !is_named(&prefix(), directory) {
            return Err(format!(
                "\"{}\" in \"{}\" makes all of {} untrusted, write the directory that holds the scripts, for instance \
                 /srv/scripts/$host.lua",
                String::from_utf8_lossy(path),
                conf.name(),
                if directory.is_absolute() { "\"/\"" } else { "nginx's prefix" },
            ));
        }
        Ok(Self {
            name: String::from_utf8_lossy(profile).into_owned(),
            profile: OnceCell::new(),
            directory: plain(&prefix().join(directory)),
            source: Source::named(conf, path)?,
            place: conf.place(),
        })
    }
}

/// Says whether a directory is one of its own: neither `/` nor, where it is relative, nginx's prefix itself.
fn is_named(prefix: &Path, directory: &Path) -> bool {
    let whole = lexical(&prefix.join(directory));
    whole != Path::new("/") && (directory.is_absolute() || whole != lexical(prefix))
}

/// An absolute path without `.` and `..`, as it reads: symlinks are not followed.
fn lexical(path: &Path) -> PathBuf {
    let mut whole = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(name) => whole.push(name),
            Component::ParentDir => _ = whole.pop(),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_of_scripts_is_named() {
        for (path, want) in [
            ("/srv/scripts/$host.lua", true),
            ("/srv/$host/main.lua", true),
            ("/srv/x.lua", true),
            ("scripts/$1.lua", true),
            ("scripts/x.lua", true),
            ("scripts/app-$1.lua", true),
            ("./scripts/$1.lua", true),
            ("/srv/a/../$1.lua", true),
            ("/nginx/$1.lua", true),
            ("../scripts/$1.lua", true),
            ("../$1.lua", false),
            ("/$1.lua", false),
            ("/x.lua", false),
            ("/a$1.lua", false),
            ("//$1.lua", false),
            ("/./$1.lua", false),
            ("/../$1.lua", false),
            ("/srv/../$1.lua", false),
            ("/srv/../../$1.lua", false),
            ("$1.lua", false),
            ("$dir/x.lua", false),
            ("${dir}/x.lua", false),
            ("x.lua", false),
            ("./$1.lua", false),
            ("scripts/../$1.lua", false),
        ] {
            let directory = static_directory(path.as_bytes(), b'$');
            assert_eq!(is_named(Path::new("/nginx/"), directory), want, "{path}");
        }
    }
}
