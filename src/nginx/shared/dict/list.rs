//! Lists as values: a queue of items, each in memory of its own.

use super::layout::*;
use super::locked::{Found, Key, Locked, Room};
use super::value::Value;
use super::{Dict, DictError};

/// The end of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListEnd {
    /// where `lpush` and `lpop` work
    Left,
    /// where `rpush` and `rpop` work
    Right,
}

/// What a push has no memory for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PushError {
    /// the value is no list
    NotList,
    /// a new list
    NoMemoryForList,
    /// the value
    NoMemoryForValue,
}

impl Dict {
    /// Adds a value to a list, which is made where the key is not there. Says how many the list has then. Nothing is
    /// evicted for it.
    pub fn push(self, key: &[u8], end: ListEnd, value: Value) -> Result<u32, PushError> {
        let key = &Key::new(key);
        self.locked(Err(PushError::NoMemoryForList), |dict| {
            dict.purge();
            let entry = match dict.find(key) {
                Some(Found { entry, live: true }) if is_list(entry) => entry,
                Some(Found { live: true, .. }) => return Err(PushError::NotList),
                over => {
                    if let Some(Found { entry, .. }) = over {
                        dict.remove(entry);
                    }
                    dict.new_list(key).ok_or(PushError::NoMemoryForList)?
                }
            };
            let mut scratch = [0; 8];
            dict.add_item(entry, end, value.kind(), value.bytes(&mut scratch)).ok_or_else(|| {
                // SAFETY: the entry is a list.
                if unsafe { queue_is_empty(Entry::anchor(entry)) } {
                    dict.remove(entry);
                }
                PushError::NoMemoryForValue
            })
        })
    }

    /// Takes a value out of a list; an empty list goes away. `NotFound` where the key is not there. The value stays where
    /// `take`, which runs under the lock, returns an error.
    pub fn pop<T>(
        self,
        key: &[u8],
        end: ListEnd,
        take: impl FnOnce(Value) -> Result<T, DictError>,
    ) -> Result<T, DictError> {
        let key = &Key::new(key);
        self.locked(Err(DictError::NotFound), |dict| {
            dict.purge();
            let Found { entry, .. } = dict.find(key).filter(|found| found.live).ok_or(DictError::NotFound)?;
            if !is_list(entry) {
                return Err(DictError::NotList);
            }
            // SAFETY: the entry is a list; one without items is none.
            unsafe {
                let anchor = Entry::anchor(entry);
                let queue = if end == ListEnd::Left { (*anchor).next } else { (*anchor).prev };
                if queue == anchor {
                    return Err(DictError::NotFound);
                }
                let item = Item::of_queue(queue);
                let value = Value::read((*item).kind, Item::value(item)).ok_or(DictError::NotFound)?;
                let taken = take(value)?;
                queue_remove(queue);
                dict.free(item.cast());
                (*entry).value_length -= 1;
                if queue_is_empty(anchor) {
                    dict.remove(entry);
                }
                Ok(taken)
            }
        })
    }

    /// How many values a list has; 0 where the key is not there.
    pub fn list_length(self, key: &[u8]) -> Result<u32, DictError> {
        let key = &Key::new(key);
        self.locked(Ok(0), |dict| {
            dict.purge();
            match dict.find(key) {
                // SAFETY: entries are valid under the lock.
                Some(Found { entry, live: true }) if is_list(entry) => Ok(unsafe { (*entry).value_length }),
                Some(Found { live: true, .. }) => Err(DictError::NotList),
                _ => Ok(0),
            }
        })
    }
}

impl Locked {
    /// A new list without items, which must get one.
    pub(super) fn new_list(&mut self, key: &Key) -> Option<*mut Entry> {
        if key.bytes.len() > LONGEST_KEY {
            return None;
        }
        let memory = self.alloc(Entry::list_size(key.bytes.len()), Room::Free).0?;
        // SAFETY: the memory is of that size, and there is no entry of that key.
        unsafe {
            self.insert(memory, key, |entry| {
                (*entry).kind = kind::LIST;
                (*entry).value_length = 0;
                (*entry).expires = 0;
                (*entry).flags = 0;
                queue_init(Entry::anchor(entry));
            });
        }
        Some(memory.as_ptr().cast())
    }

    /// Adds an item to the list that `entry` is. Says how many it has then; none where memory ran out.
    pub(super) fn add_item(&mut self, entry: *mut Entry, end: ListEnd, kind: u8, value: &[u8]) -> Option<u32> {
        u32::try_from(value.len()).ok()?;
        let item: *mut Item = self.alloc(Item::size(value.len()), Room::Free).0?.as_ptr().cast();
        // SAFETY: the memory is of the item's size, and the entry is a list.
        unsafe {
            Item::write(item, kind, value);
            let anchor = Entry::anchor(entry);
            let before = if end == ListEnd::Left { anchor } else { (*anchor).prev };
            queue_insert(before, &raw mut (*item).queue);
            (*entry).value_length += 1;
            Some((*entry).value_length)
        }
    }
}

/// Says whether an entry of a dictionary that is locked is a list.
fn is_list(entry: *mut Entry) -> bool {
    // SAFETY: entries are valid under the lock.
    unsafe { (*entry).kind == kind::LIST }
}
