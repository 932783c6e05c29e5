//! One generation as one VM has it: its loaded modules and compiled chunks.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use mlua::{Function, Table};
use rustc_hash::FxBuildHasher;

use crate::code::{Generation, RequireGraph};

use super::error::Failure;
use super::state::Vm;

/// A generation's modules and chunks in a VM. Requests hold it while they run, so that it lives as long as the last.
pub struct Environment {
    /// The code that it was made of.
    pub generation: Rc<Generation>,
    /// `package.loaded` of this generation.
    pub loaded: Table,
    /// Compiled files by the path that asks for them.
    pub chunks: RefCell<HashMap<Box<[u8]>, Function, FxBuildHasher>>,
    /// Who required whom while this VM loaded modules.
    pub graph: RefCell<RequireGraph>,
}

impl Environment {
    /// An environment in which only `loaded` is loaded.
    pub fn new(generation: Rc<Generation>, loaded: Table) -> Rc<Self> {
        Rc::new(Self { generation, loaded, chunks: RefCell::default(), graph: RefCell::default() })
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
}
