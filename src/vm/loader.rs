//! From a path or a module's name to a compiled chunk of the running environment.

use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use mlua::Function;

use crate::code::{
    FILE_LIMIT, Found, Node, PathError, Source, candidates, literal_requires, normalize, read, read_static, strip_root,
    uses_ffi,
};

use super::environment::{Environment, LoadedModule};
use super::error::Failure;
use super::state::Vm;

/// Why an untrusted file is not run as trusted code.
const SANDBOXED: &str = "refused: the file is a sandboxed script";

/// Why a file was not turned into a chunk.
#[derive(Debug)]
pub enum LoadError {
    /// The file is refused or cannot be read.
    Path(PathBuf, PathError),
    /// A path that the request chose lies in no code root.
    OutsideRoots(PathBuf),
    /// It is an untrusted script, which must not run as trusted code.
    Sandboxed(PathBuf),
    /// It is an untrusted script, and no text.
    Bytecode(PathBuf),
    /// Lua of the configuration does not compile, or a file's name cannot be told.
    Compile(Failure),
    /// A file does not compile.
    File(PathBuf, Failure),
}

impl LoadError {
    /// The HTTP status that answers it.
    pub fn status(&self) -> u16 {
        match self {
            Self::Path(_, error) => error.status(),
            Self::OutsideRoots(_) | Self::Sandboxed(_) => 404,
            Self::Bytecode(_) | Self::Compile(_) | Self::File(..) => 500,
        }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // As upstream has it.
            Self::Path(path, PathError::NotFound) => {
                let path = path.display();
                write!(f, "failed to load external Lua file \"{path}\": cannot open {path}: No such file or directory")
            }
            Self::Path(path, error) => write!(f, "failed to load external Lua file \"{}\": {error}", path.display()),
            Self::OutsideRoots(path) => {
                write!(f, "failed to load external Lua file \"{}\": outside of every code root", path.display())
            }
            Self::Sandboxed(path) => {
                write!(f, "failed to load external Lua file \"{}\": {SANDBOXED}", path.display())
            }
            Self::Bytecode(path) => {
                write!(
                    f,
                    "failed to load sandboxed script \"{}\": is bytecode; sandboxed scripts are source text",
                    path.display()
                )
            }
            Self::File(path, failure) => {
                write!(f, "failed to load external Lua file \"{}\": {failure}", path.display())
            }
            Self::Compile(failure) => write!(f, "failed to load inlined Lua code: {failure}"),
        }
    }
}

/// The chunk of a file that a directive names. A path that a request had part in (`from_request`) must lie in one of
/// `roots` and is resolved so that it cannot leave it. An untrusted file is refused.
///
/// The hot path is one look-up by the bytes of the path. Only a path in its normal form is remembered, so that the
/// many spellings of one file, and files that don't exist, grow nothing.
pub fn file_chunk(
    vm: &Vm,
    environment: &Environment,
    roots: &[PathBuf],
    path: &[u8],
    from_request: bool,
) -> Result<Function, LoadError> {
    if let Some(chunk) = environment.chunk(path) {
        return chunk.map_err(|error| LoadError::Compile(error.into()));
    }
    let as_path = PathBuf::from(std::ffi::OsStr::from_bytes(path));
    let refuse = |error| LoadError::Path(as_path.clone(), error);
    let root = roots.iter().find_map(|root| Some((root, strip_root(root, path)?)));
    let (file, source) = match root {
        Some((root, rest)) => {
            let relative = normalize(rest).map_err(refuse)?;
            let file = root.join(relative.as_path());
            if let Some(chunk) = environment.chunk(file.as_os_str().as_bytes()) {
                return chunk.map_err(|error| LoadError::Compile(error.into()));
            }
            if environment.untrusted.holds(&file) {
                return Err(LoadError::Sandboxed(as_path));
            }
            let source = source(environment, &file, || Ok(read(root, &relative, FILE_LIMIT)?.bytes)).map_err(refuse)?;
            (file, source)
        }
        None if from_request => return Err(LoadError::OutsideRoots(as_path)),
        None if environment.untrusted.holds(&as_path) => return Err(LoadError::Sandboxed(as_path)),
        None => {
            let source = source(environment, &as_path, || Ok(read_static(&as_path, FILE_LIMIT)?.bytes));
            (as_path.clone(), source.map_err(refuse)?)
        }
    };
    let chunk = vm.compile_handler(&source.text, source.loadable(), &chunk_name(&file));
    let chunk = chunk.map_err(|failure| LoadError::File(as_path, failure))?;
    let name = file.to_string_lossy();
    environment.graph.borrow_mut().set_requires(&Node::chunk(&name), literal_requires(&source.text));
    environment.remember(vm, file.as_os_str().as_bytes(), chunk.clone(), source.hash);
    Ok(chunk)
}

/// A file as the environment's generation has it; what that does not know is read from the disk and made part of it.
pub(super) fn source(
    environment: &Environment,
    file: &Path,
    read: impl FnOnce() -> Result<Vec<u8>, PathError>,
) -> Result<Source, PathError> {
    // A generation names its files in UTF-8; others are the disk's.
    let Some(name) = file.to_str() else { return Ok(Source::new(read()?)) };
    match environment.generation.sources.find(name) {
        Found::Source(source) => Ok(source),
        Found::Gone => Err(PathError::NotFound),
        Found::Unknown => Ok(environment.generation.sources.adopt(name, Source::new(read()?))),
    }
}

/// Lua's chunk name of a file.
fn chunk_name(file: &Path) -> String {
    format!("@{}", file.display())
}

/// The chunk and file of a module, searched by the templates of `package_path`. `Ok(Err(tried))` where no file has it:
/// the text lists those tried, as Lua's own loader does.
pub fn find_module(
    vm: &Vm,
    environment: &Rc<Environment>,
    package_path: &str,
    name: &str,
) -> Result<Result<(Function, String), String>, Failure> {
    let mut tried = String::new();
    let sources = &environment.generation.sources;
    let mut files = candidates(package_path, name);
    // First, so that what a tenant puts there hides no module of the operator's.
    files.retain(|file| {
        let is_refused = environment.untrusted.holds(Path::new(file));
        if is_refused {
            let is_there = sources.hash(file).is_some() || Path::new(file).exists();
            let why = if is_there { SANDBOXED } else { "refused: sandboxed scripts lie there" };
            tried.push_str(&format!("\n\tfile '{file}' {why}"));
        }
        !is_refused
    });
    // One that has come to the disk since then does not stand before one that the generation has: workers would differ.
    if let Some(known) = files.iter().position(|file| sources.hash(file).is_some()) {
        let mut place = 0..;
        files.retain(|file| place.next() >= Some(known) || !sources.covers(file));
    }
    for file in files {
        let source = match read_module(environment, &file) {
            Ok(source) => source,
            Err(PathError::NotFound) => {
                tried.push_str(&format!("\n\tno file '{file}'"));
                continue;
            }
            Err(error) => {
                tried.push_str(&format!("\n\tfile '{file}' {error}"));
                continue;
            }
        };
        let chunk = vm.compile(source.loadable(), &format!("@{file}")).map_err(|failure| {
            Failure::new(format!("error loading module '{name}' from file '{file}':\n\t{}", failure.message))
        })?;
        environment.graph.borrow_mut().set_requires(&Node::module(name), literal_requires(&source.text));
        let module = LoadedModule {
            file: file.clone(),
            hash: source.hash,
            loaded_in: environment.generation.number,
            ffi: uses_ffi(&source.text),
        };
        environment.modules.borrow_mut().insert(name.to_owned(), module);
        vm.loaded.set(true);
        return Ok(Ok((chunk, file)));
    }
    Ok(Err(tried))
}

/// A module's file; one that package.path names relatively lies below the working directory.
fn read_module(environment: &Environment, file: &str) -> Result<Source, PathError> {
    let path = std::path::absolute(file).map_err(|_| PathError::NotFound)?;
    source(environment, &path, || Ok(read_static(&path, FILE_LIMIT)?.bytes))
}
