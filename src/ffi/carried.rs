//! A VM that goes from thread to thread.

/// What one thread has made for itself, a VM and what belongs to it, to be used by one thread at a time, whichever.
///
/// Nothing in there is known outside: what goes in and comes out can be sent to another thread, so that it is no
/// reference to what stays. What a thread keeps for itself (`thread_local!`) must not get such a reference either.
pub struct Carried<T>(T);

// SAFETY: the value was made by a closure that could be sent, and is reached by such closures only and through a unique
// borrow. So all references into it move with it. LuaJIT and mlua keep nothing of a state that belongs to a thread, and
// no family that a VM of a thread gets does.
unsafe impl<T> Send for Carried<T> {}

impl<T> Carried<T> {
    /// What `make` makes.
    pub fn new<E: Send>(make: impl FnOnce() -> Result<T, E> + Send) -> Result<Self, E> {
        make().map(Self)
    }

    /// Calls with the value.
    pub fn with<R: Send>(&mut self, call: impl FnOnce(&mut T) -> R + Send) -> R {
        call(&mut self.0)
    }
}
