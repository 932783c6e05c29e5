//! VMs apart from the worker's own: threads run modules in them, each the code of its caller's generation.

use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mlua::{Function, Lua, MultiValue, Table, Value};

use crate::code::{Generation, Sources, Untrusted};
use crate::ffi::Carried;

use super::copied::Copied;
use super::environment::Environment;
use super::error::Failure;
use super::family::Family;
use super::state::Vm;

/// Gives a VM what it has of the configuration.
pub type FurnishApart = Box<dyn Fn(&Vm) -> Result<(), Failure> + Send + Sync>;

/// The VMs apart of a worker. They are kept for the next call, and never used for the code of another generation.
pub struct VmsApart {
    families: &'static [&'static [Family]],
    furnish: FurnishApart,
    untrusted: Untrusted,
    /// How many there may be at once.
    limit: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    idle: Vec<Apart>,
    /// How many calls have one.
    taken: usize,
    /// The newest generation that anyone has called from.
    newest: u64,
}

/// A VM with the number of the generation whose code it runs.
struct Apart {
    generation: u64,
    inside: Carried<Inside>,
}

/// The VM itself. What is in it goes before it.
struct Inside {
    _environment: Rc<Environment>,
    vm: Rc<Vm>,
}

/// What a VM is made of.
struct Origin {
    sources: Arc<dyn Sources>,
    paths: [String; 2],
}

/// The place of one call, which a thread makes. Dropped, it leaves the VM and the place to the next one.
pub struct Place {
    vms: Arc<VmsApart>,
    generation: u64,
    apart: Option<Apart>,
    /// Where there is none to take over.
    origin: Option<Origin>,
    /// Those of other generations that make room. Closing them takes time, so the thread does it.
    closed: Vec<Apart>,
}

impl VmsApart {
    /// None yet; at most `limit` at once.
    pub fn new(
        families: &'static [&'static [Family]],
        furnish: FurnishApart,
        untrusted: Untrusted,
        limit: usize,
    ) -> Arc<Self> {
        Arc::new(Self { families, furnish, untrusted, limit, state: Mutex::default() })
    }

    /// Those that a VM's Lua may call into.
    pub fn of(lua: &Lua) -> Option<Arc<Self>> {
        lua.app_data_ref::<Arc<Self>>().map(|vms| Arc::clone(&vms))
    }

    /// Lets a VM's Lua call into these.
    pub fn serve(self: &Arc<Self>, vm: &Vm) {
        vm.lua().set_app_data(Arc::clone(self));
    }

    /// A place for a call of code of `generation`; `caller` says where modules are searched. `Ok(None)`: all are taken.
    pub fn reserve(self: &Arc<Self>, caller: &Vm, generation: &Generation) -> Result<Option<Place>, Failure> {
        let number = generation.number;
        let mut state = self.state();
        if state.taken >= self.limit {
            return Ok(None);
        }
        state.newest = state.newest.max(number);
        let newest = state.newest;
        let mut closed: Vec<Apart> = state.idle.extract_if(.., |idle| idle.generation < newest.min(number)).collect();
        let known = state.idle.iter().rposition(|idle| idle.generation == number);
        let apart = known.map(|at| state.idle.swap_remove(at));
        if apart.is_none() && state.taken + state.idle.len() >= self.limit {
            closed.extend(state.idle.pop());
        }
        state.taken += 1;
        drop(state);
        let mut place = Place { vms: Arc::clone(self), generation: number, apart, origin: None, closed };
        if place.apart.is_none() {
            place.origin = Some(Origin { sources: Arc::clone(&generation.sources), paths: caller.search_paths()? });
        }
        Ok(Some(place))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // It holds no invariant that a panic could break.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn make(&self, generation: u64, origin: Origin) -> Result<Apart, Failure> {
        let inside = Carried::new(move || {
            let Origin { sources, paths: [path, cpath] } = origin;
            let vm = Vm::new(self.families)?;
            (self.furnish)(&vm)?;
            let package: Table = vm.lua().globals().raw_get("package")?;
            package.raw_set("path", path)?;
            package.raw_set("cpath", cpath)?;
            let generation = Rc::new(Generation { number: generation, sources });
            let environment = Environment::first(&vm, generation, Rc::new(self.untrusted.clone()))?;
            Ok::<_, Failure>(Inside { _environment: environment, vm })
        })?;
        Ok(Apart { generation, inside })
    }
}

impl Place {
    /// Calls a function of a module, and returns what that has returned, or what is wrong.
    pub fn call(mut self, module: &[u8], function: &[u8], arguments: Copied) -> Result<Copied, String> {
        self.closed.clear();
        let apart = match (self.apart.take(), self.origin.take()) {
            (Some(apart), _) => apart,
            (None, Some(origin)) => self.vms.make(self.generation, origin).map_err(|failure| failure.message)?,
            (None, None) => return Err("no Lua VM".to_owned()),
        };
        self.apart.insert(apart).inside.with(|inside| inside.call(module, function, arguments))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.vms.state();
        state.taken -= 1;
        let is_of_use = |apart: &Apart| apart.generation != 0 && apart.generation >= state.newest;
        if self.apart.as_ref().is_some_and(is_of_use) {
            state.idle.extend(self.apart.take());
        }
        // Another one is closed with the fields, when the lock is free again.
    }
}

impl Inside {
    fn call(&self, module: &[u8], function: &[u8], arguments: Copied) -> Result<Copied, String> {
        let run = || -> mlua::Result<Result<MultiValue, &'static str>> {
            let lua = self.vm.lua();
            let require: Function = self.vm.shared().raw_get("require")?;
            let Value::Table(module) = require.call(lua.create_string(module)?)? else {
                return Ok(Err("invalid lua module"));
            };
            let Value::Function(function) = module.get(lua.create_string(function)?)? else {
                return Ok(Err("invalid function"));
            };
            function.call(arguments.into_values(lua)?).map(Ok)
        };
        let returned = run().map_err(|error| Failure::from(error).message)??;
        Copied::of(&returned).map_err(|uncopied| format!("{uncopied} in the return value"))
    }
}

#[cfg(test)]
#[path = "apart_tests.rs"]
mod tests;
