//! One generation as one VM has it: its loaded modules and compiled chunks.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use mlua::{Function, Table, Value};
use rustc_hash::FxBuildHasher;

use crate::code::{Generation, Hash, Node, RequireGraph, Untrusted};

use super::anchor::Kept;
use super::error::Failure;
use super::retire::OnRetire;
use super::script::ScriptFile;
use super::started::Started;
use super::state::Vm;

/// A module that an environment has loaded from a file.
#[derive(Clone, Debug)]
pub struct LoadedModule {
    /// Its file, absolute.
    pub file: String,
    /// The hash of the source that was loaded.
    pub hash: Hash,
    /// The generation whose loading it was.
    pub loaded_in: u64,
    /// Its source requires the `ffi` library.
    pub ffi: bool,
}

/// Compiled files and the hashes of their sources, by path.
type Chunks = HashMap<Box<[u8]>, (Rc<Kept<Function>>, Hash), FxBuildHasher>;

/// Untrusted scripts by path.
type Scripts = HashMap<Rc<[u8]>, Rc<ScriptFile>, FxBuildHasher>;

/// A generation's modules and chunks in a VM. Requests hold it while they run, so that it lives as long as the last.
pub struct Environment {
    /// The code that it was made of.
    pub generation: Rc<Generation>,
    /// `package.loaded` of this generation.
    pub loaded: Table,
    /// How many requests are pinned to it.
    pub requests: Cell<u64>,
    /// How many timers hold it.
    pub timers: Cell<u64>,
    /// C type id → the metatable that this generation gave it (`ffi.metatype`).
    metatypes: Table,
    /// Its values of the generational globals, as they were when it ran last.
    pub(super) globals: Table,
    pub(super) on_retire: OnRetire,
    /// What its modules have started that runs by itself.
    pub(super) started: Started,
    /// Lets the VM count its environments.
    _counted: Rc<()>,
    /// Compiled files and the hashes of their sources, by the path that asks for them.
    pub chunks: RefCell<Chunks>,
    /// Untrusted scripts that requests have run, by the path that asks for them.
    pub(super) scripts: RefCell<Scripts>,
    /// What never runs as trusted code.
    pub untrusted: Rc<Untrusted>,
    /// The modules that were loaded from files, by name.
    pub modules: RefCell<BTreeMap<String, LoadedModule>>,
    /// Who required whom while this VM loaded modules.
    pub graph: RefCell<RequireGraph>,
}

impl Environment {
    /// The environment of a VM that has loaded nothing but what comes with it.
    pub fn first(vm: &Vm, generation: Rc<Generation>, untrusted: Rc<Untrusted>) -> Result<Rc<Self>, Failure> {
        let package: Table = vm.lua().globals().raw_get("package")?;
        let environment = Rc::new(Self {
            generation,
            loaded: package.raw_get("loaded")?,
            requests: Cell::new(0),
            timers: Cell::new(0),
            metatypes: vm.shared().raw_get("metatypes")?,
            globals: vm.lua().create_table()?,
            on_retire: OnRetire::default(),
            started: Started::active(),
            _counted: Rc::clone(&vm.environments),
            chunks: RefCell::default(),
            scripts: RefCell::default(),
            untrusted,
            modules: RefCell::default(),
            graph: RefCell::default(),
        });
        vm.switch_to(&environment)?;
        Ok(environment)
    }

    /// The environment of a next generation: this one's modules, chunks and scripts by reference, without
    /// `modules` and without what `files` hold.
    pub fn successor(
        &self,
        vm: &Vm,
        generation: Rc<Generation>,
        modules: &[String],
        files: &HashSet<String>,
    ) -> Result<Rc<Self>, Failure> {
        let loaded = copy(vm, &self.loaded)?;
        // A module that is just being loaded by a request is none of the next generation's.
        let loading: Value = vm.shared().raw_get("loading")?;
        for pair in self.loaded.pairs::<Value, Value>() {
            let (name, module) = pair?;
            if !loading.is_nil() && module == loading {
                loaded.raw_set(name, Value::Nil)?;
            }
        }
        let metatypes = copy(vm, &self.metatypes)?;
        let (mut known, mut graph) = (self.modules.borrow().clone(), self.graph.borrow().clone());
        for module in modules {
            loaded.raw_set(module.as_str(), Value::Nil)?;
            known.remove(module);
            graph.forget(&Node::module(module));
        }
        let chunks = self.chunks.borrow();
        let is_stale = |path: &[u8]| std::str::from_utf8(path).is_ok_and(|path| files.contains(path));
        let scripts = self.scripts.borrow();
        let scripts = scripts.iter().filter(|(path, _)| !is_stale(path));
        let scripts = scripts.map(|(path, script)| (Rc::clone(path), Rc::clone(script))).collect();
        let kept = chunks.iter().filter(|(path, _)| !is_stale(path));
        let chunks = kept.map(|(path, chunk)| (path.clone(), chunk.clone())).collect();
        Ok(Rc::new(Self {
            generation,
            loaded,
            requests: Cell::new(0),
            timers: Cell::new(0),
            metatypes,
            globals: vm.globals.inherit(self, vm.runs(self))?,
            on_retire: self.on_retire.successor(modules),
            started: self.started.successor(modules),
            _counted: Rc::clone(&vm.environments),
            chunks: RefCell::new(chunks),
            scripts: RefCell::new(scripts),
            untrusted: Rc::clone(&self.untrusted),
            modules: RefCell::new(known),
            graph: RefCell::new(graph),
        }))
    }

    /// The remembered chunk of a file, by the path that asks for it; an error where memory ran out.
    #[inline]
    pub fn chunk(&self, path: &[u8]) -> Option<mlua::Result<Function>> {
        self.chunks.borrow().get(path).map(|(chunk, _)| chunk.get())
    }

    /// Remembers the chunk of a file.
    pub fn remember(&self, vm: &Vm, path: &[u8], chunk: Function, hash: Hash) {
        self.chunks.borrow_mut().insert(path.into(), (Rc::new(vm.keep(chunk)), hash));
    }

    /// The files whose chunks or scripts are remembered and `differ` from the hash that these have.
    pub fn stale_files(&self, differ: impl Fn(&str, Hash) -> bool) -> HashSet<String> {
        let chunks = self.chunks.borrow();
        // What has no name in UTF-8 is in no generation.
        let chunks = chunks.iter().filter_map(|(path, (_, hash))| Some((std::str::from_utf8(path).ok()?, *hash)));
        let scripts = self.scripts.borrow();
        let scripts = scripts.values().map(|script| (&*script.file, script.hash));
        let stale = chunks.chain(scripts).filter(|(file, hash)| differ(file, *hash));
        stale.map(|(file, _)| file.to_owned()).collect()
    }

    /// Takes over modules that `other` has loaded, by reference.
    pub fn take_over(&self, other: &Self, modules: &[String]) -> Result<(), Failure> {
        let theirs = other.modules.borrow();
        for (name, module) in modules.iter().filter_map(|name| theirs.get_key_value(name)) {
            self.loaded.raw_set(name.as_str(), other.loaded.raw_get::<Value>(name.as_str())?)?;
            self.modules.borrow_mut().insert(name.clone(), module.clone());
            let requires = other.graph.borrow().requires(&Node::module(name)).into_iter().map(str::to_owned).collect();
            self.graph.borrow_mut().set_requires(&Node::module(name), requires);
        }
        self.on_retire.take_over(&other.on_retire, modules);
        self.started.take_over(&other.started, modules);
        Ok(())
    }
}

impl Vm {
    /// Makes `environment` the one that `require`, `package.loaded` and the generational globals show. Cheap where it
    /// is already.
    pub fn switch_to(&self, environment: &Rc<Environment>) -> Result<(), Failure> {
        if self.runs(environment) {
            return Ok(());
        }
        // Nothing is borrowed meanwhile: what allocates in Lua may run a finalizer that asks for the running one.
        let ran = self.running();
        self.shared().raw_set("loaded", &environment.loaded)?;
        self.shared().raw_set("metatypes", &environment.metatypes)?;
        let package: Table = self.lua().globals().raw_get("package")?;
        package.raw_set("loaded", &environment.loaded)?;
        self.lua().set_named_registry_value("_LOADED", &environment.loaded)?;
        self.globals.exchange(ran.as_deref(), environment)?;
        self.running.replace(Some(Rc::clone(environment)));
        Ok(())
    }

    /// Says whether `environment` is the running one.
    #[inline]
    pub(super) fn runs(&self, environment: &Environment) -> bool {
        self.running.borrow().as_deref().is_some_and(|running| std::ptr::eq(running, environment))
    }

    /// The environment that [`Vm::switch_to`] was last given.
    pub fn running(&self) -> Option<Rc<Environment>> {
        self.running.borrow().clone()
    }
}

fn copy(vm: &Vm, table: &Table) -> Result<Table, Failure> {
    let copy = vm.lua().create_table()?;
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        copy.raw_set(key, value)?;
    }
    Ok(copy)
}
