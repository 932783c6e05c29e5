//! Noticing that the client has gone while Lua waits.

use std::cell::{Cell, RefCell};

use ngx::core::Status;
use ngx::ffi::*;

use crate::nginx::log::{Level, Log};
use crate::nginx::request::Request;

type OnGone = Box<dyn FnOnce()>;

/// What is called when the client has gone, instead of ending the request.
#[derive(Default)]
pub(in crate::nginx) struct Client {
    on_gone: RefCell<Option<OnGone>>,
    /// It was told, and there is nothing more to notice.
    told: Cell<bool>,
}

/// What `lua_check_client_abort` and the calls before make of [`Request::on_client_gone`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Watch {
    /// It will be called.
    Begun,
    /// Something else will be.
    Duplicate,
    /// Whether the client is there is not watched (`lua_check_client_abort off`).
    Off,
}

impl Client {
    /// Says whether it was told that the client has gone.
    pub(super) fn has_told(&self) -> bool {
        self.told.get()
    }

    /// Notes that Lua knows that the client has gone.
    pub(in crate::nginx) fn was_told(&self) {
        self.told.set(true);
    }

    /// Calls nobody.
    pub(in crate::nginx) fn forget(&self) {
        self.on_gone.take();
    }
}

impl Request {
    /// Says whether it will be noticed that the client leaves (`lua_check_client_abort`).
    pub fn watches_client(&self) -> bool {
        self.settings().watches_client
    }

    /// Has `call` called once when the client has gone, where the request would be ended otherwise: from nginx's event,
    /// while Lua waits. Not after an internal redirect.
    pub fn on_client_gone(&self, call: impl FnOnce() + 'static) -> Watch {
        let Some(state) = self.state().filter(|_| self.watches_client()) else {
            return Watch::Off;
        };
        let mut on_gone = state.client.on_gone.borrow_mut();
        if on_gone.is_some() {
            return Watch::Duplicate;
        }
        *on_gone = Some(Box::new(call));
        Watch::Begun
    }

    /// Has nginx look at the client soon where it has already said something: an edge that was seen does not come again.
    pub(in crate::nginx) fn look_at_client(&self) {
        // SAFETY: a live request's connection has a read event, which nginx takes from the queue when it closes it.
        unsafe {
            let read = (*(*self.as_ptr()).connection).read;
            if (*read).ready() != 0 || (*read).pending_eof() != 0 || (*read).eof() != 0 {
                ngx_post_event(read, &raw mut ngx_posted_events);
            }
        }
    }

    /// Leaves the client alone that is watched, before others handle the request.
    pub(in crate::nginx) fn stop_watching(&self) {
        // SAFETY: a live request.
        unsafe {
            let handler = &mut (*self.as_ptr()).read_event_handler;
            if handler.is_some_and(|handler| std::ptr::fn_addr_eq(handler, WATCH)) {
                *handler = Some(ngx_http_block_reading);
            }
        }
    }

    /// Says whether the client has closed its connection, or in HTTP/2 its stream.
    fn client_has_gone(&self) -> bool {
        // SAFETY: a live request's connection; `recv` only peeks, into memory of this function.
        unsafe {
            let connection = (*self.as_ptr()).connection;
            if !(*self.as_ptr()).stream.is_null() {
                return (*connection).error() != 0;
            }
            let read = (*connection).read;
            // The socket of HTTP/3 is not the client's own.
            if (*self.as_ptr()).http_version > NGX_HTTP_VERSION_20 as usize {
                return (*read).error() != 0;
            }
            // Also seen where what the client has sent before was not read (requests in a pipeline).
            if (*read).pending_eof() != 0 || (*read).error() != 0 || (*connection).error() != 0 {
                (*read).set_eof(1);
                return true;
            }
            let mut byte = 0u8;
            match libc::recv((*connection).fd, (&raw mut byte).cast(), 1, libc::MSG_PEEK) {
                0 => {}
                1.. => {
                    if ngx_event_flags & NGX_USE_LEVEL_EVENT as usize != 0
                        && (*read).active() != 0
                        && let Some(delete) = ngx_event_actions.del
                    {
                        // It would be reported for ever.
                        delete(read, libc::EPOLLIN as ngx_int_t, 0);
                    }
                    return false;
                }
                _ => {
                    (*read).set_ready(0);
                    let error = std::io::Error::last_os_error();
                    if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::Interrupted) {
                        return false;
                    }
                    (*read).set_error(1);
                }
            }
            (*read).set_eof(1);
            true
        }
    }
}

/// What nginx calls for what the client sends or does while Lua waits: the one address of [`client_event`].
pub(in crate::nginx) static WATCH: unsafe extern "C" fn(*mut ngx_http_request_t) = client_event;

unsafe extern "C" fn client_event(r: *mut ngx_http_request_t) {
    // SAFETY: nginx passes a live request.
    let request = unsafe { Request::from_ptr(r) };
    if !request.client_has_gone() {
        return;
    }
    Log::of(request).write(Level::Info, b"client prematurely closed connection");
    let call = request.state().and_then(|state| {
        let call = state.client.on_gone.take();
        state.client.told.set(call.is_some());
        call
    });
    match call {
        Some(call) => {
            // SAFETY: a live request. There is nothing more to notice.
            unsafe { (*r).read_event_handler = Some(ngx_http_block_reading) };
            crate::nginx::entry::guarded(request, || {
                call();
                Status::NGX_OK
            });
        }
        None => {
            // SAFETY: a live request's connection. Nothing more can be sent; a client that has only closed its own side
            // may still be told by the Lua above.
            unsafe { (*(*r).connection).set_error(1) };
            request.finalize(Status(NGX_HTTP_CLIENT_CLOSED_REQUEST as _));
        }
    }
}
