//! A raw LuaJIT state with a limit to its memory, and the naive copy in it.

use std::alloc::{Layout, alloc, dealloc, realloc};
use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use mlua::ffi;

use crate::graph::Graph;
use crate::stack::bytes_at;
use crate::value::{self, Value};

/// How often a metamethod ran.
static RAN: AtomicUsize = AtomicUsize::new(0);

/// What metatables are full of.
pub unsafe extern "C-unwind" fn trap(_: *mut ffi::lua_State) -> c_int {
    RAN.fetch_add(1, Ordering::Relaxed);
    0
}

/// What the naive copy found.
pub struct Copied {
    pub text: Vec<u8>,
    pub values: usize,
    pub bytes: usize,
    /// Tables, each counted once.
    pub tables: usize,
    pub bare: bool,
}

/// Bytes that a state may still take.
struct Memory(Cell<usize>);

pub struct State {
    raw: *mut ffi::lua_State,
    memory: Box<Memory>,
    cases: Cell<usize>,
}

// Where the functions lie on the stack; they stay there.
const COPY: c_int = 1;
const FINGERPRINT: c_int = 2;
const PUSH: c_int = 3;
/// The table of what a graph is made of, or nil.
pub const ANCHORS: c_int = 4;

impl State {
    pub fn new() -> Self {
        let memory = Box::new(Memory(Cell::new(usize::MAX)));
        let source = include_str!("oracle.lua");
        // SAFETY: the memory outlives the state; there is memory for all of this, so nothing raises.
        unsafe {
            let raw = ffi::lua_newstate(allocate, ptr::from_ref(&*memory).cast_mut().cast());
            assert!(!raw.is_null());
            ffi::luaL_openlibs(raw);
            let off = c"require 'jit'.off()";
            assert_eq!(ffi::luaL_loadstring(raw, off.as_ptr()), 0);
            assert_eq!(ffi::lua_pcall(raw, 0, 0, 0), 0);
            assert_eq!(ffi::luaL_loadbuffer(raw, source.as_ptr().cast(), source.len(), c"=oracle".as_ptr()), 0);
            assert_eq!(ffi::lua_pcall(raw, 0, 2, 0), 0);
            ffi::lua_pushcclosure(raw, push, 0);
            ffi::lua_pushnil(raw);
            let state = Self { raw, memory, cases: Cell::new(0) };
            // Types that share one metatable have one, too.
            for kind in 0..4 {
                match kind {
                    0 => ffi::lua_pushnil(raw),
                    1 => ffi::lua_pushboolean(raw, 1),
                    2 => ffi::lua_pushnumber(raw, 1.0),
                    _ => ffi::lua_pushcclosure(raw, trap, 0),
                }
                state.push_metatable(None);
                ffi::lua_setmetatable(raw, -2);
                ffi::lua_pop(raw, 1);
            }
            state
        }
    }

    pub fn raw(&self) -> *mut ffi::lua_State {
        self.raw
    }

    pub fn top(&self) -> c_int {
        // SAFETY: the state lives.
        unsafe { ffi::lua_gettop(self.raw) }
    }

    /// Drops what a case has left.
    pub fn clear(&self) {
        self.cases.set(self.cases.get() + 1);
        // SAFETY: the state lives; what is on top of the functions is the case's.
        unsafe {
            ffi::lua_settop(self.raw, PUSH);
            ffi::lua_pushnil(self.raw);
            if self.cases.get().is_multiple_of(64) {
                ffi::lua_gc(self.raw, ffi::LUA_GCCOLLECT, 0);
            }
        }
    }

    /// Pushes a metatable full of traps, perhaps a weak one.
    pub fn push_metatable(&self, mode: Option<&[u8]>) {
        const NAMES: [&[u8]; 20] = [
            b"__index",
            b"__newindex",
            b"__pairs",
            b"__ipairs",
            b"__len",
            b"__tostring",
            b"__gc",
            b"__eq",
            b"__lt",
            b"__le",
            b"__concat",
            b"__unm",
            b"__call",
            b"__metatable",
            b"__next",
            b"__name",
            b"__add",
            b"__close",
            b"__tonumber",
            b"__new",
        ];
        // SAFETY: there is room and memory.
        unsafe {
            ffi::lua_createtable(self.raw, 0, 32);
            for name in NAMES {
                crate::stack::push(self.raw, name);
                ffi::lua_pushcclosure(self.raw, trap, 0);
                ffi::lua_rawset(self.raw, -3);
            }
            if let Some(mode) = mode {
                crate::stack::push(self.raw, b"__mode");
                crate::stack::push(self.raw, mode);
                ffi::lua_rawset(self.raw, -3);
            }
        }
    }

    /// Runs `body` with the room that reading needs, and sees that neither stack nor memory nor metamethods notice.
    pub fn undisturbed<T>(&self, body: impl FnOnce(*mut ffi::lua_State) -> T) -> T {
        // SAFETY: the state lives, and has memory.
        unsafe { ffi::luaL_checkstack_(self.raw, value::ROOM, c"values".as_ptr()) };
        let notice = || (self.top(), self.used(), self.memory.0.get(), RAN.load(Ordering::Relaxed));
        let before = notice();
        let result = body(self.raw);
        assert_eq!(notice(), before, "stack, memory, memory left, metamethods");
        result
    }

    /// Bytes that Lua counts.
    fn used(&self) -> usize {
        // SAFETY: the state lives.
        let [kilobytes, bytes] =
            unsafe { [ffi::lua_gc(self.raw, ffi::LUA_GCCOUNT, 0), ffi::lua_gc(self.raw, ffi::LUA_GCCOUNTB, 0)] };
        kilobytes as usize * 1024 + bytes as usize
    }

    /// Pushes values in a protected call, with so much memory; `false` if that did not suffice.
    pub fn push(&self, values: &[Value], memory: Option<usize>) -> bool {
        let (top, ran) = (self.top(), RAN.load(Ordering::Relaxed));
        // SAFETY: the values live during the call, which catches what is raised.
        unsafe {
            ffi::luaL_checkstack_(self.raw, 8, c"values".as_ptr());
            ffi::lua_pushvalue(self.raw, PUSH);
            ffi::lua_pushlightuserdata(self.raw, ptr::from_ref(&values).cast_mut().cast());
            self.memory.0.set(memory.unwrap_or(usize::MAX));
            let status = ffi::lua_pcall(self.raw, 1, ffi::LUA_MULTRET, 0);
            self.memory.0.set(usize::MAX);
            assert_eq!(RAN.load(Ordering::Relaxed), ran, "a metamethod ran");
            if status == 0 {
                assert_eq!(self.top(), top + values.len() as c_int);
                return true;
            }
            assert!(memory.is_some() && status == ffi::LUA_ERRMEM, "{status}: {:?}", bytes_at(self.raw, -1));
            assert_eq!(self.top(), top + 1);
            ffi::lua_pop(self.raw, 1);
            false
        }
    }

    /// The naive copy of the values from `first` on.
    pub fn copy(&self, first: c_int, count: c_int, values: usize, bytes: usize) -> Result<Copied, String> {
        let top = self.top();
        // SAFETY: there is room and memory; errors are caught.
        unsafe {
            ffi::luaL_checkstack_(self.raw, count + 8, c"values".as_ptr());
            ffi::lua_pushvalue(self.raw, COPY);
            ffi::lua_pushnumber(self.raw, values as f64);
            ffi::lua_pushnumber(self.raw, bytes as f64);
            for index in first..first + count {
                ffi::lua_pushvalue(self.raw, index);
            }
            assert_eq!(ffi::lua_pcall(self.raw, count + 2, 5, 0), 0, "{:?}", bytes_at(self.raw, -1));
            let result = match bytes_at(self.raw, -5) {
                Some(text) => Ok(Copied {
                    text: text.to_vec(),
                    values: ffi::lua_tonumber(self.raw, -4) as usize,
                    bytes: ffi::lua_tonumber(self.raw, -3) as usize,
                    tables: ffi::lua_tonumber(self.raw, -2) as usize,
                    bare: ffi::lua_toboolean(self.raw, -1) != 0,
                }),
                None => Err(String::from_utf8_lossy(bytes_at(self.raw, -4).expect("a reason")).into_owned()),
            };
            ffi::lua_settop(self.raw, top);
            result
        }
    }

    /// All that a graph is.
    pub fn fingerprint(&self, graph: &Graph) -> Vec<u8> {
        let top = self.top();
        // SAFETY: there is room and memory; errors are caught.
        unsafe {
            ffi::luaL_checkstack_(self.raw, graph.roots + 8, c"values".as_ptr());
            ffi::lua_pushvalue(self.raw, FINGERPRINT);
            for index in graph.first..graph.first + graph.roots {
                ffi::lua_pushvalue(self.raw, index);
            }
            assert_eq!(ffi::lua_pcall(self.raw, graph.roots, 1, 0), 0, "{:?}", bytes_at(self.raw, -1));
            let text = bytes_at(self.raw, -1).expect("a text").to_vec();
            ffi::lua_settop(self.raw, top);
            text
        }
    }
}

/// Pushes the values that its argument points to.
unsafe extern "C-unwind" fn push(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: by `State::push`.
    unsafe {
        let values = &**ffi::lua_touserdata(state, 1).cast::<&[Value]>();
        ffi::luaL_checkstack_(state, values.len() as c_int + value::ROOM, c"values".as_ptr());
        for value in values {
            let top = ffi::lua_gettop(state);
            value::push(state, value);
            assert_eq!(ffi::lua_gettop(state), top + 1);
        }
        values.len() as c_int
    }
}

/// Lua's allocator: blocks of the system's, as long as memory is left.
unsafe extern "C" fn allocate(memory: *mut c_void, block: *mut c_void, old: usize, new: usize) -> *mut c_void {
    let layout = |size: usize| Layout::from_size_align(size.max(1), 16).expect("a size");
    // SAFETY: `State` outlives its raw state; Lua tells sizes truly.
    unsafe {
        let left = &(*memory.cast::<Memory>()).0;
        if new == 0 {
            if !block.is_null() {
                dealloc(block.cast(), layout(old));
            }
            return ptr::null_mut();
        }
        if left.get() != usize::MAX {
            match left.get().checked_sub(new.saturating_sub(old)) {
                Some(rest) => left.set(rest),
                None => return ptr::null_mut(),
            }
        }
        match block.is_null() {
            true => alloc(layout(new)).cast(),
            false => realloc(block.cast(), layout(old), new).cast(),
        }
    }
}
