//! Captures what nginx writes to its error logs: a log of our own stands behind the head of each chain of logs.
//!
//! nginx gives a line to each log of a chain whose level allows it, and a log that has a writer calls it. Chains are
//! copied into listening sockets and connections with all that stands behind their head.

use std::cell::RefCell;

use ngx::ffi::*;

use crate::nginx::conf::Conf;
use crate::nginx::log::captured::{Captured, LogLine};
use crate::nginx::time::now;

thread_local! {
    /// What this process has captured. Lines that other threads write find nothing here.
    static CAPTURED: RefCell<Option<Captured>> = const { RefCell::new(None) };
}

/// The longest line that nginx writes, bytes.
pub const LONGEST_LINE: usize = NGX_MAX_ERROR_STR as usize;

/// Makes the process capture into a buffer of `size` bytes; where there is none, into nothing.
///
/// # Errors
/// There is no memory for it.
pub fn set_capture(size: Option<usize>) -> Result<(), String> {
    let captured = match size {
        Some(size) => Some(Captured::new(size).ok_or("no memory for the captured error log")?),
        None => None,
    };
    CAPTURED.set(captured);
    Ok(())
}

/// Captures nothing that matters less than nginx's level of that number. False where nothing is captured at all.
pub fn set_capture_filter(level: usize) -> bool {
    CAPTURED.with_borrow_mut(|captured| captured.as_mut().map(|captured| captured.filter = level)).is_some()
}

/// Says whether the process captures.
pub fn captures() -> bool {
    CAPTURED.with_borrow(Option::is_some)
}

/// Takes out the oldest line that was captured.
pub fn next_captured() -> Option<LogLine> {
    CAPTURED.with_borrow_mut(|captured| captured.as_mut()?.pop())
}

type Writer = unsafe extern "C" fn(*mut ngx_log_t, ngx_uint_t, *mut u_char, usize);

/// nginx's signal handlers write to the log too, so this may interrupt any of the above: such a line is lost.
unsafe extern "C" fn write(_: *mut ngx_log_t, level: ngx_uint_t, text: *mut u_char, length: usize) {
    // SAFETY: nginx passes the line that it has made, with its line break.
    let text = unsafe { std::slice::from_raw_parts(text, length) };
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let _ = CAPTURED.try_with(|captured| {
        if let Ok(mut captured) = captured.try_borrow_mut()
            && let Some(captured) = captured.as_mut()
        {
            captured.push(u8::try_from(level).unwrap_or(u8::MAX), now(), text);
        }
    });
}

/// Puts a capturing log behind the head of a chain, unless one is there.
///
/// # Safety
/// `head` must be a valid chain, and `pool` live as long as the chain is used.
unsafe fn attach(head: *mut ngx_log_t, pool: *mut ngx_pool_t) -> Result<(), String> {
    // SAFETY: by this function's contract; the allocation is zeroed and checked.
    unsafe {
        if has_ours(head) {
            return Ok(());
        }
        let ours = ngx_pcalloc(pool, size_of::<ngx_log_t>()).cast::<ngx_log_t>();
        let ours = ours.as_mut().ok_or("out of memory")?;
        fill(ours, head);
        (*head).next = ours;
    }
    Ok(())
}

/// # Safety
/// `head` must be a valid chain.
unsafe fn has_ours(head: *const ngx_log_t) -> bool {
    // SAFETY: by this function's contract.
    let next = unsafe { (*head).next.as_ref() };
    next.and_then(|next| next.writer).is_some_and(|writer| std::ptr::fn_addr_eq(writer, write as Writer))
}

/// # Safety
/// `head` must be a valid chain.
unsafe fn fill(ours: &mut ngx_log_t, head: *const ngx_log_t) {
    ours.writer = Some(write);
    // SAFETY: by this function's contract. nginx goes down a chain until a log does not take the level.
    unsafe {
        ours.log_level = (*head).log_level;
        ours.next = (*head).next;
    }
}

impl Conf {
    /// Captures what the `error_log` of the location, server or `http` block that is merged writes, where it has one
    /// of its own.
    ///
    /// # Errors
    /// Memory ran out.
    pub fn capture_error_log(&mut self) -> Result<(), String> {
        // SAFETY: while configurations are merged `cf->ctx` holds those of the child, and the core module's were
        // merged before: it has a log. The cycle's log is complete only later ([`attach_cycle`]).
        unsafe {
            let http = (*self.as_ptr()).ctx.cast::<ngx_http_conf_ctx_t>();
            let core = (*(*http).loc_conf.add(ngx_http_core_module.ctx_index)).cast::<ngx_http_core_loc_conf_t>();
            let log = (*core).error_log;
            let cycle = (*self.as_ptr()).cycle;
            if log.is_null() || std::ptr::eq(log, &raw const (*cycle).new_log) {
                return Ok(());
            }
            attach(log, (*cycle).pool)
        }
    }
}

/// Captures what the log of a new cycle writes, where the process captures.
///
/// # Safety
/// The log must be complete, and the cycle the one that has it.
pub(in crate::nginx) unsafe fn attach_log(log: *mut ngx_log_t, cycle: *mut ngx_cycle_t) -> Result<(), String> {
    if !captures() {
        return Ok(());
    }
    // SAFETY: by this function's contract; the pool lives as long as the cycle.
    unsafe { attach(log, (*cycle).pool) }
}

/// Captures what a new cycle and its listening sockets write, where the process captures.
///
/// # Safety
/// `cycle` must be complete; it is for the time of `init_module`.
pub(in crate::nginx) unsafe fn attach_cycle(cycle: *mut ngx_cycle_t) -> Result<(), String> {
    if !captures() {
        return Ok(());
    }
    // SAFETY: by this function's contract; each socket has a copy of the log that it was configured with.
    unsafe {
        attach_log((*cycle).log, cycle)?;
        let sockets = (*cycle).listening.as_slice_mut::<ngx_listening_t>();
        sockets.iter_mut().try_for_each(|socket| attach(&raw mut socket.log, (*cycle).pool))
    }
}
