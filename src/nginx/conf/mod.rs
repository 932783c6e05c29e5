//! The configuration while nginx reads it: arguments, raw blocks, prefix, and errors with file and line.

pub(super) mod define;
pub(super) mod directive;
pub(super) mod inner;
pub(super) mod known_variables;
pub(super) mod set_variable;
pub(super) mod settings;

use std::ffi::{c_char, c_void};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ngx::core::NGX_CONF_ERROR;
use ngx::ffi::*;

use crate::nginx::entry::content_handler;
use crate::nginx::export::{Configuration, ctx_index, is_installed};
use crate::nginx::log::{Level, escape_percent};
use crate::nginx::value::bytes;

/// What nginx lends to a directive handler.
pub struct Conf(*mut ngx_conf_t);

impl Conf {
    /// # Safety
    /// `cf` must stay valid as long as the result is used.
    pub(in crate::nginx) unsafe fn from_raw(cf: *mut ngx_conf_t) -> Self {
        Self(cf)
    }

    pub(in crate::nginx) fn as_ptr(&self) -> *mut ngx_conf_t {
        self.0
    }

    /// The directive's arguments, its name not counted.
    pub fn args(&self) -> Vec<&[u8]> {
        // SAFETY: nginx holds the words of the directive in an array of strings for the time of the call.
        unsafe {
            let words = (*(*self.0).args).as_slice::<ngx_str_t>();
            words.iter().skip(1).map(|word| bytes(word)).collect()
        }
    }

    /// The one argument of a directive that takes one.
    pub fn arg(&self) -> &[u8] {
        self.args().first().copied().unwrap_or_default()
    }

    /// The one argument as a size (`32m`, `1g`), in bytes. None where it is none.
    pub fn size(&self) -> Option<usize> {
        self.size_of(self.arg())
    }

    /// An argument as a size, as [`Conf::size`] reads it.
    pub fn size_of(&self, argument: &[u8]) -> Option<usize> {
        let mut text = ngx_str_t { len: argument.len(), data: argument.as_ptr().cast_mut() };
        // SAFETY: nginx only reads the text. Its `ngx_parse_size` knows no `g`.
        usize::try_from(unsafe { ngx_parse_offset(&raw mut text) }).ok()
    }

    /// The one argument as a time (`50ms`, `1m30s`; seconds where it has no unit). None where it is none.
    pub fn time(&self) -> Option<Duration> {
        let mut text = ngx_str_t { len: self.arg().len(), data: self.arg().as_ptr().cast_mut() };
        // SAFETY: nginx only reads the text; 0 asks for milliseconds.
        let milliseconds = unsafe { ngx_parse_time(&raw mut text, 0) };
        u64::try_from(milliseconds).ok().map(Duration::from_millis)
    }

    /// The name of the directive.
    pub fn name(&self) -> String {
        // SAFETY: as in `args`.
        unsafe {
            let words = (*(*self.0).args).as_slice::<ngx_str_t>();
            words.first().map_or_else(String::new, |word| String::from_utf8_lossy(bytes(word)).into_owned())
        }
    }

    /// The file that is being read.
    pub fn file(&self) -> String {
        // SAFETY: nginx reads from a file or, with `-g`, from a parameter whose file name is empty.
        unsafe {
            match (*self.0).conf_file.as_ref() {
                Some(file) => String::from_utf8_lossy(bytes(&file.file.name)).into_owned(),
                None => String::new(),
            }
        }
    }

    /// The line that is being read, from 1.
    pub fn line(&self) -> usize {
        // SAFETY: as in `file`.
        unsafe { (*self.0).conf_file.as_ref().map_or(0, |file| file.line) }
    }

    /// `file:line` of what is being read, for errors that are only found out later.
    pub fn place(&self) -> String {
        format!("{}:{}", self.file(), self.line())
    }

    /// A path of the configuration, made absolute by nginx's prefix (`-p`), as upstream does with Lua files.
    pub fn absolute(&self, path: &[u8]) -> PathBuf {
        use std::os::unix::ffi::OsStrExt;
        prefix().join(Path::new(std::ffi::OsStr::from_bytes(path)))
    }

    /// Copies text into the configuration's pool, with a NUL behind it.
    pub(in crate::nginx) fn copy(&self, text: &[u8]) -> Result<ngx_str_t, String> {
        // SAFETY: the pool lives as long as the cycle; the length is checked by the allocation.
        unsafe {
            let data: *mut u_char = ngx_pnalloc((*self.0).pool, text.len() + 1).cast();
            if data.is_null() {
                return Err("out of memory".into());
            }
            std::ptr::copy_nonoverlapping(text.as_ptr(), data, text.len());
            *data.add(text.len()) = 0;
            Ok(ngx_str_t { len: text.len(), data })
        }
    }

    /// Keeps a value as long as the configuration.
    pub(in crate::nginx) fn keep<T>(&self, value: T) -> Result<*mut T, String> {
        unsafe extern "C" fn drop_kept<T>(data: *mut c_void) {
            // SAFETY: `data` is the box that `keep` has leaked into this cleanup, which runs once.
            drop(unsafe { Box::from_raw(data.cast::<T>()) });
        }
        // SAFETY: the pool lives as long as the cycle.
        unsafe {
            let cleanup = ngx_pool_cleanup_add((*self.0).pool, 0).as_mut().ok_or("out of memory")?;
            let kept = Box::into_raw(Box::new(value));
            cleanup.handler = Some(drop_kept::<T>);
            cleanup.data = kept.cast();
            Ok(kept)
        }
    }

    /// The module's configuration of the `http` block.
    pub fn main_conf<C: Configuration>(&mut self) -> &mut C::Main {
        debug_assert!(is_installed::<C>());
        // SAFETY: inside http `cf->ctx` is an http context whose slot `Glue::create` filled; directives that hold
        // the main configuration itself do not ask for it again.
        unsafe {
            let http = (*self.0).ctx.cast::<ngx_http_conf_ctx_t>();
            &mut *(*(*http).main_conf.add(ctx_index())).cast()
        }
    }

    /// The module's configuration of the `http` block for what belongs to no server. In postconfiguration.
    pub fn http_loc_conf<C: Configuration>(&mut self) -> &mut C::Loc {
        debug_assert!(is_installed::<C>());
        // SAFETY: as in `main_conf`; in postconfiguration the context is that of the http block.
        unsafe {
            let http = (*self.0).ctx.cast::<ngx_http_conf_ctx_t>();
            &mut *(*(*http).loc_conf.add(ctx_index())).cast()
        }
    }

    /// The regular expression of the enclosing location; none where it has none.
    pub fn location_regex(&self) -> Option<String> {
        // SAFETY: as in `set_content_handler`; nginx has compiled the location's expression before its block is read.
        unsafe {
            let http = (*self.0).ctx.cast::<ngx_http_conf_ctx_t>();
            let core = (*(*http).loc_conf.add(ngx_http_core_module.ctx_index)).cast::<ngx_http_core_loc_conf_t>();
            let regex = (*core).regex.as_ref()?;
            Some(String::from_utf8_lossy(bytes(&regex.name)).into_owned())
        }
    }

    /// Makes the enclosing location answer by our content handler.
    pub fn set_content_handler(&mut self) {
        // SAFETY: inside a location `cf->ctx` is the http context whose loc_conf holds the core module's.
        unsafe {
            let http = (*self.0).ctx.cast::<ngx_http_conf_ctx_t>();
            let core = (*(*http).loc_conf.add(ngx_http_core_module.ctx_index)).cast::<ngx_http_core_loc_conf_t>();
            (*core).handler = Some(content_handler);
        }
    }

    /// Makes a `limit_except` block that inherits our content handler use it: nginx hands a handler down to `if`
    /// blocks only. Elsewhere it does nothing. For the time of a merge.
    pub fn inherit_content_handler(&mut self) {
        // SAFETY: while locations are merged `cf->ctx` holds the loc_conf of the child.
        unsafe {
            let http = (*self.0).ctx.cast::<ngx_http_conf_ctx_t>();
            let core = (*(*http).loc_conf.add(ngx_http_core_module.ctx_index)).cast::<ngx_http_core_loc_conf_t>();
            if (*core).lmt_excpt() != 0 && (*core).handler.is_none() {
                (*core).handler = Some(content_handler);
            }
        }
    }

    /// Takes the text up to the `}` that ends the block which the directive has just opened.
    ///
    /// nginx's own tokeniser would unescape the text, so it is read from the file as it is; `end` finds the brace:
    /// given all the rest of the file it returns the offset of the `}`. nginx goes on behind it.
    ///
    /// # Errors
    /// What `end` returns, or that the file cannot be read.
    pub fn take_block(&mut self, end: impl FnOnce(&[u8]) -> Result<usize, String>) -> Result<Vec<u8>, String> {
        // SAFETY: while a directive is handled `conf_file->buffer` holds what was read but not yet parsed, and
        // `file.offset` is where nginx would read on (`ngx_conf_read_token`).
        unsafe {
            let file = (*self.0).conf_file.as_mut().ok_or("a block needs a configuration file")?;
            let buffer = &mut *file.buffer;
            let buffered = buffer.last.offset_from(buffer.pos) as usize;
            let mut rest = std::slice::from_raw_parts(buffer.pos, buffered).to_vec();
            if file.file.fd >= 0 {
                read_rest(file.file.fd, file.file.offset, &mut rest).map_err(|error| error.to_string())?;
            }
            let length = end(&rest)?;
            file.line += rest[..=length].iter().filter(|&&byte| byte == b'\n').count();
            if length < buffered {
                buffer.pos = buffer.pos.add(length + 1);
            } else {
                file.file.offset += (length + 1 - buffered) as off_t;
                buffer.pos = buffer.start;
                buffer.last = buffer.start;
            }
            rest.truncate(length);
            Ok(rest)
        }
    }

    /// Logs an error with the file and line that are being read.
    pub fn error(&self, text: &str) {
        self.log(Level::Emerg, text);
    }

    /// Logs an alert with the file and line that are being read.
    pub fn alert(&self, text: &str) {
        self.log(Level::Alert, text);
    }

    /// Logs a warning with the file and line that are being read.
    pub fn warn(&self, text: &str) {
        self.log(Level::Warn, text);
    }

    /// Logs the error of a directive and returns what makes nginx refuse the configuration.
    pub(in crate::nginx) fn fail(&self, text: &str) -> *mut c_char {
        self.error(text);
        NGX_CONF_ERROR as *mut c_char
    }

    fn log(&self, level: Level, text: &str) {
        let text = escape_percent(text.as_bytes());
        // SAFETY: the format is our text with every `%` doubled and a NUL behind it; it takes no argument.
        unsafe { ngx_conf_log_error(level as ngx_uint_t, self.0, 0, text.as_ptr().cast()) }
    }
}

/// nginx's prefix (`-p`), as a directory.
pub fn prefix() -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    // SAFETY: `ngx_cycle` is set before any configuration is read and holds the prefix for the cycle's life.
    let prefix = unsafe { bytes(&(*ngx_cycle).prefix) };
    PathBuf::from(std::ffi::OsStr::from_bytes(prefix))
}

/// Appends what a file holds from `offset` on, without moving its position.
fn read_rest(fd: i32, offset: off_t, into: &mut Vec<u8>) -> std::io::Result<()> {
    use std::os::fd::BorrowedFd;
    // SAFETY: nginx keeps the file open while it handles the directive.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    let mut at = offset as u64;
    let mut block = [0; 16384];
    loop {
        let read = rustix::io::pread(fd, &mut block, at)?;
        if read == 0 {
            return Ok(());
        }
        into.extend_from_slice(&block[..read]);
        at += read as u64;
    }
}
