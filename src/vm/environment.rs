//! One generation as one VM has it: its loaded modules and compiled chunks.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use mlua::{Function, LuaString, Table, Value};
use rustc_hash::FxBuildHasher;

use crate::code::{Generation, Hash, RequireGraph};

use super::error::Failure;
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

/// A generation's modules and chunks in a VM. Requests hold it while they run, so that it lives as long as the last.
pub struct Environment {
    /// The code that it was made of.
    pub generation: Rc<Generation>,
    /// `package.loaded` of this generation.
    pub loaded: Table,
    /// How many requests are pinned to it.
    pub requests: Cell<u64>,
    /// C type id → the metatable that this generation gave it (`ffi.metatype`).
    metatypes: Table,
    /// Compiled files by the path that asks for them.
    pub chunks: RefCell<HashMap<Box<[u8]>, Function, FxBuildHasher>>,
    /// The modules that were loaded from files, by name.
    pub modules: RefCell<BTreeMap<String, LoadedModule>>,
    /// Who required whom while this VM loaded modules.
    pub graph: RefCell<RequireGraph>,
}

impl Environment {
    /// The environment of a VM that has loaded nothing but what comes with it.
    pub fn first(vm: &Vm, generation: Rc<Generation>) -> Result<Rc<Self>, Failure> {
        let package: Table = vm.lua().globals().raw_get("package")?;
        let environment = Rc::new(Self {
            generation,
            loaded: package.raw_get("loaded")?,
            requests: Cell::new(0),
            metatypes: vm.shared().raw_get("metatypes")?,
            chunks: RefCell::default(),
            modules: RefCell::default(),
            graph: RefCell::default(),
        });
        vm.switch_to(&environment)?;
        Ok(environment)
    }

    /// The environment of a next generation: this one's modules and chunks by reference, without `modules` and
    /// without the chunks of `files`.
    pub fn successor(
        &self,
        vm: &Vm,
        generation: Rc<Generation>,
        modules: &[String],
        files: &HashSet<String>,
    ) -> Result<Rc<Self>, Failure> {
        let loaded = copy(vm, &self.loaded)?;
        let metatypes = copy(vm, &self.metatypes)?;
        let (mut known, mut graph) = (self.modules.borrow().clone(), self.graph.borrow().clone());
        for module in modules {
            loaded.raw_set(module.as_str(), Value::Nil)?;
            known.remove(module);
            graph.forget(&crate::code::Node::module(module));
        }
        let chunks = self.chunks.borrow();
        let kept = chunks.iter().filter(|(path, _)| !std::str::from_utf8(path).is_ok_and(|path| files.contains(path)));
        let chunks = kept.map(|(path, chunk)| (path.clone(), chunk.clone())).collect();
        Ok(Rc::new(Self {
            generation,
            loaded,
            requests: Cell::new(0),
            metatypes,
            chunks: RefCell::new(chunks),
            modules: RefCell::new(known),
            graph: RefCell::new(graph),
        }))
    }
}

impl Vm {
    /// Makes `environment` the one that `require` and `package.loaded` show. Cheap where it is already.
    pub fn switch_to(&self, environment: &Rc<Environment>) -> Result<(), Failure> {
        let mut running = self.running.borrow_mut();
        if let Some(running) = &*running
            && Rc::ptr_eq(running, environment)
        {
            return Ok(());
        }
        self.shared().raw_set("loaded", &environment.loaded)?;
        self.shared().raw_set("metatypes", &environment.metatypes)?;
        let package: Table = self.lua().globals().raw_get("package")?;
        package.raw_set("loaded", &environment.loaded)?;
        self.lua().set_named_registry_value("_LOADED", &environment.loaded)?;
        *running = Some(Rc::clone(environment));
        Ok(())
    }

    /// The environment that [`Vm::switch_to`] was last given.
    pub fn running(&self) -> Option<Rc<Environment>> {
        self.running.borrow().clone()
    }

    /// Loads a module in the running environment, as `require` does.
    pub fn require(&self, module: &str) -> Result<(), Failure> {
        let quiet: Function = self.shared().raw_get("require_quietly")?;
        let (loaded, message, traceback): (bool, Option<LuaString>, Option<LuaString>) = quiet.call(module)?;
        if loaded {
            return Ok(());
        }
        let text = |text: Option<LuaString>| text.map(|text| text.to_string_lossy()).unwrap_or_default();
        Err(Failure { message: text(message), traceback: text(traceback) })
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
