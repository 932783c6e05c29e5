//! Compiles Lua apart from any VM that runs it, for threads beside the event loop.

use mlua::Lua;

use super::error::Failure;
use super::state::chunk;

/// A state that only compiles.
pub struct Compiler(Lua);

impl Compiler {
    /// Opens one. It belongs to the thread that opens it.
    pub fn new() -> Self {
        Self(Lua::new())
    }

    /// The bytecode of source (or bytecode), with its debug information. `name` is a Lua chunk name: `@path`.
    pub fn bytecode(&self, source: &[u8], name: &str) -> Result<Vec<u8>, Failure> {
        let function = chunk(&self.0, source, name).into_function();
        // The frames below a compilation are of no use.
        let function = function.map_err(|error| Failure::new(Failure::from(error).message))?;
        Ok(function.dump(false))
    }
}
