//! `hotlua.sandbox`: untrusted scripts from trusted Lua. The values that it gives and gets are copied.

use std::cell::RefCell;
use std::rc::Rc;

use mlua::{AnyUserData, Lua, LuaString, MultiValue, Table, UserData, Value as LuaValue, Variadic};

use crate::ffi::{Allowance, Uncrossable, Value};
use crate::nginx::{Phase, current, current_phase};
use crate::vm::{Family, Operation, Vm};

use super::profile::Profile;
use super::response::deliver;
use super::run::{Made, Progress, Run, Verdict};
use super::script::{Given, Script};

/// What a VM is given.
pub const FAMILIES: &[Family] = &[Family { name: "sandbox", install, lua: include_str!("../lua/sandbox.lua") }];

thread_local! {
    /// The profiles of the configuration that this process runs.
    static PROFILES: RefCell<Vec<Rc<Profile>>> = RefCell::default();
}

/// Makes the profiles of a configuration those that Lua finds.
pub fn set_profiles(profiles: &[Rc<Profile>]) {
    PROFILES.set(profiles.to_vec());
}

/// What `hotlua.sandbox(name)` holds.
struct Handle(Rc<Profile>);

/// What `:load` holds.
struct Loaded(Rc<Profile>, Rc<dyn Script>);

/// What `:run` holds meanwhile.
struct Running {
    run: Rc<Run>,
    over: RefCell<Option<Result<Made, Verdict>>>,
}

impl UserData for Handle {}
impl UserData for Loaded {}
impl UserData for Running {}

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    // name: the profile; or nil and the names that there are
    let profile = lua.create_function(|lua, name: LuaString| {
        let name = name.to_string_lossy();
        let found = PROFILES.with_borrow(|profiles| profiles.iter().find(|profile| profile.name == name).cloned());
        match found {
            Some(profile) => Ok((Some(lua.create_userdata(Handle(profile))?), None)),
            None => Ok((None, Some(known()))),
        }
    })?;
    prim.raw_set("profile", profile)?;
    // profile, source, name: the script; or nil and the error
    let load = lua.create_function(|lua, (profile, source, name): (AnyUserData, LuaString, LuaString)| {
        let profile = Rc::clone(&profile.borrow::<Handle>()?.0);
        let name = name.to_string_lossy();
        let script: Rc<dyn Script> =
            Rc::new(Given::new(name.trim_start_matches(['=', '@']), source.as_bytes().to_vec()));
        match Run::new(&profile, &script, tenant(&profile), Vec::new()).compiles() {
            Ok(()) => Ok((Some(lua.create_userdata(Loaded(profile, script))?), None)),
            Err(verdict) => Ok((None, Some(lua.create_string(verdict.to_string())?))),
        }
    })?;
    prim.raw_set("load", load)?;
    // script, arguments: a run; or nil and the error
    let begin = lua.create_function(|lua, (script, args): (AnyUserData, Variadic<LuaValue>)| {
        let (profile, script) = {
            let loaded = script.borrow::<Loaded>()?;
            (Rc::clone(&loaded.0), Rc::clone(&loaded.1))
        };
        let mut allowance = Allowance::new(profile.limits.memory);
        let args: Result<Vec<Value>, Uncrossable> =
            args.into_iter().map(|value| copied_in(&value, 1, &mut allowance)).collect();
        match args {
            Ok(args) => {
                let run = Run::new(&profile, &script, tenant(&profile), args);
                Ok((Some(lua.create_userdata(Running { run, over: RefCell::default() })?), None))
            }
            Err(why) => Ok((None, Some(why.to_string()))),
        }
    })?;
    prim.raw_set("begin", begin)?;
    // run: an operation to wait for; or nil, it is over
    prim.raw_set("advance", lua.create_function(advance)?)?;
    // run: true and what the script returned; or nil, the error and its kind
    prim.raw_set("outcome", lua.create_function(outcome)?)
}

/// The names of all profiles, as a sentence tells them.
fn known() -> String {
    PROFILES.with_borrow(|profiles| {
        if profiles.is_empty() {
            return "the configuration has none: \"hotlua_sandbox\" makes one".into();
        }
        let names: Vec<&str> = profiles.iter().map(|profile| profile.name.as_str()).collect();
        format!("there are: {}", names.join(", "))
    })
}

/// The tenant of the current request; nobody's where there is none.
fn tenant(profile: &Profile) -> Rc<[u8]> {
    current(|request| profile.tenant(request)).unwrap_or_default()
}

fn advance(lua: &Lua, running: AnyUserData) -> mlua::Result<Option<Operation>> {
    let running = running.borrow::<Running>()?;
    let waits = current_phase().is_in(Phase::WAIT) && Vm::of(lua).is_some_and(|vm| vm.may_wait());
    let over = if waits {
        match running.run.advance() {
            Progress::Turn(operation) => return Ok(Some(operation)),
            Progress::Over(result) => result,
        }
    } else {
        running.run.finish()
    };
    running.over.replace(Some(over));
    Ok(None)
}

fn outcome(lua: &Lua, running: AnyUserData) -> mlua::Result<MultiValue> {
    let running = running.borrow::<Running>()?;
    let over = running.over.take();
    let made = match over {
        Some(Ok(made)) => {
            let delivered = current(|request| deliver(request, &made));
            match delivered {
                Some(Err(why)) => Err((why, "error")),
                None if made.says_something() => Err(("no request takes what the script put out".to_owned(), "error")),
                _ => Ok(made),
            }
        }
        Some(Err(verdict)) => Err((verdict.to_string(), verdict.kind.name())),
        None => Err(("the run was given up".to_owned(), "error")),
    };
    let mut values = Vec::new();
    match made {
        Ok(made) => {
            values.push(LuaValue::Boolean(true));
            for value in &made.results {
                values.push(copied_out(lua, value)?);
            }
        }
        Err((message, kind)) => {
            values.extend([
                LuaValue::Nil,
                LuaValue::String(lua.create_string(message)?),
                LuaValue::String(lua.create_string(kind)?),
            ]);
        }
    }
    Ok(MultiValue::from_vec(values))
}

/// Copies a value of the host's; no metamethod runs.
fn copied_in(value: &LuaValue, depth: usize, allowance: &mut Allowance) -> Result<Value, Uncrossable> {
    if let LuaValue::String(text) = value {
        let text = text.as_bytes();
        allowance.take(depth, text.len())?;
        return Ok(Value::Text(text.to_vec()));
    }
    allowance.take(depth, 0)?;
    Ok(match value {
        LuaValue::Nil => Value::Nil,
        LuaValue::Boolean(value) => Value::Boolean(*value),
        LuaValue::Integer(value) => Value::Number(*value as f64),
        LuaValue::Number(value) => Value::Number(*value),
        LuaValue::Table(table) => {
            let mut pairs = Vec::new();
            for pair in table.pairs::<LuaValue, LuaValue>() {
                let Ok((key, value)) = pair else { return Err(Uncrossable::TooMany) };
                pairs.push((copied_in(&key, depth + 1, allowance)?, copied_in(&value, depth + 1, allowance)?));
            }
            Value::Table(pairs.into())
        }
        LuaValue::Function(_) => return Err(Uncrossable::Type("function")),
        LuaValue::Thread(_) => return Err(Uncrossable::Type("coroutine")),
        _ => return Err(Uncrossable::Type("userdata")),
    })
}

/// Makes a copy the host's. What was read from a contained VM is within the limits of an [`Allowance`].
fn copied_out(lua: &Lua, value: &Value) -> mlua::Result<LuaValue> {
    Ok(match value {
        Value::Nil => LuaValue::Nil,
        Value::Boolean(value) => LuaValue::Boolean(*value),
        Value::Number(value) => LuaValue::Number(*value),
        Value::Text(text) => LuaValue::String(lua.create_string(text)?),
        Value::Table(pairs) => {
            let table = lua.create_table()?;
            for (key, value) in pairs.iter() {
                table.raw_set(copied_out(lua, key)?, copied_out(lua, value)?)?;
            }
            LuaValue::Table(table)
        }
    })
}
