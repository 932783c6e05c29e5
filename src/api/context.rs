//! `ngx.ctx`: a table that lives as long as its request.

use std::cell::RefCell;
use std::rc::Rc;

use mlua::{Lua, Table};

use crate::nginx::{Level, Log, current_or_fake};
use crate::vm::Family;

pub(super) const FAMILY: Family = Family { name: "context", install, lua: include_str!("../lua/context.lua") };

/// The table of all requests' contexts, by slot, and the slots that are free.
struct Contexts {
    tables: Table,
    free: RefCell<Vec<u32>>,
}

/// A request's hold on its slot.
struct Slot {
    contexts: Rc<Contexts>,
    number: u32,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let log = Log::cycle();
        if log.enabled(Level::Debug) {
            log.write(Level::Debug, format!("lua release ngx.ctx at ref {}", self.number).as_bytes());
        }
        // Only memory can make it fail, and then the slot must not be used again.
        if self.contexts.tables.raw_set(self.number, false).is_ok() {
            self.contexts.free.borrow_mut().push(self.number);
        }
    }
}

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    let contexts = Rc::new(Contexts { tables: lua.create_table()?, free: RefCell::default() });
    prim.raw_set("contexts", &contexts.tables)?;
    let set = lua.create_function(move |_, table: Table| {
        let slot = current_or_fake(|request| {
            let state = request.state_or_new()?;
            if state.lua_context.get() == 0 {
                let next = contexts.tables.raw_len() as u32 + 1;
                let number = contexts.free.borrow_mut().pop().unwrap_or(next);
                state.lua_context.set(number);
                state.keep(Slot { contexts: Rc::clone(&contexts), number });
            }
            Some(state.lua_context.get())
        });
        match slot.flatten() {
            Some(number) => contexts.tables.raw_set(number, table).map(|()| true),
            None => Ok(false),
        }
    })?;
    prim.raw_set("set", set)?;
    prim.raw_set("inherited", lua.create_function(|_, ()| Ok(current_or_fake(|request| request.inherited_context())))?)
}
