//! The phases in which nginx runs Lua, and the one driver that runs it.

mod content;
mod driver;
mod init;
mod runtime;

pub use content::content;
pub use init::run_init;
pub use runtime::Runtime;
