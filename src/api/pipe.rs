//! `ngx.pipe`: processes that Lua starts, writes to, reads from and waits for.

use std::ffi::CString;
use std::rc::Rc;

use mlua::{IntoLuaMulti, Lua, LuaString, MultiValue, Table, UserData, Value};

use crate::nginx::{Command, Ended, Level, Log, Phase, StartError, current_or_fake, current_phase};
use crate::pipe::{Direction, Error, Options, Process, Read, Timeouts, Waited, Written};
use crate::text::receive::Receive;
use crate::vm::Family;

pub(super) const FAMILY: Family = Family { name: "pipe", install, lua: include_str!("../lua/pipe.lua") };

/// A process as Lua holds it.
struct Handle(Rc<Process>);

impl UserData for Handle {}

/// What a call answers: what has to be waited for or nil, then its results.
type Answer = mlua::Result<MultiValue>;

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    prim.raw_set("spawn", lua.create_function(spawn)?)?;
    prim.raw_set("pid", lua.create_function(|_, handle: Value| Ok(with(&handle, |process| process.pid())))?)?;
    prim.raw_set("set_timeouts", lua.create_function(set_timeouts)?)?;
    prim.raw_set("kill", lua.create_function(kill)?)?;
    prim.raw_set("shutdown", lua.create_function(shutdown)?)?;
    prim.raw_set("wait", lua.create_function(|lua, handle: Value| waited(lua, with(&handle, Process::wait)))?)?;
    prim.raw_set("wait_on", lua.create_function(|lua, handle: Value| waited(lua, with(&handle, Process::wait_on)))?)?;
    prim.raw_set(
        "write",
        lua.create_function(|lua, (handle, data): (Value, LuaString)| {
            written(lua, with(&handle, |process| process.write(&data.as_bytes())))
        })?,
    )?;
    prim.raw_set(
        "write_on",
        lua.create_function(|lua, handle: Value| written(lua, with(&handle, Process::write_on)))?,
    )?;
    prim.raw_set(
        "read",
        lua.create_function(|lua, (handle, direction, kind, size): (Value, u8, u8, usize)| {
            let receive = receive_of(kind, size);
            read(lua, with(&handle, |process| process.read(direction_of(direction), receive)))
        })?,
    )?;
    prim.raw_set(
        "read_on",
        lua.create_function(|lua, (handle, direction): (Value, u8)| {
            read(lua, with(&handle, |process| process.read_on(direction_of(direction))))
        })?,
    )
}

/// Calls with the process behind a handle; none where it is not one.
fn with<T>(handle: &Value, call: impl FnOnce(&Process) -> T) -> Option<T> {
    let process = Rc::clone(&handle.as_userdata()?.borrow::<Handle>().ok()?.0);
    Some(call(&process))
}

/// By the numbers of pipe.lua.
fn direction_of(number: u8) -> Direction {
    match number {
        0 => Direction::Stdin,
        1 => Direction::Stdout,
        _ => Direction::Stderr,
    }
}

/// By the numbers of pipe.lua.
fn receive_of(kind: u8, size: usize) -> Receive {
    match kind {
        0 => Receive::All,
        1 => Receive::Line,
        2 => Receive::Exactly(size),
        _ => Receive::AtMost(size),
    }
}

/// What is run: arguments, environment, and the options in the order of pipe.lua.
type Spawn = (Table, Option<Table>, bool, usize, [u32; 4]);

/// A handle; or nil and why there is no process.
fn spawn(lua: &Lua, (arguments, environ, merge_stderr, buffer_size, limits): Spawn) -> mlua::Result<MultiValue> {
    let refuse = |text: &str| (None::<bool>, text).into_lua_multi(lua);
    if current_phase().is_in(Phase::INIT) {
        return refuse("API disabled in the current context");
    }
    let Some(mut command) = Command::new(texts(&arguments)?) else {
        return refuse("bad args arg: non-empty table expected");
    };
    if let Some(environ) = environ {
        command.set_environment(texts(&environ)?);
    }
    if merge_stderr {
        command.merge_stderr();
    }
    let options = Options { buffer_size, timeouts: timeouts_of(limits) };
    let started = current_or_fake(|request| {
        let (process, refused) = Process::start(request, &command, options)?;
        if let Some(reason) = refused {
            let name = String::from_utf8_lossy(command.program());
            let line = format!("lua pipe child execvp() failed while executing {name} {reason}");
            Log::of(request).write(Level::Err, line.as_bytes());
        }
        Ok(process)
    });
    match started {
        Some(Ok(process)) => Handle(process).into_lua_multi(lua),
        Some(Err(StartError::Call(call, errno))) => refuse(&format!("{call} failed: {}", errno.text())),
        Some(Err(StartError::NoConnection)) => refuse(&Error::NoConnection.text()),
        None => refuse("no request found"),
    }
}

/// The texts of a list, of which Lua may have more than can be held at once.
fn texts(list: &Table) -> mlua::Result<Vec<CString>> {
    list.sequence_values::<LuaString>().map(|text| text.map(|text| until_nul(&text.as_bytes()))).collect()
}

/// A text as the system gets it.
fn until_nul(text: &[u8]) -> CString {
    let end = memchr::memchr(0, text).unwrap_or(text.len());
    CString::new(&text[..end]).unwrap_or_default()
}

fn timeouts_of([write, stdout, stderr, wait]: [u32; 4]) -> Timeouts {
    Timeouts { write, stdout, stderr, wait }
}

type Limit = Option<u32>;

/// Sets those that are not nil.
fn set_timeouts(
    _: &Lua,
    (handle, write, stdout, stderr, wait): (Value, Limit, Limit, Limit, Limit),
) -> mlua::Result<()> {
    with(&handle, |process| {
        let now = process.timeouts();
        process.set_timeouts(Timeouts {
            write: write.unwrap_or(now.write),
            stdout: stdout.unwrap_or(now.stdout),
            stderr: stderr.unwrap_or(now.stderr),
            wait: wait.unwrap_or(now.wait),
        });
    });
    Ok(())
}

fn kill(lua: &Lua, (handle, signal): (Value, i32)) -> mlua::Result<MultiValue> {
    done(lua, with(&handle, |process| process.kill(signal)))
}

fn shutdown(lua: &Lua, (handle, direction): (Value, u8)) -> mlua::Result<MultiValue> {
    done(lua, with(&handle, |process| process.shutdown(direction_of(direction))))
}

/// `true`; or nil and what went wrong.
fn done(lua: &Lua, result: Option<Result<(), Error>>) -> mlua::Result<MultiValue> {
    match result.unwrap_or(Err(Error::Exited)) {
        Ok(()) => true.into_lua_multi(lua),
        Err(error) => (None::<bool>, error.text()).into_lua_multi(lua),
    }
}

fn waited(lua: &Lua, waited: Option<Waited>) -> Answer {
    match waited.unwrap_or(Waited::Failed(Error::Exited)) {
        Waited::Waits(operation) => operation.into_lua_multi(lua),
        Waited::Ended(Ended::Exited(status)) => (None::<bool>, status == 0, "exit", status).into_lua_multi(lua),
        Waited::Ended(Ended::Killed(signal)) => (None::<bool>, false, "signal", signal).into_lua_multi(lua),
        Waited::Failed(error) => (None::<bool>, None::<bool>, error.text()).into_lua_multi(lua),
    }
}

fn written(lua: &Lua, written: Option<Written>) -> Answer {
    match written.unwrap_or(Written::Failed(Error::Closed)) {
        Written::Waits(operation) => operation.into_lua_multi(lua),
        Written::Done(bytes) => (None::<bool>, bytes).into_lua_multi(lua),
        Written::Failed(error) => (None::<bool>, None::<bool>, error.text()).into_lua_multi(lua),
    }
}

fn read(lua: &Lua, read: Option<Read>) -> Answer {
    match read.unwrap_or(Read::Failed(Error::Closed, None)) {
        Read::Waits(operation) => operation.into_lua_multi(lua),
        Read::Done(data) => (None::<bool>, lua.create_string(data)?).into_lua_multi(lua),
        Read::Failed(error, partial) => {
            let partial = partial.map(|data| lua.create_string(data)).transpose()?;
            (None::<bool>, None::<bool>, error.text(), partial).into_lua_multi(lua)
        }
    }
}
