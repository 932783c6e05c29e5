//! nginx's lists of headers: finding, adding and removing entries.
//!
//! Other structures of nginx point at entries (`headers_in.host`, `headers_out.etag`, ..), so an entry is never moved.

use std::ptr;

use ngx::ffi::*;

use crate::nginx::response::header_text::{Name, escape, is_text};
use crate::nginx::value::bytes;

/// What became of a header that Lua set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeaderChange {
    /// It is changed.
    Done,
    /// The response's header has gone out, so nothing was changed.
    Sent,
    /// The value is none that this header can have, or memory ran out.
    Failed,
}

/// How many entries a further part of a list gets.
const PART: usize = 8;

/// A list of headers and the pool in which it grows.
#[derive(Clone, Copy)]
pub(in crate::nginx) struct Headers {
    list: *mut ngx_list_t,
    pool: *mut ngx_pool_t,
}

impl Headers {
    /// # Safety
    /// `list` must be a live list of `ngx_table_elt_t` of a request whose pool is `pool`, for as long as this is used.
    pub(in crate::nginx) unsafe fn new(list: *mut ngx_list_t, pool: *mut ngx_pool_t) -> Self {
        Self { list, pool }
    }

    /// Every entry, those among them that were taken back (`hash` 0).
    pub(in crate::nginx) fn entries(self) -> Entries {
        // SAFETY: the list is live by `new`; its first part lies in it.
        unsafe { Entries { part: &raw const (*self.list).part, at: 0 } }
    }

    /// The entries of one name, those among them that were taken back.
    pub(in crate::nginx) fn named(self, name: Name<'_>) -> impl Iterator<Item = *mut ngx_table_elt_t> + use<'_> {
        // SAFETY: the entries and their keys are valid as long as the list.
        self.entries().filter(move |&entry| unsafe { name.is(bytes(&(*entry).key)) })
    }

    /// The entries of one name that are there.
    pub(in crate::nginx) fn live(self, name: Name<'_>) -> impl Iterator<Item = *mut ngx_table_elt_t> + use<'_> {
        // SAFETY: as in `named`.
        self.named(name).filter(|&entry| unsafe { (*entry).hash != 0 })
    }

    /// Adds an entry. None where memory ran out.
    pub(in crate::nginx) fn push(self, name: Name<'_>, value: &[u8]) -> Option<*mut ngx_table_elt_t> {
        // SAFETY: the list is live; allocations are checked before they are written to.
        unsafe {
            let list = self.list;
            if (*(*list).last).nelts >= (*list).nalloc && (*list).nalloc < PART {
                // Removing entries has left parts of very few: further ones get more again.
                self.grow()?;
            }
            let entry = ngx_list_push(list).cast::<ngx_table_elt_t>();
            if entry.is_null() {
                return None;
            }
            ptr::write_bytes(entry, 0, 1);
            // Out of memory, the entry stays as one that was taken back and has no name.
            self.fill(entry, name, value).map(|()| entry)
        }
    }

    /// Adds an empty last part. An entry must follow at once: nothing that reads a list expects one.
    fn grow(self) -> Option<()> {
        // SAFETY: the list is live; both allocations are checked.
        unsafe {
            let entries = ngx_palloc(self.pool, PART * size_of::<ngx_table_elt_t>());
            let part: *mut ngx_list_part_t = ngx_palloc(self.pool, size_of::<ngx_list_part_t>()).cast();
            if entries.is_null() || part.is_null() {
                return None;
            }
            *part = ngx_list_part_t { elts: entries, nelts: 0, next: ptr::null_mut() };
            (*(*self.list).last).next = part;
            (*self.list).last = part;
            (*self.list).nalloc = PART;
        }
        Some(())
    }

    /// Gives an entry a name and a value. None where memory ran out: then it is unchanged.
    fn fill(self, entry: *mut ngx_table_elt_t, name: Name<'_>, value: &[u8]) -> Option<()> {
        let length = name.text().len();
        // SAFETY: the block holds the name, a NUL and the lower-case name, and is checked; the entry is live.
        unsafe {
            let key: *mut u_char = ngx_pnalloc(self.pool, 2 * length + 1).cast();
            if key.is_null() {
                return None;
            }
            let lower = key.add(length + 1);
            let mut hash: ngx_uint_t = 0;
            for (i, &byte) in name.text().iter().enumerate() {
                *key.add(i) = name.dashed(byte);
                *lower.add(i) = name.fold(byte);
                // nginx's ngx_hash(), by which proxying looks the name up.
                hash = hash.wrapping_mul(31).wrapping_add(*lower.add(i) as ngx_uint_t);
            }
            *key.add(length) = 0;
            (*entry).value = self.value(value)?;
            (*entry).key = ngx_str_t { len: length, data: key };
            (*entry).lowcase_key = lower;
            (*entry).hash = hash.max(1);
        }
        Some(())
    }

    /// Sets the first entry of the name, or a new one, and takes the others back. None where memory ran out.
    pub(in crate::nginx) fn replace(self, name: Name<'_>, value: &[u8]) -> Option<*mut ngx_table_elt_t> {
        let mut found: Option<*mut ngx_table_elt_t> = None;
        for entry in self.named(name) {
            // SAFETY: an entry of the live list.
            unsafe {
                if found.is_some() {
                    (*entry).hash = 0;
                } else if (*entry).hash == 0 {
                    self.fill(entry, name, value)?;
                    found = Some(entry);
                } else {
                    (*entry).value = self.value(value)?;
                    found = Some(entry);
                }
            }
        }
        match found {
            Some(entry) => Some(entry),
            None => self.push(name, value),
        }
    }

    /// Takes back all entries of the name, as response headers are: nginx skips those whose hash is 0.
    pub(in crate::nginx) fn take_back(self, name: Name<'_>) {
        for entry in self.named(name) {
            // SAFETY: an entry of the live list.
            unsafe { (*entry).hash = 0 }
        }
    }

    /// Takes all entries of the name, but for `keep`, out of the list, as request headers must be: what proxies them
    /// looks at no hash.
    pub(in crate::nginx) fn remove(self, name: Name<'_>, keep: *mut ngx_table_elt_t) {
        while let Some((before, part, at)) = self.place(name, keep) {
            // SAFETY: the place is one in this list, found just now.
            unsafe { self.cut(before, part, at) }
        }
    }

    /// Where the first entry of the name, but for `keep`, is: the part before its part, its part, its index.
    fn place(
        self,
        name: Name<'_>,
        keep: *mut ngx_table_elt_t,
    ) -> Option<(*mut ngx_list_part_t, *mut ngx_list_part_t, usize)> {
        // SAFETY: the list is live; each part has `nelts` entries.
        unsafe {
            let (mut before, mut part) = (ptr::null_mut(), &raw mut (*self.list).part);
            while !part.is_null() {
                let entries: *mut ngx_table_elt_t = (*part).elts.cast();
                for at in 0..(*part).nelts {
                    let entry = entries.add(at);
                    if entry != keep && name.is(bytes(&(*entry).key)) {
                        return Some((before, part, at));
                    }
                }
                (before, part) = (part, (*part).next);
            }
        }
        None
    }

    /// Takes an entry out by narrowing or splitting its part. What reads a list expects that no part but the first is
    /// empty; what adds to it, that the last part has room for `nalloc`.
    ///
    /// # Safety
    /// `part` must be a part of this list with an entry `at`, and `before` the part before it, null for the first.
    unsafe fn cut(self, before: *mut ngx_list_part_t, part: *mut ngx_list_part_t, at: usize) {
        // SAFETY: by this function's contract; the allocation is checked.
        unsafe {
            let list = self.list;
            let is_last = (*list).last == part;
            let entries: *mut ngx_table_elt_t = (*part).elts.cast();
            if at + 1 == (*part).nelts {
                (*part).nelts -= 1;
                if (*part).nelts == 0 && !before.is_null() {
                    (*before).next = (*part).next;
                    if is_last {
                        (*list).last = before;
                        (*list).nalloc = (*before).nelts.max(1);
                    }
                }
            } else if at == 0 {
                (*part).elts = entries.add(1).cast();
                (*part).nelts -= 1;
                if is_last {
                    (*list).nalloc -= 1;
                }
            } else {
                let rest: *mut ngx_list_part_t = ngx_palloc(self.pool, size_of::<ngx_list_part_t>()).cast();
                if rest.is_null() {
                    // Out of memory, the entry is kept under a name that no one asks for.
                    (*entries.add(at)).hash = 0;
                    (*entries.add(at)).key.len = 0;
                    return;
                }
                (*rest).elts = entries.add(at + 1).cast();
                (*rest).nelts = (*part).nelts - at - 1;
                (*rest).next = (*part).next;
                (*part).nelts = at;
                (*part).next = rest;
                if is_last {
                    (*list).last = rest;
                    (*list).nalloc -= at + 1;
                }
            }
        }
    }

    /// The value as it may stand in a header, ended by a NUL that some of nginx's parsers rely on. None where memory
    /// ran out.
    pub(in crate::nginx) fn value(self, text: &[u8]) -> Option<ngx_str_t> {
        let (data, len) = escape(self.pool, text, is_text)?;
        Some(ngx_str_t { len, data })
    }
}

/// The entries of a list, in order.
#[derive(Clone)]
pub(in crate::nginx) struct Entries {
    part: *const ngx_list_part_t,
    at: usize,
}

impl Iterator for Entries {
    type Item = *mut ngx_table_elt_t;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        // SAFETY: parts live in the request's pool; each has `nelts` entries.
        unsafe {
            while let Some(part) = self.part.as_ref() {
                if self.at < part.nelts {
                    self.at += 1;
                    return Some(part.elts.cast::<ngx_table_elt_t>().add(self.at - 1));
                }
                self.part = part.next;
                self.at = 0;
            }
        }
        None
    }
}

/// Fills an array of pointers to entries, as nginx before 1.23 keeps headers of several values. None where memory
/// ran out.
///
/// # Safety
/// `array` must be an array of such pointers that lives in `pool`, or all zero.
#[cfg(not(nginx_1_23))]
pub(in crate::nginx) unsafe fn list_in_array(
    array: *mut ngx_array_t,
    entries: impl Iterator<Item = *mut ngx_table_elt_t>,
    pool: *mut ngx_pool_t,
) -> Option<()> {
    // SAFETY: by this function's contract; allocations are checked.
    unsafe {
        if (*array).elts.is_null() {
            (*array).size = size_of::<*mut ngx_table_elt_t>();
            (*array).nalloc = 1;
            (*array).pool = pool;
            (*array).elts = ngx_palloc(pool, (*array).size);
            if (*array).elts.is_null() {
                return None;
            }
        }
        (*array).nelts = 0;
        for entry in entries {
            let place = ngx_array_push(array).cast::<*mut ngx_table_elt_t>();
            if place.is_null() {
                return None;
            }
            *place = entry;
        }
    }
    Some(())
}

/// Links entries by their `next`, as nginx since 1.23 keeps headers of several values.
///
/// # Safety
/// `first` must be a pointer of a live request to the first of its entries.
#[cfg(nginx_1_23)]
pub(in crate::nginx) unsafe fn link_entries(
    first: *mut *mut ngx_table_elt_t,
    entries: impl Iterator<Item = *mut ngx_table_elt_t>,
) {
    let mut place = first;
    // SAFETY: by this function's contract; the entries are of that request's list.
    unsafe {
        for entry in entries {
            *place = entry;
            place = &raw mut (*entry).next;
        }
        *place = ptr::null_mut();
    }
}
