//! A worker's part of a change: makes the candidate's environment beside the active one.

use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

use crate::code::{File, Generation};
use crate::nginx::Block;
use crate::vm::{Environment, Failure, Live, Vm};

use super::report::Refused;
use super::store::{Candidate, Manifest, Store};

/// The generation of a manifest. Files that `before` has with the same hash are shared with it.
pub(super) fn generation(store: &Store, number: u64, manifest: &Manifest, before: &Generation) -> Generation {
    let mut files = BTreeMap::new();
    for entry in &manifest.entries {
        let shared = before.files.get(&entry.file).filter(|file| file.hash == entry.hash).cloned();
        let file = shared.or_else(|| {
            let source = store.locked(|shelf| shelf.zone.get(Block(entry.source)))?;
            Some(File { hash: entry.hash, source: source.into() })
        });
        if let Some(file) = file {
            files.insert(entry.file.clone(), file);
        }
    }
    Generation { number, files }
}

/// Makes the environment of `candidate`: compiles the changed files that this worker had compiled and reloads the
/// changed modules that it had loaded, dependencies first. Returns it with the names of the reloaded modules.
///
/// The active environment is untouched, whatever happens.
pub(super) fn prepare(
    live: &Live,
    generation: Generation,
    candidate: &Candidate,
) -> Result<(Rc<Environment>, Vec<String>), Refused> {
    let active = live.environment();
    let files: HashSet<String> = candidate.files.iter().cloned().collect();
    let affected = affected(&active, candidate, &files);
    let internal = |failure: Failure| rejected(&failure);
    let next = active.successor(&live.vm, Rc::new(generation), &affected, &files).map_err(internal)?;

    let running = live.vm.running();
    let globals = Globals::remember(&live.vm).map_err(internal)?;
    live.vm.switch_to(&next).map_err(internal)?;
    let done = compile(&live.vm, &active, &next, &files).and_then(|()| load(&live.vm, &affected));
    if let Some(running) = running {
        live.vm.switch_to(&running).map_err(internal)?;
    }
    match done {
        Ok(()) => Ok((next, affected)),
        Err(failure) => {
            globals.restore(&live.vm).map_err(internal)?;
            Err(rejected(&failure))
        }
    }
}

/// The modules of this worker that the candidate reloads.
fn affected(active: &Environment, candidate: &Candidate, files: &HashSet<String>) -> Vec<String> {
    let modules = active.modules.borrow();
    let of_files = modules.iter().filter(|(_, module)| files.contains(&module.file)).map(|(name, _)| name.as_str());
    let named = candidate.modules.iter().map(String::as_str).filter(|name| modules.contains_key(*name));
    let changed: Vec<&str> = of_files.chain(named).collect();
    let in_order = active.graph.borrow().affected(&changed, |name| modules.contains_key(name));
    if candidate.dependents {
        return in_order;
    }
    in_order.into_iter().filter(|name| changed.contains(&name.as_str())).collect()
}

/// Compiles what the active environment had compiled of the changed files.
fn compile(vm: &Vm, active: &Environment, next: &Environment, files: &HashSet<String>) -> Result<(), Failure> {
    for file in files {
        if !active.chunks.borrow().contains_key(file.as_bytes()) {
            continue;
        }
        if let Some(source) = next.generation.source(file.as_bytes()) {
            let chunk = vm.compile(&source, &format!("@{file}"))?;
            next.chunks.borrow_mut().insert(file.as_bytes().into(), chunk);
        }
    }
    Ok(())
}

fn load(vm: &Vm, modules: &[String]) -> Result<(), Failure> {
    modules.iter().try_for_each(|module| vm.require(module))
}

fn rejected(failure: &Failure) -> Refused {
    let place = failure.place();
    Refused::Rejected {
        error: failure.message.clone(),
        file: place.map(|(file, _)| file.to_owned()),
        line: place.map(|(_, line)| line),
        worker: None,
    }
}

/// The globals as they were, so that a rejected candidate leaves none of its own behind.
struct Globals(mlua::Table);

impl Globals {
    fn remember(vm: &Vm) -> Result<Self, Failure> {
        let copy = vm.lua().create_table()?;
        for pair in vm.lua().globals().pairs::<mlua::Value, mlua::Value>() {
            let (name, value) = pair?;
            copy.raw_set(name, value)?;
        }
        Ok(Self(copy))
    }

    fn restore(self, vm: &Vm) -> Result<(), Failure> {
        let globals = vm.lua().globals();
        let mut surplus = Vec::new();
        for pair in globals.pairs::<mlua::Value, mlua::Value>() {
            let (name, _) = pair?;
            if self.0.raw_get::<mlua::Value>(&name)?.is_nil() {
                surplus.push(name);
            }
        }
        for name in surplus {
            globals.raw_set(name, mlua::Value::Nil)?;
        }
        for pair in self.0.pairs::<mlua::Value, mlua::Value>() {
            let (name, value) = pair?;
            globals.raw_set(name, value)?;
        }
        Ok(())
    }
}
