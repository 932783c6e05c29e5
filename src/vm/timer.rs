//! The code that a timer's callback runs on.

use std::rc::Rc;

use super::environment::Environment;
use super::state::Vm;

/// A timer's hold on an environment, which counts it.
pub struct Held(Rc<Environment>);

impl Held {
    /// Holds an environment until this is dropped.
    pub fn new(environment: Rc<Environment>) -> Self {
        environment.timers.set(environment.timers.get() + 1);
        Self(environment)
    }

    /// What is held.
    pub fn environment(&self) -> &Rc<Environment> {
        &self.0
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.timers.set(self.0.timers.get() - 1);
    }
}

/// The code of a callback.
pub enum TimerCode {
    /// What is active when it begins.
    Active,
    /// One version of the worker's code.
    Pinned(Held),
    /// The VM of a request without the code cache.
    Own(Rc<Vm>, Held),
}
