//! Lua code before any VM has it: which file a path names, what a generation holds, who requires whom.
//!
//! No nginx here, so the room's tests run by themselves.

mod generation;
mod graph;
mod path;
mod requires;

pub use generation::{File, Generation, Hash};
pub use graph::{Node, RequireGraph, candidates, module_pattern};
pub use path::{PathError, SourceFile, normalize, read, read_static, strip_root};
pub use requires::{literal_requires, uses_ffi};
