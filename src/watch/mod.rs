//! Watches directories and hints when changes in them have settled: events of inotify, or looks where it is blind.
//!
//! Of nginx it takes only that threads block signals, so the room's tests run by themselves.

mod coordinator;
mod places;
mod quiet;
mod reach;
mod stamp;
#[cfg(test)]
mod tests;

pub use coordinator::{Hint, Watch};
