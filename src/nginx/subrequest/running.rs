//! A request's captured subrequests that have not ended: they are told of what the client does meanwhile.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ptr;
use std::rc::Rc;

use ngx::ffi::*;

use crate::nginx::request::Request;
use crate::nginx::subrequest::capture::has_begun;

type EventHandler = unsafe extern "C" fn(*mut ngx_http_request_t);

/// The captured subrequests of one request that run, in the order in which they began.
#[derive(Default)]
pub(in crate::nginx) struct Running(RefCell<BTreeMap<u64, *mut ngx_http_request_t>>);

impl Running {
    /// Adds one and returns its number, by which it is removed.
    pub(in crate::nginx) fn add(&self, r: *mut ngx_http_request_t) -> u64 {
        let mut running = self.0.borrow_mut();
        let number = running.last_key_value().map_or(0, |(last, _)| last + 1);
        running.insert(number, r);
        number
    }

    pub(in crate::nginx) fn remove(&self, number: u64) {
        self.0.borrow_mut().remove(&number);
    }

    fn count(&self) -> usize {
        self.0.borrow().len()
    }

    /// The first for which `handler` finds one that does something.
    fn first(
        &self,
        handler: impl Fn(&ngx_http_request_t) -> Option<EventHandler>,
    ) -> Option<(*mut ngx_http_request_t, EventHandler)> {
        let idle: [EventHandler; 2] = [ngx_http_request_empty_handler, ngx_http_block_reading];
        let running = self.0.borrow();
        running.values().find_map(|&r| {
            // SAFETY: one that has not ended lives in the pool of the main request, whose end drops this list's owner.
            let handler = handler(unsafe { &*r })?;
            (!idle.iter().any(|idle| ptr::fn_addr_eq(*idle, handler))).then_some((r, handler))
        })
    }
}

impl Request {
    /// How many captured subrequests of this one have not ended.
    pub fn running_subrequests(&self) -> usize {
        self.state().map_or(0, |state| state.running.count())
    }

    pub(in crate::nginx) fn running(&self) -> Option<Rc<Running>> {
        Some(Rc::clone(&self.state_or_new()?.running))
    }
}

/// The read handler of a request that waits for subrequests: a proxying one may want to know that the client is gone.
pub(in crate::nginx) unsafe extern "C" fn forward_reading(r: *mut ngx_http_request_t) {
    // SAFETY: nginx passes a live request. The subrequest's handler may end it, so nothing follows.
    unsafe {
        let found = Request::from_ptr(r).state().and_then(|state| state.running.first(|r| r.read_event_handler));
        match found {
            Some((subrequest, handler)) => handler(subrequest),
            None => ngx_http_block_reading(r),
        }
    }
}

/// The write handler of a request that waits for subrequests: one may wait for what nginx tells the connection only.
pub(in crate::nginx) unsafe extern "C" fn forward_writing(r: *mut ngx_http_request_t) {
    // SAFETY: as in `forward_reading`.
    unsafe {
        let begun = |r: &ngx_http_request_t| r.write_event_handler.filter(|_| has_begun(r));
        let found = Request::from_ptr(r).state().and_then(|state| state.running.first(begun));
        if let Some((subrequest, handler)) = found {
            handler(subrequest);
        }
    }
}
