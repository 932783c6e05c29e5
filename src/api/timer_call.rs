//! What timers call: the table in which Lua keeps it, and a timer's hold on a slot of that.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use mlua::{Function, Table, Value, WeakLua};

use crate::nginx::Origin;
use crate::vm::{Failure, Vm};

/// What the timers of a VM call, by slot. Lua keeps it: of values that Rust holds a state has room for some thousands.
pub(super) struct Calls {
    lua: WeakLua,
    table: Table,
    /// Calls what stands in a slot: `(slot, premature)`.
    pub dispatch: Function,
    last: Cell<u32>,
    free: RefCell<Vec<u32>>,
}

/// What is to be called: a slot of the calls, which is free again when this is dropped.
pub(super) struct Call {
    pub calls: Rc<Calls>,
    pub slot: u32,
    pub origin: Rc<Origin>,
}

impl Calls {
    /// Those of a VM.
    pub fn of(vm: &Vm) -> Result<Self, Failure> {
        Ok(Self {
            lua: vm.lua().weak(),
            table: vm.shared().raw_get("timer_calls")?,
            dispatch: vm.shared().raw_get("call_timer")?,
            last: Cell::default(),
            free: RefCell::default(),
        })
    }
}

impl Call {
    /// A call in a free slot, which Lua is to fill.
    pub fn new(calls: Rc<Calls>, origin: Rc<Origin>) -> Self {
        let slot = calls.free.borrow_mut().pop().unwrap_or_else(|| {
            calls.last.set(calls.last.get() + 1);
            calls.last.get()
        });
        Self { calls, slot, origin }
    }

    /// Where its callback is defined, for the log.
    pub fn place(&self) -> mlua::Result<String> {
        let callback = match self.calls.table.raw_get(self.slot)? {
            Value::Table(packed) => packed.raw_get(2)?,
            other => other,
        };
        let info = callback.as_function().map(Function::info);
        let place = info.and_then(|info| Some(format!("{}:{}", info.source?, info.line_defined?)));
        Ok(place.unwrap_or_default())
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // As a process ends timers may outlive the state.
        if self.calls.lua.try_upgrade().is_none() {
            return;
        }
        // Only memory can make it fail, and then the slot must not be used again.
        if self.calls.table.raw_set(self.slot, false).is_ok() {
            self.calls.free.borrow_mut().push(self.slot);
        }
    }
}
