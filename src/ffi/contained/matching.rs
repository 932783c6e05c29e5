//! `string.find`, `string.match` and the searches of `gmatch` and `gsub`: they go on in steps and may be paused.

use std::ffi::c_int;
use std::ptr;

use mlua::ffi;

use crate::text::pattern::{Capture, Matcher, PatternError, Progress, find_plain, has_specials, start};

use super::super::lua_bytes;
use super::host::{Call, Host};
use super::stack::{check_bytes, push, raise_at};

/// After how many steps of a search the clock is looked at: some microseconds.
const STEPS: u64 = 4096;
/// How many steps cost as much as an instruction.
const STEPS_AN_INSTRUCTION: u64 = 2;

/// Room on the stack for what a match answers.
const CAPTURES: c_int = 40;

/// A search. While it is paused subject and pattern are on its coroutine's stack.
pub(super) struct Matching {
    matcher: Matcher,
    subject: (*const u8, usize),
    pattern: (*const u8, usize),
    answers: Answers,
}

/// What a search answers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answers {
    /// Where the match begins and ends, then the captures.
    Span,
    /// The captures; where there are none, the match.
    Captures,
}

/// How a search ended.
enum Found {
    Yes,
    No,
    Wrong(PatternError),
    Paused,
}

impl Matching {
    pub(super) fn new() -> Self {
        let nothing = (ptr::null(), 0);
        Self { matcher: Matcher::new(), subject: nothing, pattern: nothing, answers: Answers::Span }
    }

    /// # Safety
    /// Subject and pattern must be on the stack of the coroutine that searches.
    unsafe fn subject<'a>(&self) -> &'a [u8] {
        // SAFETY: Lua's strings do not move, and by this function's contract they are alive.
        unsafe { lua_bytes(self.subject.0, self.subject.1) }
    }

    /// Goes on until it is done or the run is to stop.
    ///
    /// # Safety
    /// As for `subject`.
    unsafe fn go_on(&mut self, host: &Host) -> Found {
        // SAFETY: as above.
        let (subject, pattern) = unsafe { (self.subject(), lua_bytes(self.pattern.0, self.pattern.1)) };
        loop {
            let mut budget = STEPS;
            let progress = self.matcher.run(subject, pattern, &mut budget);
            host.charge(1 + (STEPS - budget) / STEPS_AN_INSTRUCTION);
            match progress {
                Ok(Progress::Matched) => return Found::Yes,
                Ok(Progress::Failed) => return Found::No,
                Err(error) => return Found::Wrong(error),
                Ok(Progress::Paused) if host.metering.get() && host.meter.is_to_stop() => return Found::Paused,
                Ok(Progress::Paused) => {}
            }
        }
    }

    /// Pushes what a match answers; returns how many values.
    ///
    /// # Safety
    /// As for `subject`; it may run out of memory.
    unsafe fn push(&self, state: *mut ffi::lua_State) -> Result<c_int, PatternError> {
        let (begin, end) = self.matcher.span();
        // SAFETY: spans lie in the subject.
        unsafe {
            let subject = self.subject();
            ffi::luaL_checkstack_(state, CAPTURES, c"too many captures".as_ptr());
            let mut count = 0;
            if self.answers == Answers::Span {
                ffi::lua_pushinteger(state, begin as ffi::lua_Integer + 1);
                ffi::lua_pushinteger(state, end as ffi::lua_Integer);
                count = 2;
            }
            let captures = self.matcher.captures();
            // Of a pattern without captures the first one is the match.
            let wanted = if self.answers == Answers::Captures { captures.max(1) } else { captures };
            for index in 0..wanted {
                count += 1;
                match self.matcher.capture(index)? {
                    Capture::Span { start, end } => push(state, &subject[start..end]),
                    Capture::Position(at) => ffi::lua_pushinteger(state, at as ffi::lua_Integer + 1),
                }
            }
            Ok(count)
        }
    }
}

/// Goes on with the search of the current coroutine; pushes what it answers and returns how many values that are.
/// None: the run is to stop meanwhile.
///
/// # Safety
/// The coroutine must have yielded by [`search`]. Runs under protection: it may run out of memory.
pub(super) unsafe fn resume(host: &Host, state: *mut ffi::lua_State) -> Option<c_int> {
    // SAFETY: nothing else uses the search; subject and pattern stay below what is pushed.
    unsafe {
        let matching = &mut *host.matching.get();
        match matching.go_on(host) {
            Found::Paused => None,
            Found::Yes => matching.push(state).map_or_else(|error| later(host, error), Some),
            Found::No => {
                ffi::lua_pushnil(state);
                Some(1)
            }
            Found::Wrong(error) => later(host, error),
        }
    }
}

/// Raises for a function that has yielded, which cannot do so itself: the hook does, at the next instruction.
fn later(host: &Host, error: PatternError) -> Option<c_int> {
    host.raise.set(Some(error));
    host.hurry();
    Some(0)
}

/// Raises in LuaJIT's words, with the position of the function at `level`.
///
/// # Safety
/// A C function's body or a hook.
pub(super) unsafe fn raise_pattern(state: *mut ffi::lua_State, level: c_int, error: PatternError) -> ! {
    let mut words = [0; 64];
    let length = {
        let text = error.to_string();
        let length = text.len().min(words.len());
        words[..length].copy_from_slice(&text.as_bytes()[..length]);
        length
    };
    // SAFETY: by this function's contract; the text is dropped.
    unsafe { raise_at(state, level, &words[..length]) }
}

/// # Safety
/// A C function's body: the frame holds nothing that needs dropping when it raises or yields.
unsafe fn search(state: *mut ffi::lua_State, answers: Answers, plain_allowed: bool, anchors: bool) -> c_int {
    // SAFETY: by this function's contract.
    unsafe {
        let (subject, pattern) = (check_bytes(state, 1), check_bytes(state, 2));
        // What is pushed once the search has been paused is pushed by the host, where this must not raise.
        ffi::luaL_checkstack_(state, CAPTURES, c"too many captures".as_ptr());
        let from = start(ffi::luaL_optinteger(state, 3, 1) as i64, subject.len());
        let host = Host::of(state);
        if plain_allowed && (ffi::lua_toboolean(state, 4) != 0 || !has_specials(pattern)) {
            host.charge(((subject.len() - from) / super::meter::BYTES) as u64);
            return match find_plain(subject, pattern, from) {
                Some(at) => {
                    ffi::lua_pushinteger(state, at as ffi::lua_Integer + 1);
                    ffi::lua_pushinteger(state, (at + pattern.len()) as ffi::lua_Integer);
                    2
                }
                None => {
                    ffi::lua_pushnil(state);
                    1
                }
            };
        }
        let matching = &mut *host.matching.get();
        matching.subject = (subject.as_ptr(), subject.len());
        matching.pattern = (pattern.as_ptr(), pattern.len());
        matching.answers = answers;
        matching.matcher.begin(from, anchors);
        match matching.go_on(host) {
            Found::Yes => match matching.push(state) {
                Ok(count) => count,
                Err(error) => raise_pattern(state, 2, error),
            },
            Found::No => {
                ffi::lua_pushnil(state);
                1
            }
            Found::Wrong(error) => raise_pattern(state, 2, error),
            Found::Paused => {
                ffi::lua_settop(state, 2);
                host.call.set(Call::Search);
                ffi::lua_yield(state, 2)
            }
        }
    }
}

/// `string.find(subject, pattern [, init [, plain]])`
pub(super) unsafe extern "C-unwind" fn find(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { search(state, Answers::Span, true, true) }
}

/// `string.match(subject, pattern [, init])`
pub(super) unsafe extern "C-unwind" fn matches(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as above.
    unsafe { search(state, Answers::Captures, false, true) }
}

/// What `gsub` looks for next: as [`find`], and never plain.
pub(super) unsafe extern "C-unwind" fn scan(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as above.
    unsafe { search(state, Answers::Span, false, true) }
}

/// What `gmatch` looks for next: a `^` is no anchor.
pub(super) unsafe extern "C-unwind" fn scan_unanchored(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: as above.
    unsafe { search(state, Answers::Span, false, false) }
}
