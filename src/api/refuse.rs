//! How the Lua halves refuse a call: no request, wrong phase, wrong arguments.

use mlua::{Lua, Table};

use crate::nginx::Phase;
use crate::vm::Family;

pub(super) const FAMILY: Family = Family { name: "refuse", install, lua: include_str!("../lua/refuse.lua") };

fn install(_: &Lua, prim: &Table) -> mlua::Result<()> {
    prim.raw_set("output", Phase::OUTPUT.0)?;
    prim.raw_set("request", Phase::REQUEST.0)
}
