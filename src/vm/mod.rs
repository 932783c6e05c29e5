//! LuaJIT: one state, its generations' environments, its coroutines, and the text of its errors.

mod coroutine;
mod environment;
mod error;
mod family;
mod live;
mod loader;
mod operation;
mod state;

pub use coroutine::{Coroutine, Step, Yield};
pub use environment::Environment;
pub use error::Failure;
pub use family::Family;
pub use live::{Follow, Live};
pub use loader::{FILE_LIMIT, LoadError, file_chunk, find_module};
pub use operation::Operation;
pub use state::{Vm, check};
