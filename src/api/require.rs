//! `require`: modules of the running generation.

use mlua::{Lua, Table, Value};

use crate::code::Node;
use crate::vm::{Failure, Family, Vm, find_module};

pub(super) const FAMILY: Family = Family { name: "require", install, lua: include_str!("../lua/require.lua") };

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    // chunk, file; or nil, what was tried; or false, the error to raise
    let find = lua.create_function(|lua, (name, path): (String, String)| {
        let found = Vm::of(lua).and_then(|vm| {
            let environment = vm.running()?;
            Some(find_module(&vm, &environment, &path, &name))
        });
        Ok(match found {
            Some(Ok(Ok((chunk, file)))) => (Value::Function(chunk), file),
            Some(Ok(Err(tried))) => (Value::Nil, tried),
            Some(Err(Failure { message, .. })) => (Value::Boolean(false), message),
            None => (Value::Nil, String::new()),
        })
    })?;
    prim.raw_set("find", find)?;
    // from: the requiring module's name, or nil and the file of the chunk
    let record = lua.create_function(|lua, (module, chunk, to): (Option<String>, Option<String>, String)| {
        if let Some(environment) = Vm::of(lua).and_then(|vm| vm.running()) {
            let from = match (module, chunk) {
                (Some(module), _) => Node::module(&module),
                (None, Some(chunk)) => Node::chunk(&chunk),
                (None, None) => return Ok(()),
            };
            environment.graph.borrow_mut().record(&from, &to);
        }
        Ok(())
    })?;
    prim.raw_set("record", record)
}
