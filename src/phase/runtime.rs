//! What a configuration runs its Lua with: the VM, the active environment and the code roots.

use std::path::PathBuf;
use std::rc::Rc;

use mlua::{Function, Table};

use crate::code::Untrusted;
use crate::conf::{Code, Confs, MainConf, Source, evaluate, expand_prefix};
use crate::nginx::{Phase, Request, enter};
use crate::vm::{Environment, Failure, Family, Live, LoadError, Vm, file_chunk};

/// A worker's Lua.
pub struct Runtime {
    /// What all requests with the code cache on share.
    pub live: Rc<Live>,
    init: Option<Rc<Code>>,
    roots: Vec<PathBuf>,
    untrusted: Rc<Untrusted>,
    families: &'static [&'static [Family]],
    paths: Paths,
    furnish: Furnish,
}

/// Where a VM looks for modules: `lua_package_path`, `lua_package_cpath`.
struct Paths {
    path: Option<String>,
    cpath: Option<String>,
}

/// Gives a VM what it has of the configuration.
pub type Furnish = Box<dyn Fn(&Vm) -> Result<(), Failure>>;

impl Runtime {
    /// Opens the VM of a configuration.
    pub fn new(main: &MainConf, families: &'static [&'static [Family]], furnish: Furnish) -> Result<Self, Failure> {
        let paths = Paths { path: main.package_path.clone(), cpath: main.package_cpath.clone() };
        let untrusted = Rc::new(main.untrusted());
        let vm = open(families, &paths, &furnish)?;
        vm.limit_stock(main.kept_coroutines());
        let environment = Environment::first(&vm, Rc::default(), Rc::clone(&untrusted))?;
        Ok(Self {
            live: Rc::new(Live::new(vm, environment)),
            init: main.init.clone(),
            roots: main.code_roots(),
            untrusted,
            families,
            paths,
            furnish,
        })
    }

    /// The runtime of a request's configuration.
    pub fn of(request: &Request) -> Option<&Self> {
        Self::of_conf(request.main_conf::<Confs>())
    }

    /// The runtime of a configuration.
    pub fn of_conf(main: &MainConf) -> Option<&Self> {
        main.runtime.get()?.downcast_ref()
    }

    /// A VM of its own for a request without the code cache, in which `init_by_lua*` has run.
    pub fn fresh(&self) -> Result<(Rc<Vm>, Rc<Environment>), Failure> {
        let vm = open(self.families, &self.paths, &self.furnish)?;
        vm.set_of_request();
        let environment = Environment::first(&vm, Rc::default(), Rc::clone(&self.untrusted))?;
        if let Some(init) = &self.init {
            let _scope = enter(None, Phase::INIT);
            let chunk = self.chunk(&vm, &environment, init, None);
            chunk.map_err(|error| Failure::new(error.to_string()))?.call::<()>(())?;
        }
        Ok((vm, environment))
    }

    /// The compiled chunk of a directive, for a request or (None) for none.
    pub fn chunk(
        &self,
        vm: &Rc<Vm>,
        environment: &Environment,
        code: &Code,
        request: Option<&Request>,
    ) -> Result<Function, LoadError> {
        match &code.source {
            Source::Inline { text, name, chunk } => match chunk.get() {
                Some(chunk) if Rc::ptr_eq(vm, &self.live.vm) => {
                    chunk.get().map_err(|error| LoadError::Compile(error.into()))
                }
                _ => vm.compile_handler(text, text, name).map_err(LoadError::Compile),
            },
            Source::File(path) => {
                use std::os::unix::ffi::OsStrExt;
                file_chunk(vm, environment, &self.roots, path.as_os_str().as_bytes(), false)
            }
            Source::Variable(value) => {
                let path = request.and_then(|request| evaluate(value, request));
                let path = path.ok_or_else(|| LoadError::Compile(Failure::new("no memory")))?;
                file_chunk(vm, environment, &self.roots, &path, true)
            }
        }
    }
}

fn open(families: &[&[Family]], paths: &Paths, furnish: &Furnish) -> Result<Rc<Vm>, Failure> {
    let vm = Vm::new(families)?;
    let package: Table = vm.lua().globals().raw_get("package")?;
    for (field, value) in [("path", &paths.path), ("cpath", &paths.cpath)] {
        if let Some(value) = value {
            let default: String = package.raw_get(field)?;
            package.raw_set(field, expand(value, &default))?;
        }
    }
    furnish(&vm)?;
    Ok(vm)
}

/// Puts Lua's default where a search path has `;;`, and nginx's prefix for `$prefix` and `${prefix}`.
fn expand(path: &str, default: &str) -> String {
    expand_prefix(path).replace(";;", &format!(";{default};"))
}
