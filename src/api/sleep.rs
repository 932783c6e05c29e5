//! `ngx.sleep`: a timer that wakes the coroutine.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use mlua::{Lua, Table};

use crate::nginx::{Level, Log, Phase, Request, Timer, current, current_phase, log_cycle};
use crate::vm::{Family, Operation};

pub(super) const FAMILY: Family = Family { name: "sleep", install, lua: include_str!("../lua/sleep.lua") };

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    let sleep = lua.create_function(|_, seconds: f64| {
        if !current_phase().is_in(Phase::WAIT) {
            return Ok(false);
        }
        let after = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let awake = current(|request| debugged(request, after)).flatten();
        let told = awake.as_ref().map(|_| Rc::default());
        let operation = Operation::start(|completion| {
            let awoken: Told = told.clone();
            let timer = Timer::new(move || {
                if let (Some(text), Some(awoken)) = (&awake, &awoken) {
                    awoken.set(true);
                    log_cycle(Level::Debug, text.as_bytes());
                }
                completion.done();
            });
            timer.arm(after, false);
            Sleep { _timer: timer, awoken: told }
        });
        operation.leave();
        Ok(true)
    })?;
    prim.raw_set("sleep", sleep)
}

/// Whether the end of a sleep was told of; none where nobody debugs.
type Told = Option<Rc<Cell<bool>>>;

/// A sleep. Dropped, it ends.
struct Sleep {
    _timer: Timer,
    awoken: Told,
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if self.awoken.as_ref().is_some_and(|awoken| !awoken.get()) {
            log_cycle(Level::Debug, b"lua clean up the timer for pending ngx.sleep");
        }
    }
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
