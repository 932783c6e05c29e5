//! LuaJIT: one state, its generations' environments, its coroutines, and the text of its errors.

mod anchor;
mod apart;
mod compiler;
mod copied;
mod coroutine;
mod environment;
mod error;
mod family;
#[cfg(test)]
mod fixture;
mod globals;
mod handler;
mod live;
mod loader;
mod operation;
mod retire;
mod script;
mod slice;
mod started;
mod state;
mod timer;

pub use anchor::{Anchor, Anchors, Kept};
pub use apart::{FurnishApart, VmsApart};
pub use compiler::Compiler;
pub use copied::Copied;
pub use coroutine::{Coroutine, Given, Step, Yield};
pub use environment::Environment;
pub use error::Failure;
pub use family::Family;
pub use live::{Follow, Live};
pub use loader::{LoadError, file_chunk, find_module};
pub use operation::{Completion, Operation};
pub use script::{ScriptFile, script_file, script_fresh, script_key, script_source};
pub use slice::{Progress, Sliced};
pub use started::Going;
pub use state::{Vm, check};
pub use timer::{Held, TimerCode};
