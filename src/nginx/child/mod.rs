//! Programs that a worker runs beside itself: their start, their end, and that none stays behind as a zombie.

mod reap;
mod start;

use std::os::fd::OwnedFd;

use crate::nginx::socket::errno::Errno;
use crate::nginx::thread::without_signals;

use reap::Entry;
pub use reap::{kill_children, watch_children};
pub use start::Command;

/// A process that was started. Dropping it kills it, unless it has ended.
pub struct Child(Entry);

/// The worker's ends of a child's standard streams. Reading and writing never block.
pub struct Streams {
    /// What is written here is its standard input.
    pub stdin: OwnedFd,
    /// Its standard output.
    pub stdout: OwnedFd,
    /// Its standard error; none where that is its standard output.
    pub stderr: Option<OwnedFd>,
}

/// A child that was started.
pub struct Started {
    /// The process.
    pub child: Child,
    /// Its streams.
    pub streams: Streams,
    /// Why it did not become the program, but has ended with status 1: `(2: No such file or directory)`.
    pub refused: Option<String>,
}

/// How a child has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// By itself, with that status.
    Exited(i32),
    /// By that signal.
    Killed(i32),
}

/// Why there is no child.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StartError {
    /// What was called, and why that failed.
    Call(&'static str, Errno),
    /// There is no connection left to be told of its end by.
    NoConnection,
}

/// Why a signal was not sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KillError {
    /// The process has ended.
    Ended,
    /// There is no such signal.
    NoSuchSignal,
    /// What the system says.
    System(Errno),
}

impl Child {
    /// Starts a program. It gets no descriptor but its standard streams, no signal is blocked or ignored in it, and it has
    /// the worker's working directory, user, limits and process group.
    ///
    /// # Errors
    /// Where the system or nginx lacks what it takes; a program that cannot be run is none ([`Started::refused`]).
    pub fn start(command: &Command) -> Result<Started, StartError> {
        watch_children().map_err(|_| StartError::NoConnection)?;
        let (pid, streams, refused) = without_signals(|| start::start(command))?;
        let refused = refused.map(|errno| format!("({}: {})", errno.number(), errno.text()));
        Ok(Started { child: Self(Entry::add(pid)), streams, refused })
    }

    /// The id of the process; after its end it may be that of another one.
    pub fn pid(&self) -> i32 {
        self.0.pid()
    }

    /// How it has ended; none while it runs, or until the event loop has learnt of it.
    pub fn ended(&self) -> Option<Ended> {
        self.0.ended()
    }

    /// Calls `tell` from the event loop when it has ended, in the place of whom else that was to be told.
    pub fn on_end(&self, tell: impl FnOnce() + 'static) {
        self.0.on_end(Box::new(tell));
    }

    /// Sends it a signal.
    pub fn kill(&self, signal: i32) -> Result<(), KillError> {
        if self.ended().is_some() {
            return Err(KillError::Ended);
        }
        // SAFETY: a plain system call. Its status was not taken, so nobody else has its id.
        if unsafe { libc::kill(self.pid(), signal) } == 0 {
            return Ok(());
        }
        let errno = Errno::last();
        Err(if errno.number() == libc::EINVAL { KillError::NoSuchSignal } else { KillError::System(errno) })
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // One that has ended needs none.
        let _ = self.kill(libc::SIGKILL);
    }
}
