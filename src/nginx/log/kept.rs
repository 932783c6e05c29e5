//! A log whose text is kept: for errors of nginx's own functions that are logged with what else is known of them.

use std::mem::MaybeUninit;

use ngx::ffi::*;

use crate::nginx::log::Level;

/// Calls with a log, which is valid for that time, and returns what was written to it: without times and levels, one
/// line behind the other.
pub(in crate::nginx) fn keeping_text<T>(call: impl FnOnce(*mut ngx_log_t) -> T) -> (T, String) {
    let mut text: Vec<u8> = Vec::new();
    // SAFETY: all-zero is what nginx's ngx_pcalloc leaves in a log; text and log outlive the call.
    let result = unsafe {
        let mut log: ngx_log_t = MaybeUninit::zeroed().assume_init();
        log.log_level = Level::Warn as ngx_uint_t;
        log.writer = Some(write);
        log.wdata = (&raw mut text).cast();
        call(&raw mut log)
    };
    (result, String::from_utf8_lossy(&text).into_owned())
}

unsafe extern "C" fn write(log: *mut ngx_log_t, _: ngx_uint_t, line: *mut u_char, length: usize) {
    // SAFETY: nginx passes the log of `keeping_text`, and lends the line.
    let (text, line) = unsafe { (&mut *(*log).wdata.cast::<Vec<u8>>(), std::slice::from_raw_parts(line, length)) };
    if !text.is_empty() {
        text.push(b' ');
    }
    text.extend_from_slice(message(line).trim_ascii());
}

/// What stands behind the time, the level and the process.
fn message(line: &[u8]) -> &[u8] {
    line.windows(2).position(|pair| pair == b": ").map_or(line, |at| &line[at + 2..])
}

#[cfg(test)]
mod tests {
    use super::message;

    #[test]
    fn what_a_line_says() {
        for (line, want) in [
            ("2026/11/23 21:24:12 [emerg] 31#31: open() \"a: b\" failed\n", "open() \"a: b\" failed\n"),
            ("nothing\n", "nothing\n"),
            ("", ""),
        ] {
            assert_eq!(message(line.as_bytes()), want.as_bytes(), "{line:?}");
        }
    }
}
