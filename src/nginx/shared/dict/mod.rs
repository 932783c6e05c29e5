//! `lua_shared_dict`: keys and values in shared memory, which all workers read and write.
//!
//! They lie in nginx's own slab pool, red-black tree and queue, so that a zone of a given size holds, evicts and
//! fragments as lua-nginx-module's does. They outlive workers and, under the same name and size, the reload of nginx.

mod layout;
mod list;
mod locked;
mod repair;
mod value;

use std::ffi::c_void;
use std::ptr::NonNull;

use ngx::ffi::*;

use crate::nginx::conf::Conf;
use crate::nginx::log::{Level, Log};
use crate::nginx::shared::memory::ask;
use crate::nginx::value::bytes;
use layout::{Entry, kind};
use locked::{Found, Key, Locked, Room, make};

pub use list::{ListEnd, PushError};
pub use value::Value;

/// Its address tells dictionaries from other zones.
static TAG: u8 = 0;

/// A shared dictionary that the configuration asked for.
#[derive(Clone, Debug)]
pub struct SharedDict {
    /// What `ngx.shared` has it under.
    pub name: Box<[u8]>,
    zone: NonNull<ngx_shm_zone_t>,
}

// SAFETY: nginx sets the `ngx_shm_zone_t` before the first process runs, and a worker keeps it as long as it lives. What
// it leads to is touched under the lock only, and `Held` keeps threads apart as it does processes.
unsafe impl Send for SharedDict {}
// SAFETY: as above; no method needs it for itself alone.
unsafe impl Sync for SharedDict {}

/// A shared dictionary as calls find it. Each call takes the lock; before the zone is mapped a dictionary is empty and
/// without room.
#[derive(Clone, Copy)]
pub struct Dict(NonNull<ngx_shm_zone_t>);

/// Why a call has done nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DictError {
    /// no such key
    NotFound,
    /// the key is there
    Exists,
    /// no room, even by evicting
    NoMemory,
    /// the value is no number
    NotNumber,
    /// the value is no list
    NotList,
    /// the value is a list
    IsList,
    /// the value is longer than the caller has room for
    TooLong,
}

/// What must be there for a value to be stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// whatever is there
    Always,
    /// the key must not be there
    Absent,
    /// the key must be there
    Present,
}

/// How a value was stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stored {
    /// Whether it was.
    pub result: Result<(), DictError>,
    /// Entries that were used least recently were evicted for it.
    pub forcible: bool,
}

/// What a number was incremented to.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Incremented {
    /// The sum.
    pub result: Result<f64, DictError>,
    /// Entries that were used least recently were evicted for it.
    pub forcible: bool,
}

impl SharedDict {
    /// Asks nginx for a dictionary of `size` bytes.
    ///
    /// # Errors
    /// Memory ran out, or nginx has logged that the name is taken for another size or use.
    pub fn request(conf: &mut Conf, name: &[u8], size: usize) -> Result<Self, String> {
        ask(conf, name, size, &TAG, init).map(|zone| Self { name: name.into(), zone })
    }

    /// A number by which [`Dict::of`] finds it.
    pub fn handle(&self) -> usize {
        self.zone.addr().get()
    }
}

impl Dict {
    /// The dictionary of a handle.
    ///
    /// # Safety
    /// `handle` is a [`SharedDict::handle`] of a cycle that is still there.
    pub unsafe fn of(handle: NonNull<c_void>) -> Self {
        Self(handle.cast())
    }

    /// Calls with the lock held; answers `or` before the zone is mapped.
    #[inline]
    fn locked<T>(self, or: T, call: impl FnOnce(&mut Locked) -> T) -> T {
        Locked::with(self.0, call).unwrap_or(or)
    }

    /// Calls `take` with a value, the user's flags and whether its time is over, which makes the key the one used last.
    /// `stale`: also where its time is over. `take` runs under the lock.
    pub fn get<T>(
        self,
        key: &[u8],
        stale: bool,
        take: impl FnOnce(Value, i32, bool) -> Result<T, DictError>,
    ) -> Result<T, DictError> {
        let key = &Key::new(key);
        self.locked(Err(DictError::NotFound), |dict| {
            if !stale {
                dict.purge();
            }
            let Found { entry, live } =
                dict.find(key).filter(|found| stale || found.live).ok_or(DictError::NotFound)?;
            let value = value_of(entry).ok_or(DictError::IsList)?;
            // SAFETY: entries are valid under the lock.
            take(value, unsafe { (*entry).flags }, !live)
        })
    }

    /// Stores a value, or removes it (None), for `ttl` milliseconds; where that is not positive, for ever.
    pub fn store(self, key: &[u8], value: Option<Value>, when: When, evict: bool, ttl: i64, flags: i32) -> Stored {
        let refused = |error| Stored { result: Err(error), forcible: false };
        let key = &Key::new(key);
        self.locked(refused(DictError::NoMemory), |dict| {
            dict.purge();
            let found = dict.find(key);
            let live = found.is_some_and(|found| found.live);
            match when {
                When::Absent if live => return refused(DictError::Exists),
                When::Present if !live => return refused(DictError::NotFound),
                _ => {}
            }
            let Some(value) = value else {
                if let Some(Found { entry, .. }) = found {
                    dict.remove(entry);
                }
                return Stored { result: Ok(()), forcible: false };
            };
            let room = if evict { Room::Evict } else { Room::Free };
            let life = (dict.expiry(ttl), flags);
            let (put, forcible) = dict.put(found, key, value, life, room);
            Stored { result: put.ok_or(DictError::NoMemory), forcible }
        })
    }

    /// Adds to a number. Where there is none it begins with `init`, a number and milliseconds to live.
    pub fn increment(self, key: &[u8], by: f64, init: Option<(f64, i64)>) -> Incremented {
        let refused = |error| Incremented { result: Err(error), forcible: false };
        let key = &Key::new(key);
        self.locked(refused(DictError::NoMemory), |dict| {
            dict.purge();
            let found = dict.find(key);
            let (sum, life) = match (found, init) {
                (Some(Found { entry, live: true }), _) => {
                    let Some(Value::Number(number)) = value_of(entry) else { return refused(DictError::NotNumber) };
                    // SAFETY: entries are valid under the lock.
                    (number + by, unsafe { ((*entry).expires, (*entry).flags) })
                }
                (_, Some((start, ttl))) => (start + by, (dict.expiry(ttl), 0)),
                (_, None) => return refused(DictError::NotFound),
            };
            let (put, forcible) = dict.put(found, key, Value::Number(sum), life, Room::Evict);
            Incremented { result: put.map(|()| sum).ok_or(DictError::NoMemory), forcible }
        })
    }

    /// The milliseconds that a key has to live, negative where its time is over; 0: it lives for ever.
    pub fn ttl(self, key: &[u8]) -> Result<i64, DictError> {
        let key = &Key::new(key);
        self.locked(Err(DictError::NotFound), |dict| {
            let Found { entry, .. } = dict.peek(key).ok_or(DictError::NotFound)?;
            // SAFETY: entries are valid under the lock.
            let expires = unsafe { (*entry).expires };
            Ok(if expires == 0 { 0 } else { expires.wrapping_sub(dict.now).cast_signed() })
        })
    }

    /// Gives a key `ttl` milliseconds to live, also where its time is over; where that is not positive, for ever.
    pub fn expire(self, key: &[u8], ttl: i64) -> Result<(), DictError> {
        let key = &Key::new(key);
        self.locked(Err(DictError::NotFound), |dict| {
            let Found { entry, .. } = dict.peek(key).ok_or(DictError::NotFound)?;
            // SAFETY: entries are valid under the lock.
            unsafe { (*entry).expires = dict.expiry(ttl) };
            Ok(())
        })
    }

    /// Ends the time of every key. Their memory is freed as it is needed.
    pub fn flush_all(self) {
        self.locked((), |dict| {
            // SAFETY: entries are valid under the lock. 1 ms after the epoch is over, as 0 would not be.
            dict.oldest_first().for_each(|entry| unsafe { (*entry).expires = 1 });
            dict.evict();
        });
    }

    /// Removes the keys whose time is over, but no more than `most` where that is positive. Says how many.
    pub fn flush_expired(self, most: i32) -> usize {
        let most = limit(most);
        self.locked(0, |dict| {
            let mut removed = 0;
            for entry in dict.oldest_first() {
                if removed == most {
                    break;
                }
                if dict.is_over(entry) {
                    dict.remove(entry);
                    removed += 1;
                }
            }
            removed
        })
    }

    /// Calls `take` with the keys whose time is not over, the one used first first, but with no more than `most` where
    /// that is positive. `take` runs under the lock.
    pub fn keys(self, most: i32, take: impl FnMut(&[u8])) {
        self.locked((), |dict| {
            let live = dict.oldest_first().filter(|&entry| !dict.is_over(entry));
            // SAFETY: entries are valid under the lock.
            live.take(limit(most)).map(|entry| unsafe { Entry::key(entry) }).for_each(take);
        });
    }

    /// The bytes of its zone.
    pub fn capacity(self) -> usize {
        // SAFETY: a zone of a cycle that is still there.
        unsafe { self.0.as_ref().shm.size }
    }

    /// The bytes of its pages that hold nothing at all.
    pub fn free_space(self) -> usize {
        // SAFETY: the pool is locked; the size of a page is a variable that nginx sets when it starts.
        self.locked(0, |dict| unsafe { (*dict.pool).pfree * ngx_pagesize })
    }
}

/// The value of an entry that is no list.
#[inline(always)]
fn value_of<'e>(entry: *mut Entry) -> Option<Value<'e>> {
    // SAFETY: entries are valid under the lock.
    unsafe {
        if (*entry).kind == kind::LIST {
            return None;
        }
        Value::read((*entry).kind, Entry::value(entry))
    }
}

/// A number of things of which there may be any where it is not positive.
fn limit(most: i32) -> usize {
    usize::try_from(most).ok().filter(|&most| most > 0).unwrap_or(usize::MAX)
}

/// Called by nginx once the memory is mapped: takes over what an earlier cycle left, or makes an empty dictionary.
unsafe extern "C" fn init(zone: *mut ngx_shm_zone_t, old: *mut c_void) -> ngx_int_t {
    // SAFETY: nginx passes a mapped zone with a slab pool at its start, that nobody else uses where it is new; `old` is the
    // data of the same zone of the cycle before, or null.
    unsafe {
        let pool: *mut ngx_slab_pool_t = (*zone).shm.addr.cast();
        let data = if !old.is_null() {
            old
        } else if (*zone).shm.exists != 0 {
            (*pool).data
        } else {
            make(pool, bytes(&(*zone).shm.name)).cast()
        };
        (*zone).data = data;
        if data.is_null() {
            let name = String::from_utf8_lossy(bytes(&(*zone).shm.name));
            let text = format!("lua_shared_dict \"{name}\" of {} bytes has no room for anything", (*zone).shm.size);
            Log::from_raw((*zone).shm.log).write(Level::Emerg, text.as_bytes());
            return NGX_ERROR as _;
        }
        NGX_OK as _
    }
}
