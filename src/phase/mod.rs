//! The phases in which nginx runs Lua, and the one driver that runs it.

mod balancer;
mod before;
mod call;
mod content;
mod driver;
mod filter;
mod init;
mod log;
mod pin;
mod run;
mod runtime;
mod sandboxed;
mod set;
mod timer;
mod tls;
mod trim;
mod variables;

use ngx::core::Status;

use crate::nginx::{self, Log, Request};

/// What one phase does with Lua that has ended; the driver does the rest.
struct Phase {
    /// Its bit, for the calls that are allowed in some phases only.
    bit: nginx::Phase,
    /// The Lua waits for the first time.
    waits: fn(&Request),
    /// The Lua returned.
    returned: fn(&Request) -> Status,
    /// The Lua called `ngx.exit(status)`.
    exited: fn(&Request, i64) -> Status,
    /// The Lua, which may have waited, has redirected the request internally (`NGX_DONE`).
    redirected: fn(&Request, bool),
    /// The Lua had waited and has ended with that status: nginx must be told to go on.
    resumed: fn(&Request, Status),
}

pub use balancer::balance;
pub use before::{access, precontent, rewrite, server_rewrite};
pub use content::content;
pub use filter::{body_filter, header_filter};
pub use init::run_init;
pub use log::log;
pub use runtime::{Furnish, Runtime};
pub use sandboxed::sandboxed;
pub use set::set;
pub use timer::run_timer;
pub use tls::tls;
pub use variables::VARIABLES;

/// Tells those who debug that a directive's Lua is about to run.
fn tell_begins(request: &Request, what: &str) {
    Log::of(request)
        .debug(|| format!("lua {what}, uri:\"{}\" c:{}", String::from_utf8_lossy(request.uri()), request.holders()));
}
