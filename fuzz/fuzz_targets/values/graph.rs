//! An input as a graph of Lua's values: tables nested, shared, in themselves, with odd keys and metatables.

use std::ffi::c_int;

use mlua::ffi;

use crate::stack::push as push_text;
use crate::state::{ANCHORS, State, trap};

/// What is to cross, and within which limits.
pub struct Graph {
    /// Where the first root is on the stack.
    pub first: c_int,
    /// How many roots lie there.
    pub roots: c_int,
    /// Whether they are read by their distance from the top.
    pub negative: bool,
    pub values: usize,
    pub bytes: usize,
    /// What the other state may take while they are pushed.
    pub memory: Option<usize>,
}

const NUMBERS: [f64; 28] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    2.0,
    3.0,
    4.0,
    5.0,
    0.5,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    9007199254740992.0,
    9007199254740993.0,
    -9007199254740992.0,
    2147483647.0,
    2147483648.0,
    -2147483648.0,
    -2147483649.0,
    4294967295.0,
    4294967296.0,
    9223372036854775808.0,
    5e-324,
    f64::MAX,
    f64::MIN_POSITIVE,
    1e15,
    67108864.0,
    134217729.0,
];
const TEXTS: [&[u8]; 14] = [
    b"",
    b"\0",
    b"a\0b",
    b"a\0c",
    b"1",
    b"0x10",
    b"nan",
    b"-0",
    b"\xff\xfe",
    b"n",
    b"__index",
    b"__gc",
    b"__mode",
    b"0123456789abcdef",
];

/// As many as may ever cross at once.
const MOST_VALUES: usize = 100_000;
/// Entries that a graph may have in all, so that building takes its time only.
const MOST_ENTRIES: usize = 120_000;

struct Builder<'a> {
    state: &'a State,
    raw: *mut ffi::lua_State,
    input: &'a [u8],
    /// How many tables and other objects are anchored.
    anchored: c_int,
    entries: usize,
    roots: c_int,
    /// Whether limits are as large as a profile may set them. That is slow to use up, so it is seldom.
    large: bool,
}

impl Graph {
    /// Makes the graph; its roots are on top of the stack.
    pub fn build(state: &State, input: &[u8]) -> Self {
        let raw = state.raw();
        let mut builder = Builder { state, raw, input, anchored: 0, entries: 0, roots: 0, large: false };
        // SAFETY: the state has memory without limit, so nothing raises; there is room for the roots.
        unsafe {
            ffi::luaL_checkstack_(raw, 64, c"graph".as_ptr());
            ffi::lua_createtable(raw, 0, 0);
            ffi::lua_replace(raw, ANCHORS);
            builder.new_table();
            let limits = builder.byte();
            // One in eight of the inputs that would have them gets them.
            let large = limits == 255 && input.iter().fold(0u8, |sum, &byte| sum.wrapping_add(byte)).is_multiple_of(8);
            builder.large = large;
            let values = match limits % 4 {
                3 if large => MOST_VALUES,
                1 => usize::from(builder.byte()),
                2 => usize::from(builder.byte()) * 4,
                _ => 500,
            };
            let bytes = match limits / 4 % 4 {
                3 if large => 16 << 20,
                1 => usize::from(builder.byte()),
                2 => usize::from(builder.byte()) * 64,
                _ => 8192,
            };
            let memory = match limits / 16 % 4 {
                2 => Some(usize::from(builder.byte()) * 16),
                1 => Some(usize::from(builder.byte()) * 1024),
                _ => None,
            };
            while !builder.input.is_empty() {
                builder.step();
            }
            if builder.roots == 0 {
                builder.table(0);
                builder.roots = 1;
            }
            let first = ffi::lua_gettop(raw) - builder.roots + 1;
            Self { first, roots: builder.roots, negative: limits & 64 != 0, values, bytes, memory }
        }
    }
}

impl Builder<'_> {
    fn byte(&mut self) -> u8 {
        match self.input.split_first() {
            Some((&byte, rest)) => {
                self.input = rest;
                byte
            }
            None => 0,
        }
    }

    fn bytes(&mut self, count: usize) -> &[u8] {
        let (bytes, rest) = self.input.split_at(count.min(self.input.len()));
        self.input = rest;
        bytes
    }

    /// One thing more in the graph.
    unsafe fn step(&mut self) {
        let raw = self.raw;
        // SAFETY: by `build`.
        unsafe {
            match self.byte() % 12 {
                0 => self.new_table(),
                1..=3 => {
                    let table = self.byte();
                    self.table(table);
                    self.value();
                    self.value();
                    self.set();
                    ffi::lua_pop(raw, 1);
                }
                4 => {
                    let (table, mode) = (self.byte(), self.byte());
                    self.table(table);
                    match mode % 8 {
                        0 => self.state.push_metatable(Some(b"k")),
                        1 => self.state.push_metatable(Some(b"kv")),
                        2 => self.table(mode / 8),
                        3 => ffi::lua_pushnil(raw),
                        _ => self.state.push_metatable(None),
                    }
                    ffi::lua_setmetatable(raw, -2);
                    ffi::lua_pop(raw, 1);
                }
                5 => self.chain(),
                6 => self.diamonds(),
                7 => self.array(),
                8 => self.names(),
                9 => self.holes(),
                10 => {
                    if self.roots < 32 {
                        self.value();
                        self.roots += 1;
                    }
                }
                _ => {
                    // Text keys or values in a row.
                    let (table, count) = (self.byte(), self.byte() % 8);
                    self.table(table);
                    for index in 1..=c_int::from(count) {
                        self.value();
                        ffi::lua_rawseti_(raw, -2, index);
                    }
                    ffi::lua_pop(raw, 1);
                }
            }
        }
    }

    /// Sets the key and value on top in the table below them, if the key may be one.
    unsafe fn set(&mut self) {
        let raw = self.raw;
        // SAFETY: by `build`.
        unsafe {
            let key = ffi::lua_type(raw, -2);
            let number = ffi::lua_tonumber(raw, -2);
            let is_nan = key == ffi::LUA_TNUMBER && number.is_nan();
            if key == ffi::LUA_TNIL || is_nan || !self.enter(1) {
                ffi::lua_pop(raw, 2);
            } else {
                ffi::lua_rawset(raw, -3);
            }
        }
    }

    fn enter(&mut self, count: usize) -> bool {
        self.entries += count;
        self.entries <= MOST_ENTRIES
    }

    /// Keeps what is on top, which stays there.
    unsafe fn anchor(&mut self) {
        self.anchored += 1;
        // SAFETY: by `build`.
        unsafe {
            ffi::lua_pushvalue(self.raw, -1);
            ffi::lua_rawseti_(self.raw, ANCHORS, self.anchored);
        }
    }

    unsafe fn new_table(&mut self) {
        // SAFETY: by `build`.
        unsafe {
            ffi::lua_createtable(self.raw, 0, 0);
            self.anchor();
            ffi::lua_pop(self.raw, 1);
        }
    }

    /// Pushes one of the tables; the newest is 0.
    unsafe fn table(&mut self, which: u8) {
        // SAFETY: by `build`.
        unsafe {
            let index = self.anchored - c_int::from(which) % self.anchored;
            ffi::lua_rawgeti_(self.raw, ANCHORS, index);
            if ffi::lua_type(self.raw, -1) != ffi::LUA_TTABLE {
                ffi::lua_pop(self.raw, 1);
                ffi::lua_rawgeti_(self.raw, ANCHORS, 1);
            }
        }
    }

    /// Tables in each other, by their values or by their keys; the outermost is the newest.
    unsafe fn chain(&mut self) {
        let (length, how) = (self.byte() % 40, self.byte());
        for index in 0..length {
            // SAFETY: by `build`.
            unsafe {
                ffi::lua_createtable(self.raw, 0, 0);
                let by_key = how & 1 << (index % 8) != 0;
                if by_key {
                    self.table(0);
                    ffi::lua_pushboolean(self.raw, 1);
                } else {
                    ffi::lua_pushnumber(self.raw, 1.0);
                    self.table(0);
                }
                self.set();
                self.anchor();
                ffi::lua_pop(self.raw, 1);
            }
        }
    }

    /// Tables that have the one before twice: as many values as two to their number.
    unsafe fn diamonds(&mut self) {
        let (length, how) = (self.byte() % 34, self.byte());
        for _ in 0..length {
            // SAFETY: by `build`.
            unsafe {
                ffi::lua_createtable(self.raw, 0, 0);
                self.table(0);
                if how & 1 == 0 {
                    ffi::lua_rawseti_(self.raw, -2, 1);
                    self.table(0);
                    ffi::lua_rawseti_(self.raw, -2, 2);
                } else {
                    self.table(0);
                    self.set();
                }
                self.anchor();
                ffi::lua_pop(self.raw, 1);
            }
        }
    }

    /// The same value very often.
    unsafe fn array(&mut self) {
        let (table, count, factor) = (self.byte(), usize::from(self.byte()), self.byte());
        let count = if self.large && factor == 255 { count * 512 } else { count };
        // SAFETY: by `build`.
        unsafe {
            self.table(table);
            self.value();
            if self.enter(count) {
                for index in 1..=count as c_int {
                    ffi::lua_pushvalue(self.raw, -1);
                    ffi::lua_rawseti_(self.raw, -3, index);
                }
            }
            ffi::lua_pop(self.raw, 2);
        }
    }

    /// Many short keys.
    unsafe fn names(&mut self) {
        let (table, count) = (self.byte(), self.byte());
        // SAFETY: by `build`.
        unsafe {
            self.table(table);
            for index in 0..count {
                push_text(self.raw, &[index]);
                ffi::lua_pushnumber(self.raw, f64::from(index));
                self.set();
            }
            ffi::lua_pop(self.raw, 1);
        }
    }

    /// Takes entries out again: what `next` goes over.
    unsafe fn holes(&mut self) {
        let (table, count, step) = (self.byte(), c_int::from(self.byte()), 1 + usize::from(self.byte() % 4));
        // SAFETY: by `build`.
        unsafe {
            self.table(table);
            for index in (0..count).step_by(step) {
                ffi::lua_pushnil(self.raw);
                ffi::lua_rawseti_(self.raw, -2, index);
                push_text(self.raw, &[index as u8]);
                ffi::lua_pushnil(self.raw);
                ffi::lua_rawset(self.raw, -3);
            }
            ffi::lua_pop(self.raw, 1);
        }
    }

    /// Pushes any value.
    unsafe fn value(&mut self) {
        let raw = self.raw;
        // SAFETY: by `build`.
        unsafe {
            match self.byte() % 24 {
                0 => ffi::lua_pushnil(raw),
                1 => ffi::lua_pushboolean(raw, 1),
                2 => ffi::lua_pushboolean(raw, 0),
                3 | 4 => ffi::lua_pushnumber(raw, f64::from(self.byte()) - 8.0),
                5 | 6 => ffi::lua_pushnumber(raw, NUMBERS[usize::from(self.byte()) % NUMBERS.len()]),
                7 => {
                    let mut bits = [0; 8];
                    let read = self.bytes(8);
                    bits[..read.len()].copy_from_slice(read);
                    ffi::lua_pushnumber(raw, f64::from_le_bytes(bits));
                }
                8 => ffi::lua_pushnumber(raw, (f64::from(self.byte()) - 128.0) * 1e6),
                9 | 10 => {
                    let length = usize::from(self.byte() % 32);
                    push_text(raw, self.bytes(length));
                }
                11 | 12 => push_text(raw, TEXTS[usize::from(self.byte()) % TEXTS.len()]),
                13 => {
                    let (byte, length) = (self.byte(), usize::from(self.byte()));
                    push_text(raw, &vec![byte; length * length]);
                }
                14..=22 => {
                    let table = self.byte();
                    self.table(table);
                }
                _ => self.leaf(),
            }
        }
    }

    /// Pushes what does not cross.
    unsafe fn leaf(&mut self) {
        let raw = self.raw;
        let kind = self.byte();
        // SAFETY: by `build`.
        unsafe {
            match kind % 8 {
                0 => ffi::lua_pushcclosure(raw, trap, 0),
                1 => {
                    ffi::lua_newthread(raw);
                }
                2 => {
                    ffi::lua_newuserdata(raw, 8);
                    self.state.push_metatable(None);
                    ffi::lua_setmetatable(raw, -2);
                }
                3 => ffi::lua_pushlightuserdata(raw, std::ptr::without_provenance_mut(usize::from(kind))),
                4 => {
                    // A cdata.
                    assert_eq!(ffi::luaL_loadstring(raw, c"return 1LL".as_ptr()), 0);
                    assert_eq!(ffi::lua_pcall(raw, 0, 1, 0), 0);
                }
                5 => {
                    ffi::lua_getfield_(raw, ffi::LUA_GLOBALSINDEX, c"pcall".as_ptr());
                }
                // Most inputs should have none.
                _ => return ffi::lua_pushboolean(raw, 1),
            }
            self.anchor();
        }
    }
}
