//! What the system says when a call of a socket fails.

use ngx::ffi::*;

/// The number of an error of the system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Errno(i32);

impl Errno {
    /// The system's memory, or nginx's connections, do not suffice.
    pub const NO_MEMORY: Self = Self(libc::ENOMEM);

    /// Nothing could be done without waiting.
    pub const WOULD_BLOCK: Self = Self(libc::EAGAIN);

    /// The one that the last failed call of this thread has left.
    pub(in crate::nginx) fn last() -> Self {
        Self(std::io::Error::last_os_error().raw_os_error().unwrap_or(0))
    }

    /// The error of a number of the system's.
    pub(in crate::nginx) fn of(number: i32) -> Self {
        Self(number)
    }

    /// The system's number.
    pub(in crate::nginx) fn number(self) -> i32 {
        self.0
    }

    /// Sets none, so that [`Errno::last_if_any`] tells those that come from now on.
    pub(in crate::nginx) fn forget() {
        // SAFETY: the C library's variable of this thread.
        unsafe { *libc::__errno_location() = 0 }
    }

    /// As [`Errno::last`]; none where no call has failed since [`Errno::forget`].
    pub(in crate::nginx) fn last_if_any() -> Option<Self> {
        Some(Self::last()).filter(|errno| errno.0 != 0)
    }

    /// Says whether the call could not do anything without waiting.
    pub(in crate::nginx) fn would_block(self) -> bool {
        self.0 == libc::EAGAIN || self.0 == libc::EWOULDBLOCK
    }

    /// Says whether a signal came before the call could do anything.
    pub(in crate::nginx) fn interrupted(self) -> bool {
        self.0 == libc::EINTR
    }

    /// The system's text, as it goes into nginx's log: `Connection refused`.
    pub fn text(self) -> String {
        let mut text = [0u8; 128];
        // SAFETY: nginx writes within the buffer and answers where it has ended.
        let length = unsafe {
            let end = ngx_strerror(self.0, text.as_mut_ptr(), text.len());
            end.offset_from_unsigned(text.as_ptr())
        };
        String::from_utf8_lossy(&text[..length]).into_owned()
    }

    /// The text as Lua gets it: `connection refused`.
    pub fn message(self) -> String {
        self.text().to_ascii_lowercase()
    }

    /// What goes into the log when that call has failed: `recv() failed (111: Connection refused)`.
    pub fn line(self, call: &str) -> String {
        format!("{call} failed ({}: {})", self.0, self.text())
    }
}
