//! Threads beside nginx's own one: its signal handlers must run in none of them.

use std::mem::MaybeUninit;
use std::ptr::null_mut;

/// Calls with all signals blocked in this thread. Threads that are spawned meanwhile inherit the mask and keep it, so
/// the kernel delivers nginx's signals (SIGHUP, SIGCHLD, SIGALRM, ...) to nginx's own thread, as nginx expects.
pub fn without_signals<T>(call: impl FnOnce() -> T) -> T {
    let _mask = Mask::block_all();
    call()
}

/// The mask as it was, put back at the end, also when `call` panics.
struct Mask(libc::sigset_t);

impl Mask {
    fn block_all() -> Self {
        let mut all = MaybeUninit::uninit();
        let mut before = MaybeUninit::uninit();
        // SAFETY: sigfillset writes the whole set; pthread_sigmask fails for an unknown `how` only and so writes `before`.
        unsafe {
            libc::sigfillset(all.as_mut_ptr());
            libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
            Self(before.assume_init())
        }
    }
}

impl Drop for Mask {
    fn drop(&mut self) {
        // SAFETY: the set was filled by pthread_sigmask.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, null_mut()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NGINX: [i32; 5] = [libc::SIGHUP, libc::SIGCHLD, libc::SIGALRM, libc::SIGTERM, libc::SIGUSR1];

    fn blocked() -> [bool; 5] {
        let mut mask = MaybeUninit::uninit();
        // SAFETY: a null set only reads the mask.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, std::ptr::null(), mask.as_mut_ptr());
            let mask = mask.assume_init();
            NGINX.map(|signal| libc::sigismember(&raw const mask, signal) == 1)
        }
    }

    #[test]
    fn threads_start_with_signals_blocked_and_the_mask_comes_back() {
        assert_eq!(blocked(), [false; 5]);
        let (thread, inside) = without_signals(|| (std::thread::spawn(blocked), blocked()));
        assert_eq!((thread.join().unwrap(), inside, blocked()), ([true; 5], [true; 5], [false; 5]));
        std::panic::catch_unwind(|| without_signals(|| panic!("on purpose"))).unwrap_err();
        assert_eq!(blocked(), [false; 5]);
    }
}
