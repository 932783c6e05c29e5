//! The memory of one contained VM: a range of its own with a byte limit, given back whole.
//!
//! Closing a Lua state frees its objects one by one, some 20 ns each, which for a script that has filled its memory
//! stops the worker for milliseconds. A contained VM owns nothing outside of this range, so unmapping it is enough.

use std::alloc::Layout;
use std::cell::{Cell, UnsafeCell};
use std::ffi::c_void;
use std::ptr::{self, NonNull};

use rlsf::Tlsf;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

/// Up to 32 << 26 bytes (2 GiB) a block, 16 lists a power of two.
type Blocks = Tlsf<'static, u32, u16, 26, 16>;

/// What LuaJIT's own allocator aligns to.
const ALIGN: usize = 16;
/// What each block costs on top of its size, and what sizes are rounded to.
const HEADER: usize = 16;
const GRANULE: usize = 32;
/// Address space for what fragmentation wastes: a quarter, and this much.
const SPARE: usize = 512 << 10;
const PAGE: usize = 4096;

/// A range of memory. Pages that were never used cost nothing.
pub(super) struct Arena {
    range: NonNull<[u8]>,
    blocks: UnsafeCell<Blocks>,
    used: Cell<usize>,
    limit: Cell<usize>,
}

impl Arena {
    /// A range that can hold `most` bytes. Fails where the process may not map more.
    pub(super) fn new(most: usize) -> std::io::Result<Self> {
        let length = (most + most / 4 + SPARE).next_multiple_of(PAGE);
        // SAFETY: a new anonymous mapping; NORESERVE, as most of it will never be touched.
        let start = unsafe {
            mmap_anonymous(
                ptr::null_mut(),
                length,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE | MapFlags::NORESERVE,
            )?
        };
        let start = NonNull::new(start.cast::<u8>()).ok_or(rustix::io::Errno::NOMEM)?;
        let range = NonNull::slice_from_raw_parts(start, length);
        let mut blocks = Blocks::new();
        // SAFETY: the range is ours alone and lives as long as `blocks`.
        unsafe { blocks.insert_free_block_ptr(range) };
        Ok(Self { range, blocks: UnsafeCell::new(blocks), used: Cell::new(0), limit: Cell::new(most) })
    }

    /// Bytes in use, with what each block costs.
    pub(super) fn used(&self) -> usize {
        self.used.get()
    }

    /// Bytes that may be in use.
    pub(super) fn limit(&self) -> usize {
        self.limit.get()
    }

    /// Changes how many bytes may be in use.
    pub(super) fn set_limit(&self, bytes: usize) {
        self.limit.set(bytes);
    }

    /// What a block of `size` bytes takes.
    fn cost(size: usize) -> usize {
        if size == 0 { 0 } else { (size + HEADER).next_multiple_of(GRANULE) }
    }

    /// Says whether a block that grows from `old` to `new` bytes (0: there is none) stays below the limit.
    pub(super) fn fits(&self, old: usize, new: usize) -> bool {
        self.used.get() - Self::cost(old) + Self::cost(new) <= self.limit.get()
    }

    /// What `lua_Alloc` is to do. Null where the range is full; the limit is for the caller to ask for.
    ///
    /// # Safety
    /// `block` must be null with `old` 0, or a block of this arena of `old` bytes.
    pub(super) unsafe fn resize(&self, block: *mut c_void, old: usize, new: usize) -> *mut c_void {
        // SAFETY: one thread, and nothing here calls back.
        let blocks = unsafe { &mut *self.blocks.get() };
        let layout = |size: usize| Layout::from_size_align(size, ALIGN).ok();
        let (block, resized) = match (NonNull::new(block.cast::<u8>()), new) {
            (None, 0) => return ptr::null_mut(),
            (None, _) => (None, layout(new).and_then(|layout| blocks.allocate(layout))),
            (Some(block), 0) => {
                // SAFETY: by this function's contract; `ALIGN` is what it was allocated with.
                unsafe { blocks.deallocate(block, ALIGN) };
                (Some(block), None)
            }
            (Some(block), _) => {
                // SAFETY: as above.
                let grow = |layout| unsafe { blocks.reallocate(block, layout) };
                (Some(block), layout(new).and_then(grow))
            }
        };
        if resized.is_none() && new != 0 {
            return ptr::null_mut();
        }
        let old = if block.is_some() { old } else { 0 };
        self.used.set(self.used.get() - Self::cost(old) + Self::cost(new));
        resized.map_or(ptr::null_mut(), |block| block.as_ptr().cast())
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: mapped in `new`; whoever owns the arena owns all that points into it.
        let _ = unsafe { munmap(self.range.as_ptr().cast(), self.range.len()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_use_is_counted_to_the_byte_and_comes_back() {
        let arena = Arena::new(1 << 20).unwrap();
        let null = ptr::null_mut();
        // SAFETY: each block is given back with the size that it was asked for.
        unsafe {
            let a = arena.resize(null, 0, 100);
            let b = arena.resize(null, 0, 5000);
            assert_eq!(arena.used(), 128 + 5024);
            let a = arena.resize(a, 100, 70_000);
            assert!(!a.is_null());
            ptr::write_bytes(a.cast::<u8>(), 1, 70_000);
            let a = arena.resize(a, 70_000, 10);
            assert_eq!(arena.used(), 32 + 5024);
            assert_eq!(arena.resize(b, 5000, 0), null);
            arena.resize(a, 10, 0);
        }
        assert_eq!(arena.used(), 0);
    }

    #[test]
    fn a_full_range_answers_null_and_keeps_what_it_has() {
        let arena = Arena::new(64 << 10).unwrap();
        let null = ptr::null_mut();
        // SAFETY: as above.
        unsafe {
            let a = arena.resize(null, 0, 1000);
            ptr::write_bytes(a.cast::<u8>(), 7, 1000);
            assert!(arena.resize(null, 0, 64 << 20).is_null());
            assert!(arena.resize(a, 1000, 64 << 20).is_null());
            assert_eq!(*a.cast::<u8>().add(999), 7);
            assert_eq!(arena.used(), 1024);
        }
        assert!(arena.fits(0, 60_000));
        assert!(!arena.fits(0, 65_000));
        assert!(arena.fits(1000, 65_000));
    }
}
