//! How a worker learns that a child has ended.
//!
//! nginx's handler of SIGCHLD takes the status of every child of a worker and drops it, in the middle of whatever runs.
//! The handler here only wakes the event loop, which does that: so `io.popen` can ask for its own child first, what
//! nobody asks for is not left behind as a zombie, and the status of the children in the list is kept.

use std::cell::{Cell, RefCell};
use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::ptr::{null, null_mut};
use std::rc::Rc;
use std::sync::atomic::{AtomicI32, Ordering};

use ngx::ffi::ngx_pid;

use crate::nginx::wake::WakeSet;

use super::Ended;

/// A child, in the list until its status was taken.
struct Record {
    pid: i32,
    ended: Cell<Option<Ended>>,
    tell: RefCell<Option<Box<dyn FnOnce()>>>,
}

/// Stands for a child. Nobody is told of its end any more once this is dropped.
pub(super) struct Entry(Rc<Record>);

thread_local! {
    static LIST: RefCell<Vec<Rc<Record>>> = const { RefCell::new(Vec::new()) };
}

/// The process that has the handler; a forked one has none of these children.
static WATCHED: AtomicI32 = AtomicI32::new(0);
/// The eventfd that the handler writes to; it lives as long as the process.
static EVENTFD: AtomicI32 = AtomicI32::new(-1);

/// Makes this worker learn of the ends of its children, if it does not yet.
///
/// # Errors
/// Where it has no connection left to be woken by.
pub fn watch_children() -> Result<(), String> {
    // SAFETY: a plain variable of nginx.
    let own = unsafe { ngx_pid };
    if WATCHED.load(Ordering::Relaxed) == own {
        return Ok(());
    }
    let wake = WakeSet::default().extended(1)?;
    wake.listen(0, take_statuses)?;
    EVENTFD.store(wake.first_fd().unwrap_or(-1), Ordering::Relaxed);
    // SAFETY: reads what nginx has set and sets the handler here; whether system calls go on stays as it was.
    unsafe {
        let mut action = MaybeUninit::<libc::sigaction>::zeroed().assume_init();
        libc::sigaction(libc::SIGCHLD, null(), &raw mut action);
        action.sa_flags &= libc::SA_RESTART;
        action.sa_sigaction = note as extern "C" fn(c_int) as libc::sighandler_t;
        libc::sigaction(libc::SIGCHLD, &raw const action, null_mut());
    }
    WATCHED.store(own, Ordering::Relaxed);
    Ok(())
}

static ONE: u64 = 1;

/// The handler of SIGCHLD.
extern "C" fn note(_: c_int) {
    // SAFETY: a system call that a signal handler may make, in any thread. A counter that is full has woken already.
    unsafe {
        let errno = *libc::__errno_location();
        libc::write(EVENTFD.load(Ordering::Relaxed), (&raw const ONE).cast(), size_of::<u64>());
        *libc::__errno_location() = errno;
    }
}

/// Takes the status of every child that has ended, and tells who waits for one.
fn take_statuses() {
    let mut status = 0;
    loop {
        // SAFETY: the system writes the status.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
        if pid <= 0 {
            return;
        }
        let found = LIST.with_borrow_mut(|list| {
            let at = list.iter().position(|record| record.pid == pid)?;
            Some(list.swap_remove(at))
        });
        let Some(record) = found else { continue };
        record.ended.set(Some(if libc::WIFSIGNALED(status) {
            Ended::Killed(libc::WTERMSIG(status))
        } else {
            Ended::Exited(libc::WEXITSTATUS(status))
        }));
        let tell = record.tell.take();
        if let Some(tell) = tell {
            tell();
        }
    }
}

/// Kills all children that have not ended, at the end of a worker.
pub fn kill_children() {
    LIST.with_borrow(|list| {
        for record in list {
            // SAFETY: a plain system call; what is in the list still has its id.
            unsafe { libc::kill(record.pid, libc::SIGKILL) };
        }
    });
}

impl Entry {
    /// Puts a child into the list.
    pub(super) fn add(pid: i32) -> Self {
        let record = Rc::new(Record { pid, ended: Cell::default(), tell: RefCell::default() });
        LIST.with_borrow_mut(|list| list.push(Rc::clone(&record)));
        Self(record)
    }

    pub(super) fn pid(&self) -> i32 {
        self.0.pid
    }

    /// How it has ended.
    pub(super) fn ended(&self) -> Option<Ended> {
        self.0.ended.get()
    }

    /// Sets what is called when it has ended.
    pub(super) fn on_end(&self, tell: Box<dyn FnOnce()>) {
        self.0.tell.replace(Some(tell));
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.0.tell.take();
    }
}
