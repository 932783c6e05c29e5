//! The phases in which nginx runs Lua, and the one driver that runs it.

mod content;
mod driver;
mod init;
mod runtime;
mod sandboxed;
mod variables;

use ngx::core::Status;

use crate::nginx::{self, Request};

/// What one phase does with Lua that has ended; the driver does the rest.
struct Phase {
    /// Its bit, for the calls that are allowed in some phases only.
    bit: nginx::Phase,
    /// The Lua returned.
    returned: fn(&Request) -> Status,
    /// The Lua called `ngx.exit(status)`.
    exited: fn(&Request, i64) -> Status,
    /// The Lua had waited and has ended with that status: nginx must be told to go on.
    resumed: fn(&Request, Status),
}

pub use content::content;
pub use init::run_init;
pub use runtime::Runtime;
pub use sandboxed::sandboxed;
pub use variables::VARIABLES;
