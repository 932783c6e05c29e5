//! Lets a coroutine run for a while only: a count hook that yields it once its time is up, and raises where it cannot.
//!
//! mlua's own hooks are disarmed by any other coroutine, and cannot be told from a yield of the script.

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_int};
use std::ptr;
use std::time::Instant;

use mlua::{Lua, Thread, ffi};

/// After how many VM instructions the hook looks at the clock: some microseconds.
const INSTRUCTIONS: c_int = 1000;

/// Bits of `luajit.h`.
const MODE_ENGINE: c_int = 0;
const MODE_ON: c_int = 0x0100;

unsafe extern "C-unwind" {
    fn luaJIT_setmode(state: *mut ffi::lua_State, index: c_int, mode: c_int) -> c_int;
    fn lua_isyieldable(state: *mut ffi::lua_State) -> c_int;
}

/// Where Lua was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// `file:line`; none where nothing but C and the module's own Lua is on the stack.
    pub line: Option<String>,
    /// The frames, one a line.
    pub traceback: String,
}

impl Place {
    /// `text` with the place in front.
    pub fn tell(&self, text: &str) -> String {
        self.line.as_ref().map_or_else(|| text.to_owned(), |line| format!("{line}: {text}"))
    }
}

/// What the hook has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interrupted {
    /// Nothing.
    No,
    /// It has yielded the coroutine, which may be resumed.
    Paused,
    /// The deadline is over. It has yielded the coroutine, or raised in it; it must not be resumed.
    Late(Place),
}

/// What is raised where the deadline is over and the coroutine cannot yield.
const LATE: &CStr = c"took longer than the prepare timeout";

/// What the hook works on. A worker has one thread and one coroutine runs under the hook at a time.
struct Watch {
    thread: Cell<*mut ffi::lua_State>,
    until: Cell<Option<Instant>>,
    deadline: Cell<Option<Instant>>,
    paused: Cell<bool>,
    late: RefCell<Option<Place>>,
}

thread_local! {
    static WATCH: Watch = const {
        Watch {
            thread: Cell::new(ptr::null_mut()),
            until: Cell::new(None),
            deadline: Cell::new(None),
            paused: Cell::new(false),
            late: RefCell::new(None),
        }
    };
}

/// While it lives the hook is set and the JIT is off.
struct Armed {
    state: *mut ffi::lua_State,
    compiles: bool,
}

impl Armed {
    fn new(thread: &Thread, compiles: bool) -> Self {
        let state = state_of(thread);
        // SAFETY: a coroutine that `thread` keeps alive; neither call runs Lua or raises for these arguments.
        unsafe {
            luaJIT_setmode(state, 0, MODE_ENGINE);
            ffi::lua_sethook(state, Some(hook), ffi::LUA_MASKCOUNT, INSTRUCTIONS);
        }
        Self { state, compiles }
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        // SAFETY: as in `new`; the caller of `watched` keeps the coroutine alive.
        unsafe {
            ffi::lua_sethook(self.state, None, 0, 0);
            if self.compiles {
                luaJIT_setmode(self.state, 0, MODE_ENGINE | MODE_ON);
            }
        }
    }
}

/// Calls `run`, which resumes `thread`. The hook yields it after `until`, as soon as it may, and ends it after
/// `deadline`. The JIT is off meanwhile, because compiled code fires no hook; `compiles` says that it is on otherwise.
pub fn watched<T>(
    thread: &Thread,
    until: Instant,
    deadline: Instant,
    compiles: bool,
    run: impl FnOnce() -> T,
) -> (T, Interrupted) {
    WATCH.with(|watch| {
        watch.thread.set(state_of(thread));
        watch.until.set(Some(until));
        watch.deadline.set(Some(deadline));
        watch.paused.set(false);
        watch.late.take();
    });
    let armed = Armed::new(thread, compiles);
    let result = run();
    drop(armed);
    WATCH.with(|watch| {
        watch.thread.set(ptr::null_mut());
        let interrupted = match (watch.late.take(), watch.paused.get()) {
            (Some(place), _) => Interrupted::Late(place),
            (None, true) => Interrupted::Paused,
            (None, false) => Interrupted::No,
        };
        (result, interrupted)
    })
}

/// Where a coroutine is that has yielded.
pub fn place(lua: &Lua, thread: &Thread) -> Place {
    let mut found = Place::default();
    let suspended = state_of(thread);
    // SAFETY: the closure only reads the coroutine's stack, and is called under protection as the traceback may
    // run out of memory.
    let read = unsafe { lua.exec_raw::<()>((), |state| found = place_of(state, suspended)) };
    read.map(|()| found).unwrap_or_default()
}

/// Says whether no C function stands between a running coroutine and who has resumed it.
pub fn may_yield(thread: &Thread) -> bool {
    // SAFETY: `thread` keeps the coroutine alive.
    unsafe { lua_isyieldable(state_of(thread)) != 0 }
}

fn state_of(thread: &Thread) -> *mut ffi::lua_State {
    // What Lua calls the pointer of a coroutine is its state.
    thread.to_pointer().cast::<ffi::lua_State>().cast_mut()
}

/// What the hook is to do.
enum Act {
    GoOn,
    Yield,
    Raise,
}

unsafe extern "C-unwind" fn hook(state: *mut ffi::lua_State, _: *mut ffi::lua_Debug) {
    // Nothing that needs dropping may live here: yielding and raising unwind this frame.
    match act(state) {
        Act::GoOn => {}
        Act::Yield => {
            // SAFETY: LuaJIT allows it in a count hook where the coroutine is yieldable.
            unsafe { ffi::lua_yield(state, 0) };
        }
        // SAFETY: LuaJIT allows raising in a hook.
        Act::Raise => unsafe {
            // A handler of the script's (pcall) does not get far: the next instruction raises again.
            ffi::lua_sethook(state, Some(hook), ffi::LUA_MASKCOUNT, 1);
            ffi::lua_pushstring(state, LATE.as_ptr());
            ffi::lua_error(state)
        },
    }
}

fn act(state: *mut ffi::lua_State) -> Act {
    WATCH.with(|watch| {
        let now = Instant::now();
        let is_over = |at: &Cell<Option<Instant>>| at.get().is_none_or(|at| now >= at);
        // A coroutine of the script's own would yield to the script.
        // SAFETY: the state that the hook was called with.
        let may_yield = state == watch.thread.get() && unsafe { lua_isyieldable(state) } != 0;
        if is_over(&watch.deadline) {
            if watch.late.borrow().is_none() {
                // SAFETY: as above.
                let place = unsafe { place_of(state, state) };
                watch.late.replace(Some(place));
            }
            return if may_yield { Act::Yield } else { Act::Raise };
        }
        if is_over(&watch.until) && may_yield {
            watch.paused.set(true);
            return Act::Yield;
        }
        Act::GoOn
    })
}

/// Where `thread` is: its innermost function that comes from a file or a configuration.
///
/// # Safety
/// Both must be states of one VM. It may raise for lack of memory.
unsafe fn place_of(state: *mut ffi::lua_State, thread: *mut ffi::lua_State) -> Place {
    // SAFETY: plain old data that Lua fills.
    let mut frame: ffi::lua_Debug = unsafe { std::mem::zeroed() };
    let mut line = None;
    let mut level = 0;
    // SAFETY: by this function's contract; `S` and `l` of a frame that exists are set.
    while line.is_none() && unsafe { ffi::lua_getstack(thread, level, &mut frame) } != 0 {
        level += 1;
        // SAFETY: as above.
        let source = unsafe {
            ffi::lua_getinfo(thread, c"Sl".as_ptr(), &mut frame);
            CStr::from_ptr(frame.source).to_string_lossy()
        };
        if frame.currentline > 0 && !source.starts_with("=hotlua:") {
            line = Some(format!("{}:{}", source.trim_start_matches(['@', '=']), frame.currentline));
        }
    }
    // SAFETY: what luaL_traceback pushes is a string, which is copied before it is popped.
    let text = unsafe {
        ffi::luaL_traceback(state, thread, ptr::null(), 0);
        let text = ffi::lua_tostring(state, -1);
        let text = if text.is_null() { String::new() } else { CStr::from_ptr(text).to_string_lossy().into_owned() };
        ffi::lua_pop(state, 1);
        text
    };
    let traceback = text.trim_start_matches('\n').trim_start_matches("stack traceback:\n").to_owned();
    Place { line, traceback }
}
