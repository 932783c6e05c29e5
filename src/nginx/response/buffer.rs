//! The buffers in which a response gathers as Lua writes it, and where it stands.

use std::cell::Cell;
use std::ptr;

use ngx::ffi::*;

use crate::nginx::export::ctx_index;
use crate::nginx::request::Request;
use crate::nginx::response::error::OutputError;

/// The first buffer of a response; small, because most responses are.
pub(in crate::nginx) const FIRST_BUFFER: usize = 1024;
/// A buffer of one call's output.
const SMALL_BUFFER: usize = 256;
/// Each further buffer.
const NEXT_BUFFER: usize = 16 * 1024;

/// What became of bytes that [`Request::append`] was given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Append {
    /// They are in the buffer.
    Done,
    /// They are not; [`Request::print`] will take them.
    Full,
}

/// Where the response stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Debug, Default)]
pub(in crate::nginx) enum Stage {
    /// Nothing was sent.
    #[default]
    Fresh,
    /// HTTP/1.0 without a length: the body gathers until its length is known.
    Gathering,
    /// The header is on its way through the filters, which may still change it.
    Sending,
    /// The header is decided and due; it goes out with the first buffer.
    Due,
    /// The header went out; the body follows.
    Body,
    /// The header went out and no body may follow it (HEAD, 304).
    HeaderOnly,
    /// The last buffer went out.
    Ended,
    /// A filter has refused the header: nothing can follow.
    Failed,
    /// Lua writes to the connection itself.
    Raw,
}

/// The response of one request as Lua writes it.
#[derive(Default)]
pub(in crate::nginx) struct Output {
    pub(in crate::nginx) stage: Cell<Stage>,
    /// The buffer that fills; null where there is none.
    pub(in crate::nginx) filling: Cell<*mut ngx_chain_t>,
    /// Full buffers that wait for the header (`Stage::Gathering`), in order.
    pub(in crate::nginx) gathered: Cell<*mut ngx_chain_t>,
    busy: Cell<*mut ngx_chain_t>,
    free: Cell<*mut ngx_chain_t>,
    /// Each call's output goes to the filters at once: Lua among them sees it as it was written.
    pub(in crate::nginx) unbuffered: Cell<bool>,
}

impl Request {
    /// Runs the filters over a chain and keeps its buffers for reuse.
    pub(in crate::nginx) fn filter(&self, output: &Output, mut chain: *mut ngx_chain_t) -> Result<(), OutputError> {
        // SAFETY: the chain's links and buffers come from the request's pool and carry our tag.
        let rc = unsafe {
            let rc = ngx_http_output_filter(self.as_ptr(), chain);
            let (mut free, mut busy) = (output.free.get(), output.busy.get());
            ngx_chain_update_chains((*self.as_ptr()).pool, &raw mut free, &raw mut busy, &raw mut chain, tag());
            output.free.set(free);
            output.busy.set(busy);
            rc
        };
        if rc == NGX_ERROR as ngx_int_t { Err(OutputError::Filter) } else { Ok(()) }
    }

    /// Makes a new filling buffer with room for at least `needed` bytes.
    pub(in crate::nginx) fn allocate(&self, output: &Output, needed: usize) -> Result<(), OutputError> {
        // SAFETY: pool allocations are checked; a link from the free list holds one of our own emptied buffers.
        unsafe {
            let pool = (*self.as_ptr()).pool;
            let free = output.free.get();
            if let Some(link) = free.as_mut()
                && (*link.buf).end.offset_from((*link.buf).start) as usize >= needed
            {
                output.free.set(link.next);
                link.next = ptr::null_mut();
                let buffer = &mut *link.buf;
                buffer.pos = buffer.start;
                buffer.last = buffer.start;
                buffer.set_last_buf(0);
                buffer.set_last_in_chain(0);
                buffer.set_flush(0);
                output.filling.set(link);
                return Ok(());
            }
            let usual = if output.unbuffered.get() {
                SMALL_BUFFER
            } else if output.busy.get().is_null() && output.gathered.get().is_null() && free.is_null() {
                FIRST_BUFFER
            } else {
                NEXT_BUFFER
            };
            let link = ngx_alloc_chain_link(pool);
            let buffer = ngx_create_temp_buf(pool, needed.max(usual));
            if link.is_null() || buffer.is_null() {
                return Err(OutputError::Memory);
            }
            (*buffer).tag = tag();
            (*link).buf = buffer;
            (*link).next = ptr::null_mut();
            output.filling.set(link);
            Ok(())
        }
    }
}

impl Output {
    /// Another location answers. What was gathered goes; what was sent is sent.
    pub(in crate::nginx) fn redirected(&self) {
        if self.stage.get() <= Stage::Sending || self.stage.get() == Stage::Failed {
            self.stage.set(Stage::Fresh);
            self.filling.set(ptr::null_mut());
            self.gathered.set(ptr::null_mut());
        }
    }

    pub(in crate::nginx) fn takes_more(&self) -> Result<(), OutputError> {
        match self.stage.get() {
            Stage::Ended => Err(OutputError::Eof),
            Stage::HeaderOnly => Err(OutputError::HeaderOnly),
            Stage::Failed => Err(OutputError::Filter),
            Stage::Raw => Err(OutputError::Raw),
            Stage::Fresh | Stage::Gathering | Stage::Sending | Stage::Due | Stage::Body => Ok(()),
        }
    }

    #[inline]
    pub(in crate::nginx) fn append(&self, pieces: &[&[u8]]) -> Append {
        let length: usize = pieces.iter().map(|piece| piece.len()).sum();
        let room = self.room();
        if room == 0 || length > room {
            return Append::Full;
        }
        let link = self.filling.get();
        // SAFETY: there is room for them all, so there is a filling buffer, and it is ours.
        unsafe {
            let buffer = (*link).buf;
            for piece in pieces {
                ptr::copy_nonoverlapping(piece.as_ptr(), (*buffer).last, piece.len());
                (*buffer).last = (*buffer).last.add(piece.len());
            }
        }
        Append::Done
    }

    #[inline]
    fn room(&self) -> usize {
        let link = self.filling.get();
        if link.is_null() {
            return 0;
        }
        // SAFETY: the filling buffer is ours.
        unsafe { (*(*link).buf).end.offset_from((*(*link).buf).last) as usize }
    }
}

/// What marks buffers as ours for `ngx_chain_update_chains`.
fn tag() -> ngx_buf_tag_t {
    ctx_index() as ngx_buf_tag_t
}

pub(in crate::nginx) fn chain_length(chain: *mut ngx_chain_t) -> off_t {
    let mut length = 0;
    let mut link = chain;
    // SAFETY: a chain that this file has built.
    while let Some(entry) = unsafe { link.as_ref() } {
        // SAFETY: as above.
        length += unsafe { (*entry.buf).last.offset_from((*entry.buf).pos) };
        link = entry.next;
    }
    length as off_t
}
