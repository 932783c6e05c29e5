//! What `ngx.pipe` makes of a process: streams that coroutines read and write, an end that one waits for, and a request
//! that it belongs to.

mod error;
mod input;
mod lane;
mod output;
mod process;
mod turn;

pub use error::Error;
pub use input::Written;
pub use output::Read;
pub use process::{Direction, Options, Process, Timeouts, Waited};
