//! `ngx.header` and the tables of all headers: reading and setting.

use crate::nginx::{HeaderChange, Request, current};

use super::lua_bytes;

/// Text that Lua copies before nginx runs again.
#[repr(C)]
pub struct Text {
    data: *const u8,
    length: usize,
}

/// A header's name and value.
#[repr(C)]
pub struct Pair {
    name: Text,
    value: Text,
}

impl From<&[u8]> for Text {
    fn from(text: &[u8]) -> Self {
        Self { data: text.as_ptr(), length: text.len() }
    }
}

/// What a setter answers where no request runs this Lua.
pub(super) const NO_REQUEST: i32 = -1;

/// What a call answers that would see or change what a header depends on that is due: Lua settles it, which may run
/// filters, and calls again.
pub(super) const DUE: i32 = -2;

/// Calls with the current request, unless its header is due.
pub(super) fn settled(call: impl FnOnce(&Request) -> i32) -> i32 {
    current(|request| if request.header_due() { DUE } else { call(request) }).unwrap_or(NO_REQUEST)
}

/// 0: done; 1: the header was sent; 2: refused.
pub(super) fn outcome(change: HeaderChange) -> i32 {
    match change {
        HeaderChange::Done => 0,
        HeaderChange::Sent => 1,
        HeaderChange::Failed => 2,
    }
}

/// Writes a list that counts all its members but stores only those for which there is room.
pub(super) struct Sink<T> {
    to: *mut T,
    room: usize,
    count: usize,
}

impl<T> Sink<T> {
    /// # Safety
    /// `to` must be writable for `room` members while this is used.
    pub(super) unsafe fn new(to: *mut T, room: usize) -> Self {
        Self { to, room, count: 0 }
    }

    pub(super) fn put(&mut self, member: T) {
        if self.count < self.room {
            // SAFETY: by `new`, there is room.
            unsafe { self.to.add(self.count).write(member) }
        }
        self.count += 1;
    }

    pub(super) fn count(&self) -> i32 {
        i32::try_from(self.count).unwrap_or(i32::MAX)
    }
}

impl Sink<Pair> {
    pub(super) fn pair(&mut self, name: &[u8], value: &[u8]) {
        self.put(Pair { name: name.into(), value: value.into() });
    }
}

fn dashes(request: &Request) -> bool {
    request.state().is_none_or(|state| state.settings.get().transforms_underscores)
}

/// Sets or (`append`) adds to a response header; an empty value removes it.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_header_set(
    name: *const u8,
    name_length: usize,
    value: *const u8,
    value_length: usize,
    append: bool,
) -> i32 {
    // SAFETY: Lua passes strings of its own with their lengths.
    let (name, value) = unsafe { (lua_bytes(name, name_length), lua_bytes(value, value_length)) };
    current(|request| outcome(request.set_response_header(name, dashes(request), value, append))).unwrap_or(NO_REQUEST)
}

/// Reads a response header's values into `values` and says how many it has.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_header_get(name: *const u8, length: usize, values: *mut Text, room: usize) -> i32 {
    // SAFETY: Lua passes a string of its own with its length, and an array of its own with its size.
    let (name, mut sink) = unsafe { (lua_bytes(name, length), Sink::new(values, room)) };
    settled(|request| {
        request.response_header(name, dashes(request), |value| sink.put(value.into()));
        sink.count()
    })
}

/// Reads all response headers into `pairs` and says how many there are.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_response_headers(raw: bool, pairs: *mut Pair, room: usize) -> i32 {
    // SAFETY: Lua passes an array of its own with its size.
    let mut sink = unsafe { Sink::new(pairs, room) };
    settled(|request| {
        request.response_headers(raw, |name, value| sink.pair(name, value));
        sink.count()
    })
}
