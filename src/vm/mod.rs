//! LuaJIT: one state, its generations' environments, its coroutines, and the text of its errors.

mod coroutine;
mod environment;
mod error;
mod family;
mod loader;
mod operation;
mod state;

pub use coroutine::{Coroutine, Step, Yield};
pub use environment::Environment;
pub use error::Failure;
pub use family::Family;
pub use loader::{LoadError, file_chunk, find_module};
pub use operation::{Completion, Operation, Waker};
pub use state::{Vm, check};
