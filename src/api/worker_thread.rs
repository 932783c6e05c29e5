//! `ngx.run_worker_thread`: a module's function runs in a thread of nginx's, in a VM apart.

use std::cell::RefCell;
use std::rc::Rc;

use mlua::{AnyUserData, IntoLua, Lua, LuaString, MultiValue, Table, Value};

use crate::nginx::ThreadPool;
use crate::vm::{Copied, Failure, Family, Operation, Vm, VmsApart};

pub(super) const FAMILY: Family =
    Family { name: "worker_thread", install, lua: include_str!("../lua/worker_thread.lua") };

/// What a thread's call has come to, once it has.
type Outcome = RefCell<Option<Result<Copied, String>>>;

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    // An operation to wait for; or nil and what is wrong.
    type Call = (LuaString, LuaString, LuaString, MultiValue);
    let run = lua.create_function(|lua, (pool, module, function, arguments): Call| {
        Ok(match start(lua, &pool.as_bytes(), &module, &function, &arguments) {
            Ok(operation) => (Some(operation), None),
            Err(failure) => (None, Some(failure.message)),
        })
    })?;
    prim.raw_set("run", run)?;
    // true and what the function has returned; or false and what is wrong.
    let outcome = lua.create_function(|lua, operation: AnyUserData| {
        let operation = operation.borrow::<Operation>()?.clone();
        let outcome = operation.started(|outcome: &Rc<Outcome>| outcome.take()).flatten();
        operation.cancel();
        let outcome = outcome.unwrap_or_else(|| Err("the thread has failed".to_owned()));
        let is_done = outcome.is_ok();
        let mut values = match outcome {
            Ok(copied) => copied.into_values(lua)?,
            Err(text) => MultiValue::from_iter([text.into_lua(lua)?]),
        };
        values.push_front(Value::Boolean(is_done));
        Ok(values)
    })?;
    prim.raw_set("outcome", outcome)
}

fn start(
    lua: &Lua,
    pool: &[u8],
    module: &LuaString,
    function: &LuaString,
    arguments: &MultiValue,
) -> Result<Operation, Failure> {
    let named = || format!("thread pool {} not found", String::from_utf8_lossy(pool));
    let pool = ThreadPool::find(pool).ok_or_else(|| Failure::new(named()))?;
    let caller = Vm::of(lua).and_then(|vm| Some((vm.running()?, vm)));
    let (Some((environment, vm)), Some(vms)) = (caller, VmsApart::of(lua)) else {
        return Err(Failure::new("no Lua VM"));
    };
    let place = vms.reserve(&vm, &environment.generation)?.ok_or_else(|| Failure::new("no available Lua vm"))?;
    let copied = Copied::of(arguments).map_err(|uncopied| Failure::new(format!("{uncopied} in the argument")))?;
    let (module, function) = (module.as_bytes().to_vec(), function.as_bytes().to_vec());
    let mut posted = Ok(());
    let operation = Operation::start(|completion| {
        let outcome = Rc::<Outcome>::default();
        let told = Rc::downgrade(&outcome);
        posted = pool.run(
            move || place.call(&module, &function, copied),
            move |result| {
                // Until now, so that the sources of its generation are kept.
                drop((environment, vm));
                // Who does not wait any more has dropped it.
                if let Some(outcome) = told.upgrade() {
                    outcome.replace(result);
                    completion.done();
                }
            },
        );
        outcome
    });
    posted.map(|()| operation).map_err(|_| Failure::new("ngx_thread_task_post failed"))
}
