//! The VMs that a worker keeps for a profile: one script at a time in each, and each tenant in its own.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::rc::Rc;

use rustc_hash::FxBuildHasher;

use crate::ffi::Contained;
use crate::vm::{Completion, Operation};

use super::allow::Variable;
use super::counters::{Gauged, vm_created, vm_evicted, vm_replaced};
use super::profile::Profile;

/// Who a VM belongs to: the value of `per`; empty where there is none.
pub type Tenant = Rc<[u8]>;

/// One tenant may have so much of a profile's VMs running at once: a part of them. Its further scripts wait, so that
/// others find one.
const SHARE: usize = 4;

/// A VM that is counted.
pub struct Kept {
    /// The VM.
    pub vm: Contained,
    _counted: Gauged,
}

/// The VMs of a profile.
#[derive(Default)]
pub struct Pool(RefCell<State>);

#[derive(Default)]
struct State {
    /// The idle one that was used last: mostly it is the next that is wanted.
    last: Option<(Tenant, Box<Kept>)>,
    /// The other idle ones, the least recently used first.
    idle: BTreeMap<u64, (Tenant, Box<Kept>)>,
    /// Where a tenant's idle ones are, the last used last.
    of_tenant: HashMap<Tenant, Vec<u64>, FxBuildHasher>,
    /// How many run, in all and by tenant.
    running: usize,
    running_of: HashMap<Tenant, usize, FxBuildHasher>,
    waiting: VecDeque<(Tenant, Completion)>,
    next: u64,
}

/// A VM, as long as its script runs.
pub struct Lease {
    /// The VM; none once it was given back.
    pub vm: Option<Box<Kept>>,
    tenant: Tenant,
}

/// What became of asking for a VM.
pub enum Taken {
    /// It is there.
    Vm(Lease),
    /// All that this tenant may have are running.
    Busy,
}

impl Pool {
    /// Takes a VM for a tenant: its own idle one, else a new one, for which the least recently used idle one goes
    /// where there are as many as may be.
    ///
    /// # Errors
    /// Text: there is no memory for a VM.
    pub fn take(&self, tenant: &Tenant, profile: &Profile) -> Result<Taken, String> {
        let mut state = self.0.borrow_mut();
        if !state.may_run(tenant, profile) {
            return Ok(Taken::Busy);
        }
        let vm = match state.take_idle(tenant) {
            Some(vm) => vm,
            None => {
                if state.running + state.idle.len() + usize::from(state.last.is_some()) >= profile.vms {
                    state.evict();
                    vm_evicted(profile);
                }
                open(profile)?
            }
        };
        state.running += 1;
        if profile.per.is_some() {
            *state.running_of.entry(Rc::clone(tenant)).or_default() += 1;
        }
        Ok(Taken::Vm(Lease { vm: Some(vm), tenant: Rc::clone(tenant) }))
    }

    /// Waits until a VM may be there for a tenant. `keep` is dropped with the operation.
    pub fn wait<T: 'static>(&self, tenant: &Tenant, keep: T) -> Operation {
        Operation::start(|completion| {
            self.0.borrow_mut().waiting.push_back((Rc::clone(tenant), completion));
            keep
        })
    }

    /// Gives a VM back: one that is to be used again, or (None) only its place.
    pub fn give_back(&self, mut lease: Lease, profile: &Profile) {
        let vm = lease.vm.take();
        if vm.is_none() {
            vm_replaced(profile);
        }
        let mut state = self.0.borrow_mut();
        state.put(&lease.tenant, vm);
        drop(state);
        self.wake_next(profile);
    }

    /// Wakes the first that waits and may run now.
    pub fn wake_next(&self, profile: &Profile) {
        let next = self.0.borrow_mut().next_waiting(profile);
        if let Some(next) = next {
            next.done();
        }
    }
}

impl State {
    fn may_run(&self, tenant: &Tenant, profile: &Profile) -> bool {
        let share = if profile.per.is_some() { profile.vms.div_ceil(SHARE) } else { profile.vms };
        self.running < profile.vms && self.running_of.get(tenant).is_none_or(|&running| running < share)
    }

    fn take_idle(&mut self, tenant: &Tenant) -> Option<Box<Kept>> {
        if let Some((_, kept)) = self.last.take_if(|(last, _)| last == tenant) {
            return Some(kept);
        }
        let places = self.of_tenant.get_mut(tenant)?;
        let place = places.pop()?;
        if places.is_empty() {
            self.of_tenant.remove(tenant);
        }
        self.idle.remove(&place).map(|(_, vm)| vm)
    }

    /// Drops the least recently used idle VM.
    fn evict(&mut self) {
        let Some((place, (tenant, _))) = self.idle.pop_first() else {
            self.last = None;
            return;
        };
        if let Some(places) = self.of_tenant.get_mut(&tenant) {
            places.retain(|&other| other != place);
            if places.is_empty() {
                self.of_tenant.remove(&tenant);
            }
        }
    }

    fn put(&mut self, tenant: &Tenant, vm: Option<Box<Kept>>) {
        self.running -= 1;
        if let Some(running) = self.running_of.get_mut(tenant) {
            *running -= 1;
            if *running == 0 {
                self.running_of.remove(tenant);
            }
        }
        let Some(vm) = vm else { return };
        let Some((tenant, vm)) = self.last.replace((Rc::clone(tenant), vm)) else { return };
        let place = self.next;
        self.next += 1;
        self.of_tenant.entry(Rc::clone(&tenant)).or_default().push(place);
        self.idle.insert(place, (tenant, vm));
    }

    /// Takes out the first that waits and may run now; those who have gone are passed over.
    fn next_waiting(&mut self, profile: &Profile) -> Option<Completion> {
        self.waiting.retain(|(_, completion)| completion.is_waited_for());
        let at = (0..self.waiting.len()).find(|&at| self.may_run(&self.waiting[at].0, profile))?;
        self.waiting.remove(at).map(|(_, completion)| completion)
    }
}

fn open(profile: &Profile) -> Result<Box<Kept>, String> {
    let variables = profile.allow.variables.clone();
    let allows = move |name: &[u8]| {
        variables.iter().any(|variable| match variable {
            Variable::Named(known) => known.as_bytes().eq_ignore_ascii_case(name),
            Variable::Prefix(prefix) => {
                name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
            }
        })
    };
    let mut names: Vec<&str> = profile.allow.names.to_vec();
    if !profile.allow.variables.is_empty() {
        names.push("ngx.var");
    }
    let vm = Contained::open(&names, Box::new(allows), profile.limits.memory)?;
    Ok(Box::new(Kept { vm, _counted: vm_created(profile) }))
}
