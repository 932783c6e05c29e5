//! `ngx.re`: compiling, matching and replacing by the PCRE2 that nginx itself uses.
//!
//! Nothing here runs Lua. A compiled pattern belongs to Lua, which frees it (`ffi.gc`); what matching needs beside it
//! is shared by all patterns of a VM (`scratch`).

mod code;
mod dialect;
mod error;
mod replace;
mod scratch;

use std::ffi::c_void;
use std::rc::Rc;

use super::lua_bytes;
use code::Regex;
use scratch::Scratch;

/// Text that Lua copies before it calls again, and the group that it names.
#[repr(C)]
struct RegexText {
    data: *const u8,
    length: usize,
    group: i32,
}

impl RegexText {
    fn set(&mut self, text: &[u8]) {
        self.data = text.as_ptr();
        self.length = text.len();
    }
}

/// Makes what the matches of a VM share. `hotlua_regex_scratch_free` frees it.
#[unsafe(no_mangle)]
extern "C" fn hotlua_regex_scratch() -> *mut Rc<Scratch> {
    Box::into_raw(Box::new(Rc::new(Scratch::new())))
}

/// Frees what `hotlua_regex_scratch` made; patterns that are left keep it as long as they need it.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_regex_scratch_free(scratch: *mut c_void) {
    // SAFETY: Lua frees it once, by its finalizer, and uses it no more.
    drop(unsafe { Box::from_raw(scratch.cast::<Rc<Scratch>>()) });
}

/// Compiles a pattern. `flags` are those of [`code::Flags`]; `match_limit` is 0 for PCRE's own. Null: `error` says why.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_regex_compile(
    scratch: *const Rc<Scratch>,
    pattern: *const u8,
    length: usize,
    flags: u32,
    match_limit: u32,
    error: *mut RegexText,
) -> *mut Regex {
    // SAFETY: Lua passes a string of its own with its length, and what `hotlua_regex_scratch` made.
    let (pattern, scratch) = unsafe { (lua_bytes(pattern, length), &*scratch) };
    match Regex::compile(pattern, flags, match_limit, scratch) {
        Ok(regex) => Box::into_raw(Box::new(regex)),
        Err(text) => {
            let mut output = scratch.output();
            *output = text;
            // SAFETY: Lua passes a struct of its own; the output stays until the next call.
            unsafe { (*error).set(&output) }
            std::ptr::null_mut()
        }
    }
}

/// Frees what `hotlua_regex_compile` made.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_regex_free(regex: *mut c_void) {
    // SAFETY: Lua frees each pattern once, by its finalizer or in its stead, and uses it no more.
    drop(unsafe { Box::from_raw(regex.cast::<Regex>()) });
}

/// The name at `index` of the pattern's table of names, sorted by name, and its group.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_regex_name(regex: *const Regex, index: u32, name: *mut RegexText) {
    // SAFETY: Lua passes a pattern that it has not freed, and a struct of its own.
    let (regex, name) = unsafe { (&*regex, &mut *name) };
    let (text, group) = regex.name(index);
    name.set(text);
    name.group = group;
}

/// Matches from the offset `start` and leaves the groups in the pattern's `spans`: 1; 0 where nothing matches; or an
/// error, by its number in PCRE 1. `checked` says that the subject is known to be UTF-8.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_regex_exec(
    regex: *const Regex,
    subject: *const u8,
    length: usize,
    start: usize,
    checked: bool,
) -> i32 {
    // SAFETY: Lua passes a pattern that it has not freed, and a string of its own with its length.
    let (regex, subject) = unsafe { (&*regex, lua_bytes(subject, length)) };
    regex.exec(subject, start, checked)
}

/// Replaces the first match, or `all`, by a template: how many there were, with the text in `result` unless that is 0;
/// or an error as `hotlua_regex_exec` has it; or [`replace::BAD_TEMPLATE`], with a line for the log in `result`.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_regex_replace(
    regex: *const Regex,
    subject: *const u8,
    length: usize,
    template: *const u8,
    template_length: usize,
    all: bool,
    result: *mut RegexText,
) -> i32 {
    // SAFETY: Lua passes a pattern that it has not freed, and strings of its own with their lengths.
    let (regex, subject, template) =
        unsafe { (&*regex, lua_bytes(subject, length), lua_bytes(template, template_length)) };
    let mut output = regex.scratch().output();
    let count = replace::replace(regex, subject, template, all, &mut output);
    // SAFETY: Lua passes a struct of its own; the output stays until the next call.
    unsafe { (*result).set(&output) }
    count
}

/// Gives back the memory of a long result, once Lua has copied it.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_regex_forget(scratch: *const Rc<Scratch>) {
    // SAFETY: Lua passes what `hotlua_regex_scratch` made.
    drop(unsafe { &*scratch }.output());
}

/// Gives compiled patterns a stack of up to `size` bytes: whether there was memory for it.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_regex_jit_stack(scratch: *const Rc<Scratch>, size: f64) -> bool {
    // SAFETY: Lua passes what `hotlua_regex_scratch` made.
    unsafe { &*scratch }.set_jit_stack(size)
}
