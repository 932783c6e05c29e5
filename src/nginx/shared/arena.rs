//! Blocks of bytes in memory that processes share, whose bookkeeping can be rebuilt from the blocks that are known to
//! be live: a process may be killed in the middle of any change.
//!
//! The memory is a header, two bitmaps and granules of 64 bytes. A block takes as many granules in a row as it needs,
//! the first of which begins with its head.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The unit of allocation in bytes, and how the memory must be aligned.
pub(in crate::nginx) const GRANULE: usize = 64;
/// Granules are counted out in groups whose bits fill a word of each bitmap.
const GROUP: usize = u64::BITS as usize;

/// In front of a block's bytes.
#[repr(C)]
struct Head {
    /// [`MARK`] in a live block.
    mark: u64,
    /// How many bytes follow.
    length: u64,
}

const MARK: u64 = 0x686f_746c_7561_626c;

#[repr(C, align(64))]
struct Header {
    /// How many granules blocks take.
    taken: AtomicU64,
    /// Where the search for room begins: no granule before it is free, unless a process has died in between.
    low: AtomicU64,
}

/// The memory, as one process sees it.
#[derive(Clone, Copy)]
pub(in crate::nginx) struct Arena<'m> {
    header: &'m Header,
    /// A bit a granule: some block takes it.
    taken: &'m [AtomicU64],
    /// A bit a granule: a block begins there.
    begins: &'m [AtomicU64],
    base: NonNull<u8>,
}

/// A block's place.
#[derive(Clone, Copy)]
struct Run {
    first: usize,
    count: usize,
    length: usize,
}

impl Run {
    /// The place of a block of `length` bytes. None where it is longer than any memory.
    fn new(first: usize, length: usize) -> Option<Self> {
        let count = length.checked_add(size_of::<Head>())?.div_ceil(GRANULE);
        Some(Self { first, count, length })
    }

    fn end(self) -> usize {
        self.first + self.count
    }
}

impl<'m> Arena<'m> {
    /// The arena in `length` bytes from `base`. Before its first use, and only then, it must be swept of everything.
    /// None where there is no room for a single group of granules.
    ///
    /// # Safety
    /// The memory is aligned to [`GRANULE`], initialised, mapped for `'m`, and changed by arenas of the same base and
    /// length only. A lock keeps all calls but [`Arena::free_bytes`] apart, of this and of every
    /// other process.
    pub unsafe fn new(base: NonNull<u8>, length: usize) -> Option<Self> {
        let groups = length.checked_sub(size_of::<Header>() + GRANULE)? / (GROUP * GRANULE + 2 * size_of::<u64>());
        if groups == 0 {
            return None;
        }
        // SAFETY: header and bitmaps lie in the memory, which is aligned for both; all of it is atomic words, for
        // which any bytes are valid.
        unsafe {
            let bitmaps = base.add(size_of::<Header>()).cast::<AtomicU64>();
            Some(Self {
                header: base.cast().as_ref(),
                taken: NonNull::slice_from_raw_parts(bitmaps, groups).as_ref(),
                begins: NonNull::slice_from_raw_parts(bitmaps.add(groups), groups).as_ref(),
                base,
            })
        }
    }

    /// Bytes in free granules; fragments may make less of it usable. May be called without the lock.
    pub fn free_bytes(&self) -> usize {
        self.granules().saturating_sub(self.header.taken.load(Relaxed) as usize) * GRANULE
    }

    /// Bytes that a block of `length` bytes takes from the free ones.
    pub fn needed(length: usize) -> usize {
        Run::new(0, length).map_or(usize::MAX, |run| run.count.saturating_mul(GRANULE))
    }

    /// Copies bytes into a new block and returns its offset from the base, never 0. None: there is no room.
    pub fn put(&self, bytes: &[u8]) -> Option<u64> {
        let run = self.room(bytes.len())?;
        self.take(run);
        let head = self.head(run.first);
        // SAFETY: `room` returns granules of this memory that no block takes, enough of them for head and bytes.
        unsafe {
            head.write(Head { mark: MARK, length: bytes.len() as u64 });
            head.add(1).cast::<u8>().copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len());
        }
        Some(self.offset(run.first) as u64)
    }

    /// Copies a block's bytes out. None for what is no block.
    pub fn get(&self, block: u64) -> Option<Vec<u8>> {
        let run = self.block(block)?;
        // SAFETY: a block's bytes follow its head, and `put` has initialised them.
        unsafe {
            let bytes = self.head(run.first).add(1).cast::<u8>();
            Some(NonNull::slice_from_raw_parts(bytes, run.length).as_ref().to_vec())
        }
    }

    /// Frees a block. What is no block is left alone.
    pub fn free(&self, block: u64) {
        if let Some(run) = self.block(block) {
            self.unmark(run.first);
            set(self.begins, run.first, run.first + 1, false);
            set(self.taken, run.first, run.end(), false);
            self.header.taken.fetch_sub(run.count as u64, Relaxed);
            self.header.low.fetch_min(run.first as u64, Relaxed);
        }
    }

    /// Rebuilds header and bitmaps so that exactly the blocks of `live` are there, and everything else is free. What
    /// in `live` is no block, or reaches into one named before it, is left out.
    pub fn sweep(&self, live: impl IntoIterator<Item = u64>) {
        let began: Vec<u64> = self.begins.iter().map(|bits| bits.load(Relaxed)).collect();
        self.taken.iter().chain(self.begins).for_each(|bits| bits.store(0, Relaxed));
        self.header.taken.store(0, Relaxed);
        self.header.low.store(0, Relaxed);
        for block in live {
            if let Some(run) = self.marked(block)
                && find(self.taken, run.first, run.end(), true).is_none()
            {
                self.take(run);
            }
        }
        // A later sweep must not find a mark where a block was once. What lies inside of a live block is content.
        for (group, bits) in began.into_iter().enumerate() {
            for bit in (0..GROUP).filter(|bit| bits >> bit & 1 == 1) {
                let granule = group * GROUP + bit;
                if find(self.taken, granule, granule + 1, false).is_some() {
                    self.unmark(granule);
                }
            }
        }
    }

    fn granules(&self) -> usize {
        self.taken.len() * GROUP
    }

    /// The offset of a granule from the base.
    fn offset(&self, granule: usize) -> usize {
        let bitmaps = size_of_val(self.taken) + size_of_val(self.begins);
        (size_of::<Header>() + bitmaps).next_multiple_of(GRANULE) + granule * GRANULE
    }

    /// Room for a block: the first there is, so that no more of the memory is touched than is needed at a time.
    fn room(&self, length: usize) -> Option<Run> {
        let (low, end) = (self.header.low.load(Relaxed) as usize, self.granules());
        let count = Run::new(0, length)?.count;
        // A process that died may have left the hint too high.
        let found = self.free_row(low, end, count).or_else(|| self.free_row(0, end, count))?;
        if find(self.taken, low, end, false) == Some(found) {
            self.header.low.store((found + count) as u64, Relaxed);
        }
        Run::new(found, length)
    }

    fn free_row(&self, from: usize, end: usize, count: usize) -> Option<usize> {
        let mut from = from;
        loop {
            let first = find(self.taken, from, end, false)?;
            if count > end - first {
                return None;
            }
            match find(self.taken, first, first + count, true) {
                Some(taken) => from = taken + 1,
                None => return Some(first),
            }
        }
    }

    /// Notes a block in the bitmaps and counts it. `begins` last: it says that the rest is true.
    fn take(&self, run: Run) {
        set(self.taken, run.first, run.end(), true);
        self.header.taken.fetch_add(run.count as u64, Relaxed);
        set(self.begins, run.first, run.first + 1, true);
    }

    /// The block that begins at an offset.
    fn block(&self, offset: u64) -> Option<Run> {
        let granule = self.granule(offset)?;
        find(self.begins, granule, granule + 1, true)?;
        let run = self.marked(offset)?;
        find(self.taken, run.first, run.end(), false).is_none().then_some(run)
    }

    /// What would be a block by its head alone, whatever the bitmaps say.
    fn marked(&self, offset: u64) -> Option<Run> {
        let first = self.granule(offset)?;
        // SAFETY: a granule of this memory, which is initialised and aligned.
        let Head { mark, length } = unsafe { self.head(first).read() };
        let run = Run::new(first, usize::try_from(length).ok()?)?;
        (mark == MARK && run.count <= self.granules() - first).then_some(run)
    }

    /// The granule at an offset. None where none begins there.
    fn granule(&self, offset: u64) -> Option<usize> {
        let offset = usize::try_from(offset).ok()?.checked_sub(self.offset(0))?;
        (offset % GRANULE == 0 && offset / GRANULE < self.granules()).then_some(offset / GRANULE)
    }

    fn unmark(&self, granule: usize) {
        // SAFETY: a granule of this memory; the mark is the first field of its head.
        unsafe { self.head(granule).cast::<u64>().write(0) }
    }

    fn head(&self, granule: usize) -> NonNull<Head> {
        // SAFETY: all callers pass granules of this memory.
        unsafe { self.base.add(self.offset(granule)).cast() }
    }
}

/// The first granule of `from..end` whose bit is `taken`.
fn find(bitmap: &[AtomicU64], from: usize, end: usize, taken: bool) -> Option<usize> {
    let flip = if taken { 0 } else { u64::MAX };
    let mut at = from;
    while at < end {
        let bits = (bitmap[at / GROUP].load(Relaxed) ^ flip) >> (at % GROUP);
        if bits != 0 {
            let found = at + bits.trailing_zeros() as usize;
            return (found < end).then_some(found);
        }
        at = (at / GROUP + 1) * GROUP;
    }
    None
}

/// Sets the bits of `from..end`.
fn set(bitmap: &[AtomicU64], from: usize, end: usize, taken: bool) {
    let mut at = from;
    while at < end {
        let upto = end.min((at / GROUP + 1) * GROUP);
        let mask = u64::MAX >> (GROUP - (upto - at)) << (at % GROUP);
        let bits = &bitmap[at / GROUP];
        if taken {
            bits.fetch_or(mask, Relaxed);
        } else {
            bits.fetch_and(!mask, Relaxed);
        }
        at = upto;
    }
}

#[cfg(test)]
#[path = "arena_tests.rs"]
mod tests;
