//! Finds which directories to watch for a set of roots: symlinks on the way, parts that are missing, single files.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// As many symlinks as the kernel follows in one path.
const MOST_LINKS: usize = 40;

/// Device and inode: a directory's identity under whatever name.
pub(super) type Id = (u64, u64);

/// Where changes matter. All paths are absolute and free of symlinks, so that no directory has two names.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Places {
    /// Directories of which everything matters, at any depth; none is inside another.
    pub trees: BTreeMap<PathBuf, Id>,
    /// Directories of which only some names matter: symlinks on the way to a root, single files, what is missing.
    pub names: BTreeMap<PathBuf, (Id, BTreeSet<OsString>)>,
    /// Single files.
    pub files: BTreeSet<PathBuf>,
}

impl Places {
    /// Looks at the disk. `roots` must be absolute.
    pub fn find(roots: &[PathBuf]) -> Self {
        let mut places = Self::default();
        roots.iter().for_each(|root| places.add(root));
        // Paths sort by component, so what is inside a tree comes right after it.
        let mut outer: Option<PathBuf> = None;
        places.trees.retain(|tree, _| {
            let inner = outer.as_ref().is_some_and(|outer| tree.starts_with(outer));
            if !inner {
                outer = Some(tree.clone());
            }
            !inner
        });
        places
    }

    /// Walks to a root as the kernel does.
    fn add(&mut self, root: &Path) {
        let mut here = PathBuf::from("/");
        let mut links = 0;
        let mut ahead = steps(root);
        while let Some(step) = ahead.pop() {
            if step == ".." {
                here.pop();
                continue;
            }
            let next = here.join(&step);
            let Ok(found) = fs::symlink_metadata(&next) else { return self.add_name(&here, &step) };
            if found.is_symlink() {
                self.add_name(&here, &step);
                links += 1;
                let Ok(target) = fs::read_link(&next) else { return };
                if links > MOST_LINKS {
                    return;
                }
                if target.is_absolute() {
                    here = PathBuf::from("/");
                }
                ahead.extend(steps(&target));
            } else if found.is_dir() {
                here = next;
            } else {
                self.add_name(&here, &step);
                if ahead.is_empty() {
                    self.files.insert(next);
                }
                return;
            }
        }
        if let Some(id) = id(&here) {
            self.trees.insert(here, id);
        }
    }

    fn add_name(&mut self, directory: &Path, name: &OsStr) {
        let Some(id) = id(directory) else { return };
        let (_, names) = self.names.entry(directory.to_owned()).or_insert_with(|| (id, BTreeSet::new()));
        names.insert(name.to_owned());
    }

    /// Says whether a change of this path matters.
    pub fn cover(&self, path: &Path) -> bool {
        self.is_name(path) || self.is_in_tree(path)
    }

    /// Says whether the path is a tree or in one.
    pub fn is_in_tree(&self, path: &Path) -> bool {
        self.tree_of(path).is_some()
    }

    /// Says whether other paths may hang on this one.
    pub fn is_name(&self, path: &Path) -> bool {
        let names = path.parent().and_then(|parent| self.names.get(parent));
        names.is_some_and(|(_, names)| path.file_name().is_some_and(|name| names.contains(name)))
    }

    /// Says whether the path is a directory that watching starts from.
    pub fn is_start(&self, path: &Path) -> bool {
        self.trees.contains_key(path) || self.names.contains_key(path)
    }

    /// Says whether a directory is to be watched for the same reason as in `other`.
    pub fn watch_as(&self, other: &Self, directory: &Path) -> bool {
        match self.tree_of(directory) {
            Some(tree) => other.trees.get(tree.0) == Some(tree.1),
            None => {
                let id_in = |places: &Self| places.names.get(directory).map(|(id, _)| *id);
                id_in(self).is_some() && id_in(self) == id_in(other)
            }
        }
    }

    fn tree_of(&self, path: &Path) -> Option<(&PathBuf, &Id)> {
        path.ancestors().find_map(|ancestor| self.trees.get_key_value(ancestor))
    }
}

/// A path's steps, the last one first; those that lead nowhere are left out.
fn steps(path: &Path) -> Vec<OsString> {
    let step = |component: Component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    };
    path.components().rev().filter_map(step).collect()
}

fn id(path: &Path) -> Option<Id> {
    fs::symlink_metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn places_are_found() {
        let temporary = tempfile::tempdir().unwrap();
        let top = temporary.path().canonicalize().unwrap();
        fs::create_dir_all(top.join("releases/42/lua")).unwrap();
        fs::create_dir_all(top.join("releases-old")).unwrap();
        fs::write(top.join("file.lua"), "").unwrap();
        symlink("releases/42", top.join("current")).unwrap();
        symlink(top.join("current/lua"), top.join("absolute")).unwrap();
        symlink("../top-file", top.join("releases/file")).unwrap();
        symlink("../file.lua", top.join("releases/up")).unwrap();
        symlink("loop", top.join("loop")).unwrap();
        // Roots: trees, names and files that they lead to.
        type Case =
            (&'static [&'static str], &'static [&'static str], &'static [&'static str], &'static [&'static str]);
        let cases: &[Case] = &[
            (&["releases"], &["releases"], &[], &[]),
            (&["releases/42/../42"], &["releases/42"], &[], &[]),
            (&["releases", "releases/42", "releases-old"], &["releases", "releases-old"], &[], &[]),
            (&["current"], &["releases/42"], &["current"], &[]),
            (&["current/lua"], &["releases/42/lua"], &["current"], &[]),
            (&["absolute"], &["releases/42/lua"], &["absolute", "current"], &[]),
            (&["current/.."], &["releases"], &["current"], &[]),
            (&["file.lua"], &[], &["file.lua"], &["file.lua"]),
            (&["releases/up"], &[], &["file.lua", "releases/up"], &["file.lua"]),
            (&["releases/file"], &[], &["releases/file", "top-file"], &[]),
            (&["file.lua/x"], &[], &["file.lua"], &[]),
            (&["missing/deep/lua"], &[], &["missing"], &[]),
            (&["current/missing"], &[], &["current", "releases/42/missing"], &[]),
            (&["loop"], &[], &["loop"], &[]),
        ];
        for (roots, trees, names, files) in cases {
            let absolute = |paths: &[&str]| paths.iter().map(|path| top.join(path)).collect::<Vec<_>>();
            let found = Places::find(&absolute(roots));
            assert_eq!(found.trees.keys().cloned().collect::<Vec<_>>(), absolute(trees), "trees of {roots:?}");
            let mut of_names: Vec<_> =
                found.names.iter().flat_map(|(dir, (_, names))| names.iter().map(|name| dir.join(name))).collect();
            of_names.sort();
            assert_eq!(of_names, absolute(names), "names of {roots:?}");
            assert_eq!(found.files.iter().cloned().collect::<Vec<_>>(), absolute(files), "files of {roots:?}");
        }
        let current = Places::find(&[top.join("current")]);
        for (path, cover) in [
            ("releases/42", true),
            ("releases/42/lua/new", true),
            ("current", true),
            ("releases", false),
            ("releases/43", false),
            ("other", false),
        ] {
            assert_eq!(current.cover(&top.join(path)), cover, "{path}");
        }
    }
}
