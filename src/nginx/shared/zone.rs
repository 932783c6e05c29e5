//! Shared memory: words that workers read and write atomically, and immutable blocks of bytes.
//!
//! It outlives workers and, under the same name and size, the reload of nginx. A process may die at any instruction:
//! that one had the lock is noticed by who takes it next, and then the blocks are to be swept.

use std::cell::RefCell;
use std::ffi::c_void;
use std::fmt;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use ngx::ffi::*;

use crate::nginx::conf::Conf;
use crate::nginx::process::pid;
use crate::nginx::shared::arena::Arena;
use crate::nginx::shared::memory::ask;
use crate::nginx::shared::shmtx::Held;

/// How many words a zone has.
pub const WORDS: usize = 16384;

/// Its address tells our zones from other modules'.
static TAG: u8 = 0;

/// What stands in front of the arena. Zeros are a valid value of each.
#[repr(C, align(64))]
struct Front {
    words: [AtomicU64; WORDS],
    /// The pid of the process that has the zone locked; 0: none. What a process that died in there leaves.
    writing: AtomicU64,
    /// 1 from when a process was found to have died in there, until the blocks are swept.
    unswept: AtomicU64,
    /// Bytes of the arena, which follows.
    arena: AtomicU64,
}

/// Shared memory that the configuration asked for.
#[derive(Clone, Copy)]
pub struct Zone(NonNull<ngx_shm_zone_t>);

// SAFETY: nginx sets the `ngx_shm_zone_t` before the first process runs and a worker keeps it, and its cycle, as long as
// it lives (without a master, nginx replaces the cycle of its only process: a thread must have ended by then). What it
// leads to is atomic or touched under the lock only, and `Held` keeps threads apart as it does processes. nginx's lock
// functions log at most, at debug level, as its own pool threads do.
unsafe impl Send for Zone {}
// SAFETY: as above; no method needs the zone for itself alone.
unsafe impl Sync for Zone {}

/// A handle of immutable bytes in the zone. Its number may be kept in a word or inside other blocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Block(pub u64);

/// The zone has no room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ZoneFull {
    /// Bytes that the block would take.
    pub needed: usize,
    /// Free bytes; fragments may make less of it usable.
    pub free: usize,
}

impl fmt::Display for ZoneFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hotlua_zone is full: {} bytes needed, {} free; raise its size", self.needed, self.free)
    }
}

/// The zone while this process holds its lock.
pub struct Locked<'z> {
    zone: &'z Zone,
    /// What to free when the lock is released.
    freed: RefCell<Vec<Block>>,
}

impl Zone {
    /// Asks nginx for shared memory of `size` bytes under `name`.
    pub fn request(conf: &mut Conf, name: &str, size: usize) -> Result<Self, String> {
        ask(conf, name.as_bytes(), size, &TAG, init).map(Self)
    }

    /// A word. Panics where there is no such word, which is a mistake of the caller's layout.
    pub fn word(&self, index: usize) -> &AtomicU64 {
        &self.front().words[index]
    }

    /// Runs `call` with the zone's lock held. It must not take the lock again.
    pub fn locked<T>(&self, call: impl FnOnce(&Locked) -> T) -> T {
        // SAFETY: nginx has made the mutex of the slab pool at the start of the memory, which stays mapped.
        let _held = unsafe { Held::lock(NonNull::new_unchecked(&raw mut (*self.pool()).mutex)) };
        let _writing = Writing::begin(self.front());
        let locked = Locked { zone: self, freed: RefCell::default() };
        let result = call(&locked);
        let arena = self.arena();
        locked.freed.take().into_iter().for_each(|block| arena.free(block.0));
        result
    }

    /// Its size in bytes.
    pub fn size(&self) -> usize {
        // SAFETY: a zone of this cycle.
        unsafe { self.0.as_ref().shm.size }
    }

    /// Bytes that are in use: what nginx and the zone need for themselves, the words, and the blocks.
    pub fn used(&self) -> usize {
        self.size() - self.arena().free_bytes()
    }

    fn pool(&self) -> *mut ngx_slab_pool_t {
        // SAFETY: nginx maps the memory before any process runs and puts a slab pool at its start.
        unsafe { self.0.as_ref().shm.addr.cast() }
    }

    fn front(&self) -> &Front {
        // SAFETY: `init` allocated it before any process runs; it is never freed.
        unsafe { &*self.0.as_ref().data.cast::<Front>() }
    }

    fn arena(&self) -> Arena<'_> {
        // SAFETY: `init` has made the front and checked that there is an arena behind it.
        unsafe { arena(NonNull::new_unchecked(self.0.as_ref().data.cast())).unwrap_unchecked() }
    }
}

/// The time for which the zone is locked, in a word that outlives the process.
struct Writing<'z>(&'z Front);

impl<'z> Writing<'z> {
    /// Must run with the lock held: then whoever is still noted has died, or panicked, in there.
    fn begin(front: &'z Front) -> Self {
        // Exchanging keeps what comes behind it from being done before it.
        if front.writing.swap(pid() as u64, SHARED) != 0 {
            front.unswept.store(1, SHARED);
        }
        Self(front)
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.0.writing.store(0, SHARED);
        }
    }
}

impl Locked<'_> {
    /// Copies bytes into the zone.
    pub fn put(&self, bytes: &[u8]) -> Result<Block, ZoneFull> {
        let arena = self.zone.arena();
        let full = || ZoneFull { needed: Arena::needed(bytes.len()), free: arena.free_bytes() };
        arena.put(bytes).map(Block).ok_or_else(full)
    }

    /// Copies a block's bytes out. None for a handle that is no block.
    pub fn get(&self, block: Block) -> Option<Vec<u8>> {
        self.zone.arena().get(block.0)
    }

    /// Frees a block when the lock is released: a process that dies before has freed nothing, so that it does not
    /// matter whether what points to the block is changed before or after this call. A handle that is no block is left
    /// alone.
    pub fn free(&self, block: Block) {
        self.freed.borrow_mut().push(block);
    }

    /// Says that a process died, or panicked, while it had the zone locked: blocks that nothing leads to may be left,
    /// until a sweep. No live block is damaged.
    pub fn needs_sweep(&self) -> bool {
        self.zone.front().unswept.load(SHARED) != 0
    }

    /// Frees every block but those of `live`, whatever a process that died has left. Handles in there that are no
    /// blocks are left out.
    pub fn sweep(&self, live: &[Block]) {
        self.zone.arena().sweep(live.iter().map(|block| block.0));
        self.zone.front().unswept.store(0, SHARED);
    }
}

/// The arena behind the front of a zone.
///
/// # Safety
/// `front` is that of a mapped zone, and its `arena` says how many bytes follow that only arenas touch. Calls are kept
/// apart by the zone's lock.
unsafe fn arena<'z>(front: NonNull<Front>) -> Option<Arena<'z>> {
    // SAFETY: the caller's word; the front's size is a multiple of its alignment, which is that of an arena.
    unsafe { Arena::new(front.add(1).cast(), front.as_ref().arena.load(Ordering::Relaxed) as usize) }
}

/// Called by nginx once the memory is mapped: takes over what an earlier cycle left, or starts with zeros.
unsafe extern "C" fn init(zone: *mut ngx_shm_zone_t, old: *mut c_void) -> ngx_int_t {
    // SAFETY: nginx passes a mapped zone; `old` is the data of the same zone of the cycle before, or null.
    unsafe {
        if !old.is_null() {
            (*zone).data = old;
            return NGX_OK as _;
        }
        let pool: *mut ngx_slab_pool_t = (*zone).shm.addr.cast();
        if (*zone).shm.exists != 0 {
            (*zone).data = (*pool).data;
            return NGX_OK as _;
        }
        // All that is left, since only one allocation and no free can be cut short by a death: nobody runs yet.
        let size = ((*pool).pfree * ngx_pagesize).max(size_of::<Front>());
        let Some(front) = NonNull::new(ngx_slab_alloc(pool, size).cast::<Front>()) else { return NGX_ERROR as _ };
        front.write_bytes(0, 1);
        front.as_ref().arena.store((size - size_of::<Front>()) as u64, Ordering::Relaxed);
        let Some(arena) = arena(front) else { return NGX_ERROR as _ };
        arena.sweep([]);
        (*pool).data = front.as_ptr().cast();
        (*zone).data = front.as_ptr().cast();
        NGX_OK as _
    }
}

/// The sequence of stores and loads by which workers publish to each other what lies in words and blocks.
pub const SHARED: Ordering = Ordering::SeqCst;
