//! A coroutine that the driver resumes, from a stock of finished ones.

use std::rc::Rc;

use mlua::{FromLuaMulti, Function, IntoLuaMulti, LightUserData, Lua, MultiValue, Thread, Value};

use super::anchor::Kept;
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
    /// `ngx.thread.spawn`: a light thread is to run that function; true: it keeps nobody while it waits for the first
    /// time. Yields its coroutine.
    Spawn(Function, bool),
    /// `ngx.thread.kill`: that light thread is to end. Yields whether there was one.
    Kill(Thread),
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

/// The values with which a coroutine yielded or returned.
struct Values(Yield);

impl FromLuaMulti for Values {
    fn from_lua_multi(values: MultiValue, _: &Lua) -> mlua::Result<Self> {
        let mut values = values.into_iter();
        Ok(Self(match (values.next(), values.next()) {
            (Some(Value::LightUserData(tag)), Some(Value::Number(status))) if tag == Yield::exit_tag() => {
                Yield::Exit(status as i64)
            }
            (Some(Value::LightUserData(tag)), Some(Value::Integer(status))) if tag == Yield::exit_tag() => {
                Yield::Exit(status)
            }
            (Some(Value::LightUserData(tag)), Some(Value::UserData(operation))) if tag == Yield::wait_tag() => {
                operation.borrow::<Operation>().map_or(Yield::Cooperate, |operation| Yield::Wait(operation.clone()))
            }
            (Some(Value::LightUserData(tag)), Some(Value::Function(function))) if tag == Yield::spawn_tag() => {
                Yield::Spawn(function, values.next() == Some(Value::Boolean(true)))
            }
            (Some(Value::LightUserData(tag)), Some(Value::Thread(thread))) if tag == Yield::kill_tag() => {
                Yield::Kill(thread)
            }
            (Some(Value::LightUserData(tag)), None) if tag == Yield::ended_tag() => Yield::Ended,
            _ => Yield::Cooperate,
        }))
    }
}

/// A coroutine of a VM. Once it has returned it goes back to the VM's stock, unless Lua may hold it.
pub struct Coroutine {
    /// None once it has ended.
    thread: Option<Kept<Thread>>,
    /// Where it is in memory, which tells it from others while it is held.
    address: usize,
    vm: Rc<Vm>,
    is_held: bool,
}

impl Coroutine {
    fn new(thread: Thread, vm: &Rc<Vm>, is_held: bool) -> Self {
        let address = thread.to_pointer().addr();
        Self { thread: Some(vm.anchors.keep(thread)), address, vm: Rc::clone(vm), is_held }
    }

    /// Runs it until it returns, yields or raises.
    pub fn resume(&mut self, args: impl IntoLuaMulti) -> Step {
        let Some(kept) = &mut self.thread else {
            return Step::Failed(Failure::new("cannot resume dead coroutine"));
        };
        let thread = match kept.get() {
            Ok(thread) => thread,
            Err(error) => return Step::Failed(error.into()),
        };
        self.vm.resumed.set(self.address);
        match thread.resume::<Values>(args) {
            Ok(Values(why)) if thread.is_resumable() => {
                kept.settle();
                Step::Yielded(why)
            }
            Ok(_) => {
                self.thread = None;
                if !self.is_held {
                    self.vm.stock(thread);
                }
                Step::Done
            }
            Err(error) => {
                let traceback = crate::ffi::traceback(self.vm.lua(), &thread);
                self.thread = None;
                Step::Failed(Failure { traceback, ..error.into() })
            }
        }
    }

    /// Says whether it is that coroutine of Lua.
    pub fn is(&self, thread: &Thread) -> bool {
        self.thread.is_some() && self.address == thread.to_pointer().addr()
    }
}

impl Vm {
    /// Makes a coroutine that Lua holds too, and that will run `function`.
    pub fn light_thread(self: &Rc<Self>, function: &Function) -> Result<(Coroutine, Thread), Failure> {
        let thread = self.lua().create_thread(function.clone())?;
        Ok((Coroutine::new(thread.clone(), self, true), thread))
    }

    /// Makes a coroutine that will run `function`.
    pub fn coroutine(self: &Rc<Self>, function: &Function) -> Result<Coroutine, Failure> {
        while let Some(thread) = self.unstock() {
            if thread.reset(function.clone()).is_ok() {
                return Ok(Coroutine::new(thread, self, false));
            }
        }
        let thread = self.lua().create_thread(function.clone())?;
        Ok(Coroutine::new(thread, self, false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_coroutines_wait_than_there_are_references() {
        let vm = Vm::new(&[]).unwrap();
        let function = vm.compile(b"local n = coroutine.yield() sum = (sum or 0) + n", "=t").unwrap();
        let waiting = || {
            let mut coroutine = vm.coroutine(&function).unwrap();
            assert!(matches!(coroutine.resume(()), Step::Yielded(Yield::Cooperate)));
            coroutine
        };
        let mut many: Vec<Coroutine> = (0..20_000).map(|_| waiting()).collect();
        // Those that are killed leave their places to others.
        many.truncate(10_000);
        many.extend((0..10_000).map(|_| waiting()));
        for (number, coroutine) in many.iter_mut().enumerate() {
            assert!(matches!(coroutine.resume(number), Step::Done));
            assert!(matches!(coroutine.resume(number), Step::Failed(_)));
        }
        assert_eq!(vm.lua().globals().raw_get::<i64>("sum").unwrap(), (0..20_000).sum::<i64>());
    }

    #[test]
    fn a_parked_one_is_still_told_from_others() {
        let vm = Vm::new(&[]).unwrap();
        let function = vm.compile(b"coroutine.yield()", "=t").unwrap();
        let waiting = || {
            let (mut coroutine, thread) = vm.light_thread(&function).unwrap();
            coroutine.resume(());
            (coroutine, thread)
        };
        let many: Vec<_> = (0..5_000).map(|_| waiting().0).collect();
        let (last, thread) = waiting();
        assert!(last.is(&thread));
        assert_eq!(many.iter().filter(|coroutine| coroutine.is(&thread)).count(), 0);
    }
}
