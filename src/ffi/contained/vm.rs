//! A contained VM: opens it, loads scripts into it, runs them slice by slice, and takes out what they made.

use std::collections::HashMap;
use std::ffi::{CString, c_int, c_void};
use std::rc::Rc;
use std::time::Duration;

use mlua::ffi;
use rustc_hash::FxBuildHasher;

use super::arena::Arena;
use super::host::{AllowsVariable, Call, Host, RESERVE};
use super::place::place_of;
use super::stack::{message_at, push};
use super::switch::{self, FIRST, NGX, Outcome};
use super::value::{self, Allowance, Uncrossable, Value};
use super::{Kind, entry, library};

/// Bytes that an idle VM may hold; what each run may take comes on top.
const IDLE: usize = 4 << 20;
/// How much garbage it may hold besides as much as is alive, bytes: little enough to stay in the processor's cache.
const GARBAGE: usize = 192 << 10;
/// The place in the registry of a header that a run has left, out of the way of `luaL_ref`.
const HEADER: c_int = -2;
/// The longest source, bytes. Compiling cannot be paused; what LuaJIT resolves at the end of a block (`goto`) takes
/// time by the square of the source.
pub const SOURCE: usize = 64 << 10;
/// How long compiling may take, of the processor's time: what cannot go on later must not be refused because the
/// machine is busy. And after how many bytes of source that is looked at.
const COMPILING: Duration = Duration::from_millis(10);
const PIECE: usize = 256;

unsafe extern "C-unwind" {
    fn lua_loadx(
        state: *mut ffi::lua_State,
        reader: ffi::lua_Reader,
        data: *mut c_void,
        name: *const std::ffi::c_char,
        mode: *const std::ffi::c_char,
    ) -> c_int;
}

/// What tells scripts apart: the hash of name and source.
pub type ScriptKey = [u8; 32];

/// What one run may spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// VM instructions, and what C functions do counted as instructions.
    pub instructions: u64,
    /// The time that the script itself runs, on the wall clock; waiting for its turn is not counted.
    pub time: Duration,
    /// Bytes that its VM may take on top of what it has when the run begins.
    pub memory: usize,
    /// Bytes of output.
    pub output: usize,
}

/// Why a run ended before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// What ended it.
    pub kind: Kind,
    /// What was raised; for a limit nothing.
    pub message: String,
    /// Where it was: `name:line` of its innermost Lua function, where that is known.
    pub place: Option<String>,
}

/// How far a slice came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advance {
    /// Another slice goes on.
    Paused,
    /// The run has ended well; with the status that it gave to `ngx.exit`.
    Done(Option<i32>),
    /// It has not.
    Ended(Ended),
}

/// A VM for untrusted scripts. One script runs in it at a time.
pub struct Contained {
    state: *mut ffi::lua_State,
    /// In the registry: the Lua function that makes what gives a script's runs their globals.
    prepare: c_int,
    scripts: HashMap<ScriptKey, Loaded, FxBuildHasher>,
    limits: Limits,
    /// A run that has not begun.
    start: Option<Start>,
    /// What a run that ended well has left.
    left: Left,
    gives: Gives,
    /// Bytes in use from which garbage is collected after a run.
    collect_at: usize,
    /// The run has returned, so that its coroutine may run another script.
    returned: bool,
    /// There is such a coroutine of the last run.
    has_thread: bool,
    host: Box<Host>,
}

/// A script, in the registry.
#[derive(Clone, Copy)]
struct Loaded {
    chunk: c_int,
    /// Makes the globals of a run.
    fresh: c_int,
}

struct Start {
    script: Loaded,
    args: Vec<Value>,
}

/// What of `ngx` is the host's to read: a script may make a field of that name where it was not allowed.
#[derive(Clone, Copy)]
struct Gives {
    status: bool,
    header: bool,
}

/// What a run that ended well has left in `ngx`.
#[derive(Default)]
struct Left {
    status: Option<f64>,
    has_header: bool,
}

impl Contained {
    /// Opens a VM whose scripts find `names`, and whose runs take up to `memory` bytes.
    ///
    /// # Errors
    /// Text: there is no memory for it.
    pub fn open(names: &[&str], allows_variable: AllowsVariable, memory: usize) -> Result<Self, String> {
        let arena = Arena::new(IDLE + memory + RESERVE).map_err(|error| format!("no memory for a sandbox: {error}"))?;
        let host = Box::new(Host::new(arena, allows_variable));
        // SAFETY: the host is boxed and dropped after the last use of the state.
        let state = unsafe { host.open() };
        if state.is_null() {
            return Err("no memory for a sandbox".into());
        }
        let limits = Limits { instructions: 0, time: Duration::ZERO, memory, output: 0 };
        let mut vm = Self {
            state,
            prepare: 0,
            scripts: HashMap::default(),
            limits,
            start: None,
            left: Left::default(),
            gives: Gives { status: names.contains(&"ngx.status"), header: names.contains(&"ngx.header") },
            collect_at: GARBAGE,
            returned: false,
            has_thread: false,
            host,
        };
        vm.grant();
        entry::prepare(state).map_err(|()| "no memory for a sandbox".to_owned())?;
        vm.prepare = vm.protected(|state| {
            // SAFETY: in a protected call.
            unsafe {
                library::open(state, names);
                ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX)
            }
        })?;
        Ok(vm)
    }

    /// Says whether a script is loaded.
    pub fn has(&self, key: &ScriptKey) -> bool {
        self.scripts.contains_key(key)
    }

    /// Compiles a script: source text only, as bytecode can break out of the VM.
    ///
    /// # Errors
    /// That it does not compile, or that compiling took more than the memory of a run.
    pub fn load(&mut self, key: ScriptKey, name: &str, source: &[u8]) -> Result<(), Ended> {
        let error = |message: String| Ended { kind: Kind::Error, message, place: None };
        if source.len() > SOURCE {
            return Err(error(format!("{name}: is larger than {} KiB", SOURCE >> 10)));
        }
        if source.first() == Some(&0x1b) {
            return Err(error(format!("{name}: is bytecode; sandboxed scripts are source text")));
        }
        let chunk_name =
            CString::new(format!("={name}")).map_err(|_| error("a script's name must not contain NUL".into()))?;
        // A first line that begins with `#` is not Lua's; its line break stays, so that lines count.
        let source = match source.first() {
            Some(b'#') => &source[source.iter().position(|&byte| byte == b'\n').unwrap_or(source.len())..],
            _ => source,
        };
        self.grant();
        let prepare = self.prepare;
        let mut pieces = Pieces { rest: source, until: cpu_time() + COMPILING, late: false };
        let loaded = self.protected(|state| {
            // SAFETY: in a protected call; the source lives during it. The mode refuses bytecode.
            unsafe {
                let data = (&raw mut pieces).cast();
                let status = lua_loadx(state, read_piece, data, chunk_name.as_ptr(), c"t".as_ptr());
                if status != ffi::LUA_OK {
                    return Err(message_at(state, -1));
                }
                let chunk = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX);
                ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, prepare);
                push(state, source);
                ffi::lua_call(state, 1, 1);
                Ok(Loaded { chunk, fresh: ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX) })
            }
        });
        let loaded = match (self.host.meter.over(), loaded) {
            (Some(kind), _) => return Err(Ended { kind, message: String::new(), place: None }),
            (None, _) if pieces.late => {
                return Err(error(format!("{name}: takes longer than {} ms to compile", COMPILING.as_millis())));
            }
            (None, Ok(Ok(loaded))) => loaded,
            (None, Ok(Err(message)) | Err(message)) => return Err(error(message)),
        };
        self.scripts.insert(key, loaded);
        Ok(())
    }

    /// Sets the memory that may be used from now on, and forgets what ended the last run.
    fn grant(&self) {
        self.host.meter.begin(u64::MAX, Duration::MAX);
        let used = self.host.arena.used();
        self.host.arena.set_limit(used + self.limits.memory);
        self.host.pressed_from.set(used + self.limits.memory / 2);
    }

    /// Makes a loaded script ready to run; [`Contained::step`] runs it. What it puts out goes to `output`, which is
    /// empty.
    pub fn begin(&mut self, key: &ScriptKey, limits: Limits, args: Vec<Value>, output: Vec<u8>) {
        self.start = self.scripts.get(key).map(|&script| Start { script, args });
        self.limits = limits;
        self.left = Left::default();
        self.returned = false;
        self.grant();
        let host = &self.host;
        host.call.set(Call::None);
        host.raise.set(None);
        host.place.take();
        host.parents.borrow_mut().clear();
        host.output.replace(output);
        host.output_limit.set(limits.output);
        host.lendable.set(limits.memory);
    }

    /// Runs for about `slice`.
    pub fn step(&mut self, slice: Duration) -> Advance {
        let start = self.start.take();
        let has_thread = std::mem::take(&mut self.has_thread);
        let (host, limits, gives) = (&*self.host, self.limits, self.gives);
        let ran = self.protected(|state| {
            // SAFETY: in a protected call.
            unsafe {
                if let Some(start) = &start {
                    set_up(state, host, start, has_thread);
                    host.meter.begin(limits.instructions, limits.time);
                }
                host.begin_slice(slice);
                let outcome = switch::run(state, host);
                host.end_slice();
                let left = match outcome {
                    Outcome::Returned | Outcome::Exited(_) => left(state, gives),
                    Outcome::Paused | Outcome::Raised => Left::default(),
                };
                (outcome, left)
            }
        });
        host.end_slice();
        if let Some(kind) = host.meter.over() {
            return Advance::Ended(Ended { kind, message: String::new(), place: self.place() });
        }
        let (outcome, left) = match ran {
            Ok(ran) => ran,
            Err(message) => return Advance::Ended(Ended { kind: Kind::Error, message, place: None }),
        };
        self.left = left;
        self.returned = outcome == Outcome::Returned;
        match outcome {
            Outcome::Paused => Advance::Paused,
            Outcome::Returned => Advance::Done(None),
            Outcome::Exited(status) => Advance::Done(Some(status)),
            Outcome::Raised => {
                // SAFETY: what was raised is on top of the coroutine's stack.
                let message = unsafe { message_at(self.host.current.get(), -1) };
                Advance::Ended(Ended { kind: Kind::Error, message, place: self.place() })
            }
        }
    }

    /// Instructions that the run has spent.
    pub fn spent(&self) -> u64 {
        self.limits.instructions.saturating_sub(self.host.meter.left())
    }

    /// The time that the run has spent.
    pub fn ran(&self) -> Duration {
        self.limits.time.saturating_sub(self.host.meter.time_left())
    }

    /// Takes what a run that ended well has put out.
    pub fn take_output(&self) -> Vec<u8> {
        self.host.output.take()
    }

    /// What a run that ended well has returned.
    ///
    /// # Errors
    /// That something of it cannot leave.
    pub fn results(&self) -> Result<Vec<Value>, Uncrossable> {
        let (thread, state) = (self.host.current.get(), self.state);
        let mut allowance = Allowance::new(self.limits.memory);
        let mut results = Vec::new();
        // SAFETY: the results are on the coroutine's stack, which may be as full as one can be; each is read on the
        // main state's, on which `left` has made room.
        unsafe {
            while ffi::lua_gettop(thread) > 0 {
                ffi::lua_xmove(thread, state, 1);
                let result = value::read(state, ffi::lua_gettop(state), 1, &mut allowance);
                ffi::lua_pop(state, 1);
                results.push(result?);
            }
        }
        results.reverse();
        Ok(results)
    }

    /// What a run that ended well has left in `ngx.status`; none where it is no number.
    pub fn status(&self) -> Option<f64> {
        self.left.status
    }

    /// What a run that ended well has left in `ngx.header`; empty where it is no table.
    ///
    /// # Errors
    /// That something of it cannot leave.
    pub fn header(&self) -> Result<Vec<(Value, Value)>, Uncrossable> {
        if !self.left.has_header {
            return Ok(Vec::new());
        }
        // SAFETY: `left` has put the table there and made room on the main state's stack; nothing here raises.
        let header = unsafe {
            ffi::lua_rawgeti_(self.state, ffi::LUA_REGISTRYINDEX, HEADER);
            let header = value::read(self.state, -1, 1, &mut Allowance::new(self.limits.memory));
            ffi::lua_pushnil(self.state);
            ffi::lua_rawseti_(self.state, ffi::LUA_REGISTRYINDEX, HEADER);
            ffi::lua_pop(self.state, 1);
            header
        };
        match header? {
            Value::Table(pairs) => Ok(Rc::unwrap_or_clone(pairs)),
            _ => Ok(Vec::new()),
        }
    }

    /// Lets go of the run and of what it made, which is garbage from now on. False: the VM holds too much to be kept.
    pub fn end(&mut self) -> bool {
        let thread = self.host.current.replace(std::ptr::null_mut());
        self.host.parents.borrow_mut().clear();
        self.has_thread = self.returned && !thread.is_null();
        if self.has_thread {
            // SAFETY: the coroutine is anchored; shrinking a stack neither raises nor allocates.
            unsafe { ffi::lua_settop(thread, 0) };
        }
        if self.host.arena.used() <= self.collect_at {
            return true;
        }
        // Runs that make tables by C functions alone never have the collector step: it is told to.
        self.grant();
        // SAFETY: in a protected call.
        let collected = self.protected(|state| unsafe { ffi::lua_gc(state, ffi::LUA_GCCOLLECT, 0) });
        let used = self.host.arena.used();
        self.collect_at = 2 * used + GARBAGE;
        // What is alive are scripts; many are compiled anew one day rather than gone over again and again.
        collected.is_ok() && self.collect_at <= IDLE
    }

    /// Where the run was when it ended.
    fn place(&self) -> Option<String> {
        // SAFETY: the coroutine is anchored.
        self.host.place.take().or_else(|| unsafe { place_of(self.host.current.get()) })
    }

    /// Calls `body` where Lua's errors are caught.
    ///
    /// # Errors
    /// The message of what was raised.
    fn protected<T>(&self, body: impl FnOnce(*mut ffi::lua_State) -> T) -> Result<T, String> {
        entry::protected(self.state, body)
    }
}

/// Makes a run's globals and the coroutine that is to run the script.
///
/// # Safety
/// In a protected call of a VM whose host it is.
unsafe fn set_up(state: *mut ffi::lua_State, host: &Host, start: &Start, has_thread: bool) {
    let args = &start.args;
    let count = args.len() as c_int;
    // SAFETY: by this function's contract; the references are this VM's.
    unsafe {
        host.relax(state);
        ffi::luaL_checkstack_(state, count + value::ROOM, c"arguments".as_ptr());
        let thread = if has_thread {
            ffi::lua_rawgeti_(state, entry::ANCHORS, FIRST);
            let thread = ffi::lua_tothread(state, -1);
            ffi::lua_pop(state, 1);
            thread
        } else {
            let thread = ffi::lua_newthread(state);
            ffi::lua_rawseti_(state, entry::ANCHORS, FIRST);
            thread
        };
        ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, start.script.chunk);
        ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, start.script.fresh);
        ffi::lua_call(state, 0, 2);
        ffi::lua_rawseti_(state, entry::ANCHORS, NGX);
        ffi::lua_setfenv(state, -2);
        for arg in args {
            value::push(state, arg);
        }
        if count > 8 {
            ffi::luaL_checkstack_(thread, count + 8, c"arguments".as_ptr());
        }
        ffi::lua_xmove(state, thread, count + 1);
        host.current.set(thread);
        host.args.set(count);
    }
}

/// Reads what a run has left; a header that is not empty goes to the registry. The main state's stack gets room for it
/// and for results to be read.
///
/// # Safety
/// In a protected call, after a run that ended well.
unsafe fn left(state: *mut ffi::lua_State, gives: Gives) -> Left {
    let mut left = Left::default();
    // SAFETY: by this function's contract. What the script may have made of its `ngx` is read raw.
    unsafe {
        ffi::lua_rawgeti_(state, entry::ANCHORS, NGX);
        if (gives.status || gives.header) && ffi::lua_type(state, -1) == ffi::LUA_TTABLE {
            ffi::lua_pushvalue(state, entry::STATUS);
            ffi::lua_rawget_(state, -2);
            if gives.status && ffi::lua_type(state, -1) == ffi::LUA_TNUMBER {
                left.status = Some(ffi::lua_tonumber(state, -1));
            }
            ffi::lua_pop(state, 1);
            ffi::lua_pushvalue(state, entry::HEADER);
            ffi::lua_rawget_(state, -2);
            if gives.header && ffi::lua_type(state, -1) == ffi::LUA_TTABLE {
                ffi::lua_pushnil(state);
                left.has_header = ffi::lua_next(state, -2) != 0;
                if left.has_header {
                    ffi::lua_pop(state, 2);
                }
            }
        }
        ffi::luaL_checkstack_(state, value::ROOM, c"results".as_ptr());
        if left.has_header {
            ffi::lua_rawseti_(state, ffi::LUA_REGISTRYINDEX, HEADER);
        }
        ffi::lua_pushnil(state);
        ffi::lua_rawseti_(state, entry::ANCHORS, NGX);
    }
    left
}

/// The processor's time that this thread has taken.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// A source on its way to the compiler.
struct Pieces<'s> {
    rest: &'s [u8],
    /// When its time is up, by the processor's time.
    until: Duration,
    /// It was cut off because the time was up.
    late: bool,
}

unsafe extern "C-unwind" fn read_piece(
    _: *mut ffi::lua_State,
    data: *mut c_void,
    length: *mut usize,
) -> *const std::ffi::c_char {
    // SAFETY: what `load` gave to Lua, and a cell of Lua's.
    unsafe {
        let pieces = &mut *data.cast::<Pieces<'_>>();
        pieces.late = pieces.late || cpu_time() > pieces.until;
        let piece = if pieces.late { 0 } else { pieces.rest.len().min(PIECE) };
        let (piece, rest) = pieces.rest.split_at(piece);
        pieces.rest = rest;
        *length = piece.len();
        piece.as_ptr().cast()
    }
}

#[cfg(test)]
#[path = "vm_tests.rs"]
mod tests;
