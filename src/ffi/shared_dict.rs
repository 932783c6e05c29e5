//! `ngx.shared`: the calls of a dictionary. Each takes its lock, copies, and releases it.

use std::ffi::c_void;
use std::ptr::NonNull;

use crate::nginx::{Dict, DictError, DictValue, ListEnd, PushError, When};

use super::{lua_buffer, lua_bytes};

/// What calls answer, beside what they count.
const DONE: i32 = 0;
const NOT_FOUND: i32 = -1;
const EXISTS: i32 = -2;
const NO_MEMORY: i32 = -3;
const NOT_NUMBER: i32 = -4;
const NOT_LIST: i32 = -5;
const IS_LIST: i32 = -6;
const TOO_LONG: i32 = -7;
const NO_MEMORY_FOR_LIST: i32 = -8;

/// Lua's numbers of its types.
const BOOLEAN: i32 = 1;
const NUMBER: i32 = 3;
const STRING: i32 = 4;

/// What Lua finds beside a call's answer.
#[repr(C)]
pub struct Slot {
    /// A number that was read, or 0 or 1 for a boolean.
    number: f64,
    /// The length of a string that was read, or would have been; or how many keys there are.
    length: u32,
    /// The type of what was read.
    kind: i32,
    flags: i32,
    /// The time of what was read is over.
    stale: bool,
    /// Entries were evicted.
    forcible: bool,
}

impl Slot {
    #[inline(always)]
    fn take(&mut self, value: DictValue, into: &mut [u8]) -> Result<(), DictError> {
        match value {
            DictValue::Boolean(value) => (self.kind, self.number) = (BOOLEAN, value.into()),
            DictValue::Number(number) => (self.kind, self.number) = (NUMBER, number),
            DictValue::String(text) => {
                (self.kind, self.length) = (STRING, u32::try_from(text.len()).unwrap_or(u32::MAX));
                into.get_mut(..text.len()).ok_or(DictError::TooLong)?.copy_from_slice(text);
            }
        }
        Ok(())
    }
}

fn code(result: Result<(), DictError>) -> i32 {
    match result {
        Ok(()) => DONE,
        Err(DictError::NotFound) => NOT_FOUND,
        Err(DictError::Exists) => EXISTS,
        Err(DictError::NoMemory) => NO_MEMORY,
        Err(DictError::NotNumber) => NOT_NUMBER,
        Err(DictError::NotList) => NOT_LIST,
        Err(DictError::IsList) => IS_LIST,
        Err(DictError::TooLong) => TOO_LONG,
    }
}

/// The value that Lua passes as a type, a number and a text; none for nil.
fn value(kind: i32, number: f64, text: &[u8]) -> Option<DictValue<'_>> {
    match kind {
        BOOLEAN => Some(DictValue::Boolean(number != 0.0)),
        NUMBER => Some(DictValue::Number(number)),
        STRING => Some(DictValue::String(text)),
        _ => None,
    }
}

fn end(left: bool) -> ListEnd {
    if left { ListEnd::Left } else { ListEnd::Right }
}

fn count(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// The dictionary and the key that Lua passes.
///
/// # Safety
/// `dict` is a handle that `ngx.shared` was given; the key is readable during the call.
unsafe fn passed<'a>(dict: NonNull<c_void>, key: *const u8, length: usize) -> (Dict, &'a [u8]) {
    // SAFETY: by this function's contract; a VM goes before the cycle whose dictionaries it knows.
    unsafe { (Dict::of(dict), lua_bytes(key, length)) }
}

/// Reads a value into `slot`, and a string into `into`, which has room for `room` bytes. 0: done; `NOT_FOUND`, `IS_LIST`;
/// `TOO_LONG`: it takes `slot.length` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_dict_get(
    dict: NonNull<c_void>,
    key: *const u8,
    key_length: usize,
    stale: bool,
    into: *mut u8,
    room: usize,
    slot: &mut Slot,
) -> i32 {
    // SAFETY: Lua passes a dictionary, a string and a buffer of its own.
    let ((dict, key), into) = unsafe { (passed(dict, key, key_length), lua_buffer(into, room)) };
    code(dict.get(key, stale, |value, flags, over| {
        (slot.flags, slot.stale) = (flags, over);
        slot.take(value, into)
    }))
}

/// Stores a value, or removes it where `kind` is 0. `when`: 0 always, 1 where it is not there, 2 where it is. Answers 0,
/// `EXISTS`, `NOT_FOUND` or `NO_MEMORY`.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_dict_store(
    dict: NonNull<c_void>,
    key: *const u8,
    key_length: usize,
    kind: i32,
    number: f64,
    text: *const u8,
    length: usize,
    when: i32,
    evict: bool,
    ttl: i64,
    flags: i32,
    slot: &mut Slot,
) -> i32 {
    // SAFETY: Lua passes a dictionary and strings of its own.
    let ((dict, key), text) = unsafe { (passed(dict, key, key_length), lua_bytes(text, length)) };
    let when = match when {
        1 => When::Absent,
        2 => When::Present,
        _ => When::Always,
    };
    let stored = dict.store(key, value(kind, number, text), when, evict, ttl, flags);
    slot.forcible = stored.forcible;
    code(stored.result)
}

/// Adds `by` to a number, which begins with `init` for `ttl` milliseconds where `has_init` is set, and reads the sum.
/// Answers 0, `NOT_FOUND`, `NOT_NUMBER` or `NO_MEMORY`.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_dict_incr(
    dict: NonNull<c_void>,
    key: *const u8,
    key_length: usize,
    by: f64,
    has_init: bool,
    init: f64,
    ttl: i64,
    slot: &mut Slot,
) -> i32 {
    // SAFETY: Lua passes a dictionary and a string of its own.
    let (dict, key) = unsafe { passed(dict, key, key_length) };
    let incremented = dict.increment(key, by, has_init.then_some((init, ttl)));
    slot.forcible = incremented.forcible;
    code(incremented.result.map(|sum| slot.number = sum))
}

/// Adds a value to a list. Answers how many it has, `NOT_LIST`, `NO_MEMORY` or `NO_MEMORY_FOR_LIST`.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_dict_push(
    dict: NonNull<c_void>,
    key: *const u8,
    key_length: usize,
    left: bool,
    kind: i32,
    number: f64,
    text: *const u8,
    length: usize,
) -> i32 {
    // SAFETY: Lua passes a dictionary and strings of its own.
    let ((dict, key), text) = unsafe { (passed(dict, key, key_length), lua_bytes(text, length)) };
    let Some(value) = value(kind, number, text) else { return NOT_LIST };
    match dict.push(key, end(left), value) {
        Ok(length) => count(length as usize),
        Err(PushError::NotList) => NOT_LIST,
        Err(PushError::NoMemoryForValue) => NO_MEMORY,
        Err(PushError::NoMemoryForList) => NO_MEMORY_FOR_LIST,
    }
}

/// Takes a value out of a list, as [`hotlua_dict_get`] reads one. `TOO_LONG`: it is still in there.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_dict_pop(
    dict: NonNull<c_void>,
    key: *const u8,
    key_length: usize,
    left: bool,
    into: *mut u8,
    room: usize,
    slot: &mut Slot,
) -> i32 {
    // SAFETY: Lua passes a dictionary, a string and a buffer of its own.
    let ((dict, key), into) = unsafe { (passed(dict, key, key_length), lua_buffer(into, room)) };
    code(dict.pop(key, end(left), |value| slot.take(value, into)))
}

/// How many values a list has, or `NOT_LIST`.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_dict_llen(dict: NonNull<c_void>, key: *const u8, key_length: usize) -> i32 {
    // SAFETY: Lua passes a dictionary and a string of its own.
    let (dict, key) = unsafe { passed(dict, key, key_length) };
    dict.list_length(key).map_or_else(|error| code(Err(error)), |length| count(length as usize))
}

/// Reads the milliseconds that a key has to live. 0 or `NOT_FOUND`.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_dict_ttl(dict: NonNull<c_void>, key: *const u8, key_length: usize, slot: &mut Slot) -> i32 {
    // SAFETY: Lua passes a dictionary and a string of its own.
    let (dict, key) = unsafe { passed(dict, key, key_length) };
    code(dict.ttl(key).map(|ttl| slot.number = ttl as f64))
}

/// Gives a key milliseconds to live. 0 or `NOT_FOUND`.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_dict_expire(dict: NonNull<c_void>, key: *const u8, key_length: usize, ttl: i64) -> i32 {
    // SAFETY: Lua passes a dictionary and a string of its own.
    let (dict, key) = unsafe { passed(dict, key, key_length) };
    code(dict.expire(key, ttl))
}

/// Ends the time of all keys.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_dict_flush_all(dict: NonNull<c_void>) {
    // SAFETY: Lua passes a dictionary.
    unsafe { Dict::of(dict) }.flush_all();
}

/// Removes keys whose time is over, at most `most` where that is positive. Says how many.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_dict_flush_expired(dict: NonNull<c_void>, most: i32) -> i32 {
    // SAFETY: Lua passes a dictionary.
    count(unsafe { Dict::of(dict) }.flush_expired(most))
}

/// Writes keys, at most `most` where that is positive, as far as there is room: two bytes of length before each. Says how
/// many bytes that takes, and in `slot.length` how many keys they are.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_dict_keys(
    dict: NonNull<c_void>,
    most: i32,
    into: *mut u8,
    room: usize,
    slot: &mut Slot,
) -> f64 {
    // SAFETY: Lua passes a dictionary and a buffer of its own.
    let (dict, into) = unsafe { (Dict::of(dict), lua_buffer(into, room)) };
    let mut at = 0;
    slot.length = 0;
    dict.keys(most, |key| {
        let end = at + size_of::<u16>() + key.len();
        if let (Some(place), Ok(length)) = (into.get_mut(at..end), u16::try_from(key.len())) {
            let (before, text) = place.split_at_mut(size_of::<u16>());
            before.copy_from_slice(&length.to_ne_bytes());
            text.copy_from_slice(key);
        }
        at = end;
        slot.length += 1;
    });
    at as f64
}

/// The bytes of the zone.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_dict_capacity(dict: NonNull<c_void>) -> f64 {
    // SAFETY: Lua passes a dictionary.
    unsafe { Dict::of(dict) }.capacity() as f64
}

/// The bytes of the zone's pages that hold nothing.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_dict_free_space(dict: NonNull<c_void>) -> f64 {
    // SAFETY: Lua passes a dictionary.
    unsafe { Dict::of(dict) }.free_space() as f64
}
