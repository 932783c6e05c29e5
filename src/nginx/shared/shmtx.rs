//! nginx's mutex in shared memory, taken so that a holder that died does not stop those who wait for it.
//!
//! nginx's master unlocks what a child had locked when it reaps it. That is not enough: while the master loads a
//! configuration it reaps nobody, so one that waited in `ngx_shmtx_lock` itself would wait for ever; and it knows only
//! the zones of its present configuration, not those that workers of an earlier one still use.

use std::ptr::NonNull;
use std::thread;
use std::time::Duration;

use ngx::ffi::*;
use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, test_kill_process, waitid};

/// How often the lock is tried with no more than a yield between.
const YIELDS: u32 = 256;
/// What is slept between tries from then on.
const PAUSE: Duration = Duration::from_micros(50);

/// The mutex, held. Dropping it unlocks.
pub(in crate::nginx) struct Held(NonNull<ngx_shmtx_t>);

impl Held {
    /// Waits for the mutex and takes it. It keeps threads of one process apart as it does processes: a lock that is
    /// taken holds the holder's pid, and nobody takes it unless it is 0, be the pid its own or not.
    ///
    /// # Safety
    /// `mutex` was made by `ngx_shmtx_create` and is mapped until the guard is gone. The thread does not hold it.
    pub unsafe fn lock(mutex: NonNull<ngx_shmtx_t>) -> Self {
        let mut tries = 0u32;
        // SAFETY: a mutex of nginx, by the caller's word.
        while unsafe { ngx_shmtx_trylock(mutex.as_ptr()) } == 0 {
            tries = tries.saturating_add(1);
            if tries < YIELDS {
                thread::yield_now();
                continue;
            }
            // SAFETY: as above; the word behind `lock` is the holder's pid or 0 and is never unmapped before the mutex.
            // Unlocking by force changes it only where it still holds that pid, and a dead process takes no locks.
            unsafe {
                let holder = (*mutex.as_ptr()).lock.read_volatile() as ngx_pid_t;
                if is_gone(holder) {
                    ngx_shmtx_force_unlock(mutex.as_ptr(), holder);
                    continue;
                }
            }
            thread::sleep(PAUSE);
        }
        Self(mutex)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: this process locked it, and the mutex is still mapped by the promise made to `lock`.
        unsafe { ngx_shmtx_unlock(self.0.as_ptr()) }
    }
}

/// Says whether a process is dead, be it that its parent, which is this process, has not reaped it yet. A dead child of
/// another process counts as alive until it is reaped.
fn is_gone(pid: ngx_pid_t) -> bool {
    let Some(pid) = Pid::from_raw(pid) else { return false };
    let looked = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    test_kill_process(pid) == Err(Errno::SRCH) || matches!(waitid(WaitId::Pid(pid), looked), Ok(Some(_)))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_child_is_gone_once_it_has_ended_reaped_or_not() {
        let mut child = Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let pid = child.id() as ngx_pid_t;
        assert!(!is_gone(pid));
        child.kill().unwrap();
        // Without reaping it.
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(Pid::from_raw(pid).unwrap()), ended).unwrap();
        assert!(is_gone(pid));
        child.wait().unwrap();
        assert!(is_gone(pid));
        for pid in [0, 1, std::process::id() as ngx_pid_t] {
            assert!(!is_gone(pid), "{pid}");
        }
    }
}
