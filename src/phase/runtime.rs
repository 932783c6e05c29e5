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
    settings: Settings,
    furnish: Furnish,
}

/// What every VM of a configuration is set to.
struct Settings {
    package_path: Option<String>,
    package_cpath: Option<String>,
    regex_cache_max_entries: Option<u32>,
    regex_match_limit: Option<u32>,
}

/// Gives a VM what it has of the configuration.
pub type Furnish = Box<dyn Fn(&Vm) -> Result<(), Failure>>;

impl Runtime {
    /// Opens the VM of a configuration.
    pub fn new(main: &MainConf, families: &'static [&'static [Family]], furnish: Furnish) -> Result<Self, Failure> {
        let settings = Settings {
            package_path: main.package_path.clone(),
            package_cpath: main.package_cpath.clone(),
            regex_cache_max_entries: main.regex_cache_max_entries,
            regex_match_limit: main.regex_match_limit,
        };
        let untrusted = Rc::new(main.untrusted());
        let vm = open(families, &settings)?;
        vm.limit_stock(main.kept_coroutines());
        furnish(&vm)?;
        let environment = Environment::first(&vm, Rc::default(), Rc::clone(&untrusted))?;
        Ok(Self {
            live: Rc::new(Live::new(vm, environment)),
            init: main.init.clone(),
            roots: main.code_roots(),
            untrusted,
            families,
            settings,
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
        let vm = open(self.families, &self.settings)?;
        (self.furnish)(&vm)?;
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
                Some(chunk) if Rc::ptr_eq(vm, &self.live.vm) => Ok(chunk.clone()),
                _ => vm.compile(text, name).map_err(LoadError::Compile),
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

fn open(families: &[&[Family]], settings: &Settings) -> Result<Rc<Vm>, Failure> {
    let vm = Vm::new(families)?;
    vm.shared().raw_set("regex_cache_max_entries", settings.regex_cache_max_entries)?;
    vm.shared().raw_set("regex_match_limit", settings.regex_match_limit)?;
    let package: Table = vm.lua().globals().raw_get("package")?;
    for (field, value) in [("path", &settings.package_path), ("cpath", &settings.package_cpath)] {
        if let Some(value) = value {
            let default: String = package.raw_get(field)?;
            package.raw_set(field, expand(value, &default))?;
        }
    }
    Ok(vm)
}

/// Puts Lua's default where a search path has `;;`, and nginx's prefix for `$prefix` and `${prefix}`.
fn expand(path: &str, default: &str) -> String {
    expand_prefix(path).replace(";;", &format!(";{default};"))
}
