//! A family of the `ngx` API: a Rust half that gives primitives and a Lua half that gives them upstream's shape.

use mlua::{Lua, Table};

/// One family. Its Lua half is called with `(prim, ngx, shared)`: the family's own primitives, the global `ngx`
/// table, and a table in which the families share what they offer each other.
pub struct Family {
    /// Its stem: `src/api/NAME.rs` and `src/lua/NAME.lua`.
    pub name: &'static str,
    /// Puts the primitives into `prim`. They return errors as values: what they raised would reach Lua as
    /// userdata, so the Lua half raises.
    pub install: fn(lua: &Lua, prim: &Table) -> mlua::Result<()>,
    /// The source of the Lua half.
    pub lua: &'static str,
}

impl Family {
    /// Gives a state both halves; returns the table of primitives.
    pub(super) fn install(&self, lua: &Lua, ngx: &Table, shared: &Table) -> mlua::Result<Table> {
        let prim = lua.create_table()?;
        (self.install)(lua, &prim)?;
        lua.load(self.lua).set_name(format!("=hotlua:{}.lua", self.name)).call::<()>((&prim, ngx, shared))?;
        Ok(prim)
    }
}
