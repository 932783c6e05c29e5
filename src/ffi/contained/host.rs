//! What stands behind the functions of one contained VM: its memory, its meter, and what a coroutine yielded for.

use std::cell::{Cell, RefCell, UnsafeCell};
use std::ffi::{c_int, c_void};
use std::ptr;
use std::time::Duration;

use mlua::ffi;

use crate::text::pattern::PatternError;

use super::Kind;
use super::arena::Arena;
use super::matching::{Matching, raise_pattern};
use super::meter::{Meter, Tick};
use super::place::place_of;
use super::stack::raise;

unsafe extern "C-unwind" {
    fn lua_isyieldable(state: *mut ffi::lua_State) -> c_int;
}

/// A request of at most so many bytes is granted beyond the limit, out of [`RESERVE`]: the run ends at its next
/// instruction, and until then Lua needs some room for that.
const SMALL: usize = 4096;
/// How far beyond the limit that may go, bytes.
pub(super) const RESERVE: usize = 64 << 10;

/// The collector's pause and step while memory is short, in per cent: it goes on all the time, and fast.
const PRESSED_PAUSE: c_int = 100;
const PRESSED_STEP: c_int = 400;
/// Those of other times. What is alive is small mostly, and each run makes new garbage: a longer pause than LuaJIT's
/// own 200 has the collector go over it less often.
const PAUSE: c_int = 400;
const STEP: c_int = 200;

/// Says whether scripts may read a variable.
pub type AllowsVariable = Box<dyn Fn(&[u8]) -> bool>;

/// Why a coroutine yielded to the host.
#[derive(Clone, Copy)]
pub(super) enum Call {
    /// The hook made it yield.
    None,
    /// `coroutine.resume`: the coroutine and its arguments are on the stack.
    Resume(*mut ffi::lua_State),
    /// `coroutine.yield`: the values are on the stack.
    Yield,
    /// A search in a string goes on: subject and pattern are on the stack.
    Search,
    /// `ngx.exit`
    Exit(i32),
}

/// One VM's. The VM finds it as the user data of its allocator.
pub(super) struct Host {
    pub(super) arena: Arena,
    pub(super) meter: Meter,
    pub(super) call: Cell<Call>,
    /// The coroutine that runs.
    pub(super) current: Cell<*mut ffi::lua_State>,
    /// Those that have resumed it, the outermost first.
    pub(super) parents: RefCell<Vec<*mut ffi::lua_State>>,
    /// How many values are on the stack of the current one for it to be resumed with.
    pub(super) args: Cell<c_int>,
    /// The search that is under way.
    pub(super) matching: UnsafeCell<Matching>,
    /// What the hook is to raise at the next instruction.
    pub(super) raise: Cell<Option<PatternError>>,
    /// Where the script was when a limit was hit.
    pub(super) place: RefCell<Option<String>>,
    /// What the script has put out.
    pub(super) output: RefCell<Vec<u8>>,
    pub(super) output_limit: Cell<usize>,
    pub(super) allows_variable: AllowsVariable,
    /// How much of the request's memory the run may still make use of, bytes.
    pub(super) lendable: Cell<usize>,
    /// What addresses are masked with.
    pub(super) secret: u64,
    random: Cell<u64>,
    /// A script runs: what the host does itself is not metered, apart from its memory.
    pub(super) metering: Cell<bool>,
    /// The collector hurries.
    pressed: Cell<bool>,
    /// The memory in use from which the collector is to hurry.
    pub(super) pressed_from: Cell<usize>,
    state: Cell<*mut ffi::lua_State>,
}

impl Host {
    pub(super) fn new(arena: Arena, allows_variable: AllowsVariable) -> Self {
        Self {
            arena,
            meter: Meter::new(),
            call: Cell::new(Call::None),
            current: Cell::new(ptr::null_mut()),
            parents: RefCell::default(),
            args: Cell::new(0),
            matching: UnsafeCell::new(Matching::new()),
            raise: Cell::new(None),
            place: RefCell::default(),
            output: RefCell::default(),
            output_limit: Cell::new(0),
            allows_variable,
            lendable: Cell::new(0),
            secret: entropy(),
            random: Cell::new(entropy()),
            metering: Cell::new(false),
            // LuaJIT's own pause is to be replaced before the first run.
            pressed: Cell::new(true),
            pressed_from: Cell::new(usize::MAX),
            state: Cell::new(ptr::null_mut()),
        }
    }

    /// Opens the state whose host this is; null where there is no memory.
    ///
    /// # Safety
    /// The host must stay where it is for as long as the state is used.
    pub(super) unsafe fn open(&self) -> *mut ffi::lua_State {
        // SAFETY: the allocator gets this host, by the function's contract for all of the state's life.
        let state = unsafe { ffi::lua_newstate(allocate, ptr::from_ref(self).cast_mut().cast()) };
        self.state.set(state);
        state
    }

    /// The host of a state.
    ///
    /// # Safety
    /// `state` must be one of a contained VM, which must live for `'a`.
    pub(super) unsafe fn of<'a>(state: *mut ffi::lua_State) -> &'a Self {
        let mut host = ptr::null_mut();
        // SAFETY: the user data of a contained VM's allocator is its host.
        unsafe {
            ffi::lua_getallocf(state, &raw mut host);
            &*host.cast::<Self>()
        }
    }

    /// A number that scripts cannot guess: splitmix64, from a seed that they never see.
    pub(super) fn random(&self) -> u64 {
        let state = self.random.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.random.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Takes what a C function does, in instructions. False: the run is over and the function should return.
    pub(super) fn charge(&self, instructions: u64) -> bool {
        if self.meter.charge(instructions) {
            self.hurry();
        }
        self.meter.left() > 0
    }

    /// Takes what was allocated for the script in the request's memory, bytes: it is given back with the request only.
    pub(super) fn lend(&self, bytes: usize) {
        let left = self.lendable.get().saturating_sub(bytes);
        self.lendable.set(left);
        if left == 0 {
            self.end(Kind::Memory);
        }
    }

    /// Ends the run at its next instruction.
    pub(super) fn end(&self, kind: Kind) {
        self.meter.end(kind);
        self.hurry();
    }

    /// Makes the hook run at the next instruction.
    pub(super) fn hurry(&self) {
        if self.metering.get() {
            self.set_hook(1);
        }
    }

    /// Sets the hook for so many instructions.
    fn set_hook(&self, instructions: c_int) {
        // SAFETY: the state is open; LuaJIT allows it at any time, even from a signal's handler.
        unsafe { ffi::lua_sethook(self.state.get(), Some(hook), ffi::LUA_MASKCOUNT, instructions) };
    }

    /// Meters what runs from now on, for a slice.
    pub(super) fn begin_slice(&self, slice: Duration) {
        self.metering.set(true);
        self.set_hook(self.meter.begin_slice(slice));
    }

    /// Meters no longer; the hook stays, and does nothing.
    pub(super) fn end_slice(&self) {
        if !self.metering.replace(false) {
            return;
        }
        self.meter.end_slice();
    }

    /// Makes the collector hurry where much of a run's memory is in use: left to itself it would begin only when
    /// some times as much is in use as was alive, which may be beyond the limit.
    ///
    /// # Safety
    /// Called where Lua may run out of memory.
    unsafe fn press(&self, state: *mut ffi::lua_State) {
        if self.arena.used() < self.pressed_from.get() {
            return;
        }
        // Once is enough for this pause; the next is for what is alive then.
        self.pressed_from.set(usize::MAX);
        self.pressed.set(true);
        // SAFETY: by this function's contract.
        unsafe {
            ffi::lua_gc(state, ffi::LUA_GCSETPAUSE, PRESSED_PAUSE);
            ffi::lua_gc(state, ffi::LUA_GCSETSTEPMUL, PRESSED_STEP);
            ffi::lua_gc(state, ffi::LUA_GCSTEP, 0);
        }
    }

    /// Lets the collector be as it is at other times.
    ///
    /// # Safety
    /// In a protected call.
    pub(super) unsafe fn relax(&self, state: *mut ffi::lua_State) {
        if self.pressed.replace(false) {
            // SAFETY: by this function's contract.
            unsafe {
                ffi::lua_gc(state, ffi::LUA_GCSETPAUSE, PAUSE);
                ffi::lua_gc(state, ffi::LUA_GCSETSTEPMUL, STEP);
            }
        }
    }

    /// Decides on a block that grows. False: it is refused.
    fn grants(&self, old: usize, new: usize) -> bool {
        if self.meter.charge_block(new) {
            self.hurry();
        }
        if self.arena.fits(old, new) {
            return true;
        }
        self.end(Kind::Memory);
        new <= SMALL && self.arena.used() + SMALL <= self.arena.limit() + RESERVE
    }
}

/// A number that scripts cannot guess.
fn entropy() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::time::Instant::now())
}

unsafe extern "C" fn allocate(host: *mut c_void, block: *mut c_void, old: usize, new: usize) -> *mut c_void {
    // SAFETY: what `Host::open` gave to Lua.
    let host = unsafe { &*host.cast::<Host>() };
    let old = if block.is_null() { 0 } else { old };
    if new > old && !host.grants(old, new) {
        return ptr::null_mut();
    }
    // SAFETY: Lua passes blocks that it got here, with their sizes.
    let resized = unsafe { host.arena.resize(block, old, new) };
    if resized.is_null() && new > old {
        // The range is full of gaps. That ends the run as the limit does: LuaJIT may have written its "not enough
        // memory" behind the end of a stack that could not grow, so the VM must not go on.
        host.end(Kind::Memory);
    }
    resized
}

/// What [`has_room`] gives to the function that it protects.
struct Room {
    thread: *mut ffi::lua_State,
    count: c_int,
    is_there: bool,
}

/// Makes room for `count` values on the stack of `thread`, which does not run. False: there is none, and where that
/// was found out by raising the coroutine cannot be resumed again: it is dead.
///
/// LuaJIT raises in the name of the coroutine whose stack is to grow, wherever it does not run.
///
/// # Safety
/// `thread` must be a suspended coroutine of the VM of `state`, which runs.
pub(super) unsafe fn has_room(state: *mut ffi::lua_State, thread: *mut ffi::lua_State, count: c_int) -> bool {
    unsafe extern "C-unwind" fn make(state: *mut ffi::lua_State) -> c_int {
        // SAFETY: what `has_room` gave to Lua.
        unsafe {
            let room = &mut *ffi::lua_touserdata(state, 1).cast::<Room>();
            room.is_there = ffi::lua_checkstack(room.thread, room.count) != 0;
        }
        0
    }
    // A coroutine that has yielded or not begun has that much.
    if count <= ffi::LUA_MINSTACK / 2 {
        return true;
    }
    let mut room = Room { thread, count, is_there: false };
    // SAFETY: by this function's contract; what is raised is caught and popped.
    unsafe {
        if ffi::lua_cpcall(state, make, (&raw mut room).cast()) != ffi::LUA_OK {
            ffi::lua_pop(state, 1);
            ffi::lua_settop(thread, 0);
            return false;
        }
    }
    room.is_there
}

unsafe extern "C-unwind" fn hook(state: *mut ffi::lua_State, _: *mut ffi::lua_Debug) {
    // Nothing that needs dropping may live here: yielding and raising unwind this frame.
    // SAFETY: the state that the hook was called with.
    let host = unsafe { Host::of(state) };
    if !host.metering.get() {
        // Lua of the host's own: taking the hook away for it would cost more.
        return;
    }
    if let Some(error) = host.raise.take() {
        // What is left of the run's instructions is for the next tick to say.
        host.hurry();
        // SAFETY: LuaJIT allows raising in a hook. It is the script that calls the function of ours that runs.
        unsafe { raise_pattern(state, 2, error) }
    }
    let next = match host.meter.tick() {
        Tick::Go(next) => next,
        Tick::Yield => {
            // SAFETY: as above; LuaJIT allows yielding in a count hook where the coroutine is yieldable.
            unsafe {
                if lua_isyieldable(state) != 0 {
                    if host.meter.over().is_some() {
                        host.place.replace(place_of(state));
                    }
                    ffi::lua_yield(state, 0);
                    return;
                }
                // Nothing that scripts are offered calls Lua from C, so this is for what was overlooked.
                host.hurry();
                if host.meter.over().is_some() {
                    raise(state, b"limit exceeded");
                }
            }
            1
        }
    };
    // SAFETY: the hook may do all that Lua may.
    unsafe { host.press(state) };
    // SAFETY: reads a field of the VM.
    if unsafe { ffi::lua_gethookcount(state) } != next {
        host.set_hook(next);
    }
}
