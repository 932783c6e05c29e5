//! What is to be called when code retires: callbacks of a module's instance or of a whole environment.

use std::cell::RefCell;
use std::rc::Rc;

use mlua::Function;

use super::environment::Environment;
use super::error::Failure;
use super::state::Vm;

/// The callbacks of one environment.
#[derive(Default)]
pub(super) struct OnRetire {
    own: RefCell<Vec<Function>>,
    modules: RefCell<Vec<Instance>>,
}

/// The callbacks of one loading of a module. Every environment that holds that instance shares them.
#[derive(Clone)]
struct Instance {
    module: String,
    callbacks: Rc<RefCell<Vec<Function>>>,
}

impl OnRetire {
    /// Those of a next environment: it holds the same modules but for `modules`.
    pub fn successor(&self, modules: &[String]) -> Self {
        let kept = self.modules.borrow().iter().filter(|kept| !modules.contains(&kept.module)).cloned().collect();
        Self { own: RefCell::default(), modules: RefCell::new(kept) }
    }

    /// Shares those of `modules` with another environment that holds the same instances.
    pub fn take_over(&self, other: &Self, modules: &[String]) {
        let shared = other.modules.borrow().iter().filter(|theirs| modules.contains(&theirs.module)).cloned().collect();
        let shared: Vec<Instance> = shared;
        self.modules.borrow_mut().extend(shared);
    }

    fn add(&self, module: Option<&str>, callback: Function) {
        let Some(module) = module else { return self.own.borrow_mut().push(callback) };
        let mut modules = self.modules.borrow_mut();
        match modules.iter().find(|instance| instance.module == module) {
            Some(instance) => instance.callbacks.borrow_mut().push(callback),
            None => {
                let callbacks = Rc::new(RefCell::new(vec![callback]));
                modules.push(Instance { module: module.to_owned(), callbacks });
            }
        }
    }

    /// Takes all out: returns those that nobody else holds.
    fn take(&self) -> Vec<Function> {
        let mut due = Vec::new();
        for instance in self.modules.take() {
            if let Some(last) = Rc::into_inner(instance.callbacks) {
                due.extend(last.into_inner());
            }
        }
        due.extend(self.own.take());
        due
    }
}

impl Environment {
    /// Has `callback` called when the last environment retires that holds `module` as this one has it, or, without a
    /// module, when this environment does.
    pub fn on_retire(&self, module: Option<&str>, callback: Function) {
        self.on_retire.add(module, callback);
    }

    /// Calls what is due now that nothing runs in this environment any more, in the order in which it was registered.
    /// Returns what was raised. A second call does nothing.
    pub fn retire(self: &Rc<Self>, vm: &Vm) -> Vec<Failure> {
        let due = self.on_retire.take();
        if due.is_empty() {
            return Vec::new();
        }
        let ran = vm.running();
        if let Err(failure) = vm.switch_to(self) {
            return vec![failure];
        }
        let mut failures: Vec<Failure> =
            due.iter().filter_map(|callback| callback.call::<()>(()).err()).map(Failure::from).collect();
        if let Some(Err(failure)) = ran.map(|ran| vm.switch_to(&ran)) {
            failures.push(failure);
        }
        failures
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;

    /// Registers a callback that appends `text` to the global `log`.
    fn register(fixture: &Fixture, environment: &Environment, module: Option<&str>, text: &str) {
        let callback = format!("return function() log = log .. '{text} ' end");
        environment.on_retire(module, fixture.vm.lua().load(callback).eval().unwrap());
    }

    fn log(fixture: &Fixture) -> String {
        fixture.vm.lua().globals().get("log").unwrap()
    }

    #[test]
    fn an_instance_is_told_once_when_the_last_that_holds_it_retires() {
        let fixture = Fixture::new(&[]);
        fixture.vm.lua().globals().set("log", "").unwrap();
        register(&fixture, &fixture.first, Some("kept"), "kept");
        register(&fixture, &fixture.first, Some("changed"), "changed");
        register(&fixture, &fixture.first, None, "request");
        let second = fixture.candidate(&fixture.first, &["changed"]);
        register(&fixture, &second, Some("changed"), "changed-again");
        assert_eq!(fixture.first.retire(&fixture.vm), []);
        assert_eq!(log(&fixture), "changed request ");
        assert_eq!(fixture.first.retire(&fixture.vm), []);
        assert_eq!(log(&fixture), "changed request ");
        let rejected = fixture.candidate(&second, &["kept", "changed"]);
        register(&fixture, &rejected, Some("kept"), "rejected");
        drop(rejected);
        second.retire(&fixture.vm);
        assert_eq!(log(&fixture), "changed request kept changed-again ");
    }

    #[test]
    fn they_run_in_their_environment_and_one_that_raises_stops_no_other() {
        let fixture = Fixture::new(&[("app", "return 'first'")]);
        fixture.vm.lua().globals().set("log", "").unwrap();
        fixture.load(&fixture.first, "app").unwrap();
        for source in ["return function() error('sad') end", "return function() log = log .. require('app') end"] {
            fixture.first.on_retire(None, fixture.vm.lua().load(source).eval().unwrap());
        }
        fixture.write("app", "return 'second'");
        let second = fixture.candidate(&fixture.first, &["app"]);
        fixture.load(&second, "app").unwrap();
        fixture.vm.switch_to(&second).unwrap();
        let failures = fixture.first.retire(&fixture.vm);
        assert_eq!(failures.len(), 1);
        assert!(failures[0].message.ends_with("sad"), "{}", failures[0]);
        assert_eq!(log(&fixture), "first");
        assert!(fixture.vm.runs(&second));
    }
}
