//! The file of `lua_ssl_key_log`: the secrets of our own TLS connections, for those who read what went over the wire.

use std::ffi::{CStr, c_char, c_int};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::ptr;
use std::sync::OnceLock;

use ngx::ffi::*;

use super::callbacks::guarded;
use crate::nginx::log::{Level, log_cycle};

/// Who reads it can read the connections.
const FOR_THE_OWNER: u32 = 0o600;

/// An open file, which stays where it is.
pub(super) struct KeyLog(File);

impl KeyLog {
    /// Opens the file and has OpenSSL write the secrets of the connections of `ctx` to it.
    ///
    /// # Errors
    /// Why it cannot be opened.
    ///
    /// # Safety
    /// The result must live as long as the `SSL_CTX` and its connections.
    pub(super) unsafe fn open(path: &Path, ctx: *mut SSL_CTX) -> Result<Box<Self>, String> {
        let opened = OpenOptions::new().append(true).create(true).mode(FOR_THE_OWNER).open(path);
        let file = opened.map_err(|error| format!("open() \"{}\" failed ({error})", path.display()))?;
        let log = Box::new(Self(file));
        // SAFETY: by this function's contract the address is good as long as OpenSSL calls back.
        unsafe {
            if SSL_CTX_set_ex_data(ctx, index(), ptr::from_ref(&*log).cast_mut().cast()) != 1 {
                return Err("SSL_CTX_set_ex_data() failed".into());
            }
            SSL_CTX_set_keylog_callback(ctx, Some(write));
        }
        Ok(log)
    }
}

/// Where the file stands among the data of an `SSL_CTX`.
fn index() -> c_int {
    static INDEX: OnceLock<c_int> = OnceLock::new();
    // SAFETY: OpenSSL asks for no argument and gets no callback.
    *INDEX.get_or_init(|| unsafe {
        CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_SSL_CTX as c_int, 0, ptr::null_mut(), None, None, None)
    })
}

unsafe extern "C" fn write(ssl: *const SSL, line: *const c_char) {
    // SAFETY: OpenSSL passes a live connection and a line without its end; the data is what `open` has set.
    let _ = guarded(|| unsafe {
        let log = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), index()).cast::<KeyLog>().as_ref()?;
        let line = [CStr::from_ptr(line).to_bytes(), b"\n"].concat();
        if let Err(error) = (&log.0).write_all(&line) {
            log_cycle(Level::Alert, format!("write() to the file of lua_ssl_key_log failed ({error})").as_bytes());
        }
        Some(())
    });
}
