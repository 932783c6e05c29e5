//! A shared dictionary while this process holds its lock: finding, moving, making and removing entries.
//!
//! An entry that is found is in the tree and in the queue. Only the functions here take it out of them.

use std::cmp::Ordering as Compared;
use std::ptr::{self, NonNull};
use std::sync::atomic::{Ordering, compiler_fence};
use std::thread;

use ngx::ffi::*;

use super::layout::*;
use super::repair::repair;
use super::value::Value;
use crate::nginx::shared::shmtx::Held;

/// How many times the oldest entries are evicted for a new one.
const EVICTIONS: usize = 30;

pub(super) struct Locked {
    pub(super) pool: *mut ngx_slab_pool_t,
    pub(super) head: *mut Head,
    /// Milliseconds since the epoch.
    pub(super) now: u64,
    _held: Held,
}

/// A key, with what the tree orders keys by.
#[derive(Clone, Copy)]
pub(super) struct Key<'k> {
    pub(super) bytes: &'k [u8],
    /// Its CRC-32.
    pub(super) hash: ngx_rbtree_key_t,
}

impl<'k> Key<'k> {
    #[inline]
    pub(super) fn new(bytes: &'k [u8]) -> Self {
        Self { bytes, hash: crc32fast::hash(bytes) as ngx_rbtree_key_t }
    }
}

/// An entry of the dictionary that is locked.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub(super) entry: *mut Entry,
    /// Its time is not over.
    pub(super) live: bool,
}

/// Where the memory for something new comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// What is free.
    Free,
    /// Also what the entries take that were used least recently.
    Evict,
}

/// Makes fresh memory of a slab pool an empty dictionary; null where the pool has no room for it.
///
/// # Safety
/// Nobody else uses the pool.
pub(super) unsafe fn make(pool: *mut ngx_slab_pool_t, name: &[u8]) -> *mut Head {
    let before = b" in lua_shared_dict zone \"";
    // SAFETY: by this function's contract; the sizes are those that were allocated, and slots of the pool are aligned to
    // their sizes, powers of two.
    unsafe {
        let head: *mut Head = ngx_slab_alloc_locked(pool, size_of::<Head>()).cast();
        let log: *mut u_char = ngx_slab_alloc_locked(pool, before.len() + name.len() + 2).cast();
        if head.is_null() || log.is_null() {
            return ptr::null_mut();
        }
        ptr::copy_nonoverlapping(before.as_ptr(), log, before.len());
        ptr::copy_nonoverlapping(name.as_ptr(), log.add(before.len()), name.len());
        ptr::copy_nonoverlapping(c"\"".as_ptr().cast(), log.add(before.len() + name.len()), 2);
        let sentinel = &raw mut (*head).sentinel;
        sentinel.write_bytes(0, 1);
        (*head).tree = ngx_rbtree_t { root: sentinel, sentinel, insert: Some(insert_node) };
        queue_init(&raw mut (*head).used);
        (*head).doing = Doing::NOTHING;
        (*pool).data = head.cast();
        (*pool).log_ctx = log;
        // A dictionary that is full is nothing to log.
        (*pool).set_log_nomem(0);
        head
    }
}

impl Locked {
    /// Waits for the lock and calls with it held. None before the zone is mapped.
    #[inline]
    pub(super) fn with<T>(zone: NonNull<ngx_shm_zone_t>, call: impl FnOnce(&mut Self) -> T) -> Option<T> {
        // SAFETY: nginx maps a zone, which puts a slab pool with its mutex at the start, before it calls `init`; from then
        // on it stays mapped as long as its cycle lives. What `data` points to was made by `make`.
        unsafe {
            let pool = NonNull::new((*zone.as_ptr()).shm.addr.cast::<ngx_slab_pool_t>())?.as_ptr();
            if (*zone.as_ptr()).data.is_null() {
                return None;
            }
            let held = Held::lock(NonNull::new_unchecked(&raw mut (*pool).mutex));
            let now = ngx_timeofday();
            let now = now.sec as u64 * 1000 + now.msec as u64;
            // Called in place: moving it would cost more than the call does.
            let mut locked = Self { pool, head: (*pool).data.cast(), now, _held: held };
            if (*locked.head).doing != Doing::NOTHING {
                repair(&mut locked, zone);
            }
            locked.does(Doing::SOMETHING);
            Some(call(&mut locked))
        }
    }

    /// Notes what a process that dies now leaves.
    #[inline]
    pub(super) fn does(&self, what: usize) {
        compiler_fence(Ordering::SeqCst);
        // SAFETY: the head, under the lock.
        unsafe { (&raw mut (*self.head).doing).write_volatile(what) };
        compiler_fence(Ordering::SeqCst);
    }

    /// Finds an entry and leaves it where it is.
    #[inline]
    pub(super) fn peek(&self, key: &Key) -> Option<Found> {
        let hash = key.hash;
        // SAFETY: under the lock the tree holds entries only, each with its key written.
        unsafe {
            let mut node = (*self.head).tree.root;
            let sentinel = &raw mut (*self.head).sentinel;
            while node != sentinel {
                // Branches, which the processor foresees, where a comparison of three ways would make it wait.
                let its = (*node).key;
                if hash < its {
                    node = (*node).left;
                    continue;
                }
                if hash > its {
                    node = (*node).right;
                    continue;
                }
                let entry: *mut Entry = node.cast();
                node = match key.bytes.cmp(Entry::key(entry)) {
                    Compared::Less => (*node).left,
                    Compared::Greater => (*node).right,
                    Compared::Equal => return Some(Found { entry, live: !self.is_over(entry) }),
                }
            }
            None
        }
    }

    /// Finds an entry and makes it the one that was used last.
    #[inline]
    pub(super) fn find(&mut self, key: &Key) -> Option<Found> {
        let found = self.peek(key)?;
        // SAFETY: the entry is in the queue.
        unsafe {
            let (used, queue) = (&raw mut (*self.head).used, &raw mut (*found.entry).queue);
            if (*used).next != queue {
                self.does(found.entry.addr() | Doing::MOVING);
                queue_remove(queue);
                queue_insert(used, queue);
                self.does(Doing::SOMETHING);
            }
        }
        Some(found)
    }

    /// Says whether the time of an entry is over.
    #[inline]
    pub(super) fn is_over(&self, entry: *mut Entry) -> bool {
        // SAFETY: entries are valid under the lock.
        let expires = unsafe { (*entry).expires };
        expires != 0 && expires <= self.now
    }

    /// When something expires that has `ttl` milliseconds to live.
    pub(super) fn expiry(&self, ttl: i64) -> u64 {
        u64::try_from(ttl).ok().filter(|&ttl| ttl > 0).map_or(0, |ttl| self.now.saturating_add(ttl))
    }

    /// The entries from the one that was used first on. The one that is given out may be removed.
    pub(super) fn oldest_first(&self) -> impl Iterator<Item = *mut Entry> + use<> {
        // SAFETY: under the lock the queue holds entries only.
        let (end, mut at) = unsafe { (&raw mut (*self.head).used, (*self.head).used.prev) };
        std::iter::from_fn(move || {
            if at == end {
                return None;
            }
            // SAFETY: as above; the next one is looked up before this one is given out.
            unsafe {
                let entry = Entry::of_queue(at);
                at = (*at).prev;
                Some(entry)
            }
        })
    }

    /// Removes up to two entries at the old end whose time is over. Says how many it removed.
    #[inline]
    pub(super) fn purge(&mut self) -> usize {
        let mut removed = 0;
        for entry in self.oldest_first().take(2) {
            if !self.is_over(entry) {
                break;
            }
            self.remove(entry);
            removed += 1;
        }
        removed
    }

    /// Removes the oldest entry, and up to two more whose time is over. Says how many it removed.
    pub(super) fn evict(&mut self) -> usize {
        let Some(oldest) = self.oldest_first().next() else { return 0 };
        self.remove(oldest);
        1 + self.purge()
    }

    /// Removes an entry, with the items of a list.
    pub(super) fn remove(&mut self, entry: *mut Entry) {
        // SAFETY: the entry is in the queue and in the tree; nothing of it is used once it is freed.
        unsafe {
            queue_remove(&raw mut (*entry).queue);
            if (*entry).kind == kind::LIST {
                let anchor = Entry::anchor(entry);
                while !queue_is_empty(anchor) {
                    let first = (*anchor).next;
                    queue_remove(first);
                    self.free(Item::of_queue(first).cast());
                }
            }
            ngx_rbtree_delete(&raw mut (*self.head).tree, entry.cast());
            self.free(entry.cast());
        }
    }

    /// Memory of `size` bytes, and whether entries were evicted for it.
    pub(super) fn alloc(&mut self, size: usize, room: Room) -> (Option<NonNull<u8>>, bool) {
        let mut evicted = false;
        // SAFETY: the pool is locked.
        let mut memory = unsafe { ngx_slab_alloc_locked(self.pool, size) };
        if room == Room::Evict {
            for _ in 0..EVICTIONS {
                if !memory.is_null() || self.evict() == 0 {
                    break;
                }
                evicted = true;
                // SAFETY: as above.
                memory = unsafe { ngx_slab_alloc_locked(self.pool, size) };
            }
        }
        (NonNull::new(memory.cast()), evicted)
    }

    /// Frees what `alloc` gave.
    ///
    /// # Safety
    /// Nothing points there any more.
    pub(super) unsafe fn free(&mut self, memory: *mut u8) {
        // SAFETY: by this function's contract; the pool is locked.
        unsafe { ngx_slab_free_locked(self.pool, memory.cast()) }
    }

    /// Makes a new entry, whose value `fill` writes, the one that was used last.
    ///
    /// # Safety
    /// `memory` has room for the key and for what `fill` writes, which must leave a whole entry. The dictionary has no
    /// entry of that key.
    pub(super) unsafe fn insert(&mut self, memory: NonNull<u8>, key: &Key, fill: impl FnOnce(*mut Entry)) {
        let entry: *mut Entry = memory.as_ptr().cast();
        // SAFETY: by this function's contract. The tree calls the function that this process has: a module that was
        // loaded anew by a reload may lie elsewhere than the one that has made the tree.
        unsafe {
            Entry::begin(entry, key.hash, key.bytes);
            fill(entry);
            let head = &mut *self.head;
            queue_insert(&raw mut head.used, &raw mut (*entry).queue);
            head.tree.insert = Some(insert_node);
            ngx_rbtree_insert(&raw mut head.tree, entry.cast());
        }
    }

    /// Puts a value in the place of what was found, or makes a new entry. None where memory ran out; then what was found
    /// is gone. Says also whether others were evicted.
    pub(super) fn put(
        &mut self,
        found: Option<Found>,
        key: &Key,
        value: Value,
        life: (u64, i32),
        room: Room,
    ) -> (Option<()>, bool) {
        let (kind, mut scratch) = (value.kind(), [0; 8]);
        let bytes = value.bytes(&mut scratch);
        let length = match u32::try_from(bytes.len()) {
            Ok(length) if key.bytes.len() <= LONGEST_KEY => length,
            _ => return (None, false),
        };
        let fill = |entry: *mut Entry| {
            // SAFETY: the entry has room for `length` bytes of value.
            unsafe {
                (*entry).kind = kind;
                (*entry).value_length = length;
                ((*entry).expires, (*entry).flags) = life;
                ptr::copy_nonoverlapping(bytes.as_ptr(), Entry::value_start(entry), bytes.len());
            }
        };
        if let Some(Found { entry, .. }) = found {
            // SAFETY: entries are valid under the lock.
            let (before, same_size) = unsafe { ((*entry).kind, (*entry).value_length == length) };
            if before != kind::LIST && same_size {
                // A number is never half another one: no counter is lost by a death.
                if (before, kind) != (kind::NUMBER, kind::NUMBER) {
                    self.does(entry.addr() | Doing::WRITING);
                }
                fill(entry);
                self.does(Doing::SOMETHING);
                return (Some(()), false);
            }
            self.remove(entry);
        }
        let (memory, evicted) = self.alloc(Entry::size(key.bytes.len(), bytes.len()), room);
        // SAFETY: the memory is of that size, and an entry of that key was removed.
        let put = memory.map(|memory| unsafe { self.insert(memory, key, fill) });
        (put, evicted)
    }
}

impl Drop for Locked {
    #[inline]
    fn drop(&mut self) {
        if !thread::panicking() {
            self.does(Doing::NOTHING);
        }
    }
}

/// nginx's red-black tree calls it to find a new node's place: by hash, then by key.
unsafe extern "C" fn insert_node(
    mut temp: *mut ngx_rbtree_node_t,
    node: *mut ngx_rbtree_node_t,
    sentinel: *mut ngx_rbtree_node_t,
) {
    // SAFETY: nginx passes the root, which is not the sentinel, and the node that `insert` has given it.
    unsafe {
        loop {
            let less = || Entry::key(node.cast()).cmp(Entry::key(temp.cast()));
            let next = match (*node).key.cmp(&(*temp).key).then_with(less) {
                Compared::Less => &raw mut (*temp).left,
                _ => &raw mut (*temp).right,
            };
            if *next == sentinel {
                *next = node;
                break;
            }
            temp = *next;
        }
        (*node).parent = temp;
        (*node).left = sentinel;
        (*node).right = sentinel;
        // Red, as nginx's macro `ngx_rbt_red` has it.
        (*node).color = 1;
    }
}
