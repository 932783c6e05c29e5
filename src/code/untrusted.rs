//! Which files are untrusted: what tenants write and only a sandbox runs.

use std::fs::canonicalize;
use std::path::{Component, Path, PathBuf};

/// The untrusted files of a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Untrusted {
    directories: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

impl Untrusted {
    /// Everything below `directories`, and `files`; all absolute.
    pub fn new(directories: Vec<PathBuf>, files: Vec<PathBuf>) -> Self {
        Self { directories, files }
    }

    /// The innermost directory of untrusted files that a path, by its bytes alone, lies below: a tenant's symlinks must
    /// not lead out of that one.
    pub fn directory_of(&self, file: &Path) -> Option<&Path> {
        let around = self.directories.iter().filter(|directory| file.starts_with(directory));
        around.max_by_key(|directory| directory.components().count()).map(PathBuf::as_path)
    }

    /// [`Fence::holds`] for one path.
    pub fn holds(&self, path: &Path) -> bool {
        let is_empty = self.directories.is_empty() && self.files.is_empty();
        !is_empty && self.fence().holds(path)
    }

    /// Looks where the directories and files are at present, for many paths. Blocks on the disk.
    pub fn fence(&self) -> Fence {
        let both = |paths: &[PathBuf]| paths.iter().cloned().chain(paths.iter().map(|path| real(path))).collect();
        Fence { directories: both(&self.directories), files: both(&self.files) }
    }
}

/// Where untrusted files are, by their names in the configuration and by where these lead.
pub struct Fence {
    directories: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

impl Fence {
    /// Says whether a file is untrusted, or a directory holds such files: by its name, or because a symlink on its way
    /// leads there. Blocks on the disk.
    pub fn holds(&self, path: &Path) -> bool {
        if self.directories.is_empty() && self.files.is_empty() {
            return false;
        }
        let Ok(path) = std::path::absolute(path) else { return false };
        let has_parent = path.components().any(|component| component == Component::ParentDir);
        // What stands before a `..` is not where the name leads.
        !has_parent && self.names(&path) || self.names(&real(&path))
    }

    fn names(&self, path: &Path) -> bool {
        self.directories.iter().any(|directory| path.starts_with(directory))
            || self.files.iter().any(|file| file == path)
    }
}

/// Where a path leads, as far as it exists.
pub fn real(path: &Path) -> PathBuf {
    for ancestor in path.ancestors() {
        if let (Ok(real), Ok(rest)) = (canonicalize(ancestor), path.strip_prefix(ancestor)) {
            // Joining nothing would add a slash.
            return if rest.as_os_str().is_empty() { real } else { real.join(rest) };
        }
    }
    path.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_is_untrusted_is_so_by_every_name() {
        let temporary = tempfile::tempdir().unwrap();
        let top = temporary.path().canonicalize().unwrap();
        for directory in ["lua/tenants/a", "release/tenants", "other"] {
            fs::create_dir_all(top.join(directory)).unwrap();
        }
        for file in ["lua/own.lua", "lua/tenants/a/x.lua", "release/tenants/y.lua", "other/one.lua", "other/two.lua"] {
            fs::write(top.join(file), "").unwrap();
        }
        symlink("release", top.join("current")).unwrap();
        symlink("tenants/a/x.lua", top.join("lua/in.lua")).unwrap();
        symlink("../own.lua", top.join("lua/tenants/out.lua")).unwrap();
        symlink("tenants/a", top.join("lua/in")).unwrap();
        symlink("one.lua", top.join("other/alias.lua")).unwrap();
        let untrusted =
            Untrusted::new(vec![top.join("lua/tenants"), top.join("current/tenants")], vec![top.join("other/one.lua")]);
        for (path, want) in [
            ("lua/tenants/a/x.lua", true),
            ("lua/tenants/a/missing.lua", true),
            ("lua/tenants", true),
            ("lua//tenants/./a/x.lua", true),
            ("lua/tenants/out.lua", true),
            ("lua/in.lua", true),
            ("lua/in/x.lua", true),
            ("lua/in/missing/deeper.lua", true),
            ("lua/../lua/tenants/a/x.lua", true),
            ("current/tenants/y.lua", true),
            ("release/tenants/y.lua", true),
            ("release/tenants/missing.lua", true),
            ("other/one.lua", true),
            ("other/alias.lua", true),
            ("lua/own.lua", false),
            ("lua", false),
            ("lua/tenantsx/a.lua", false),
            ("lua/tenants/../own.lua", false),
            ("other/two.lua", false),
            ("missing.lua", false),
        ] {
            // `join` alone would keep the spelling too; as text it is certain.
            let path = PathBuf::from(format!("{}/{path}", top.display()));
            assert_eq!(untrusted.holds(&path), want, "{}", path.display());
        }
        assert!(!Untrusted::default().holds(&top.join("lua/tenants/a/x.lua")));
    }

    #[test]
    fn the_innermost_directory_counts() {
        let untrusted = Untrusted::new(vec!["/t".into(), "/t/a/b".into(), "/t/a".into()], Vec::new());
        for (file, want) in [
            ("/t/x.lua", Some("/t")),
            ("/t/a/x.lua", Some("/t/a")),
            ("/t/ab/x.lua", Some("/t")),
            ("/t/a/b/c/x.lua", Some("/t/a/b")),
            ("/tt/x.lua", None),
        ] {
            assert_eq!(untrusted.directory_of(Path::new(file)), want.map(Path::new), "{file}");
        }
    }
}
