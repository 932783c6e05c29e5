//! Shared memory that is nothing but atomic words: counters that outlive workers and, under the same name and number,
//! the reload of nginx. Nothing in there is locked or allocated, so that a process may die anywhere.

use std::ffi::c_void;
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::{AtomicU64, Ordering};

use ngx::ffi::*;

use crate::nginx::conf::Conf;
use crate::nginx::shared::memory::ask;

/// Its address tells our counters from other modules' zones.
static TAG: u8 = 0;

/// What stands in front of the words.
#[repr(C, align(64))]
struct Front {
    /// How many follow.
    words: AtomicU64,
}

/// Words that the configuration asked for.
#[derive(Clone, Copy, Debug)]
pub struct Counters(NonNull<ngx_shm_zone_t>);

impl Counters {
    /// Asks nginx for `words` words of shared memory under `name`. They begin at 0, and those that are never touched
    /// take no memory.
    pub fn request(conf: &mut Conf, name: &str, words: usize) -> Result<Self, String> {
        let bytes = size_of::<Front>() + words * size_of::<AtomicU64>();
        // What the slab pool around them needs is less: a few pages of its own, and 24 bytes for each other page.
        // SAFETY: a plain variable of nginx.
        let size = bytes + bytes / 64 + 16 * unsafe { ngx_pagesize };
        ask(conf, name.as_bytes(), size, &TAG, init).map(Self)
    }

    /// The words, at least as many as were asked for; none as long as the configuration is being read, when nginx has
    /// not mapped them.
    #[inline]
    pub fn words(&self) -> Option<&[AtomicU64]> {
        // SAFETY: `init` sets `data` once the memory is mapped, which it stays as long as the cycle lives that the zone
        // belongs to, and wrote how many words follow. Any bits are a valid value of each.
        unsafe {
            let front = NonNull::new(self.0.as_ref().data.cast::<Front>())?;
            let words = front.as_ref().words.load(Ordering::Relaxed) as usize;
            Some(slice::from_raw_parts(front.add(1).cast().as_ptr(), words))
        }
    }
}

/// Called by nginx once the memory is mapped: takes over what an earlier cycle left.
unsafe extern "C" fn init(zone: *mut ngx_shm_zone_t, old: *mut c_void) -> ngx_int_t {
    // SAFETY: nginx passes a mapped zone with a slab pool at its start; `old` is the data of the same zone of the cycle
    // before, or null. The front and its words fill just what was allocated, whole pages.
    unsafe {
        if !old.is_null() {
            (*zone).data = old;
            return NGX_OK as _;
        }
        let pool: *mut ngx_slab_pool_t = (*zone).shm.addr.cast();
        let size = ((*pool).pfree * ngx_pagesize).max(size_of::<Front>());
        let Some(front) = NonNull::new(ngx_slab_alloc(pool, size).cast::<Front>()) else { return NGX_ERROR as _ };
        // Fresh memory is zeros, and zeroing it again would take memory for all of it.
        let words = (size - size_of::<Front>()) / size_of::<AtomicU64>();
        front.as_ref().words.store(words as u64, Ordering::Relaxed);
        (*zone).data = front.as_ptr().cast();
        NGX_OK as _
    }
}
