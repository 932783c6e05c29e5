//! A coroutine that the driver resumes, from a stock of finished ones.

use std::rc::Rc;

use mlua::{Function, LightUserData, LuaString, Table, Value};

use crate::ffi::{Resumable, Resumed, Yielded};

pub use crate::ffi::Given;

use super::error::Failure;
use super::operation::Operation;
use super::state::Vm;

/// What a resumed coroutine did.
pub enum Step {
    /// It returned.
    Done,
    /// It yielded.
    Yielded(Yield),
    /// It raised.
    Failed(Failure),
}

/// Why a coroutine yielded to the driver.
pub enum Yield {
    /// `ngx.exit(status)` and its like: the request is to end so and the coroutine will not be resumed.
    Exit(i64),
    /// It waits for an operation that was started; the operation wakes it.
    Wait(Operation),
    /// `ngx.thread.spawn`: that is to run as a light thread; true: it keeps nobody while it waits for the first time.
    Spawn(Resumable, bool),
    /// `ngx.thread.kill`: the light thread at that address is to end. Yields whether there was one.
    Kill(usize),
    /// A light thread has ended. It will not be resumed by the driver, but may be by Lua, for its results.
    Ended,
    /// A plain `coroutine.yield()`: let others run, then go on.
    Cooperate,
}

/// What the Lua halves yield first, so that a user's own yields are told from theirs.
static TAGS: [u8; 5] = [0; 5];

impl Yield {
    /// The tag that goes before the status of an exit.
    pub fn exit_tag() -> LightUserData {
        tag(0)
    }

    /// The tag that goes before an operation to wait for.
    pub fn wait_tag() -> LightUserData {
        tag(1)
    }

    /// The tag that goes before the function of a light thread.
    pub fn spawn_tag() -> LightUserData {
        tag(2)
    }

    /// The tag that goes before a light thread to end.
    pub fn kill_tag() -> LightUserData {
        tag(3)
    }

    /// The tag of a light thread's end.
    pub fn ended_tag() -> LightUserData {
        tag(4)
    }
}

fn tag(at: usize) -> LightUserData {
    LightUserData((&raw const TAGS[at]).cast_mut().cast())
}

/// Reads why a coroutine has yielded.
fn why(mut yielded: Yielded) -> Yield {
    let tag = yielded.tag;
    let is = |known: LightUserData| tag == known.0.addr();
    if let Some(started) = yielded.started.take_if(|_| is(Yield::spawn_tag())) {
        return Yield::Spawn(started, yielded.third);
    }
    match (&yielded.second, yielded.number, yielded.coroutine) {
        (Value::UserData(operation), ..) if is(Yield::wait_tag()) => {
            operation.borrow::<Operation>().map_or(Yield::Cooperate, |operation| Yield::Wait(operation.clone()))
        }
        (_, Some(status), _) if is(Yield::exit_tag()) => Yield::Exit(status as i64),
        (.., Some(address)) if is(Yield::kill_tag()) => Yield::Kill(address),
        _ if yielded.flag && is(Yield::wait_tag()) => Operation::left().map_or(Yield::Cooperate, Yield::Wait),
        _ if is(Yield::ended_tag()) => Yield::Ended,
        _ => Yield::Cooperate,
    }
}

/// A coroutine of a VM. Once it has returned it goes back to the VM's stock, unless Lua may hold it.
pub struct Coroutine {
    inside: Option<Resumable>,
    vm: Rc<Vm>,
    is_held: bool,
}

impl Coroutine {
    /// Runs it until it returns, yields or raises.
    pub fn resume(&mut self, given: Given) -> Step {
        let Some(inside) = &self.inside else {
            return Step::Failed(Failure::new("cannot resume dead coroutine"));
        };
        self.vm.resumed.set(inside.address());
        match inside.resume(self.vm.lua(), given) {
            Ok(Resumed::Yielded(yielded)) => Step::Yielded(why(yielded)),
            Ok(Resumed::Returned) => {
                if let Some(inside) = self.inside.take()
                    && !self.is_held
                {
                    self.vm.stock(inside);
                }
                Step::Done
            }
            Err(error) => {
                let own = inside.traceback(self.vm.lua());
                self.inside = None;
                let failure = Failure::from(error);
                let traceback = self.vm.passed_through(&failure.message, &own).unwrap_or(own);
                Step::Failed(Failure { traceback, ..failure })
            }
        }
    }

    /// What Lua calls its address.
    pub fn address(&self) -> usize {
        self.inside.as_ref().map_or(0, Resumable::address)
    }
}

impl Vm {
    /// The frames of the wrapped coroutines that a message has come through to a coroutine, and `own` behind them; none
    /// where there were none.
    fn passed_through(&self, message: &str, own: &str) -> Option<String> {
        let raised: Table = self.shared().raw_get("raised").ok()?;
        let is_it = raised.raw_get::<LuaString>("text").is_ok_and(|text| text == message);
        let frames = raised.raw_get::<LuaString>("frames").ok()?;
        let count = raised.raw_get::<usize>("count").ok()? + 1;
        raised.clear().ok()?;
        is_it.then(|| format!("{}\ncoroutine {count}:\n{own}", frames.to_string_lossy()))
    }

    /// A coroutine that Lua has started and will hold too.
    pub fn light_thread(self: &Rc<Self>, started: Resumable) -> Coroutine {
        Coroutine { inside: Some(started), vm: Rc::clone(self), is_held: true }
    }

    /// Makes a coroutine that will run `function`.
    pub fn coroutine(self: &Rc<Self>, function: &Function) -> Result<Coroutine, Failure> {
        let inside = self.unstock().map_or_else(|| Resumable::new(self.lua()), Ok)?;
        inside.load(self.lua(), function)?;
        Ok(Coroutine { inside: Some(inside), vm: Rc::clone(self), is_held: false })
    }
}

#[cfg(test)]
mod tests {
    use mlua::MultiValue;

    use super::*;

    #[test]
    fn more_coroutines_wait_than_mlua_has_references() {
        let vm = Vm::new(&[]).unwrap();
        let function = vm.compile(b"local n = coroutine.yield() sum = (sum or 0) + n", "=t").unwrap();
        let waiting = || {
            let mut coroutine = vm.coroutine(&function).unwrap();
            assert!(matches!(coroutine.resume(Given::Nothing), Step::Yielded(Yield::Cooperate)));
            coroutine
        };
        let mut many: Vec<Coroutine> = (0..20_000).map(|_| waiting()).collect();
        // Those that are killed leave their places to others.
        many.truncate(10_000);
        many.extend((0..10_000).map(|_| waiting()));
        for (number, coroutine) in many.iter_mut().enumerate() {
            let given = || Given::Values(MultiValue::from_iter([Value::Integer(number as i64)]));
            assert!(matches!(coroutine.resume(given()), Step::Done));
            assert!(matches!(coroutine.resume(given()), Step::Failed(_)));
        }
        assert_eq!(vm.lua().globals().raw_get::<i64>("sum").unwrap(), (0..20_000).sum::<i64>());
    }

    #[test]
    fn what_was_raised_is_told_in_words() {
        let vm = Vm::new(&[]).unwrap();
        for (body, want) in [
            ("error('text', 0)", "text"),
            ("error(3, 0)", "3"),
            ("error()", "unknown reason"),
            ("error({})", "unknown reason"),
            ("error(setmetatable({}, { __tostring = function() return 'shown' end }))", "shown"),
            ("error(setmetatable({}, { __tostring = error }))", "unknown reason"),
        ] {
            let mut coroutine = vm.coroutine(&vm.compile(body.as_bytes(), "=t").unwrap()).unwrap();
            let Step::Failed(failure) = coroutine.resume(Given::Nothing) else { panic!("{body}") };
            assert_eq!(failure.message, want, "{body}");
        }
    }

    #[test]
    fn a_finished_one_runs_the_next_function() {
        let vm = Vm::new(&[]).unwrap();
        let function = vm.compile(b"runs = (runs or 0) + 1 return 1, 2, 3", "=t").unwrap();
        let mut addresses: Vec<usize> = Vec::new();
        for _ in 0..3 {
            let mut coroutine = vm.coroutine(&function).unwrap();
            addresses.push(coroutine.address());
            assert!(matches!(coroutine.resume(Given::Nothing), Step::Done));
        }
        addresses.dedup();
        assert_eq!((addresses.len(), vm.lua().globals().raw_get::<u32>("runs").unwrap()), (1, 3));
    }
}
