//! What a process leaves that was killed while it had a dictionary locked: the dictionary is made anew of the entries
//! that are whole.
//!
//! The slab pool and the tree may be in any state. The queues are not, as far as they are followed by `next`: an entry
//! comes into one when all else of it is written, and goes out of it before anything of it is freed.

use std::cell::Cell;
use std::ptr::NonNull;

use ngx::ffi::*;

use super::layout::*;
use super::list::ListEnd;
use super::locked::{Key, Locked, Room, make};
use super::value::Value;
use crate::nginx::log::{Level, Log};
use crate::nginx::value::bytes;

/// An entry, out of the zone.
struct Saved {
    key: Vec<u8>,
    life: (u64, i32),
    value: Kept,
}

/// Its value.
enum Kept {
    One(u8, Vec<u8>),
    /// the items of a list from the left
    List(Vec<(u8, Vec<u8>)>),
}

/// The part of the zone that the slab pool gives away.
struct Pages {
    start: usize,
    end: usize,
    /// How many bytes may still be copied: no more than there are, wherever queues may lead.
    left: Cell<usize>,
}

/// Makes the dictionary of a lock that was just taken anew, since the one who had it before has died.
///
/// # Safety
/// The zone is the dictionary's, and its lock is held.
#[cold]
pub(super) unsafe fn repair(dict: &mut Locked, zone: NonNull<ngx_shm_zone_t>) {
    // SAFETY: by this function's contract. What is read out of the zone is looked at before it is believed.
    unsafe {
        let name = bytes(&zone.as_ref().shm.name);
        let saved = save(dict);
        ngx_slab_init(dict.pool);
        dict.head = make(dict.pool, name);
        assert!(!dict.head.is_null(), "a pool has room for what it had room for when it was made");
        dict.does(Doing::SOMETHING);
        let kept = saved.into_iter().rev().filter_map(|entry| restore(dict, &entry)).count();
        let name = String::from_utf8_lossy(name);
        let text =
            format!("a process died while it was changing lua_shared_dict \"{name}\", which was repaired: {kept} keys");
        Log::cycle().write(Level::Alert, text.as_bytes());
    }
}

/// The entries that are whole, the one that was used last first.
///
/// # Safety
/// As [`repair`].
unsafe fn save(dict: &Locked) -> Vec<Saved> {
    let mut saved = Vec::new();
    // SAFETY: the head is one, as `make` wrote it; nothing overwrites it.
    let (pages, doing, anchor) = unsafe {
        let (start, end) = ((*dict.pool).start.addr(), (*dict.pool).end.addr());
        let pages = Pages { start, end, left: Cell::new(end - start) };
        (pages, (*dict.head).doing, &raw mut (*dict.head).used)
    };
    let address = doing & !Doing::BITS;
    let mut moving = (doing & Doing::BITS == Doing::MOVING).then_some(address);
    let written = (doing & Doing::BITS == Doing::WRITING).then_some(address);
    // SAFETY: `walk` gives out what lies inside of the pool.
    unsafe {
        for queue in pages.walk(anchor) {
            let entry = Entry::of_queue(queue);
            moving = moving.filter(|&moving| moving != entry.addr());
            if written != Some(entry.addr()) {
                saved.extend(pages.entry(entry));
            }
        }
        if let Some(moving) = moving {
            let entry = dict.pool.with_addr(moving).cast();
            saved.splice(0..0, pages.entry(entry));
        }
    }
    saved
}

/// Puts an entry into the dictionary that was made anew. None where there is no room.
fn restore(dict: &mut Locked, saved: &Saved) -> Option<()> {
    let key = &Key::new(&saved.key);
    if dict.peek(key).is_some() {
        return None;
    }
    match &saved.value {
        Kept::One(kind, bytes) => {
            let value = Value::read(*kind, bytes)?;
            dict.put(None, key, value, saved.life, Room::Free).0
        }
        Kept::List(items) => {
            let entry = dict.new_list(key)?;
            // SAFETY: the entry is the one just made.
            unsafe { ((*entry).expires, (*entry).flags) = saved.life };
            let added =
                items.iter().filter_map(|(kind, value)| dict.add_item(entry, ListEnd::Right, *kind, value)).count();
            if added == 0 {
                dict.remove(entry);
                return None;
            }
            Some(())
        }
    }
}

impl Pages {
    /// Says whether `length` bytes at `address` lie inside.
    fn hold(&self, address: usize, length: usize) -> bool {
        address >= self.start && address.checked_add(length).is_some_and(|end| end <= self.end)
    }

    /// Copies bytes of an entry or an item.
    fn copy(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        self.left.set(self.left.get().checked_sub(bytes.len())?);
        Some(bytes.to_vec())
    }

    /// What follows the head of a queue, as far as it lies inside. Ends after as many as there may be at most.
    ///
    /// # Safety
    /// The head is readable.
    unsafe fn walk(&self, head: *mut ngx_queue_t) -> impl Iterator<Item = *mut ngx_queue_t> {
        let mut at = head;
        let most = (self.end - self.start) / size_of::<Item>();
        std::iter::from_fn(move || {
            // SAFETY: the head, or checked before it was given out.
            at = unsafe { (*at).next };
            let inside =
                self.hold(at.addr(), size_of::<ngx_queue_t>()) && at.addr().is_multiple_of(align_of::<ngx_queue_t>());
            (at != head && inside).then_some(at)
        })
        .take(most)
    }

    /// Copies an entry, if that is what lies there: its key has its hash.
    ///
    /// # Safety
    /// The zone is mapped.
    unsafe fn entry(&self, entry: *mut Entry) -> Option<Saved> {
        if !self.hold(entry.addr(), Entry::size(0, 0)) || !entry.addr().is_multiple_of(align_of::<Entry>()) {
            return None;
        }
        // SAFETY: what is read lies inside of the pool, where any bytes may be read.
        unsafe {
            let key_length = (*entry).key_length as usize;
            if !self.hold(entry.addr(), Entry::size(key_length, 0)) {
                return None;
            }
            let key = self.copy(Entry::key(entry))?;
            if key.is_empty() || Key::new(&key).hash != (*entry).hash {
                return None;
            }
            let value = if (*entry).kind == kind::LIST {
                if !self.hold(entry.addr(), Entry::list_size(key_length)) {
                    return None;
                }
                Kept::List(self.walk(Entry::anchor(entry)).filter_map(|queue| self.item(queue)).collect())
            } else {
                if !self.hold(entry.addr(), Entry::size(key_length, (*entry).value_length as usize)) {
                    return None;
                }
                Kept::One((*entry).kind, self.copy(Entry::value(entry))?)
            };
            Some(Saved { key, life: ((*entry).expires, (*entry).flags), value })
        }
    }

    /// Copies an item of a list.
    ///
    /// # Safety
    /// The queue lies inside.
    unsafe fn item(&self, queue: *mut ngx_queue_t) -> Option<(u8, Vec<u8>)> {
        // SAFETY: what is read lies inside of the pool.
        unsafe {
            let item = Item::of_queue(queue);
            if !self.hold(item.addr(), Item::size(0))
                || !self.hold(item.addr(), Item::size((*item).value_length as usize))
            {
                return None;
            }
            Some(((*item).kind, self.copy(Item::value(item))?))
        }
    }
}
