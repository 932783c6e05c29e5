//! `require "hotlua"`: what scripts can ask and change of generations.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use mlua::{AnyUserData, Function, Lua, LuaString, Table, Value};

use crate::nginx::{Phase, current_phase};
use crate::vm::{Family, Operation, Vm};

use super::report::{Change, Named, Published, Refused, What};

pub(super) const FAMILY: Family = Family { name: "hotlua", install, lua: include_str!("../lua/hotlua.lua") };

/// What a change has come to; none while it is under way.
type Outcome = Rc<RefCell<Option<Result<Published, Refused>>>>;

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    // the number of the running generation
    let generation = lua.create_function(|lua, ()| Ok(running_number(lua)))?;
    prim.raw_set("generation", generation)?;
    // module: whose the callback is; nil: the running generation's
    let on_retire = lua.create_function(|lua, (module, callback): (Option<LuaString>, Function)| {
        if let Some(running) = Vm::of(lua).and_then(|vm| vm.running()) {
            running.on_retire(module.map(|module| module.to_string_lossy()).as_deref(), callback);
        }
        Ok(())
    })?;
    prim.raw_set("on_retire", on_retire)?;
    // an operation; or nil where this phase cannot wait
    let invalidate = lua.create_function(|_, names: Vec<String>| {
        Ok(may_wait().then(|| {
            begin(Change {
                what: What::Named(Named { modules: names, dependents: true, ..Named::default() }),
                actor: "lua".into(),
                reason: "hotlua.invalidate".into(),
            })
        }))
    })?;
    prim.raw_set("invalidate", invalidate)?;
    // files: path → source, or false; an operation, or nil where this phase cannot wait
    let publish = lua.create_function(|_, (reason, files): (Option<LuaString>, Table)| {
        if !may_wait() {
            return Ok(None);
        }
        let mut overlay = BTreeMap::new();
        for pair in files.pairs::<LuaString, Value>() {
            let (path, source) = pair?;
            let source = source.as_string().map(|source| source.as_bytes().to_vec());
            overlay.insert(path.to_string_lossy(), source);
        }
        let reason = reason.map_or_else(|| "hotlua.publish".to_owned(), |reason| reason.to_string_lossy());
        Ok(Some(begin(Change { what: What::Overlay(overlay), actor: "lua".into(), reason })))
    })?;
    prim.raw_set("publish", publish)?;
    // generation; or nil, the error
    let outcome = lua.create_function(|_, operation: AnyUserData| {
        let told = operation.borrow::<Operation>()?.started(told);
        Ok(told.unwrap_or_else(|| (None, Some("the change was given up".into()))))
    })?;
    prim.raw_set("outcome", outcome)
}

fn running_number(lua: &Lua) -> Option<u64> {
    Some(Vm::of(lua)?.running()?.generation.number)
}

/// Says whether the phase that runs can wait for an operation.
fn may_wait() -> bool {
    current_phase().is_in(Phase::WAIT)
}

/// Begins a change that goes on even where the script no longer waits for it.
fn begin(change: Change) -> Operation {
    Operation::start(|completion| {
        let outcome = Outcome::default();
        let told = Rc::clone(&outcome);
        super::publish(change, move |result| {
            told.replace(Some(result));
            completion.done();
        });
        outcome
    })
}

/// The generation, or the error.
fn told(outcome: &Outcome) -> (Option<u64>, Option<String>) {
    match &*outcome.borrow() {
        Some(Ok(published)) => (Some(published.generation), None),
        Some(Err(refused)) => (None, Some(refused.to_string())),
        None => (None, Some("the change is under way".into())),
    }
}
