//! Changing code: publish a candidate, prepare it in every worker, activate it everywhere at once.

mod report;

pub use report::{Change, Generation, Module, Published, Refused, Status, Worker};

/// Publishes a change and calls `done` once every worker has flipped, or the change was refused. It may call `done`
/// at once or later from the event loop; it is called exactly once.
pub fn publish(change: Change, done: impl FnOnce(Result<Published, Refused>) + 'static) {
    done(Err(Refused::Unknown { what: format!("{change:?}") }));
}

/// What `GET status` answers.
pub fn status() -> Status {
    Status::default()
}

/// Every generation that is kept, newest first.
pub fn generations() -> Vec<Generation> {
    Vec::new()
}

/// Every module that some worker has loaded, by name.
pub fn modules() -> Vec<Module> {
    Vec::new()
}
