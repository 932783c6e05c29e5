//! `ngx.sleep`: a timer that wakes the coroutine.

use std::time::Duration;

use mlua::{Lua, Table};

use crate::nginx::{Level, Log, Phase, Request, Timer, current, current_phase, log_cycle};
use crate::vm::{Family, Operation};

pub(super) const FAMILY: Family = Family { name: "sleep", install, lua: include_str!("../lua/sleep.lua") };

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    let sleep = lua.create_function(|_, seconds: f64| {
        if !current_phase().is_in(Phase::WAIT) {
            return Ok(None);
        }
        let after = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let awake = current(|request| debugged(request, after)).flatten();
        Ok(Some(Operation::start(|completion| {
            let timer = Timer::new(move || {
                if let Some(text) = &awake {
                    log_cycle(Level::Debug, text.as_bytes());
                }
                completion.done();
            });
            timer.arm(after, false);
            timer
        })))
    })?;
    prim.raw_set("sleep", sleep)
}

/// Tells those who debug how long the request will sleep. Returns what to tell them when it has slept.
fn debugged(request: &Request, after: Duration) -> Option<String> {
    let log = Log::of(request);
    if !log.enabled(Level::Debug) {
        return None;
    }
    log.write(Level::Debug, format!("lua ready to sleep for {} ms", after.as_millis()).as_bytes());
    let [uri, args] = [request.uri(), request.args()].map(String::from_utf8_lossy);
    Some(format!("lua sleep timer expired: \"{uri}?{args}\""))
}
