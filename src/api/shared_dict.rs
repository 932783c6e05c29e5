//! `ngx.shared`. Its calls go through `src/ffi/shared_dict.rs`.

use mlua::{Function, Lua, Table};

use crate::nginx::SharedDict;
use crate::vm::{Failure, Family, Vm};

pub(super) const FAMILY: Family = Family { name: "shared_dict", install, lua: include_str!("../lua/shared_dict.lua") };

fn install(_: &Lua, _: &Table) -> mlua::Result<()> {
    Ok(())
}

/// Puts a configuration's dictionaries into the `ngx.shared` of one of its VMs.
pub fn share(vm: &Vm, dicts: &[SharedDict]) -> Result<(), Failure> {
    let share: Function = vm.shared().raw_get("share_dict")?;
    for dict in dicts {
        // User space has addresses of 47 bits, which a double holds.
        share.call::<()>((vm.lua().create_string(&*dict.name)?, dict.handle() as f64))?;
    }
    Ok(())
}
