//! A coroutine that the driver resumes, from a stock of finished ones.

use std::rc::Rc;

use mlua::{FromLuaMulti, Function, IntoLuaMulti, LightUserData, Lua, MultiValue, Thread, Value};

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
    thread: Option<Thread>,
    vm: Rc<Vm>,
    is_held: bool,
}

impl Coroutine {
    /// Runs it until it returns, yields or raises.
    pub fn resume(&mut self, args: impl IntoLuaMulti) -> Step {
        let Some(thread) = &self.thread else {
            return Step::Failed(Failure::new("cannot resume dead coroutine"));
        };
        self.vm.resumed.set(thread.to_pointer().addr());
        match thread.resume::<Values>(args) {
            Ok(Values(why)) if thread.is_resumable() => Step::Yielded(why),
            Ok(_) => {
                if let Some(thread) = self.thread.take()
                    && !self.is_held
                {
                    self.vm.stock(thread);
                }
                Step::Done
            }
            Err(error) => {
                let traceback = crate::ffi::traceback(self.vm.lua(), thread);
                self.thread = None;
                Step::Failed(Failure { traceback, ..error.into() })
            }
        }
    }
}

impl Coroutine {
    /// Says whether it is that coroutine of Lua.
    pub fn is(&self, thread: &Thread) -> bool {
        self.thread.as_ref().is_some_and(|own| own == thread)
    }
}

impl Vm {
    /// Makes a coroutine that Lua holds too, and that will run `function`.
    pub fn light_thread(self: &Rc<Self>, function: &Function) -> Result<(Coroutine, Thread), Failure> {
        let thread = self.lua().create_thread(function.clone())?;
        Ok((Coroutine { thread: Some(thread.clone()), vm: Rc::clone(self), is_held: true }, thread))
    }

    /// Makes a coroutine that will run `function`.
    pub fn coroutine(self: &Rc<Self>, function: &Function) -> Result<Coroutine, Failure> {
        while let Some(thread) = self.unstock() {
            if thread.reset(function.clone()).is_ok() {
                return Ok(Coroutine { thread: Some(thread), vm: Rc::clone(self), is_held: false });
            }
        }
        let thread = self.lua().create_thread(function.clone())?;
        Ok(Coroutine { thread: Some(thread), vm: Rc::clone(self), is_held: false })
    }
}
