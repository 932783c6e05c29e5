//! What a worker runs its requests with: the VM and the environment of the active generation.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::environment::Environment;
use super::state::Vm;

/// Tells whether a newer generation than this worker's is active, and makes the worker follow.
pub trait Follow {
    /// The number of the active generation: one load from shared memory.
    fn active(&self) -> u64;
    /// Makes the active generation this worker's.
    fn follow(&self);
    /// Tells the other workers of modules that this one has loaded.
    fn tell_loaded(&self);
}

/// The VM of a worker and its active environment.
pub struct Live {
    /// The VM.
    pub vm: Rc<Vm>,
    active: RefCell<Rc<Environment>>,
    number: Cell<u64>,
    follow: RefCell<Option<Rc<dyn Follow>>>,
}

impl Live {
    /// A worker's Lua with a first environment.
    pub fn new(vm: Rc<Vm>, environment: Rc<Environment>) -> Self {
        let number = Cell::new(environment.generation.number);
        Self { vm, active: RefCell::new(environment), number, follow: RefCell::default() }
    }

    /// The environment for a request that begins now. Costs one comparison of integers.
    pub fn pin(&self) -> Rc<Environment> {
        if let Some(follow) = &*self.follow.borrow()
            && follow.active() != self.number.get()
        {
            follow.follow();
        }
        Rc::clone(&self.active.borrow())
    }

    /// The active environment, without looking for a newer one.
    pub fn environment(&self) -> Rc<Environment> {
        Rc::clone(&self.active.borrow())
    }

    /// Tells the other workers of modules that were loaded since the last call. Costs one look at a flag.
    #[inline]
    pub fn tell_loaded(&self) {
        if self.vm.take_loaded()
            && let Some(follow) = self.follow.borrow().clone()
        {
            follow.tell_loaded();
        }
    }

    /// Makes `environment` the active one: what modules have started that it does not have ends, and what its own have
    /// started begins.
    pub fn activate(&self, environment: Rc<Environment>) {
        self.number.set(environment.generation.number);
        let before = self.active.replace(Rc::clone(&environment));
        before.end_replaced(&environment);
        environment.begin_started();
    }

    /// Sets what tells of newer generations.
    pub fn set_follow(&self, follow: Rc<dyn Follow>) {
        self.follow.replace(Some(follow));
    }
}
