//! `ngx.ctx`: a table that lives as long as its request.

use std::cell::RefCell;
use std::rc::Rc;

use mlua::{Lua, Table};

use crate::nginx::{Log, Request, current_or_fake};
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
        Log::cycle().debug(|| format!("lua release ngx.ctx at ref {}", self.number));
        // Only memory can make it fail, and then the slot must not be used again.
        if self.contexts.tables.raw_set(self.number, false).is_ok() {
            self.contexts.free.borrow_mut().push(self.number);
        }
    }
}

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    let contexts = Rc::new(Contexts { tables: lua.create_table()?, free: RefCell::default() });
    prim.raw_set("contexts", &contexts.tables)?;
    lua.set_app_data(contexts);
    let set =
        lua.create_function(|lua, table: Table| match current_or_fake(|request| set_context(lua, request, table)) {
            Some(set) => set,
            None => Ok(false),
        })?;
    prim.raw_set("set", set)?;
    prim.raw_set("inherited", lua.create_function(|_, ()| Ok(current_or_fake(|request| request.inherited_context())))?)
}

/// Makes `table` a request's `ngx.ctx`. False where memory ran out.
pub(super) fn set_context(lua: &Lua, request: &Request, table: Table) -> mlua::Result<bool> {
    let contexts = lua.app_data_ref::<Rc<Contexts>>().map(|contexts| Rc::clone(&contexts));
    let (Some(contexts), Some(state)) = (contexts, request.state_or_new()) else { return Ok(false) };
    if state.lua_context.get() == 0 {
        let next = contexts.tables.raw_len() as u32 + 1;
        let number = contexts.free.borrow_mut().pop().unwrap_or(next);
        state.lua_context.set(number);
        state.keep(Slot { contexts: Rc::clone(&contexts), number });
    }
    contexts.tables.raw_set(state.lua_context.get(), table).map(|()| true)
}
