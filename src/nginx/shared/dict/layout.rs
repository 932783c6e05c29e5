//! How a shared dictionary lies in its zone: a head, entries, and the items of lists.
//!
//! An entry is a node of nginx's red-black tree that goes on: the key follows, then the value. The sizes are
//! lua-nginx-module's, so that a zone of a given size holds as many entries.

use std::mem::offset_of;
use std::ptr;
use std::slice;
use std::sync::atomic::{Ordering, compiler_fence};

use ngx::ffi::*;

/// What stands at the beginning of the zone.
#[repr(C)]
pub(super) struct Head {
    pub tree: ngx_rbtree_t,
    pub sentinel: ngx_rbtree_node_t,
    /// The entries from the one used last to the one used first.
    pub used: ngx_queue_t,
    /// What the process that has the lock is doing: what one that died leaves. See [`Doing`].
    pub doing: usize,
}

/// What `Head::doing` says.
pub(super) struct Doing;

impl Doing {
    /// Nobody has the lock.
    pub const NOTHING: usize = 0;
    /// Somebody has.
    pub const SOMETHING: usize = 1;
    /// Besides: the entry at that address, a multiple of 8, is out of the queue but whole.
    pub const MOVING: usize = 2;
    /// Besides: the value of the entry at that address is being overwritten.
    pub const WRITING: usize = 4;
    /// The bits that are no address.
    pub const BITS: usize = 7;
}

/// A key and what it stands for.
#[repr(C)]
pub(super) struct Entry {
    /// The CRC-32 of the key. This and what follows up to `color` is an `ngx_rbtree_node_t`.
    pub hash: ngx_rbtree_key_t,
    left: *mut ngx_rbtree_node_t,
    right: *mut ngx_rbtree_node_t,
    parent: *mut ngx_rbtree_node_t,
    color: u_char,
    /// One of [`kind`].
    pub kind: u8,
    pub key_length: u16,
    /// Bytes of the value; of a list, how many items it has.
    pub value_length: u32,
    /// Milliseconds since the epoch; 0: never.
    pub expires: u64,
    pub queue: ngx_queue_t,
    /// The user's.
    pub flags: i32,
}

/// The kinds of a value: Lua's own numbers of its types.
pub(super) mod kind {
    pub const BOOLEAN: u8 = 1;
    pub const NUMBER: u8 = 3;
    pub const STRING: u8 = 4;
    pub const LIST: u8 = 5;
}

/// The longest key, in bytes.
pub const LONGEST_KEY: usize = u16::MAX as usize;

/// Where an entry's key begins.
const KEY: usize = offset_of!(Entry, flags) + size_of::<i32>();

impl Entry {
    /// Bytes of an entry with a key and a value that is no list.
    pub fn size(key: usize, value: usize) -> usize {
        KEY + key + value
    }

    /// Bytes of an entry that is a list.
    pub fn list_size(key: usize) -> usize {
        Self::anchor_at(key) + size_of::<ngx_queue_t>()
    }

    /// Where the queue of a list's items begins.
    fn anchor_at(key: usize) -> usize {
        (KEY + key).next_multiple_of(align_of::<ngx_queue_t>())
    }

    /// # Safety
    /// `queue` is that of an entry.
    pub unsafe fn of_queue(queue: *mut ngx_queue_t) -> *mut Self {
        // SAFETY: by this function's contract.
        unsafe { queue.byte_sub(offset_of!(Self, queue)).cast() }
    }

    /// # Safety
    /// The entry and its key are written.
    #[inline]
    pub unsafe fn key<'e>(entry: *mut Self) -> &'e [u8] {
        // SAFETY: by this function's contract; nobody changes a key as long as the lock is held.
        unsafe { slice::from_raw_parts(entry.cast::<u8>().add(KEY), (*entry).key_length as usize) }
    }

    /// The bytes of a value that is no list.
    ///
    /// # Safety
    /// The entry is written, and is no list.
    #[inline]
    pub unsafe fn value<'e>(entry: *mut Self) -> &'e [u8] {
        // SAFETY: by this function's contract.
        unsafe { slice::from_raw_parts(Self::value_start(entry), (*entry).value_length as usize) }
    }

    /// # Safety
    /// The entry's key is written.
    #[inline]
    pub unsafe fn value_start(entry: *mut Self) -> *mut u8 {
        // SAFETY: by this function's contract the entry goes on behind its key, or ends there.
        unsafe { entry.cast::<u8>().add(KEY + (*entry).key_length as usize) }
    }

    /// The queue of a list's items.
    ///
    /// # Safety
    /// The entry has room for a list, and its key is written.
    pub unsafe fn anchor(entry: *mut Self) -> *mut ngx_queue_t {
        // SAFETY: by this function's contract.
        unsafe { entry.byte_add(Self::anchor_at((*entry).key_length as usize)).cast() }
    }

    /// Writes the key of a new entry.
    ///
    /// # Safety
    /// `entry` is fresh memory of at least `Entry::size(key.len(), 0)` bytes; `key` is not longer than [`LONGEST_KEY`].
    pub unsafe fn begin(entry: *mut Self, hash: ngx_rbtree_key_t, key: &[u8]) {
        // SAFETY: by this function's contract.
        unsafe {
            (*entry).hash = hash;
            (*entry).key_length = key.len() as u16;
            ptr::copy_nonoverlapping(key.as_ptr(), entry.cast::<u8>().add(KEY), key.len());
        }
    }
}

/// An item of a list; its value follows.
#[repr(C)]
pub(super) struct Item {
    pub queue: ngx_queue_t,
    pub value_length: u32,
    pub kind: u8,
}

impl Item {
    /// Where an item's value begins.
    const VALUE: usize = offset_of!(Item, kind) + 1;

    /// Bytes of an item.
    pub fn size(value: usize) -> usize {
        Self::VALUE + value
    }

    /// # Safety
    /// `queue` is that of an item.
    pub unsafe fn of_queue(queue: *mut ngx_queue_t) -> *mut Self {
        // SAFETY: by this function's contract; the queue stands first.
        queue.cast()
    }

    /// # Safety
    /// The item is written.
    pub unsafe fn value<'e>(item: *mut Self) -> &'e [u8] {
        // SAFETY: by this function's contract.
        unsafe { slice::from_raw_parts(item.cast::<u8>().add(Self::VALUE), (*item).value_length as usize) }
    }

    /// Writes a new item's value.
    ///
    /// # Safety
    /// `item` is fresh memory of `Item::size(value.len())` bytes, which are less than 4 GiB.
    pub unsafe fn write(item: *mut Self, kind: u8, value: &[u8]) {
        // SAFETY: by this function's contract.
        unsafe {
            (*item).kind = kind;
            (*item).value_length = value.len() as u32;
            ptr::copy_nonoverlapping(value.as_ptr(), item.cast::<u8>().add(Self::VALUE), value.len());
        }
    }
}

// nginx's queues. These are nginx's macros but for the order of what they store, on which the repair after a death
// depends: whoever follows `next` finds a whole queue at any time.

/// # Safety
/// `queue` is writable.
pub(super) unsafe fn queue_init(queue: *mut ngx_queue_t) {
    // SAFETY: by this function's contract.
    unsafe { queue.write(ngx_queue_t { prev: queue, next: queue }) }
}

/// # Safety
/// `queue` is the head of a queue.
pub(super) unsafe fn queue_is_empty(queue: *mut ngx_queue_t) -> bool {
    // SAFETY: by this function's contract.
    unsafe { (*queue).next == queue }
}

/// Puts `new` behind `queue`.
///
/// # Safety
/// `queue` is in a queue, or the head of one; `new` is in none, and all else of it is written.
#[inline]
pub(super) unsafe fn queue_insert(queue: *mut ngx_queue_t, new: *mut ngx_queue_t) {
    // SAFETY: by this function's contract.
    unsafe {
        let next = (*queue).next;
        new.write(ngx_queue_t { prev: queue, next });
        compiler_fence(Ordering::SeqCst);
        (*queue).next = new;
        (*next).prev = new;
        compiler_fence(Ordering::SeqCst);
    }
}

/// # Safety
/// `queue` is in a queue.
#[inline]
pub(super) unsafe fn queue_remove(queue: *mut ngx_queue_t) {
    // SAFETY: by this function's contract.
    unsafe {
        let ngx_queue_t { prev, next } = *queue;
        (*prev).next = next;
        (*next).prev = prev;
        compiler_fence(Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_holds_what_it_holds_with_lua_nginx_module() {
        // The sizes at which its entries and items no longer fit 128 and 64 bytes of the slab pool.
        assert_eq!(Entry::size(8, 52), 128);
        assert_eq!(Item::size(43), 64);
    }

    #[test]
    fn a_list_has_its_queue_aligned_behind_the_key() {
        for (key, want) in [(1, 72 + 16), (4, 72 + 16), (5, 80 + 16), (LONGEST_KEY, 65608 + 16)] {
            assert_eq!(Entry::list_size(key), want, "{key}");
        }
    }
}
