//! A contained VM: opens it, loads scripts into it, runs them slice by slice, and takes out what they made.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::{CString, c_int, c_void};
use std::time::{Duration, Instant};

use mlua::ffi;
use rustc_hash::FxBuildHasher;

use super::arena::Arena;
use super::host::{AllowsVariable, Call, Host, PAUSE, RESERVE, STEP, bytes_at, push};
use super::switch::{self, FIRST, NGX, Outcome};
use super::value::{self, Allowance, Uncrossable, Value};
use super::{Kind, library};

/// Bytes that an idle VM may hold; what each run may take comes on top.
pub const IDLE: usize = 1 << 20;
/// The longest message that is kept of an error, bytes.
const MESSAGE: usize = 2048;
/// The longest source, bytes. Compiling cannot be paused; what LuaJIT resolves at the end of a block (`goto`) takes
/// time by the square of the source.
pub const SOURCE: usize = 64 << 10;
/// How long compiling may take, and after how many bytes of source the clock is looked at.
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
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// VM instructions.
    pub instructions: u64,
    /// The time that it runs.
    pub time: Duration,
    /// Bytes on top of what the VM holds.
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
    /// The table in the registry that keeps coroutines and the response's `ngx` alive.
    anchors: c_int,
    /// The Lua function that makes a run's globals.
    fresh: c_int,
    scripts: RefCell<HashMap<ScriptKey, c_int, FxBuildHasher>>,
    budget: Budget,
    host: Box<Host>,
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
        let budget = Budget { instructions: 0, time: Duration::ZERO, memory, output: 0 };
        let mut vm = Self { state, anchors: 0, fresh: 0, scripts: RefCell::default(), budget, host };
        vm.grant();
        let opened = vm.protected(|state| {
            // SAFETY: in a protected call.
            unsafe {
                library::open(state, names);
                let fresh = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX);
                ffi::lua_createtable(state, 8, 0);
                (fresh, ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX))
            }
        })?;
        (vm.fresh, vm.anchors) = opened;
        Ok(vm)
    }

    /// Bytes that it holds.
    pub fn used(&self) -> usize {
        self.host.arena.used()
    }

    /// Says whether a script is loaded.
    pub fn has(&self, key: &ScriptKey) -> bool {
        self.scripts.borrow().contains_key(key)
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
        let mut pieces = Pieces { rest: source, until: Instant::now() + COMPILING, late: false };
        let loaded = self.protected(|state| {
            // SAFETY: in a protected call; the source lives during it. The mode refuses bytecode.
            unsafe {
                let data = (&raw mut pieces).cast();
                let status = lua_loadx(state, read_piece, data, chunk_name.as_ptr(), c"t".as_ptr());
                if status == ffi::LUA_OK {
                    Ok(ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX))
                } else {
                    Err(message_at(state, -1))
                }
            }
        });
        let reference = match (self.host.meter.over(), loaded) {
            (Some(kind), _) => return Err(Ended { kind, message: String::new(), place: None }),
            (None, _) if pieces.late => {
                return Err(error(format!("{name}: takes longer than {} ms to compile", COMPILING.as_millis())));
            }
            (None, Ok(Ok(reference))) => reference,
            (None, Ok(Err(message)) | Err(message)) => return Err(error(message)),
        };
        self.scripts.borrow_mut().insert(key, reference);
        Ok(())
    }

    /// Sets the memory that may be used from now on, and forgets what ended the last run.
    fn grant(&self) {
        self.host.meter.begin(u64::MAX, Duration::MAX);
        let used = self.host.arena.used();
        self.host.arena.set_limit(used + self.budget.memory);
        self.host.pressed_from.set(used + self.budget.memory / 2);
    }

    /// Begins a run of a loaded script; [`Contained::step`] goes on with it.
    ///
    /// # Errors
    /// That the memory of a run does not suffice for that.
    pub fn begin(&mut self, key: &ScriptKey, budget: Budget, args: &[Value]) -> Result<(), Ended> {
        let script = self.scripts.borrow().get(key).copied().unwrap_or(ffi::LUA_REFNIL);
        self.budget = budget;
        self.grant();
        self.host.call.set(Call::None);
        self.host.raise.set(None);
        self.host.parents.borrow_mut().clear();
        self.host.output.borrow_mut().clear();
        self.host.output_limit.set(budget.output);
        let (anchors, fresh) = (self.anchors, self.fresh);
        let begun = self.protected(|state| {
            // SAFETY: in a protected call; the references are this VM's.
            unsafe {
                ffi::lua_gc(state, ffi::LUA_GCSETPAUSE, PAUSE);
                ffi::lua_gc(state, ffi::LUA_GCSETSTEPMUL, STEP);
                ffi::luaL_checkstack_(state, args.len() as c_int + value::ROOM, c"arguments".as_ptr());
                ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, anchors);
                let anchors = ffi::lua_gettop(state);
                ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, fresh);
                ffi::lua_call(state, 0, 2);
                ffi::lua_rawseti_(state, anchors, NGX);
                // env
                let thread = ffi::lua_newthread(state);
                ffi::lua_pushvalue(state, -1);
                ffi::lua_rawseti_(state, anchors, FIRST);
                ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, script);
                // env, thread, script
                ffi::lua_pushvalue(state, -3);
                ffi::lua_setfenv(state, -2);
                for arg in args {
                    value::push(state, arg);
                }
                ffi::luaL_checkstack_(thread, args.len() as c_int + 8, c"arguments".as_ptr());
                ffi::lua_xmove(state, thread, args.len() as c_int + 1);
                thread
            }
        });
        let thread = match (self.host.meter.over(), begun) {
            (Some(kind), _) => return Err(Ended { kind, message: String::new(), place: None }),
            (None, Ok(thread)) => thread,
            (None, Err(message)) => return Err(Ended { kind: Kind::Error, message, place: None }),
        };
        self.host.current.set(thread);
        self.host.args.set(args.len() as c_int);
        self.host.meter.begin(budget.instructions, budget.time);
        Ok(())
    }

    /// Goes on for about `slice`.
    pub fn step(&mut self, slice: Duration) -> Advance {
        let host = &*self.host;
        host.begin_slice(slice);
        let anchors = self.anchors;
        let ran = self.protected(|state| {
            // SAFETY: in a protected call; `begin` has set the current coroutine.
            unsafe {
                ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, anchors);
                switch::run(state, Host::of(state), ffi::lua_gettop(state))
            }
        });
        host.end_slice();
        if let Some(kind) = host.meter.over() {
            return Advance::Ended(Ended { kind, message: String::new(), place: self.place() });
        }
        match ran {
            Ok(Outcome::Paused) => Advance::Paused,
            Ok(Outcome::Returned) => Advance::Done(None),
            Ok(Outcome::Exited(status)) => Advance::Done(Some(status)),
            // SAFETY: what was raised is on top of the coroutine's stack.
            Ok(Outcome::Raised) => Advance::Ended(Ended {
                kind: Kind::Error,
                message: unsafe { message_at(host.current.get(), -1) },
                place: self.place(),
            }),
            Err(message) => Advance::Ended(Ended { kind: Kind::Error, message, place: None }),
        }
    }

    /// Instructions that the run has spent.
    pub fn spent(&self) -> u64 {
        self.budget.instructions.saturating_sub(self.host.meter.left())
    }

    /// The time that the run has spent.
    pub fn ran(&self) -> Duration {
        self.budget.time.saturating_sub(self.host.meter.time_left())
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
        let thread = self.host.current.get();
        let mut allowance = Allowance::new(self.budget.memory);
        // SAFETY: the results are on the coroutine's stack; room is made under protection.
        unsafe {
            let count = ffi::lua_gettop(thread);
            let room = self.protected(|_| ffi::lua_checkstack(thread, value::ROOM));
            if room != Ok(1) {
                return Err(Uncrossable::TooMany);
            }
            (1..=count).map(|index| value::read(thread, index, 1, &mut allowance)).collect()
        }
    }

    /// What a run that ended well has left in `ngx.status`; none where it is no number.
    pub fn status(&self) -> Option<f64> {
        self.protected(|state| {
            // SAFETY: in a protected call; raw, as the script may have given `ngx` a metatable.
            unsafe {
                if !self.push_ngx_field(state, b"status") || ffi::lua_type(state, -1) != ffi::LUA_TNUMBER {
                    return None;
                }
                Some(ffi::lua_tonumber(state, -1))
            }
        })
        .ok()
        .flatten()
    }

    /// What a run that ended well has left in `ngx.header`; empty where it is no table.
    ///
    /// # Errors
    /// That something of it cannot leave.
    pub fn header(&self) -> Result<Vec<(Value, Value)>, Uncrossable> {
        let header = self.protected(|state| {
            // SAFETY: as in `status`.
            unsafe {
                if !self.push_ngx_field(state, b"header") || ffi::lua_type(state, -1) != ffi::LUA_TTABLE {
                    return false;
                }
                ffi::luaL_checkstack_(state, value::ROOM, c"header".as_ptr());
                ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, self.anchors);
                ffi::lua_insert(state, -2);
                ffi::lua_rawseti_(state, -2, FIRST + 1);
                true
            }
        });
        if header != Ok(true) {
            return Ok(Vec::new());
        }
        // Copied outside of the protected call, which must not be left by an error while there is something to drop.
        // SAFETY: the stack of the main state has room, and nothing here raises.
        unsafe {
            let state = self.state;
            if ffi::lua_checkstack(state, value::ROOM) == 0 {
                return Err(Uncrossable::TooDeep);
            }
            let top = ffi::lua_gettop(state);
            ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, self.anchors);
            ffi::lua_rawgeti_(state, -1, FIRST + 1);
            let header = value::read(state, -1, 1, &mut Allowance::new(self.budget.memory));
            ffi::lua_settop(state, top);
            match header? {
                Value::Table(pairs) => Ok(pairs),
                _ => Ok(Vec::new()),
            }
        }
    }

    /// Pushes a field of the run's `ngx`; false where that is none.
    ///
    /// # Safety
    /// In a protected call.
    unsafe fn push_ngx_field(&self, state: *mut ffi::lua_State, name: &[u8]) -> bool {
        // SAFETY: by this function's contract.
        unsafe {
            ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, self.anchors);
            ffi::lua_rawgeti_(state, -1, NGX);
            if ffi::lua_type(state, -1) != ffi::LUA_TTABLE {
                return false;
            }
            push(state, name);
            ffi::lua_rawget_(state, -2);
            true
        }
    }

    /// Lets go of the run and of what it made; what it holds afterwards is left to the collector.
    pub fn end(&mut self) {
        self.host.output.replace(Vec::new());
        self.host.parents.borrow_mut().clear();
        self.host.current.set(std::ptr::null_mut());
        self.grant();
        let anchors = self.anchors;
        let _ = self.protected(|state| {
            // SAFETY: in a protected call.
            unsafe {
                ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, anchors);
                for place in [NGX, FIRST, FIRST + 1] {
                    ffi::lua_pushnil(state);
                    ffi::lua_rawseti_(state, -2, place);
                }
            }
        });
    }

    /// Where the run is: its innermost function that is the script's own.
    fn place(&self) -> Option<String> {
        let thread = self.host.current.get();
        // SAFETY: the coroutine is anchored; neither call allocates for `S` and `l`.
        unsafe {
            let mut frame: ffi::lua_Debug = std::mem::zeroed();
            let mut level = 0;
            while ffi::lua_getstack(thread, level, &raw mut frame) != 0 {
                level += 1;
                ffi::lua_getinfo(thread, c"Sl".as_ptr(), &raw mut frame);
                let source = std::ffi::CStr::from_ptr(frame.source).to_string_lossy();
                if frame.currentline > 0 && source != library::NAME {
                    return Some(format!("{}:{}", source.trim_start_matches('='), frame.currentline));
                }
            }
            None
        }
    }

    /// Calls `body` where Lua's errors are caught.
    ///
    /// # Errors
    /// The message of what was raised.
    fn protected<T>(&self, body: impl FnOnce(*mut ffi::lua_State) -> T) -> Result<T, String> {
        struct Call<F, T> {
            body: Option<F>,
            result: Option<T>,
        }
        unsafe extern "C-unwind" fn call<F: FnOnce(*mut ffi::lua_State) -> T, T>(state: *mut ffi::lua_State) -> c_int {
            // SAFETY: what `protected` gave to `lua_cpcall`.
            unsafe {
                let call = &mut *ffi::lua_touserdata(state, 1).cast::<Call<F, T>>();
                ffi::lua_settop(state, 0);
                if let Some(body) = call.body.take() {
                    call.result = Some(body(state));
                }
            }
            0
        }
        fn entry<F: FnOnce(*mut ffi::lua_State) -> T, T>(_: &Call<F, T>) -> ffi::lua_CFunction {
            call::<F, T>
        }
        let mut made = Call { body: Some(body), result: None };
        let entry = entry(&made);
        // SAFETY: `made` outlives the call.
        unsafe {
            let status = ffi::lua_cpcall(self.state, entry, (&raw mut made).cast::<c_void>());
            if status == ffi::LUA_OK {
                return made.result.ok_or_else(|| "the call had no result".to_owned());
            }
            let message = message_at(self.state, -1);
            ffi::lua_pop(self.state, 1);
            Err(message)
        }
    }
}

/// A source on its way to the compiler.
struct Pieces<'s> {
    rest: &'s [u8],
    until: Instant,
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
        pieces.late = pieces.late || Instant::now() > pieces.until;
        let piece = if pieces.late { 0 } else { pieces.rest.len().min(PIECE) };
        let (piece, rest) = pieces.rest.split_at(piece);
        pieces.rest = rest;
        *length = piece.len();
        piece.as_ptr().cast()
    }
}

/// The error at an index as text; of objects only what they are is told, as their metamethods are the script's.
///
/// # Safety
/// The index must be one of the stack's.
unsafe fn message_at(state: *mut ffi::lua_State, index: c_int) -> String {
    // SAFETY: by this function's contract; a number is not converted in its place.
    unsafe {
        if let Some(text) = bytes_at(state, index) {
            let text = String::from_utf8_lossy(&text[..text.len().min(MESSAGE)]);
            return text.into_owned();
        }
        match ffi::lua_type(state, index) {
            ffi::LUA_TNUMBER => ffi::lua_tonumber(state, index).to_string(),
            kind => {
                let name = std::ffi::CStr::from_ptr(ffi::lua_typename(state, kind)).to_string_lossy();
                format!("(error object is a {name} value)")
            }
        }
    }
}
