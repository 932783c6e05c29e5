//! `ngx.sleep`: a timer that wakes the coroutine.

use std::time::Duration;

use mlua::{Lua, Table};

use crate::nginx::{Phase, Timer, current_phase};
use crate::vm::{Family, Operation};

pub(super) const FAMILY: Family = Family { name: "sleep", install, lua: include_str!("../lua/sleep.lua") };

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    let sleep = lua.create_function(|_, seconds: f64| {
        if !current_phase().is_in(Phase::WAIT) {
            return Ok(None);
        }
        let after = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        Ok(Some(Operation::start(|completion| {
            let timer = Timer::new(move || completion.done());
            timer.arm(after, false);
            timer
        })))
    })?;
    prim.raw_set("sleep", sleep)
}
