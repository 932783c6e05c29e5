//! Globals that a candidate sets while it loads: they are its own generation's.
//!
//! The VM has one table of globals. Names that a candidate has changed become generational: each environment keeps
//! its own values of them, and they are exchanged when another environment runs. While there are none it costs nothing.

use std::cell::Cell;
use std::rc::Rc;

use mlua::{Function, Lua, Table};

use super::environment::Environment;
use super::error::Failure;
use super::family::Family;
use super::state::Vm;

/// The Lua half gets an empty table of primitives and puts its functions into it.
const FAMILY: Family = Family { name: "globals", install: |_, _| Ok(()), lua: include_str!("../lua/globals.lua") };

/// The generational globals of a VM.
pub(super) struct Globals {
    some: Cell<bool>,
    remember: Function,
    claim: Function,
    save: Function,
    show: Function,
    inherit: Function,
    settle: Function,
}

/// The globals before a slice of a candidate.
pub(super) struct Before(Table);

impl Globals {
    pub fn new(lua: &Lua, ngx: &Table, shared: &Table) -> Result<Self, Failure> {
        let functions = FAMILY.install(lua, ngx, shared)?;
        let function = |name: &str| functions.raw_get::<Function>(name);
        Ok(Self {
            some: Cell::new(false),
            remember: function("remember")?,
            claim: function("claim")?,
            save: function("save")?,
            show: function("show")?,
            inherit: function("inherit")?,
            settle: function("settle")?,
        })
    }

    /// Copies what they are now.
    pub fn remember(&self) -> Result<Before, Failure> {
        Ok(Before(self.remember.call(())?))
    }

    /// Makes those generational that have changed since.
    pub fn claim(&self, before: Before) -> Result<(), Failure> {
        self.some.set(self.claim.call(before.0)?);
        Ok(())
    }

    /// Exchanges those of the environment that ran for those of the one that is to run.
    #[inline]
    pub fn exchange(&self, ran: Option<&Environment>, next: &Environment) -> Result<(), Failure> {
        if !self.some.get() {
            return Ok(());
        }
        if let Some(ran) = ran {
            self.save.call::<()>(&ran.globals)?;
        }
        self.show.call::<()>(&next.globals)?;
        Ok(())
    }

    /// Those of a successor of `environment`.
    pub fn inherit(&self, environment: &Environment, runs: bool) -> Result<Table, Failure> {
        if runs && self.some.get() {
            self.save.call::<()>(&environment.globals)?;
        }
        Ok(self.inherit.call(&environment.globals)?)
    }
}

impl Vm {
    /// Makes every global a shared one again where the running environment is the only one left; does nothing
    /// otherwise. To be called when an environment went.
    pub fn settle_globals(&self) -> Result<(), Failure> {
        if !self.globals.some.get() {
            return Ok(());
        }
        let Some(running) = self.running() else { return Ok(()) };
        // One is the VM's own.
        if Rc::strong_count(&self.environments) > 2 {
            return Ok(());
        }
        self.globals.settle.call::<()>(&running.globals)?;
        self.globals.some.set(false);
        Ok(())
    }
}

#[cfg(test)]
#[path = "globals_tests.rs"]
mod tests;
