//! The C library's heap, which nginx allocates its pools from.

/// Gives free memory at the end of the heap back to the system. Says whether any was given; None where the C library
/// has no such call.
pub fn trim_heap() -> Option<bool> {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: allowed at any time; the argument is how many bytes to leave at the end of the heap.
        Some(unsafe { libc::malloc_trim(1) } == 1)
    }
    #[cfg(not(target_env = "gnu"))]
    None
}
