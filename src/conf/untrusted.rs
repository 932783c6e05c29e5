//! What `content_by_sandbox_file` makes untrusted, and why that must not be the operator's own code.

use std::path::{Path, PathBuf};

use crate::code::{Untrusted, real, strip_root};

use super::MainConf;
use super::code::Source;
use super::roots::{plain, template_directory};

impl MainConf {
    /// The directories below which every file is untrusted, each once.
    pub fn untrusted_directories(&self) -> Vec<PathBuf> {
        let mut directories: Vec<PathBuf> = Vec::new();
        for sandboxed in &self.sandboxed {
            let directory = plain(&sandboxed.directory);
            if matches!(sandboxed.source, Source::Variable(_)) && !directories.contains(&directory) {
                directories.push(directory);
            }
        }
        directories
    }

    /// All that is untrusted.
    pub fn untrusted(&self) -> Untrusted {
        Untrusted::new(self.untrusted_directories(), self.sandboxed_files().map(Path::to_owned).collect())
    }

    /// The single files that are untrusted.
    pub(super) fn sandboxed_files(&self) -> impl Iterator<Item = &Path> {
        self.sandboxed.iter().filter_map(|sandboxed| match &sandboxed.source {
            Source::File(path) => Some(path.as_path()),
            Source::Inline { .. } | Source::Variable(_) => None,
        })
    }

    /// Checks that nothing is meant to be both untrusted and trusted, once the whole configuration is read.
    ///
    /// # Errors
    /// A sentence that names the directive, the path and what to write.
    pub fn check_untrusted(&self) -> Result<(), String> {
        for sandboxed in self.sandboxed.iter().filter(|sandboxed| matches!(sandboxed.source, Source::Variable(_))) {
            if let Some((root, how)) = clash(&sandboxed.directory, &self.code_roots()) {
                let (directory, root) = (sandboxed.directory.display(), root.display());
                return Err(format!(
                    "\"content_by_sandbox_file\" in {} makes every file below \"{directory}\" an untrusted script, but \
                     that {how} the code root \"{root}\": give the scripts a directory that holds nothing else, for \
                     instance \"content_by_sandbox_file {} {directory}/tenants/$1.lua\"",
                    sandboxed.place, sandboxed.name
                ));
            }
        }
        let fence = self.untrusted().fence();
        let files = self.codes.iter().filter_map(|code| match &code.source {
            Source::File(path) => Some((format!("{}_file", code.directive), path.as_path())),
            Source::Inline { .. } | Source::Variable(_) => None,
        });
        let check = self.check.iter().map(|path| ("hotlua_check".to_owned(), path.as_path()));
        // A C library runs without any check of ours.
        for template in self.package_cpath.iter().flat_map(|path| path.split(';')).filter(|part| !part.is_empty()) {
            if fence.holds(&template_directory(template)) {
                return Err(format!(
                    "\"{template}\" of \"lua_package_cpath\" would load C libraries from where \"content_by_sandbox_file\" \
                     runs untrusted scripts: name a directory that lies elsewhere"
                ));
            }
        }
        match files.chain(check).find(|(_, path)| fence.holds(path)) {
            Some((directive, path)) => Err(format!(
                "\"{directive} {}\" would run a sandboxed script as trusted code: \"content_by_sandbox_file\" makes the \
                 file untrusted; name one that lies elsewhere",
                path.display()
            )),
            None => Ok(()),
        }
    }
}

/// The code root that an untrusted directory is or holds, by name or by where symlinks lead.
fn clash<'r>(directory: &Path, roots: &'r [PathBuf]) -> Option<(&'r Path, &'static str)> {
    let directories = [plain(directory), real(directory)];
    roots.iter().find_map(|root| {
        let own = [plain(root), real(root)];
        let is = |holds: fn(&Path, &Path) -> bool| {
            directories.iter().any(|outer| own.iter().any(|inner| holds(outer, inner)))
        };
        if is(|outer, inner| outer == inner) {
            Some((root.as_path(), "is"))
        } else if is(|outer, inner| strip_root(outer, inner.as_os_str().as_encoded_bytes()).is_some()) {
            Some((root.as_path(), "holds"))
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::create_dir_all;
    use std::os::unix::fs::symlink;

    #[test]
    fn an_untrusted_directory_is_no_code_root_and_holds_none() {
        let temporary = tempfile::tempdir().unwrap();
        let top = temporary.path().canonicalize().unwrap();
        create_dir_all(top.join("releases/1/lua/tenants")).unwrap();
        create_dir_all(top.join("tenants")).unwrap();
        symlink("releases/1", top.join("current")).unwrap();
        for (directory, root, want) in [
            ("tenants", "current/lua", None),
            ("current/lua/tenants", "current/lua", None),
            ("releases/1/lua/tenants", "current/lua", None),
            ("tenantsx", "tenants", None),
            ("tenants", "tenantsx", None),
            ("tenants", "tenants", Some("is")),
            ("tenants/", "tenants/.", Some("is")),
            ("current/lua", "releases/1/lua", Some("is")),
            ("releases/1", "current/lua", Some("holds")),
            ("missing", "missing/lua", Some("holds")),
            ("", "tenants", Some("holds")),
        ] {
            let roots = [PathBuf::from("/elsewhere"), top.join(root)];
            let got = clash(&top.join(directory), &roots);
            assert_eq!(got, want.map(|how| (roots[1].as_path(), how)), "{directory} {root}");
        }
        assert_eq!(clash(Path::new("/"), &[top.join("tenants")]).map(|(_, how)| how), Some("holds"));
    }
}
