//! From what a change names to the modules and files that it rereads.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::code::{Fence, Root, Seen, candidates, look, module_pattern, normalize, strip_root};

use super::report::{Module, Named, Refused};

/// What a change rereads.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    /// The modules that it names.
    pub modules: BTreeSet<String>,
    /// Absolute paths.
    pub files: BTreeSet<String>,
}

/// Finds what `named` names. `registry` holds what any worker has loaded; what is untrusted is no module.
pub(super) fn resolve(
    roots: &[Root],
    fence: &Fence,
    package_path: &str,
    registry: &BTreeMap<String, Module>,
    named: &Named,
) -> Result<Resolved, Refused> {
    let mut resolved = Resolved::default();
    for name in &named.modules {
        resolved.files.insert(module_file(fence, package_path, registry, name)?);
        resolved.modules.insert(name.clone());
    }
    for pattern in &named.patterns {
        let matches = module_pattern(pattern);
        let matching: Vec<&Module> = registry.values().filter(|module| matches(&module.name)).collect();
        if matching.is_empty() {
            return Err(Refused::Unknown { what: format!("no loaded module matches the pattern \"{pattern}\"") });
        }
        resolved.modules.extend(matching.iter().map(|module| module.name.clone()));
        resolved.files.extend(matching.iter().map(|module| module.file.clone()));
    }
    for file in &named.files {
        resolved.files.insert(named_file(roots, registry, file)?);
    }
    if named.all {
        resolved.modules.extend(registry.keys().cloned());
        resolved.files.extend(registry.values().map(|module| module.file.clone()));
    }
    Ok(resolved)
}

fn module_file(
    fence: &Fence,
    package_path: &str,
    registry: &BTreeMap<String, Module>,
    name: &str,
) -> Result<String, Refused> {
    if let Some(module) = registry.get(name) {
        return Ok(module.file.clone());
    }
    let unknown =
        || Refused::Unknown { what: format!("no module \"{name}\" is loaded and package.path has no file for it") };
    let found: Vec<String> =
        candidates(package_path, name).into_iter().filter(|file| Path::new(file).is_file()).collect();
    match found.iter().find(|file| !fence.holds(Path::new(file))) {
        Some(file) => Ok(file.clone()),
        None if found.is_empty() => Err(unknown()),
        None => Err(Refused::Rejected {
            error: format!("module \"{name}\" is refused: the file is a sandboxed script"),
            file: found.into_iter().next(),
            line: None,
            worker: None,
        }),
    }
}

/// The absolute path of a file that a change names: absolute itself, or relative to a root that has it.
fn named_file(roots: &[Root], registry: &BTreeMap<String, Module>, name: &str) -> Result<String, Refused> {
    if registry.values().any(|module| module.file == name) {
        return Ok(name.to_owned());
    }
    let there = roots.iter().filter_map(|root| below(root, name));
    there
        .into_iter()
        .find(|file| !matches!(look(roots, file, None), None | Some(Seen::Refused(crate::code::PathError::NotFound))))
        .ok_or_else(|| Refused::Unknown { what: format!("no code root has a file \"{name}\"") })
}

/// The absolute path that a name has in a code root, whether or not there is such a file: that of an absolute name in
/// the root that it lies in, that of a relative one in the first.
pub(super) fn inside(roots: &[Root], name: &str) -> Option<String> {
    roots.iter().find_map(|root| below(root, name))
}

fn below(root: &Root, name: &str) -> Option<String> {
    let rest = match strip_root(&root.path, name.as_bytes()) {
        Some(rest) => rest,
        None if name.starts_with('/') => return None,
        None => name.as_bytes(),
    };
    let relative = normalize(rest).ok()?;
    root.path.join(relative.as_path()).into_os_string().into_string().ok()
}
