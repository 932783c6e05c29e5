//! What modules start while they load and that then runs by itself: it belongs to that loading of the module.
//!
//! What a candidate's modules start begins when the candidate becomes active, and never where it is rejected. What an
//! instance of a module has started ends when another one takes its place.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::environment::Environment;

/// Something that runs by itself; dropping it ends it.
pub type Going = Box<dyn Any>;

/// Begins something in an environment that is active. None where it does not end with its module.
type Begin = Box<dyn FnOnce(&Rc<Environment>) -> Option<Going>>;

/// What was started in one environment.
pub(super) struct Started {
    /// The environment is, or was, the active one.
    begun: Cell<bool>,
    instances: RefCell<Vec<Rc<Instance>>>,
}

/// What one loading of a module has started. Every environment that holds that instance shares it.
struct Instance {
    /// None: what belongs to the environment itself, as what a check script starts.
    module: Option<String>,
    due: RefCell<Vec<Begin>>,
    going: RefCell<Vec<Going>>,
}

impl Started {
    /// That of an environment which is active as it is made.
    pub fn active() -> Self {
        Self { begun: Cell::new(true), instances: RefCell::default() }
    }

    /// That of a next environment: it holds the same instances but for those of `modules`.
    pub fn successor(&self, modules: &[String]) -> Self {
        let instances = self.instances.borrow();
        let stays = |instance: &Instance| instance.module.as_ref().is_some_and(|module| !modules.contains(module));
        let kept = instances.iter().filter(|instance| stays(instance)).map(Rc::clone).collect();
        Self { begun: Cell::new(false), instances: RefCell::new(kept) }
    }

    /// Shares those of `modules` with another environment that holds the same instances.
    pub fn take_over(&self, other: &Self, modules: &[String]) {
        let is_theirs = |instance: &Instance| instance.module.as_ref().is_some_and(|module| modules.contains(module));
        let shared: Vec<_> =
            other.instances.borrow().iter().filter(|theirs| is_theirs(theirs)).map(Rc::clone).collect();
        self.instances.borrow_mut().extend(shared);
    }

    /// The instance of a module. A candidate's is its own: what the active environment shares must not get what begins
    /// with the candidate.
    fn instance(&self, module: Option<&str>) -> Rc<Instance> {
        let mut instances = self.instances.borrow_mut();
        let is_it = |instance: &&Rc<Instance>| {
            instance.module.as_deref() == module && (self.begun.get() || Rc::strong_count(instance) == 1)
        };
        if let Some(known) = instances.iter().find(is_it) {
            return Rc::clone(known);
        }
        let module = module.map(str::to_owned);
        let instance = Rc::new(Instance { module, due: RefCell::default(), going: RefCell::default() });
        instances.push(Rc::clone(&instance));
        instance
    }
}

impl Environment {
    /// Calls `begin` as soon as this environment is active: at once, or, for a candidate's, when it is activated. What
    /// that returns ends when another instance takes the place of `module`, or, without a module, with the environment's
    /// being active.
    pub fn start(self: &Rc<Self>, module: Option<&str>, begin: impl FnOnce(&Rc<Self>) -> Option<Going> + 'static) {
        let instance = self.started.instance(module);
        if self.started.begun.get() {
            let going = begin(self);
            instance.going.borrow_mut().extend(going);
        } else {
            instance.due.borrow_mut().push(Box::new(begin));
        }
    }

    /// Ends what instances have started that `next`, which takes this one's place, does not hold.
    pub(super) fn end_replaced(&self, next: &Self) {
        if std::ptr::eq(self, next) {
            return;
        }
        let stays =
            |instance: &Rc<Instance>| next.started.instances.borrow().iter().any(|other| Rc::ptr_eq(other, instance));
        let (kept, gone): (Vec<_>, Vec<_>) = self.started.instances.take().into_iter().partition(stays);
        self.started.instances.replace(kept);
        // Nothing is borrowed meanwhile: what ends may run a finalizer that starts something.
        gone.iter().for_each(|instance| drop(instance.going.take()));
    }

    /// Begins what waits for this environment to be active.
    pub(super) fn begin_started(self: &Rc<Self>) {
        self.started.begun.set(true);
        let instances: Vec<_> = self.started.instances.borrow().iter().map(Rc::clone).collect();
        for instance in instances {
            for begin in instance.due.take() {
                let going = begin(self);
                instance.going.borrow_mut().extend(going);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Live, fixture::Fixture};
    use super::*;

    /// What goes on, by name.
    type Running = Rc<RefCell<Vec<&'static str>>>;

    struct Ends(Running, &'static str);

    impl Drop for Ends {
        fn drop(&mut self) {
            self.0.borrow_mut().retain(|name| *name != self.1);
        }
    }

    fn start(running: &Running, environment: &Rc<Environment>, module: Option<&str>, name: &'static str) {
        let running = Rc::clone(running);
        environment.start(module, move |_| {
            running.borrow_mut().push(name);
            Some(Box::new(Ends(running, name)))
        });
    }

    #[test]
    fn it_begins_with_its_environment_and_ends_with_its_instance() {
        let fixture = Fixture::new(&[]);
        let running = Running::default();
        let live = Live::new(Rc::clone(&fixture.vm), Rc::clone(&fixture.first));
        start(&running, &fixture.first, Some("kept"), "kept");
        start(&running, &fixture.first, Some("changed"), "first");
        start(&running, &fixture.first, None, "check");
        assert_eq!(*running.borrow(), ["kept", "first", "check"]);
        let second = fixture.candidate(&fixture.first, &["changed"]);
        start(&running, &second, Some("changed"), "second");
        start(&running, &second, Some("kept"), "kept late");
        start(&running, &second, None, "check again");
        assert_eq!(*running.borrow(), ["kept", "first", "check"]);
        live.activate(Rc::clone(&second));
        assert_eq!(*running.borrow(), ["kept", "second", "kept late", "check again"]);
        // It is still the active one's.
        drop(fixture.first);
        assert_eq!(*running.borrow(), ["kept", "second", "kept late", "check again"]);
    }

    #[test]
    fn what_a_rejected_candidate_has_started_never_begins() {
        let fixture = Fixture::new(&[]);
        let running = Running::default();
        start(&running, &fixture.first, Some("kept"), "kept");
        let candidate = fixture.candidate(&fixture.first, &["changed"]);
        start(&running, &candidate, Some("changed"), "never");
        start(&running, &candidate, Some("kept"), "never");
        drop(candidate);
        let live = Live::new(Rc::clone(&fixture.vm), Rc::clone(&fixture.first));
        live.activate(fixture.candidate(&fixture.first, &[]));
        assert_eq!(*running.borrow(), ["kept"]);
    }

    #[test]
    fn one_that_does_not_belong_to_its_module_goes_on() {
        let fixture = Fixture::new(&[]);
        let begun = Rc::new(Cell::new(0));
        let counts = Rc::clone(&begun);
        let live = Live::new(Rc::clone(&fixture.vm), Rc::clone(&fixture.first));
        let second = fixture.candidate(&fixture.first, &["changed"]);
        second.start(Some("changed"), move |environment| {
            counts.set(environment.generation.number);
            None
        });
        live.activate(second);
        assert_eq!(begun.get(), 2);
    }

    #[test]
    fn what_a_module_of_a_retired_environment_starts_ends_with_that() {
        let fixture = Fixture::new(&[]);
        let running = Running::default();
        let live = Live::new(Rc::clone(&fixture.vm), Rc::clone(&fixture.first));
        live.activate(fixture.candidate(&fixture.first, &[]));
        start(&running, &fixture.first, Some("late"), "late");
        assert_eq!(*running.borrow(), ["late"]);
        fixture.vm.switch_to(&live.environment()).unwrap();
        drop(fixture.first);
        assert!(running.borrow().is_empty());
    }
}
