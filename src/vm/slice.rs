//! Loading a candidate's modules on the event loop of a live worker: Lua that runs for some milliseconds at a go.

use std::rc::Rc;
use std::time::{Duration, Instant};

use mlua::{Function, IntoLuaMulti, LuaString, MultiValue, Thread, Value};

use crate::ffi::{Interrupted, place, watched};

use super::environment::Environment;
use super::error::Failure;
use super::family::Family;
use super::state::Vm;

/// Its Lua half: what runs in the coroutine, and what is refused meanwhile.
pub(super) const FAMILY: Family =
    Family { name: "slice", install: |_, _| Ok(()), lua: include_str!("../lua/slice.lua") };

/// A Lua function that is run in slices. Dropping it abandons it.
pub struct Sliced {
    vm: Rc<Vm>,
    /// None once it has ended.
    thread: Option<Thread>,
    args: MultiValue,
}

/// How far a slice came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The function has returned.
    Done,
    /// Its time was up; another slice goes on.
    Paused,
}

impl Vm {
    /// Makes `function` ready to be run in slices.
    pub fn sliced(self: &Rc<Self>, function: Function, args: impl IntoLuaMulti) -> Result<Sliced, Failure> {
        let body: Function = self.shared().raw_get("slice")?;
        let thread = self.lua().create_thread(body)?;
        let mut args = args.into_lua_multi(self.lua())?;
        args.push_front(Value::Function(function));
        Ok(Sliced { vm: Rc::clone(self), thread: Some(thread), args })
    }

    /// Makes the loading of a module, as `require` does it, ready to be run in slices.
    pub fn sliced_require(self: &Rc<Self>, module: &str) -> Result<Sliced, Failure> {
        self.sliced(self.shared().raw_get("require")?, module)
    }
}

impl Sliced {
    /// Runs it in `environment` for about `slice`; longer where a C function that called it (a callback of
    /// `string.gsub`) or a coroutine of its own keeps it from yielding. The environment that ran before runs again
    /// afterwards, and neither the hook nor the JIT's being off stays.
    ///
    /// Fails for what it raises, for a yield of its own, and where it is not done at `deadline`.
    pub fn run(
        &mut self,
        environment: &Rc<Environment>,
        slice: Duration,
        deadline: Instant,
    ) -> Result<Progress, Failure> {
        let thread = self.thread.take().ok_or_else(|| Failure::new("cannot resume dead coroutine"))?;
        let ran = self.vm.running();
        let progress = self.vm.switch_to(environment).and_then(|()| self.step(&thread, slice, deadline));
        let restored = ran.map_or(Ok(()), |ran| self.vm.switch_to(&ran));
        let progress = progress?;
        restored?;
        if progress == Progress::Paused {
            self.thread = Some(thread);
        }
        Ok(progress)
    }

    fn step(&mut self, thread: &Thread, slice: Duration, deadline: Instant) -> Result<Progress, Failure> {
        let vm = &self.vm;
        let compiles: bool = vm.shared().raw_get::<Function>("jit_status")?.call(())?;
        let args = std::mem::take(&mut self.args);
        let before = vm.globals.remember()?;
        vm.shared().raw_set("slicing", true)?;
        let until = Instant::now() + slice;
        let (resumed, interrupted) = watched(thread, until, deadline, compiles, || thread.resume::<MultiValue>(args));
        vm.shared().raw_set("slicing", Value::Nil)?;
        vm.globals.claim(before)?;
        if let Interrupted::Late(place) = interrupted {
            return Err(Failure {
                message: place.tell("took longer than the prepare timeout"),
                traceback: place.traceback,
            });
        }
        let returned = resumed?;
        match (thread.is_resumable(), interrupted) {
            (true, Interrupted::Paused) => Ok(Progress::Paused),
            (true, _) => {
                let place = place(vm.lua(), thread);
                let message = place.tell("attempt to yield while loading a module");
                Err(Failure { message, traceback: place.traceback })
            }
            (false, _) => ended(vm, returned),
        }
    }
}

/// What the Lua half returned.
fn ended(vm: &Vm, returned: MultiValue) -> Result<Progress, Failure> {
    type Returned = (bool, Option<LuaString>, Option<LuaString>);
    let (done, message, traceback): Returned = mlua::FromLuaMulti::from_lua_multi(returned, vm.lua())?;
    if done {
        return Ok(Progress::Done);
    }
    let text = |text: Option<LuaString>| text.map(|text| text.to_string_lossy()).unwrap_or_default();
    Err(Failure { message: text(message), traceback: text(traceback) })
}

#[cfg(test)]
#[path = "slice_tests.rs"]
mod tests;
