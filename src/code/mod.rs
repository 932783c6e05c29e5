//! Lua code before any VM has it: which file a path names, what a generation holds, who requires whom.
//!
//! No nginx here, so the room's tests run by themselves.

mod generation;
mod graph;
mod path;
mod requires;
mod scan;
mod stamp;
mod untrusted;

pub use generation::{Found, Generation, Hash, Source, Sources};
pub use graph::{Node, RequireGraph, candidates, module_names, module_pattern};
pub use path::{FILE_LIMIT, PathError, normalize, read, read_static, strip_root};
pub use requires::{literal_requires, uses_ffi};
pub use scan::{Root, ScanError, Seen, Weight, is_in_untrusted, is_scanned, look, scan, weigh};
pub use stamp::Stamp;
pub use untrusted::{Fence, Untrusted, real};
