//! The module among nginx's output filters: `header_filter_by_lua*` and `body_filter_by_lua*` run here.

use std::sync::atomic::{AtomicUsize, Ordering};

use ngx::core::Status;
use ngx::ffi::*;

use crate::nginx::entry::{Hook, run, run_body_filter};
use crate::nginx::export::module;
use crate::nginx::request::Request;
use crate::nginx::response::body_chunk::BodyChunk;
use crate::nginx::subrequest::capture::Capture;

type HeaderFilter = unsafe extern "C" fn(*mut ngx_http_request_t) -> ngx_int_t;
type BodyFilter = unsafe extern "C" fn(*mut ngx_http_request_t, *mut ngx_chain_t) -> ngx_int_t;

/// The filters that come after ours; each configuration makes the chain anew.
static NEXT_HEADER: AtomicUsize = AtomicUsize::new(0);
static NEXT_BODY: AtomicUsize = AtomicUsize::new(0);

/// Puts the module into the chains of filters. For the time of postconfiguration.
pub(in crate::nginx) fn install() {
    // SAFETY: configuration runs in one thread; the tops are function pointers or null.
    unsafe {
        NEXT_HEADER.store(
            std::mem::transmute::<ngx_http_output_header_filter_pt, usize>(ngx_http_top_header_filter),
            Ordering::Relaxed,
        );
        ngx_http_top_header_filter = Some(header_filter);
        NEXT_BODY.store(
            std::mem::transmute::<ngx_http_output_body_filter_pt, usize>(ngx_http_top_body_filter),
            Ordering::Relaxed,
        );
        ngx_http_top_body_filter = Some(body_filter);
    }
}

/// Hands a header to the filters that come after, or to what captures the subrequest.
fn next_header(r: *mut ngx_http_request_t) -> ngx_int_t {
    // SAFETY: who calls has a live request.
    if Capture::takes_header(unsafe { Request::from_ptr(r) }) {
        return NGX_OK as _;
    }
    // SAFETY: what `install` has stored; the core's own filters end the chain, so there is always one.
    unsafe { std::mem::transmute::<usize, HeaderFilter>(NEXT_HEADER.load(Ordering::Relaxed))(r) }
}

/// Hands a part of a body to the filters that come after, or to what captures the subrequest.
pub(in crate::nginx) fn next_body(r: *mut ngx_http_request_t, chain: *mut ngx_chain_t) -> ngx_int_t {
    // SAFETY: who calls has a live request and null or a valid chain.
    if unsafe { Capture::takes_body(Request::from_ptr(r), chain) } {
        return NGX_OK as _;
    }
    // SAFETY: as in `next_header`.
    unsafe { std::mem::transmute::<usize, BodyFilter>(NEXT_BODY.load(Ordering::Relaxed))(r, chain) }
}

unsafe extern "C" fn header_filter(r: *mut ngx_http_request_t) -> ngx_int_t {
    // SAFETY: nginx passes a live request.
    let request = unsafe { Request::from_ptr(r) };
    match run(Hook::HeaderFilter, request) {
        Status::NGX_OK => next_header(r),
        // The special response replaces what was to be sent, whose sender is told that it failed.
        // SAFETY: a live request whose header was not sent; the module's own context stays.
        status if status.0 >= NGX_HTTP_OK as ngx_int_t => unsafe {
            ngx_http_filter_finalize_request(r, module(), status.0)
        },
        status => status.0,
    }
}

unsafe extern "C" fn body_filter(r: *mut ngx_http_request_t, chain: *mut ngx_chain_t) -> ngx_int_t {
    if chain.is_null() {
        return next_body(r, chain);
    }
    // SAFETY: nginx passes a live request and a chain that is valid for the call.
    let request = unsafe { Request::from_ptr(r) };
    let mut chunk = BodyChunk::new(chain);
    let status = run_body_filter(request, &mut chunk);
    if status != Status::NGX_OK {
        return status.0;
    }
    chunk.pass_on(request)
}
