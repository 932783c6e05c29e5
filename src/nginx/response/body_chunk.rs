//! A part of a response's body on its way through the filters: what `ngx.arg` shows in `body_filter_by_lua*`.

use std::marker::PhantomData;
use std::ptr;

use ngx::ffi::*;

use crate::nginx::export::ctx_index;
use crate::nginx::request::Request;
use crate::nginx::response::filter::next_body;

/// What the filters before have put out, and what takes its place.
pub struct BodyChunk {
    chain: *mut ngx_chain_t,
    /// The text where it lies in several buffers, once it was asked for.
    joined: Vec<u8>,
    /// What Lua has put in place of the text; None: nothing so far.
    text: Option<Vec<u8>>,
    /// What Lua has said of the end; None: nothing so far.
    last: Option<bool>,
}

impl BodyChunk {
    pub(in crate::nginx) fn new(chain: *mut ngx_chain_t) -> Self {
        Self { chain, joined: Vec::new(), text: None, last: None }
    }

    /// All of its text.
    pub fn text(&mut self) -> &[u8] {
        if let Some(text) = &self.text {
            return text;
        }
        let mut pieces = self.buffers().map(memory).filter(|piece| !piece.is_empty());
        match (pieces.next(), pieces.next()) {
            (None, _) => &[],
            (Some(only), None) => only,
            (Some(first), Some(second)) => {
                self.joined = [first, second].into_iter().chain(pieces).collect::<Vec<_>>().concat();
                &self.joined
            }
        }
    }

    /// Puts `text` in its place.
    pub fn set_text(&mut self, text: &[u8]) {
        self.text = Some(text.to_vec());
    }

    /// Says whether it is the last of the response (of the subrequest).
    pub fn is_last(&self) -> bool {
        self.last.unwrap_or_else(|| self.buffers().any(|buffer| buffer.last_buf() != 0 || buffer.last_in_chain() != 0))
    }

    /// Makes it the last, or not.
    pub fn set_last(&mut self, last: bool) {
        self.last = Some(last);
    }

    /// Takes away what the filters before have put out after the end.
    pub fn drop_all(&mut self) {
        self.text = Some(Vec::new());
        self.last = Some(false);
    }

    fn buffers<'c>(&self) -> Buffers<'c> {
        Buffers(self.chain, PhantomData)
    }

    /// Hands it to the filters that come after, unchanged or as Lua has left it.
    pub(in crate::nginx) fn pass_on(self, request: &Request) -> ngx_int_t {
        let r = request.as_ptr();
        if self.text.is_none() && self.last.is_none() {
            return next_body(r, self.chain);
        }
        // Where nothing is left to send, what the filters after hold back goes on.
        self.rebuilt(request).map_or(NGX_ERROR as _, |chain| next_body(r, chain))
    }

    /// The chain that takes its place, null where that is empty. None where memory ran out.
    fn rebuilt(&self, request: &Request) -> Option<*mut ngx_chain_t> {
        let flush = self.buffers().any(|buffer| buffer.flush() != 0);
        let last = self.is_last();
        let Some(text) = &self.text else {
            self.mark_last(request, last);
            return Some(self.chain);
        };
        // SAFETY: what was there is consumed, as each filter does with what it does not pass on.
        unsafe {
            let mut link = self.chain;
            while let Some(entry) = link.as_ref() {
                (*entry.buf).pos = (*entry.buf).last;
                (*entry.buf).file_pos = (*entry.buf).file_last;
                link = entry.next;
            }
        }
        if text.is_empty() && !last && !flush {
            return Some(ptr::null_mut());
        }
        let copy = request.copy(text)?;
        // SAFETY: allocations from the request's pool are checked; the copy lives in the same pool.
        unsafe {
            let pool = (*request.as_ptr()).pool;
            let link = ngx_alloc_chain_link(pool);
            let buffer: *mut ngx_buf_t = ngx_pcalloc(pool, size_of::<ngx_buf_t>()).cast();
            if link.is_null() || buffer.is_null() {
                return None;
            }
            if !copy.is_empty() {
                (*buffer).pos = copy.as_ptr().cast_mut();
                (*buffer).last = (*buffer).pos.add(copy.len());
                (*buffer).start = (*buffer).pos;
                (*buffer).end = (*buffer).last;
                // Filters after us may change it in place.
                (*buffer).set_temporary(1);
            }
            (*buffer).tag = ctx_index() as ngx_buf_tag_t;
            (*buffer).set_flush(u32::from(flush));
            set_last(buffer, request, last);
            (*link).buf = buffer;
            (*link).next = ptr::null_mut();
            Some(link)
        }
    }

    /// Moves the mark of the end onto its last buffer, or takes it away.
    fn mark_last(&self, request: &Request, last: bool) {
        // SAFETY: the chain is valid as long as the filter runs.
        unsafe {
            let mut link = self.chain;
            while let Some(entry) = link.as_ref() {
                let is_end = entry.next.is_null();
                set_last(entry.buf, request, last && is_end);
                // An empty buffer without a mark would be taken for a mistake by the write filter.
                let buffer = &mut *entry.buf;
                if !(last && is_end) && memory(buffer).is_empty() && buffer.in_file() == 0 && buffer.flush() == 0 {
                    buffer.set_sync(1);
                }
                link = entry.next;
            }
        }
    }
}

/// The buffers of a chain that is valid as long as the filter runs.
struct Buffers<'c>(*mut ngx_chain_t, PhantomData<&'c ngx_buf_t>);

impl<'c> Iterator for Buffers<'c> {
    type Item = &'c ngx_buf_t;

    fn next(&mut self) -> Option<&'c ngx_buf_t> {
        // SAFETY: by the type's contract; each link has a buffer.
        unsafe {
            let entry = self.0.as_ref()?;
            self.0 = entry.next;
            Some(&*entry.buf)
        }
    }
}

/// # Safety
/// `buffer` must be valid.
unsafe fn set_last(buffer: *mut ngx_buf_t, request: &Request, last: bool) {
    // SAFETY: by this function's contract.
    unsafe {
        (*buffer).set_last_buf(u32::from(last && !request.is_subrequest()));
        (*buffer).set_last_in_chain(u32::from(last));
    }
}

/// The part of a buffer that is in memory.
pub(in crate::nginx) fn memory(buffer: &ngx_buf_t) -> &[u8] {
    let in_memory = buffer.temporary() != 0 || buffer.memory() != 0 || buffer.mmap() != 0;
    if !in_memory || buffer.pos >= buffer.last {
        return &[];
    }
    // SAFETY: a buffer in memory holds `pos..last`.
    unsafe { std::slice::from_raw_parts(buffer.pos, buffer.last.offset_from(buffer.pos) as usize) }
}

impl Request {
    /// Shows `chunk` to [`Request::body_chunk`] while `call` runs. None where memory ran out.
    pub fn filtering<T>(&self, chunk: &mut BodyChunk, call: impl FnOnce() -> T) -> Option<T> {
        let state = self.state_or_new()?;
        let before = state.body_chunk.replace(ptr::from_mut(chunk));
        let result = call();
        state.body_chunk.set(before);
        Some(result)
    }

    /// Calls `call` with the part of the response's body that is being filtered; None outside of that.
    pub fn body_chunk<T>(&self, call: impl FnOnce(&mut BodyChunk) -> T) -> Option<T> {
        let chunk = self.state()?.body_chunk.get();
        // SAFETY: `filtering` borrows it while it stands there, and the Lua that runs meanwhile calls here one at a time.
        unsafe { chunk.as_mut() }.map(call)
    }
}
