//! A request's body that Lua puts in the place of the client's: all at once, from a file, or piece by piece.

use std::cell::RefCell;
use std::ffi::{CStr, c_void};
use std::fmt;
use std::ptr;

use ngx::ffi::*;

use crate::nginx::request::Request;
use crate::nginx::request::state::State;
use crate::nginx::response::header_list::HeaderChange;

/// Why a body was not replaced, in upstream's words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BodyError {
    /// Before the client's own was read.
    NotRead,
    /// A piece without a beginning.
    NotBegun,
    /// The file cannot be used: the call that failed and the file's name.
    File(String),
    /// A temporary file cannot be written; nginx has logged why.
    Write,
    /// Memory ran out.
    Memory,
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotRead => "request body not read yet",
            Self::NotBegun => "request_body not initialized",
            Self::File(text) => text,
            Self::Write => "failed to write the request body to a temporary file",
            Self::Memory => "no memory",
        })
    }
}

/// A body of which pieces are still to come.
struct Begun {
    /// What is not in the file yet.
    memory: Vec<u8>,
    /// How much stays in memory, bytes.
    room: usize,
    /// What went beyond that, in the request's pool; null while nothing has.
    file: *mut ngx_temp_file_t,
}

/// The body that Lua is putting together, if any.
#[derive(Default)]
pub(in crate::nginx) struct BodyWritten(RefCell<Option<Begun>>);

/// What an emptied body says in the log when it goes into a file: nginx's own words for it.
const WARNING: &CStr = c"a client request body is buffered to a temporary file";

impl Request {
    /// Replaces the body by `text`, in memory.
    pub fn set_body(&self, text: &[u8]) -> Result<(), BodyError> {
        self.empty_body()?;
        self.put_in_memory(text)?;
        self.set_body_length(text.len())
    }

    /// Replaces the body by the contents of a file, which is opened at once. `remove`: nginx removes it with the
    /// request.
    pub fn set_body_file(&self, path: &[u8], remove: bool) -> Result<(), BodyError> {
        self.body_to_replace()?;
        let name = self.c_string(path)?;
        let opened = self.open_file(name, path)?;
        self.empty_body()?;
        let length = opened.size;
        let file = self.temp_file()?;
        // SAFETY: the file was allocated just now; the name lies in the request's pool, which closes the descriptor.
        unsafe {
            (*file).file.fd = opened.fd;
            (*file).file.name = name;
            (*file).offset = length;
            if remove {
                self.remove_with_request(file)?;
            }
        }
        self.put_file(file)?;
        self.set_body_length(usize::try_from(length).unwrap_or_default())
    }

    /// Begins a new body of pieces. What goes beyond `room` bytes, or where None is given beyond
    /// `client_body_buffer_size`, is kept in a temporary file.
    pub fn begin_body(&self, room: Option<usize>) -> Result<(), BodyError> {
        let state = self.state_or_new().ok_or(BodyError::Memory)?;
        self.empty_body()?;
        // SAFETY: the core module's configuration of the location.
        let usual = unsafe { (*self.core_conf()).client_body_buffer_size };
        let room = room.unwrap_or(usual);
        state.body_written.0.replace(Some(Begun { memory: Vec::new(), room, file: ptr::null_mut() }));
        Ok(())
    }

    /// Adds a piece to the body that was begun.
    pub fn append_body(&self, text: &[u8]) -> Result<(), BodyError> {
        let written = self.written()?;
        let mut begun = written.0.borrow_mut();
        let begun = begun.as_mut().ok_or(BodyError::NotBegun)?;
        if text.len() > begun.room.saturating_sub(begun.memory.len()) {
            if begun.file.is_null() {
                begun.file = self.temp_file()?;
                self.put_file(begun.file)?;
            }
            self.write(begun.file, &begun.memory)?;
            begun.memory.clear();
            if text.len() > begun.room {
                return self.write(begun.file, text);
            }
        }
        begun.memory.try_reserve(text.len()).map_err(|_| BodyError::Memory)?;
        begun.memory.extend_from_slice(text);
        Ok(())
    }

    /// Makes the pieces the request's body. More of them may follow, and be made the body again.
    pub fn finish_body(&self) -> Result<(), BodyError> {
        let written = self.written()?;
        let mut begun = written.0.borrow_mut();
        let begun = begun.as_mut().ok_or(BodyError::NotBegun)?;
        if begun.file.is_null() {
            self.put_in_memory(&begun.memory)?;
            return self.set_body_length(begun.memory.len());
        }
        self.write(begun.file, &begun.memory)?;
        begun.memory.clear();
        self.put_file(begun.file)?;
        // SAFETY: the file lives in the request's pool.
        let length = unsafe { (*begun.file).offset };
        self.set_body_length(usize::try_from(length).unwrap_or_default())
    }

    fn written(&self) -> Result<&BodyWritten, BodyError> {
        self.state().map(|state: &State| &state.body_written).ok_or(BodyError::NotBegun)
    }

    /// The body that may be replaced: one that was read, and not the parent's, which a subrequest shares.
    fn body_to_replace(&self) -> Result<*mut ngx_http_request_body_t, BodyError> {
        // SAFETY: a live request; a parent lives at least as long; the allocation is checked.
        unsafe {
            let r = self.as_ptr();
            let body = (*r).request_body;
            if body.is_null() || ((*r).reading_body() != 0 && !self.streams_body()) {
                return Err(BodyError::NotRead);
            }
            if (*r).parent.is_null() || (*(*r).parent).request_body != body {
                return Ok(body);
            }
            let own: *mut ngx_http_request_body_t = ngx_pcalloc(self.pool(), size_of_val(&*body)).cast();
            if own.is_null() {
                return Err(BodyError::Memory);
            }
            (*r).request_body = own;
            Ok(own)
        }
    }

    /// Takes away the body that there is. A file that was to be removed is, but stays open as long as the request: a
    /// subrequest may still send it, as it may what lies in memory.
    fn empty_body(&self) -> Result<(), BodyError> {
        let body = self.body_to_replace()?;
        // SAFETY: a live request's own body.
        unsafe {
            if let Some(file) = (*body).temp_file.as_ref() {
                self.remove_early(file);
            }
            (*body).bufs = ptr::null_mut();
            (*body).buf = ptr::null_mut();
            (*body).temp_file = ptr::null_mut();
        }
        if let Some(state) = self.state() {
            state.body_written.0.take();
        }
        Ok(())
    }

    fn put_in_memory(&self, text: &[u8]) -> Result<(), BodyError> {
        let body = self.body_to_replace()?;
        // SAFETY: allocations are checked, and the buffer has room for the text.
        unsafe {
            (*body).temp_file = ptr::null_mut();
            (*body).bufs = ptr::null_mut();
            if text.is_empty() {
                return Ok(());
            }
            (*body).bufs = self.body_link(text).ok_or(BodyError::Memory)?;
        }
        Ok(())
    }

    /// Makes what was written to a file so far the body.
    fn put_file(&self, file: *mut ngx_temp_file_t) -> Result<(), BodyError> {
        let body = self.body_to_replace()?;
        // SAFETY: the file lives in the request's pool; the allocation is checked.
        unsafe {
            (*body).temp_file = file;
            (*body).bufs = ptr::null_mut();
            // The filters take a buffer without bytes for a mistake.
            if (*file).offset == 0 {
                return Ok(());
            }
            let buffer: *mut ngx_buf_t = ngx_pcalloc(self.pool(), size_of::<ngx_buf_t>()).cast();
            if buffer.is_null() {
                return Err(BodyError::Memory);
            }
            (*buffer).set_in_file(1);
            (*buffer).file = &raw mut (*file).file;
            (*buffer).file_last = (*file).offset;
            (*body).bufs = self.link(buffer).ok_or(BodyError::Memory)?;
        }
        Ok(())
    }

    /// A link of a chain with a copy of a text. None where memory ran out.
    pub(in crate::nginx) fn body_link(&self, text: &[u8]) -> Option<*mut ngx_chain_t> {
        // SAFETY: a live pool; the buffer is checked and has room for the text.
        unsafe {
            let buffer = ngx_create_temp_buf(self.pool(), text.len());
            let into = buffer.as_mut()?;
            ptr::copy_nonoverlapping(text.as_ptr(), into.pos, text.len());
            into.last = into.pos.add(text.len());
            self.link(buffer)
        }
    }

    fn link(&self, buffer: *mut ngx_buf_t) -> Option<*mut ngx_chain_t> {
        // SAFETY: a live pool; the link is checked.
        unsafe {
            let link = ngx_alloc_chain_link(self.pool());
            *link.as_mut()? = ngx_chain_t { buf: buffer, next: ptr::null_mut() };
            Some(link)
        }
    }

    /// Tells nginx, and the headers, how long the body is.
    fn set_body_length(&self, length: usize) -> Result<(), BodyError> {
        match self.set_request_header(b"Content-Length", length.to_string().as_bytes(), false) {
            HeaderChange::Done => Ok(()),
            HeaderChange::Sent | HeaderChange::Failed => Err(BodyError::Memory),
        }
    }

    /// A file as nginx's own bodies have them: made when something is written to it, and removed with the request.
    fn temp_file(&self) -> Result<*mut ngx_temp_file_t, BodyError> {
        // SAFETY: the allocation is checked; path and log outlive the request.
        unsafe {
            let r = self.as_ptr();
            let file: *mut ngx_temp_file_t = ngx_pcalloc(self.pool(), size_of::<ngx_temp_file_t>()).cast();
            if file.is_null() {
                return Err(BodyError::Memory);
            }
            (*file).file.fd = NGX_INVALID_FILE;
            (*file).file.log = (*(*r).connection).log;
            (*file).path = (*self.core_conf()).client_body_temp_path;
            (*file).pool = self.pool();
            (*file).warn = WARNING.as_ptr().cast_mut();
            (*file).set_log_level((*r).request_body_file_log_level());
            (*file).set_persistent(1);
            (*file).set_clean(1);
            if (*r).request_body_file_group_access() != 0 {
                (*file).access = 0o660;
            }
            Ok(file)
        }
    }

    fn write(&self, file: *mut ngx_temp_file_t, text: &[u8]) -> Result<(), BodyError> {
        if text.is_empty() {
            return Ok(());
        }
        // SAFETY: nginx reads the buffer's bytes during the call only; the file lives in the request's pool.
        unsafe {
            let mut buffer: ngx_buf_t = std::mem::zeroed();
            buffer.start = text.as_ptr().cast_mut();
            buffer.pos = buffer.start;
            buffer.last = buffer.pos.add(text.len());
            buffer.end = buffer.last;
            buffer.set_memory(1);
            let mut link = ngx_chain_t { buf: &raw mut buffer, next: ptr::null_mut() };
            let written = ngx_write_chain_to_temp_file(file, &raw mut link);
            if written < 0 {
                return Err(BodyError::Write);
            }
            (*file).offset += written as off_t;
        }
        Ok(())
    }

    /// A copy of the text in the pool, ended by a NUL that is not counted.
    fn c_string(&self, text: &[u8]) -> Result<ngx_str_t, BodyError> {
        let copy = self.copy(&[text, b"\0"].concat()).ok_or(BodyError::Memory)?;
        Ok(ngx_str_t { len: text.len(), data: copy.as_ptr().cast_mut() })
    }

    /// Opens a file for reading, by the location's cache of open files where it has one.
    fn open_file(&self, mut name: ngx_str_t, path: &[u8]) -> Result<ngx_open_file_info_t, BodyError> {
        let failed = |call: &str| BodyError::File(format!("{call} \"{}\" failed", String::from_utf8_lossy(path)));
        // SAFETY: zero is what nginx's callers begin with; nginx only looks at the name, and the pool closes the file.
        unsafe {
            let conf = self.core_conf();
            let mut opened: ngx_open_file_info_t = std::mem::zeroed();
            opened.directio = NGX_OPEN_FILE_DIRECTIO_OFF as off_t;
            // Looked at before it is opened.
            opened.set_test_dir(1);
            opened.valid = (*conf).open_file_cache_valid;
            opened.min_uses = (*conf).open_file_cache_min_uses;
            opened.set_errors((*conf).open_file_cache_errors as u32);
            opened.set_events((*conf).open_file_cache_events as u32);
            if path.contains(&0) {
                return Err(failed("open()"));
            }
            let rc = ngx_open_cached_file((*conf).open_file_cache, &raw mut name, &raw mut opened, self.pool());
            if rc != NGX_OK as ngx_int_t {
                let call = if opened.failed.is_null() { c"open()" } else { CStr::from_ptr(opened.failed) };
                return Err(failed(&call.to_string_lossy()));
            }
            // A directory or a FIFO has no length that could be promised.
            if opened.is_file() == 0 { Err(failed("open()")) } else { Ok(opened) }
        }
    }

    /// Removes a file when the request's pool goes. Closing it is for what has opened it.
    ///
    /// # Safety
    /// The file's name must end in a NUL.
    unsafe fn remove_with_request(&self, file: *const ngx_temp_file_t) -> Result<(), BodyError> {
        // SAFETY: by this function's contract; the cleanup is checked.
        unsafe {
            let cleanup = ngx_pool_cleanup_add(self.pool(), 0).as_mut().ok_or(BodyError::Memory)?;
            cleanup.data = (*file).file.name.data.cast();
            cleanup.handler = Some(REMOVE);
        }
        Ok(())
    }

    /// Removes a file that is to be removed with the request.
    fn remove_early(&self, file: &ngx_temp_file_t) {
        // SAFETY: the pool's cleanups; those with our handler have a file's name.
        unsafe {
            let mut cleanup = (*self.pool()).cleanup;
            while let Some(entry) = cleanup.as_mut() {
                if entry.data == file.file.name.data.cast()
                    && entry.handler.is_some_and(|handler| ptr::fn_addr_eq(handler, REMOVE))
                {
                    entry.handler = None;
                    remove(entry.data);
                }
                cleanup = entry.next;
            }
        }
    }
}

/// The one address of [`remove`], by which a cleanup is told to be ours.
static REMOVE: unsafe extern "C" fn(*mut c_void) = remove;

unsafe extern "C" fn remove(name: *mut c_void) {
    // SAFETY: the name ends in a NUL and lies in the pool, whose cleanups run before it is freed. That the file is gone
    // already is no matter.
    let _ = unsafe { libc::unlink(name.cast()) };
}
