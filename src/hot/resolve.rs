//! From what a change names to the files that it rereads.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::code::{PathError, SourceFile, candidates, module_pattern, normalize, read, read_static, strip_root};
use crate::vm::{FILE_LIMIT, Failure, Vm};

use super::report::{Change, Module, Refused};

/// More files than this in the roots are not reread at once.
const MOST_FILES: usize = 100_000;

/// What a change rereads.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    /// The modules that it names.
    pub modules: Vec<String>,
    /// Absolute path → source.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// Finds and rereads what `change` names, and checks that it compiles. `registry` holds what any worker has loaded.
pub(super) fn resolve(
    vm: &Vm,
    roots: &[PathBuf],
    registry: &BTreeMap<String, Module>,
    change: &Change,
) -> Result<Resolved, Refused> {
    let mut modules = BTreeSet::new();
    let mut files = BTreeSet::new();
    for name in &change.modules {
        files.insert(module_file(vm, registry, name)?);
        modules.insert(name.clone());
    }
    for pattern in &change.patterns {
        let matches = module_pattern(pattern);
        let before = modules.len();
        for (name, module) in registry.iter().filter(|(name, _)| matches(name)) {
            modules.insert(name.clone());
            files.insert(module.file.clone());
        }
        if modules.len() == before && !registry.keys().any(|name| matches(name)) {
            return Err(Refused::Unknown { what: format!("no loaded module matches the pattern \"{pattern}\"") });
        }
    }
    for file in &change.files {
        files.insert(named_file(roots, registry, file)?);
    }
    if change.all {
        modules.extend(registry.keys().cloned());
        files.extend(registry.values().map(|module| module.file.clone()));
        all_files(roots, &mut files)?;
    }
    let mut sources = BTreeMap::new();
    for file in files {
        let source = reread(roots, &file)?;
        vm.compile(&source.bytes, &format!("@{file}")).map_err(|failure| syntax(&failure, &file))?;
        sources.insert(file, source.bytes);
    }
    Ok(Resolved { modules: modules.into_iter().collect(), files: sources })
}

fn module_file(vm: &Vm, registry: &BTreeMap<String, Module>, name: &str) -> Result<String, Refused> {
    if let Some(module) = registry.get(name) {
        return Ok(module.file.clone());
    }
    let unknown =
        || Refused::Unknown { what: format!("no module \"{name}\" is loaded and package.path has no file for it") };
    let path = vm.package_path().map_err(|_| unknown())?;
    candidates(&path, name).into_iter().find(|file| Path::new(file).is_file()).ok_or_else(unknown)
}

/// The absolute path of a file that a change names: absolute itself, or relative to a root that has it.
fn named_file(roots: &[PathBuf], registry: &BTreeMap<String, Module>, name: &str) -> Result<String, Refused> {
    let unknown = || Refused::Unknown { what: format!("no code root has a file \"{name}\"") };
    if registry.values().any(|module| module.file == name) {
        return Ok(name.to_owned());
    }
    for root in roots {
        let rest = match strip_root(root, name.as_bytes()) {
            Some(rest) => rest,
            None if name.starts_with('/') => continue,
            None => name.as_bytes(),
        };
        let Ok(relative) = normalize(rest) else { continue };
        if !matches!(read(root, &relative, FILE_LIMIT), Err(PathError::NotFound)) {
            return root.join(relative.as_path()).into_os_string().into_string().map_err(|_| unknown());
        }
    }
    Err(unknown())
}

fn all_files(roots: &[PathBuf], files: &mut BTreeSet<String>) -> Result<(), Refused> {
    for root in roots {
        let entries = WalkDir::new(root).follow_links(false).into_iter().filter_map(Result::ok);
        let lua = entries.filter(|entry| {
            entry.path().extension().is_some_and(|extension| extension == "lua") && entry.path().is_file()
        });
        for entry in lua {
            files.extend(entry.into_path().into_os_string().into_string().ok());
            if files.len() > MOST_FILES {
                return Err(refused(format!("the code roots hold more than {MOST_FILES} Lua files"), None));
            }
        }
    }
    Ok(())
}

fn reread(roots: &[PathBuf], file: &str) -> Result<SourceFile, Refused> {
    let path = Path::new(file);
    let inside = roots.iter().find_map(|root| Some((root, normalize(strip_root(root, file.as_bytes())?).ok()?)));
    let source = match inside {
        Some((root, relative)) => read(root, &relative, FILE_LIMIT),
        None => read_static(path, FILE_LIMIT),
    };
    source.map_err(|error| refused(format!("{file}: {error}"), Some(file)))
}

fn syntax(failure: &Failure, file: &str) -> Refused {
    let line = failure.place().map(|(_, line)| line);
    Refused::Rejected { error: failure.message.clone(), file: Some(file.to_owned()), line, worker: None }
}

fn refused(error: String, file: Option<&str>) -> Refused {
    Refused::Rejected { error, file: file.map(str::to_owned), line: None, worker: None }
}
