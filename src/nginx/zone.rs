//! Shared memory: words that workers read and write atomically, and immutable blocks of bytes.
//!
//! It outlives workers and, under the same name and size, the reload of nginx. A lock whose holder died is freed by
//! nginx's master (`ngx_unlock_mutexes`).

use std::ffi::c_void;
use std::fmt;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, Ordering};

use ngx::ffi::*;

use super::conf::Conf;

/// How many words a zone has.
pub const WORDS: usize = 16384;

/// In front of every block: a mark, so that a stale handle is noticed, and the length of its bytes.
#[repr(C)]
struct BlockHead {
    mark: u64,
    length: u64,
}

const MARK: u64 = 0x686f_746c_7561_626c;

/// Its address tells our zones from other modules'.
static TAG: u8 = 0;

/// The words; shared memory starts as zeros, which is a valid value of each.
#[repr(C)]
struct Words([AtomicU64; WORDS]);

/// Shared memory that the configuration asked for.
#[derive(Clone, Copy)]
pub struct Zone(NonNull<ngx_shm_zone_t>);

// SAFETY: shim
unsafe impl Send for Zone {}
/// A handle of immutable bytes in the zone. Its number may be kept in a word or inside other blocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Block(pub u64);

/// The zone has no room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ZoneFull {
    /// Bytes that were asked for.
    pub needed: usize,
    /// Bytes in free pages; fragments may make less of it usable.
    pub free: usize,
}

impl fmt::Display for ZoneFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hotlua_zone is full: {} bytes needed, {} free; raise its size", self.needed, self.free)
    }
}

/// The zone while this process holds its lock.
pub struct Locked<'z>(&'z Zone);

impl Zone {
    /// Asks nginx for shared memory of `size` bytes under `name`.
    pub fn request(conf: &mut Conf, name: &str, size: usize) -> Result<Self, String> {
        let mut name = conf.copy(name.as_bytes())?;
        // SAFETY: nginx copies nothing but keeps the name, which the configuration's pool holds. The tag tells our
        // zones from other modules' and is the same address in every cycle.
        let zone = unsafe {
            let tag = (&raw const TAG).cast_mut().cast::<c_void>();
            ngx_shared_memory_add(conf.as_ptr(), &raw mut name, size, tag)
        };
        let zone = NonNull::new(zone).ok_or("shared memory cannot be added")?;
        // SAFETY: nginx returned a zone of this cycle.
        unsafe { (*zone.as_ptr()).init = Some(init) };
        Ok(Self(zone))
    }

    /// A word. Panics where there is no such word, which is a mistake of the caller's layout.
    pub fn word(&self, index: usize) -> &AtomicU64 {
        &self.words().0[index]
    }

    /// Runs `call` with the zone's lock held. It must not take the lock again.
    pub fn locked<T>(&self, call: impl FnOnce(&Locked) -> T) -> T {
        struct Unlock(*mut ngx_slab_pool_t);
        impl Drop for Unlock {
            fn drop(&mut self) {
                // SAFETY: this process locked it below.
                unsafe { ngx_shmtx_unlock(&raw mut (*self.0).mutex) }
            }
        }
        let pool = self.pool();
        // SAFETY: the slab pool lies at the start of mapped shared memory.
        unsafe { ngx_shmtx_lock(&raw mut (*pool).mutex) };
        let _unlock = Unlock(pool);
        call(&Locked(self))
    }

    /// Its size in bytes.
    pub fn size(&self) -> usize {
        // SAFETY: a zone of this cycle.
        unsafe { self.0.as_ref().shm.size }
    }

    /// Bytes in pages that are in use.
    pub fn used(&self) -> usize {
        self.size() - self.free()
    }

    fn free(&self) -> usize {
        // SAFETY: the slab pool keeps the number of its free pages; a stale read is good enough.
        unsafe { (*self.pool()).pfree * ngx_pagesize }
    }

    fn pool(&self) -> *mut ngx_slab_pool_t {
        // SAFETY: nginx maps the memory before any process runs and puts a slab pool at its start.
        unsafe { self.0.as_ref().shm.addr.cast() }
    }

    fn words(&self) -> &Words {
        // SAFETY: `init` allocated the words before any process runs; they are never freed.
        unsafe { &*self.0.as_ref().data.cast::<Words>() }
    }
}

impl Locked<'_> {
    /// Copies bytes into the zone.
    pub fn put(&self, bytes: &[u8]) -> Result<Block, ZoneFull> {
        let pool = self.0.pool();
        let size = size_of::<BlockHead>() + bytes.len();
        // SAFETY: the lock is held; the allocation is checked before it is written.
        unsafe {
            let head: *mut BlockHead = ngx_slab_alloc_locked(pool, size).cast();
            if head.is_null() {
                return Err(ZoneFull { needed: size, free: self.0.free() });
            }
            head.write(BlockHead { mark: MARK, length: bytes.len() as u64 });
            ptr::copy_nonoverlapping(bytes.as_ptr(), head.add(1).cast(), bytes.len());
            Ok(Block(head.byte_offset_from(pool) as u64))
        }
    }

    /// Copies a block's bytes out. None for a handle that is no block.
    pub fn get(&self, block: Block) -> Option<Vec<u8>> {
        let head = self.head(block)?;
        // SAFETY: `head` has checked that the block lies in the zone; the lock keeps others from freeing it.
        unsafe { Some(std::slice::from_raw_parts(head.add(1).cast::<u8>(), (*head).length as usize).to_vec()) }
    }

    /// Frees a block. A handle that is no block is left alone.
    pub fn free(&self, block: Block) {
        if let Some(head) = self.head(block) {
            // SAFETY: a live block, and the lock is held.
            unsafe {
                (*head).mark = 0;
                ngx_slab_free_locked(self.0.pool(), head.cast());
            }
        }
    }

    /// shim
    pub fn needs_sweep(&self) -> bool { false }
    /// shim
    pub fn sweep(&self, _live: &[Block]) {}

    fn head(&self, block: Block) -> Option<*mut BlockHead> {
        let (size, offset) = (self.0.size() as u64, block.0);
        let head_size = size_of::<BlockHead>() as u64;
        if offset == 0 || offset % align_of::<BlockHead>() as u64 != 0 || offset.checked_add(head_size)? > size {
            return None;
        }
        // SAFETY: the offset lies in the mapped memory and is aligned.
        unsafe {
            let head = self.0.pool().byte_add(offset as usize).cast::<BlockHead>();
            let fits = offset + head_size + (*head).length <= size;
            ((*head).mark == MARK && fits).then_some(head)
        }
    }
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
        let words = ngx_slab_calloc(pool, size_of::<Words>());
        if words.is_null() {
            return NGX_ERROR as _;
        }
        (*pool).set_log_nomem(0);
        (*pool).data = words;
        (*zone).data = words;
        NGX_OK as _
    }
}

/// The sequence of stores and loads by which workers publish to each other what lies in words and blocks.
pub const SHARED: Ordering = Ordering::SeqCst;
