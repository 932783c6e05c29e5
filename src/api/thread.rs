//! `ngx.thread`: a light thread tells those that wait for it when it ends.

use mlua::{AnyUserData, Lua, Table};

use crate::vm::{Completion, Family, Operation};

pub(super) const FAMILY: Family = Family { name: "thread", install, lua: include_str!("../lua/thread.lua") };

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    // Something to wait for, and what is told that it is done.
    prim.raw_set(
        "signal",
        lua.create_function(|_, ()| {
            let mut told = None;
            let operation = Operation::start(|completion| told = Some(completion));
            Ok((operation, told))
        })?,
    )?;
    prim.raw_set(
        "tell",
        lua.create_function(|_, completion: AnyUserData| {
            if let Ok(completion) = completion.borrow::<Completion>() {
                completion.done();
            }
            Ok(())
        })?,
    )
}
