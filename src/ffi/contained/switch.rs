//! Coroutines of a contained VM, switched by the host: `coroutine.resume` yields to it and it resumes the other one.
//!
//! LuaJIT's own nests a C frame for each coroutine that resumes another: a deep chain overflows the C stack, and only
//! the outermost can be paused. Here each is resumed from the same place, so the hook can yield from any.

use std::ffi::c_int;

use mlua::ffi;

use super::entry::ANCHORS;
use super::host::{Call, Host, has_room};
use super::stack::push;
use super::{Kind, matching};

/// How deep coroutines may resume each other.
const DEEPEST: usize = 200;
/// What a switch costs, in instructions.
const SWITCH: u64 = 20;
/// The place of the response's `ngx` among the anchored values; coroutines follow it, the outermost first.
pub(super) const NGX: c_int = 1;
pub(super) const FIRST: c_int = 2;

/// How far a run came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is to go on later, or a limit is hit.
    Paused,
    /// It has returned; the results are on the stack of the outermost coroutine.
    Returned,
    /// It has called `ngx.exit`.
    Exited(i32),
    /// It has raised; the error is on top of the stack of the outermost coroutine.
    Raised,
}

/// Where a coroutine was left for.
enum Left {
    /// Its parent, which is current now.
    ToParent,
    /// Nowhere: it is the outermost.
    Outermost,
    /// Its parent, whose stack cannot take the values and which cannot be resumed any more: an error is on top of it.
    Broken,
}

/// Runs the current coroutine, and those that it resumes, until a slice is over or the run.
///
/// # Safety
/// `state` is the main state, in a protected call.
pub(super) unsafe fn run(state: *mut ffi::lua_State, host: &Host) -> Outcome {
    loop {
        if host.meter.over().is_some() {
            return Outcome::Paused;
        }
        let current = host.current.get();
        // SAFETY: the coroutine is anchored; the values for it are on its stack.
        let status = unsafe {
            if matches!(host.call.get(), Call::Search) {
                let Some(count) = matching::resume(host, current) else { return Outcome::Paused };
                host.args.set(count);
                // Subject and pattern, which were kept below.
                ffi::lua_remove(current, 1);
                ffi::lua_remove(current, 1);
            }
            host.call.set(Call::None);
            ffi::lua_resume_(current, host.args.replace(0))
        };
        // SAFETY: as above; what a coroutine yielded or returned is on its stack.
        unsafe {
            match (status, host.call.get()) {
                (ffi::LUA_YIELD, Call::None | Call::Search) => return Outcome::Paused,
                (ffi::LUA_YIELD, Call::Exit(status)) => return Outcome::Exited(status),
                (ffi::LUA_YIELD, Call::Resume(other)) => enter(state, host, other),
                (ffi::LUA_YIELD, Call::Yield) => {
                    let count = ffi::lua_gettop(current);
                    if !matches!(leave(state, host, true, count), Left::ToParent) {
                        return Outcome::Raised;
                    }
                }
                (ffi::LUA_OK, _) => {
                    let count = ffi::lua_gettop(current);
                    match leave(state, host, true, count) {
                        Left::ToParent => {}
                        Left::Outermost => return Outcome::Returned,
                        Left::Broken => return Outcome::Raised,
                    }
                }
                (error, _) => {
                    if error == ffi::LUA_ERRMEM {
                        host.meter.end(Kind::Memory);
                    }
                    if !matches!(leave(state, host, false, 1), Left::ToParent) {
                        return Outcome::Raised;
                    }
                }
            }
        }
    }
}

/// Makes `other` the current coroutine; it and its arguments are on the stack of the one that resumes it.
///
/// # Safety
/// As for [`run`].
unsafe fn enter(state: *mut ffi::lua_State, host: &Host, other: *mut ffi::lua_State) {
    let current = host.current.get();
    host.charge(SWITCH);
    let mut parents = host.parents.borrow_mut();
    parents.push(current);
    let place = FIRST + parents.len() as c_int;
    drop(parents);
    // SAFETY: `resume` has made room on the stack of `other`.
    unsafe {
        let count = ffi::lua_gettop(current) - 1;
        ffi::lua_xmove(current, other, count);
        host.args.set(count);
        ffi::lua_xmove(current, state, 1);
        ffi::lua_rawseti_(state, ANCHORS, place);
    }
    host.current.set(other);
}

/// Makes the parent of the current coroutine current, and hands it the last `count` values of its child behind
/// whether that went well.
///
/// # Safety
/// As for [`run`].
unsafe fn leave(state: *mut ffi::lua_State, host: &Host, ok: bool, count: c_int) -> Left {
    let child = host.current.get();
    let mut parents = host.parents.borrow_mut();
    let Some(parent) = parents.pop() else { return Left::Outermost };
    let place = FIRST + parents.len() as c_int + 1;
    drop(parents);
    host.charge(SWITCH);
    host.current.set(parent);
    // SAFETY: both are coroutines of this state; the child is let go of after what it gave was moved.
    unsafe {
        if !has_room(state, parent, count + 1) {
            ffi::lua_settop(child, 0);
            if ffi::lua_status(parent) != ffi::LUA_YIELD {
                // It cannot go on: that ends the run.
                push(parent, b"stack overflow");
                return Left::Broken;
            }
            ffi::lua_pushboolean(parent, 0);
            push(parent, b"stack overflow");
            host.args.set(2);
        } else {
            ffi::lua_pushboolean(parent, c_int::from(ok));
            ffi::lua_xmove(child, parent, count);
            host.args.set(count + 1);
        }
        ffi::lua_pushnil(state);
        ffi::lua_rawseti_(state, ANCHORS, place);
    }
    Left::ToParent
}

/// # Safety
/// `thread` must be a coroutine of `state`'s VM.
unsafe fn status_of(host: &Host, thread: *mut ffi::lua_State) -> &'static str {
    if thread == host.current.get() {
        return "running";
    }
    if host.parents.borrow().contains(&thread) {
        return "normal";
    }
    // SAFETY: by this function's contract; neither call allocates.
    match unsafe { (ffi::lua_status(thread), ffi::lua_gettop(thread)) } {
        (ffi::LUA_YIELD, _) => "suspended",
        // It holds the function that it is to run.
        (ffi::LUA_OK, 1..) => "suspended",
        _ => "dead",
    }
}

/// The coroutine that is the first argument.
///
/// # Safety
/// A C function's body: it raises where there is none.
unsafe fn check_thread(state: *mut ffi::lua_State) -> *mut ffi::lua_State {
    // SAFETY: by this function's contract.
    unsafe {
        let thread = ffi::lua_tothread(state, 1);
        if thread.is_null() {
            ffi::luaL_argerror(state, 1, c"coroutine expected".as_ptr());
        }
        thread
    }
}

/// `coroutine.create(function)`
pub(super) unsafe extern "C-unwind" fn create(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        ffi::luaL_checktype(state, 1, ffi::LUA_TFUNCTION);
        let thread = ffi::lua_newthread(state);
        ffi::lua_pushvalue(state, 1);
        ffi::lua_xmove(state, thread, 1);
        1
    }
}

/// `coroutine.resume(coroutine, ...)`
pub(super) unsafe extern "C-unwind" fn resume(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let thread = check_thread(state);
        let host = Host::of(state);
        let refuse = |text: &str| {
            ffi::lua_pushboolean(state, 0);
            push(state, text.as_bytes());
            2
        };
        match status_of(host, thread) {
            "suspended" => {}
            "dead" => return refuse("cannot resume dead coroutine"),
            "running" => return refuse("cannot resume running coroutine"),
            _ => return refuse("cannot resume non-suspended coroutine"),
        }
        if host.parents.borrow().len() >= DEEPEST {
            return refuse("C stack overflow");
        }
        let count = ffi::lua_gettop(state);
        if !has_room(state, thread, count) {
            return refuse("too many arguments to resume");
        }
        host.call.set(Call::Resume(thread));
        ffi::lua_yield(state, count)
    }
}

/// `coroutine.yield(...)`
pub(super) unsafe extern "C-unwind" fn yields(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let host = Host::of(state);
        if host.parents.borrow().is_empty() {
            super::stack::raise(state, b"attempt to yield from outside a coroutine");
        }
        host.call.set(Call::Yield);
        ffi::lua_yield(state, ffi::lua_gettop(state))
    }
}

/// `coroutine.status(coroutine)`
pub(super) unsafe extern "C-unwind" fn status(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let thread = check_thread(state);
        push(state, status_of(Host::of(state), thread).as_bytes());
        1
    }
}

/// `coroutine.running()`: none in the script's main coroutine, as Lua 5.1 has it.
pub(super) unsafe extern "C-unwind" fn running(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        if Host::of(state).parents.borrow().is_empty() {
            ffi::lua_pushnil(state);
        } else {
            ffi::lua_pushthread(state);
        }
        1
    }
}

/// `coroutine.isyieldable()`
pub(super) unsafe extern "C-unwind" fn is_yieldable(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let is = !Host::of(state).parents.borrow().is_empty();
        ffi::lua_pushboolean(state, c_int::from(is));
        1
    }
}
