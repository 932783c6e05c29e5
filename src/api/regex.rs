//! `ngx.re`: compiling and matching go through `src/ffi/regex/`.

use mlua::{Lua, Table};

use crate::vm::{Failure, Family, Vm};

pub(super) const FAMILY: Family = Family { name: "regex", install, lua: include_str!("../lua/regex.lua") };

fn install(_: &Lua, _: &Table) -> mlua::Result<()> {
    Ok(())
}

/// Sets the limits of `ngx.re` in a VM, where they are given: how many patterns are cached (0: any number) and how many
/// steps back a match may go (0: as many as PCRE allows).
pub fn limit_regex(vm: &Vm, cache_max_entries: Option<u32>, match_limit: Option<u32>) -> Result<(), Failure> {
    vm.shared().raw_set("regex_cache_max_entries", cache_max_entries)?;
    Ok(vm.shared().raw_set("regex_match_limit", match_limit)?)
}
