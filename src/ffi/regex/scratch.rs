//! What the matches of a VM share: PCRE2's match data, limits and JIT stack, and buffers.

use std::cell::{Cell, RefCell, RefMut};
use std::ffi::{c_int, c_void};
use std::ptr::null_mut;

use pcre2_sys::*;

/// What a match may take of memory for going back, in KiB. Without it one huge subject could take 20 GB.
const HEAP_LIMIT: u32 = 256 << 10;
/// How much of that stays for the next match, in bytes.
const KEPT: usize = 256 << 10;
/// How many bytes of a result's buffer stay for the next one.
const KEPT_OUTPUT: usize = 64 << 10;
/// The smallest stack that a JIT stack begins with, and the largest, in bytes.
const STACK: (usize, usize) = (32 << 10, 1 << 30);
/// How many integers a match by DFA works with.
const WORKSPACE: usize = 4096;
/// The pairs of offsets for which there is room at first.
const PAIRS: u32 = 32;

/// Match data and limits. A match runs no Lua, so that there is never a second one at the same time.
pub(super) struct Scratch {
    /// Bytes that PCRE2 holds for match data. It is handed to PCRE2, so it stays at its place.
    held: Box<Cell<usize>>,
    general: *mut pcre2_general_context_8,
    context: *mut pcre2_match_context_8,
    data: Cell<*mut pcre2_match_data_8>,
    pairs: Cell<u32>,
    stack: Cell<*mut pcre2_jit_stack_8>,
    default_limit: u32,
    workspace: RefCell<Vec<c_int>>,
    output: RefCell<Vec<u8>>,
}

impl Scratch {
    pub(super) fn new() -> Self {
        let held: Box<Cell<usize>> = Box::default();
        let mut default_limit = 0_u32;
        // SAFETY: the counter outlives the contexts: `drop` frees them before. A context that cannot be made is null,
        // which stands for PCRE2's defaults wherever it is passed; only setters are not given it.
        let (general, context) = unsafe {
            let counter: *const Cell<usize> = &raw const *held;
            let general = pcre2_general_context_create_8(Some(allocate), Some(release), counter.cast_mut().cast());
            let context = pcre2_match_context_create_8(general);
            if !context.is_null() {
                pcre2_set_heap_limit_8(context, HEAP_LIMIT);
            }
            pcre2_config_8(PCRE2_CONFIG_MATCHLIMIT, (&raw mut default_limit).cast());
            (general, context)
        };
        Self {
            held,
            general,
            context,
            data: Cell::new(null_mut()),
            pairs: Cell::new(PAIRS),
            stack: Cell::new(null_mut()),
            default_limit,
            workspace: RefCell::default(),
            output: RefCell::default(),
        }
    }

    /// Match data with room for `pairs`; none where there is no memory.
    #[inline]
    pub(super) fn match_data(&self, pairs: u32) -> Option<*mut pcre2_match_data_8> {
        if self.data.get().is_null() || pairs > self.pairs.get() {
            self.drop_data();
            self.pairs.set(pairs.max(self.pairs.get()));
            // SAFETY: the context is valid or null.
            self.data.set(unsafe { pcre2_match_data_create_8(self.pairs.get(), self.general) });
        }
        let data = self.data.get();
        (!data.is_null()).then_some(data)
    }

    /// The context with a limit of backtracking; 0 for PCRE2's own.
    #[inline]
    pub(super) fn limited(&self, match_limit: u32) -> *mut pcre2_match_context_8 {
        if !self.context.is_null() {
            let limit = if match_limit == 0 { self.default_limit } else { match_limit };
            // SAFETY: the context is valid.
            unsafe { pcre2_set_match_limit_8(self.context, limit) };
        }
        self.context
    }

    /// Gives back what a match has taken beyond the usual.
    #[inline]
    pub(super) fn settle(&self) {
        if self.held.get() > KEPT {
            self.drop_data();
        }
    }

    fn drop_data(&self) {
        // SAFETY: PCRE2 made it, or it is null, which PCRE2 allows.
        unsafe { pcre2_match_data_free_8(self.data.replace(null_mut())) }
    }

    /// Calls with the working space of a match by DFA and its size.
    pub(super) fn with_workspace<T>(&self, call: impl FnOnce(*mut c_int, usize) -> T) -> T {
        let mut workspace = self.workspace.borrow_mut();
        workspace.resize(WORKSPACE, 0);
        call(workspace.as_mut_ptr(), workspace.len())
    }

    /// The buffer of a result, empty. It stays as it was left until the next one begins.
    pub(super) fn output(&self) -> RefMut<'_, Vec<u8>> {
        let mut output = self.output.borrow_mut();
        output.clear();
        output.shrink_to(KEPT_OUTPUT);
        output
    }

    /// Gives patterns that the JIT compiler has taken a stack of up to `size` bytes; says whether there was memory.
    pub(super) fn set_jit_stack(&self, size: f64) -> bool {
        if self.context.is_null() {
            return false;
        }
        // `as` cuts what is out of range.
        let size = (size as usize).clamp(STACK.0, STACK.1);
        // SAFETY: the contexts are valid; the stack before is used by no match, and by none to come once another one
        // is assigned.
        unsafe {
            let stack = pcre2_jit_stack_create_8(STACK.0, size, self.general);
            if stack.is_null() {
                return false;
            }
            pcre2_jit_stack_assign_8(self.context, None, stack.cast());
            pcre2_jit_stack_free_8(self.stack.replace(stack));
        }
        true
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.drop_data();
        // SAFETY: PCRE2 made them, or they are null, which PCRE2 allows; nothing uses them any more.
        unsafe {
            pcre2_jit_stack_free_8(self.stack.get());
            pcre2_match_context_free_8(self.context);
            pcre2_general_context_free_8(self.general);
        }
    }
}

/// Allocates for PCRE2 and counts it.
unsafe extern "C" fn allocate(size: usize, held: *mut c_void) -> *mut c_void {
    // SAFETY: `held` is the counter that the context was made with; a null block has the size 0.
    unsafe {
        let block = libc::malloc(size);
        let held = &*held.cast::<Cell<usize>>();
        held.set(held.get() + libc::malloc_usable_size(block));
        block
    }
}

unsafe extern "C" fn release(block: *mut c_void, held: *mut c_void) {
    // SAFETY: as in `allocate`, which made the block, or it is null.
    unsafe {
        let held = &*held.cast::<Cell<usize>>();
        held.set(held.get().saturating_sub(libc::malloc_usable_size(block)));
        libc::free(block);
    }
}
