//! `ngx.ctx`: a table that lives as long as its request.

use std::rc::Rc;

use mlua::{Lua, Table};

use crate::nginx::{Log, Request, current_or_fake};
use crate::vm::{Anchor, Anchors, Family};

pub(super) const FAMILY: Family = Family { name: "context", install, lua: include_str!("../lua/context.lua") };

/// The tables of all requests' contexts.
struct Contexts(Rc<Anchors>);

/// A request's hold on its table.
struct Context(Anchor);

impl Drop for Context {
    fn drop(&mut self) {
        Log::cycle().debug(|| format!("lua release ngx.ctx at ref {}", self.0.number()));
    }
}

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    let contexts = Anchors::new(lua)?;
    prim.raw_set("contexts", contexts.table())?;
    lua.set_app_data(Contexts(contexts));
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
    let contexts = lua.app_data_ref::<Contexts>().map(|contexts| Rc::clone(&contexts.0));
    let (Some(contexts), Some(state)) = (contexts, request.state_or_new()) else { return Ok(false) };
    if state.lua_context.get() != 0 {
        return contexts.table().raw_set(state.lua_context.get(), table).map(|()| true);
    }
    let context = Context(contexts.anchor(table)?);
    state.lua_context.set(context.0.number());
    state.keep(context);
    Ok(true)
}
