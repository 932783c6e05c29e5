//! A LuaJIT state that untrusted scripts run in: its own memory, its own functions, and a meter that nothing escapes.
//!
//! Nothing that a script can call calls Lua back from C: what did (`gsub`, `sort`, `xpcall`, `tostring`, coroutines)
//! is Lua here or switched by the host. So the C stack stays flat, and the hook can yield anywhere. A run that hits a
//! limit yields and is never resumed, which no `pcall` sees.

mod arena;
mod entry;
mod functions;
mod host;
mod library;
mod matching;
mod meter;
mod output;
mod place;
// Unit tests run without nginx, so nothing of it may be reached there.
#[cfg_attr(test, allow(dead_code))]
mod request;
mod stack;
mod switch;
mod value;
mod vm;

pub use value::{Allowance, Uncrossable, Value};
pub use vm::{Advance, Contained, Ended, Limits, ScriptKey};

/// What ended a run before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// It took more instructions than it may.
    Cpu,
    /// It ran longer than it may.
    Time,
    /// It needed more memory than it may.
    Memory,
    /// It said more than it may.
    Output,
    /// It raised, or did not compile.
    Error,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Cpu, Self::Time, Self::Memory, Self::Output, Self::Error];

    /// As scripts, logs and metrics name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Time => "time",
            Self::Memory => "memory",
            Self::Output => "output",
            Self::Error => "error",
        }
    }
}
