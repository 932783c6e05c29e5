//! nginx's error log.

pub(super) mod capture;
pub(super) mod captured;
pub(super) mod kept;

use std::ffi::c_char;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

use ngx::ffi::*;

use crate::nginx::request::Request;

/// nginx's log levels, under ngx.log's names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(usize)]
pub enum Level {
    /// to standard error
    Stderr = 0,
    /// emergency
    Emerg = 1,
    /// alert
    Alert = 2,
    /// critical
    Crit = 3,
    /// error
    Err = 4,
    /// warning
    Warn = 5,
    /// notice
    Notice = 6,
    /// information
    Info = 7,
    /// debug
    Debug = 8,
}

impl Level {
    /// The level of ngx.log's number; none where there is no such level.
    pub fn from_number(number: i64) -> Option<Self> {
        use Level::*;
        [Stderr, Emerg, Alert, Crit, Err, Warn, Notice, Info, Debug].get(usize::try_from(number).ok()?).copied()
    }
}

/// The log of the cycle that is being installed. Until that is done `ngx_cycle` is the one before or, at the start, one
/// that writes to standard error.
static INSTALLING: AtomicPtr<ngx_log_t> = AtomicPtr::new(null_mut());

/// Makes a new cycle's log the one of [`Log::cycle`] while `call` runs.
///
/// # Safety
/// The log must be valid until `call` returns.
pub(in crate::nginx) unsafe fn while_installing<T>(log: *mut ngx_log_t, call: impl FnOnce() -> T) -> T {
    INSTALLING.store(log, Ordering::Relaxed);
    let result = call();
    INSTALLING.store(null_mut(), Ordering::Relaxed);
    result
}

/// A log that lines can be written to.
pub struct Log(*mut ngx_log_t);

impl Log {
    /// The log of a request's connection: nginx appends client, server and request to each line.
    pub fn of(request: &Request) -> Self {
        // SAFETY: a request's connection and its log outlive the request.
        Self(unsafe { (*(*request.as_ptr()).connection).log })
    }

    /// # Safety
    /// The log must be valid as long as the result is used.
    pub(in crate::nginx) unsafe fn from_raw(log: *mut ngx_log_t) -> Self {
        Self(log)
    }

    /// The log of the cycle.
    pub fn cycle() -> Self {
        let installing = INSTALLING.load(Ordering::Relaxed);
        if !installing.is_null() {
            return Self(installing);
        }
        // SAFETY: `ngx_cycle` is set before the module is loaded.
        Self(unsafe { (*ngx_cycle).log })
    }

    /// The number of the level up to which lines are written.
    pub fn level(&self) -> usize {
        // SAFETY: the log is valid by construction. The bits above the levels are single debug facilities.
        unsafe { (*self.0).log_level }.min(Level::Debug as usize)
    }

    /// Says whether a line of `level` would be written.
    pub fn enabled(&self, level: Level) -> bool {
        // SAFETY: the log is valid by construction.
        let limit = unsafe { (*self.0).log_level };
        // NGX_LOG_DEBUG is 8; the bits above it are single debug facilities.
        (level as usize) <= limit || (level == Level::Debug && limit & NGX_LOG_DEBUG_HTTP as usize != 0)
    }

    /// Writes a line for those who debug; `text` is asked for it only where it would be written.
    pub fn debug(&self, text: impl FnOnce() -> String) {
        if self.enabled(Level::Debug) {
            self.write(Level::Debug, text().as_bytes());
        }
    }

    /// Writes a line, cut by nginx at 2048 bytes.
    pub fn write(&self, level: Level, text: &[u8]) {
        if !self.enabled(level) {
            return;
        }
        let text = ngx_str_t { len: text.len(), data: text.as_ptr().cast_mut() };
        // SAFETY: `%V` takes a pointer to an nginx string.
        unsafe { ngx_log_error_core(level as ngx_uint_t, self.0, 0, c"%V".as_ptr(), &raw const text) }
    }
}

/// Writes a line to the log of the cycle.
pub fn log_cycle(level: Level, text: &[u8]) {
    Log::cycle().write(level, text);
}

/// Text for a function that takes an nginx format: `%` doubled, NUL-terminated.
pub(in crate::nginx) fn escape_percent(text: &[u8]) -> Vec<c_char> {
    let mut escaped = Vec::with_capacity(text.len() + 1);
    for &byte in text {
        if byte == 0 {
            break;
        }
        escaped.push(byte as c_char);
        if byte == b'%' {
            escaped.push(byte as c_char);
        }
    }
    escaped.push(0);
    escaped
}
