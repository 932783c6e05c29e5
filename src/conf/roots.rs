//! The code roots: directories of Lua files, given by `hotlua_root` or derived from what the directives name.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::code::strip_root;
use crate::nginx::prefix;

use super::MainConf;
use super::code::Source;

impl MainConf {
    /// Says whether `hotlua_root` is given, so that [`MainConf::code_roots`] derives nothing.
    pub fn roots_given(&self) -> bool {
        !self.roots.is_empty()
    }

    /// The directories that code is served from: `hotlua_root`, or the static directory prefixes of
    /// `lua_package_path` (without its `;;`) and of every `*_by_lua_file`.
    pub fn code_roots(&self) -> Vec<PathBuf> {
        if self.roots_given() {
            return self.roots.clone();
        }
        let mut roots: Vec<PathBuf> = Vec::new();
        let mut add = |root: PathBuf| {
            let root = plain(&root);
            if !roots.contains(&root) {
                roots.push(root);
            }
        };
        for code in &self.codes {
            match &code.source {
                Source::Inline { .. } => {}
                Source::File(path) => {
                    if let Some(directory) = path.parent() {
                        add(directory.to_owned());
                    }
                }
                Source::Variable(value) => add(prefix().join(static_directory(value.source(), b'$'))),
            }
        }
        for template in self.package_path.iter().flat_map(|path| path.split(';')).filter(|part| !part.is_empty()) {
            add(template_directory(template));
        }
        roots
    }
}

impl MainConf {
    /// The Lua files that directives name and that lie in no code root and in no directory of untrusted files.
    pub fn files_outside_roots(&self) -> Vec<String> {
        let roots = [self.code_roots(), self.untrusted_directories()].concat();
        let inside = |path: &Path| roots.iter().any(|root| strip_root(root, path.as_os_str().as_bytes()).is_some());
        let mut files: Vec<String> = Vec::new();
        let named = self.codes.iter().filter_map(|code| match &code.source {
            Source::File(path) => Some(path.as_path()),
            Source::Inline { .. } | Source::Variable(_) => None,
        });
        for path in named.chain(self.sandboxed_files()) {
            if !inside(path)
                && let Some(path) = path.to_str().map(str::to_owned)
                && !files.contains(&path)
            {
                files.push(path);
            }
        }
        files
    }
}

/// A directory without the `.` and the slashes that change nothing, so that a file below it has one spelling. A `..`
/// stays: what it leads to is for the file system to say.
pub(super) fn plain(directory: &Path) -> PathBuf {
    directory.components().collect()
}

/// The directory that stands before the first `?` of a search path's template, absolute.
pub(super) fn template_directory(template: &str) -> PathBuf {
    prefix().join(static_directory(super::expand_prefix(template).as_bytes(), b'?'))
}

/// The directory that stands before the first `variable` byte: `/srv/lua/` of `/srv/lua/$1.lua`.
pub(super) fn static_directory(path: &[u8], variable: u8) -> &Path {
    let fixed = path.split(|&byte| byte == variable).next().unwrap_or_default();
    let end = fixed.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
    let end = if end > 1 { end - 1 } else { end };
    Path::new(OsStr::from_bytes(&fixed[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_spelling() {
        for (given, want) in [
            ("/srv/lua", "/srv/lua"),
            ("/srv/lua/", "/srv/lua"),
            ("/srv//lua/./", "/srv/lua"),
            ("/srv/./.", "/srv"),
            ("/srv/../lua", "/srv/../lua"),
            ("/", "/"),
        ] {
            // As text: paths are compared by their components.
            assert_eq!(plain(Path::new(given)).to_str(), Some(want), "{given}");
        }
    }

    #[test]
    fn the_directory_before_the_first_variable_is_static() {
        for (path, variable, want) in [
            ("/srv/lua/$1.lua", b'$', "/srv/lua"),
            ("/srv/lua/app-$1/x.lua", b'$', "/srv/lua"),
            ("lua/$1.lua", b'$', "lua"),
            ("$1.lua", b'$', ""),
            ("/$1.lua", b'$', "/"),
            ("/srv/?.lua", b'?', "/srv"),
            ("./?.lua", b'?', "."),
        ] {
            assert_eq!(static_directory(path.as_bytes(), variable), Path::new(want), "{path}");
        }
    }
}
