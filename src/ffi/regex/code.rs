//! A compiled pattern.

use std::cell::Cell;
use std::ffi::{CStr, c_int};
use std::ptr::{null, read_unaligned};
use std::rc::Rc;

use pcre2_sys::*;

use super::dialect;
use super::error::Exec;
use super::scratch::Scratch;

/// The flags that Lua passes, one bit each.
pub(super) struct Flags;

impl Flags {
    /// `d`
    const DFA: u32 = 0x01;
    /// `j`
    const JIT: u32 = 0x02;
    /// The others are an option of PCRE2 each.
    const OPTIONS: [(u32, u32); 9] = [
        (0x04, PCRE2_ANCHORED),
        (0x08, PCRE2_DUPNAMES),
        (0x10, PCRE2_CASELESS),
        // What JavaScript compatibility was in PCRE 1.
        (0x20, PCRE2_ALT_BSUX | PCRE2_ALLOW_EMPTY_CLASS | PCRE2_MATCH_UNSET_BACKREF),
        (0x40, PCRE2_MULTILINE),
        (0x80, PCRE2_DOTALL),
        (0x100, PCRE2_UTF),
        // PCRE reads beyond the subject where it is told that bad UTF-8 is good; with this option it skips what is bad.
        (0x200, PCRE2_UTF | PCRE2_MATCH_INVALID_UTF),
        (0x400, PCRE2_EXTENDED),
    ];
}

/// Lua reads the fields up to `jit`.
#[repr(C)]
pub struct Regex {
    /// Start and end of each group; -1 where it has matched nothing.
    spans: *const i32,
    /// How many groups it has beside the whole match.
    groups: i32,
    /// How many names they have.
    names: i32,
    /// Whether the JIT compiler has taken it; -1 where it was not asked to.
    jit: i32,
    dfa: bool,
    utf: Utf,
    match_limit: u32,
    code: *mut pcre2_code_8,
    cells: Box<[Cell<i32>]>,
    scratch: Rc<Scratch>,
}

/// What the characters of a subject are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Utf {
    Bytes,
    /// UTF-8, and anything else is an error.
    Strict,
    /// UTF-8, and anything else never matches.
    Loose,
}

impl Regex {
    /// Compiles `pattern`.
    ///
    /// # Errors
    /// Upstream's text of what is wrong with it.
    pub(super) fn compile(
        pattern: &[u8],
        flags: u32,
        match_limit: u32,
        scratch: &Rc<Scratch>,
    ) -> Result<Self, Vec<u8>> {
        let options = Flags::OPTIONS.iter().filter(|(flag, _)| flags & flag != 0);
        let mut options = options.fold(0, |all, (_, option)| all | option);
        let dfa = flags & Flags::DFA != 0;
        if dfa {
            // By DFA bad UTF-8 cannot be skipped, so that it is an error.
            options &= !PCRE2_MATCH_INVALID_UTF;
        }
        let code = dialect::compile(pattern, options)?;
        let mut regex = Self {
            spans: null(),
            groups: 0,
            names: 0,
            jit: -1,
            dfa,
            utf: Utf::Bytes,
            match_limit,
            code,
            cells: Box::default(),
            scratch: Rc::clone(scratch),
        };
        // By DFA nothing is captured.
        if !dfa {
            regex.groups = regex.info::<u32>(PCRE2_INFO_CAPTURECOUNT) as i32;
            regex.names = regex.info::<u32>(PCRE2_INFO_NAMECOUNT) as i32;
            if flags & Flags::JIT != 0 {
                // SAFETY: the code is valid.
                let status = unsafe { pcre2_jit_compile_8(code, PCRE2_JIT_COMPLETE) };
                regex.jit = i32::from(status == 0);
            }
        }
        // The pattern itself may turn UTF on: (*UTF).
        let options: u32 = regex.info(PCRE2_INFO_ALLOPTIONS);
        if options & PCRE2_UTF != 0 {
            regex.utf = if options & PCRE2_MATCH_INVALID_UTF != 0 { Utf::Loose } else { Utf::Strict };
        }
        regex.cells = (0..2 * regex.pairs()).map(|_| Cell::new(-1)).collect();
        // A cell is laid out as what it holds.
        regex.spans = regex.cells.as_ptr().cast();
        Ok(regex)
    }

    /// A number that PCRE2 knows of the pattern; `T` is the type that it documents for `what`.
    fn info<T: Default>(&self, what: u32) -> T {
        let mut value = T::default();
        // SAFETY: PCRE2 writes a value of the type that it documents; the callers name that type.
        unsafe { pcre2_pattern_info_8(self.code, what, (&raw mut value).cast()) };
        value
    }

    /// The name at `index` of the table of names, and its group.
    pub(super) fn name(&self, index: u32) -> (&[u8], i32) {
        let (size, count): (u32, u32) = (self.info(PCRE2_INFO_NAMEENTRYSIZE), self.info(PCRE2_INFO_NAMECOUNT));
        if index >= count {
            return (&[], 0);
        }
        let mut table = null::<u8>();
        // SAFETY: PCRE2 writes a pointer to the table, which lives as long as the code: `count` entries of `size`
        // bytes, each the group's number in two and a name that ends with NUL.
        unsafe {
            pcre2_pattern_info_8(self.code, PCRE2_INFO_NAMETABLE, (&raw mut table).cast());
            let entry = table.add(size as usize * index as usize);
            let group = u16::from_be_bytes(read_unaligned(entry.cast()));
            (CStr::from_ptr(entry.add(2).cast()).to_bytes(), i32::from(group))
        }
    }

    /// How many groups there are with the whole match.
    fn pairs(&self) -> u32 {
        self.groups as u32 + 1
    }

    pub(super) fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// Matches from `start`: see `hotlua_regex_exec`.
    pub(super) fn exec(&self, subject: &[u8], start: usize, checked: bool) -> i32 {
        match self.find(subject, start, checked) {
            Ok(true) => 1,
            Ok(false) => 0,
            Err(error) => error.number(),
        }
    }

    /// Matches from `start` and says whether something did.
    pub(super) fn find(&self, subject: &[u8], start: usize, checked: bool) -> Result<bool, Exec> {
        if start > subject.len() {
            return Err(Exec::BAD_OFFSET);
        }
        self.check(subject, start, checked)?;
        let data = self.scratch.match_data(self.pairs()).ok_or(Exec::NO_MEMORY)?;
        let context = self.scratch.limited(self.match_limit);
        let (text, length) = (subject.as_ptr(), subject.len());
        // SAFETY: all pointers are valid and the subject is readable for its length. It is UTF-8 where the pattern is
        // and bad UTF-8 is not allowed for: `check` has looked. Code that the JIT compiler has taken was made complete.
        let rc = unsafe {
            if self.dfa {
                self.scratch.with_workspace(|workspace, size| {
                    let options = PCRE2_NO_UTF_CHECK;
                    pcre2_dfa_match_8(self.code, text, length, start, options, data, context, workspace, size)
                })
            } else if self.jit == 1 {
                pcre2_jit_match_8(self.code, text, length, start, PCRE2_NO_UTF_CHECK, data, context)
            } else {
                let options = if self.utf == Utf::Loose { 0 } else { PCRE2_NO_UTF_CHECK };
                pcre2_match_8(self.code, text, length, start, options, data, context)
            }
        };
        let found = match rc {
            PCRE2_ERROR_NOMATCH => Ok(false),
            rc if rc < 0 => Err(Exec::of(rc)),
            rc => {
                // SAFETY: the match data has at least `pairs` pairs.
                self.store(
                    unsafe { std::slice::from_raw_parts(pcre2_get_ovector_pointer_8(data), self.cells.len()) },
                    rc,
                );
                Ok(true)
            }
        };
        self.scratch.settle();
        found
    }

    /// Refuses a subject that is not UTF-8 where the pattern is.
    fn check(&self, subject: &[u8], start: usize, checked: bool) -> Result<(), Exec> {
        if self.utf != Utf::Strict {
            return Ok(());
        }
        if !checked && std::str::from_utf8(subject).is_err() {
            return Err(Exec::BAD_UTF8);
        }
        if subject.get(start).is_some_and(|byte| byte & 0xc0 == 0x80) {
            return Err(Exec::BAD_UTF8_OFFSET);
        }
        Ok(())
    }

    /// Keeps the offsets of the groups; those behind the `set` that PCRE2 counts have matched nothing.
    fn store(&self, offsets: &[usize], set: c_int) {
        // 0: there were more matches than room, which only a DFA has.
        let set = if set == 0 { self.cells.len() } else { 2 * set as usize };
        for (at, (cell, &offset)) in self.cells.iter().zip(offsets).enumerate() {
            // No Lua string is longer than an i32 counts.
            cell.set(if at < set && offset != PCRE2_UNSET { offset as i32 } else { -1 });
        }
    }

    /// Where the group `number` of the last match is; none where it has matched nothing.
    pub(super) fn span(&self, number: usize) -> Option<(usize, usize)> {
        let at = number.checked_mul(2)?;
        let (start, end) = (self.cells.get(at)?.get(), self.cells.get(at + 1)?.get());
        Some((usize::try_from(start).ok()?, usize::try_from(end).ok()?))
    }

    /// The offset behind the character at `at`.
    pub(super) fn after(&self, subject: &[u8], at: usize) -> usize {
        let mut next = at + 1;
        if self.utf != Utf::Bytes {
            while subject.get(next).is_some_and(|byte| byte & 0xc0 == 0x80) {
                next += 1;
            }
        }
        next
    }
}

impl Drop for Regex {
    fn drop(&mut self) {
        // SAFETY: it was compiled by PCRE2 and nobody else has it.
        unsafe { pcre2_code_free_8(self.code) }
    }
}
