//! What the module keeps for each request: `r->ctx`.

use std::any::Any;
use std::cell::{Cell, OnceCell, RefCell};
use std::ffi::c_void;
use std::ptr;
use std::rc::{Rc, Weak};

use ngx::core::Status;
use ngx::ffi::*;

use crate::nginx::conf::settings::Settings;
use crate::nginx::export::ctx_index;
use crate::nginx::request::Request;
use crate::nginx::request::body::BodyRead;
use crate::nginx::request::body_write::BodyWritten;
use crate::nginx::request::client::Client;
use crate::nginx::request::stream::Streams;
use crate::nginx::response::body_chunk::BodyChunk;
use crate::nginx::response::buffer::Output;
use crate::nginx::response::flush::Flushes;
use crate::nginx::subrequest::running::Running;
use crate::nginx::upstream::balancer::Attempts;

/// What requests are pinned to; it is told of each.
pub trait Pinnable: Any {
    /// A request was pinned to it.
    fn pinned(&self);
    /// That request has ended.
    fn unpinned(&self);
    /// Its number, for `$hotlua_generation`; none where it has none.
    fn number(&self) -> Option<u64> {
        None
    }
}

/// What is closed when the request that it belongs to ends, whatever Lua still holds of it.
pub trait Ends: Any {
    /// The request has ended or was redirected internally.
    fn end(&self);
}

/// The module's state of one request. It lives until the request's pool is destroyed.
pub struct State {
    request: *mut ngx_http_request_t,
    pub(in crate::nginx) output: Output,
    pub(in crate::nginx) body_read: BodyRead,
    pub(in crate::nginx) body_written: BodyWritten,
    pub(in crate::nginx) flushes: Flushes,
    pub(in crate::nginx) client: Client,
    pub(in crate::nginx) streams: OnceCell<Rc<Streams>>,
    /// What the location's directives say.
    pub settings: Cell<Settings>,
    /// Lua has set a response header, so defaults that would overwrite it are left out.
    pub headers_set: Cell<bool>,
    /// Lua has chosen the content type.
    pub content_type_set: Cell<bool>,
    /// The slot of `ngx.ctx` among the VM's context tables; 0 where Lua never asked for one.
    pub lua_context: Cell<u32>,
    /// What the phase that waited has ended with, until nginx asks its handler again.
    pub phase_result: Cell<Option<Status>>,
    /// What `ngx.exit` has noted in a phase that cannot be left in the middle.
    pub exit: Cell<Option<i64>>,
    /// A header filter's Lua has refused the response.
    pub header_refused: Cell<bool>,
    /// Where the request is to go on: path or `@name`, and arguments.
    pub exec: RefCell<Option<(Vec<u8>, Vec<u8>)>>,
    /// The arguments of `set_by_lua*`.
    pub arguments: RefCell<Vec<Vec<u8>>>,
    /// The part of the response's body that is being filtered; null outside of that.
    pub(in crate::nginx) body_chunk: Cell<*mut BodyChunk>,
    /// The attempts at an upstream while the peer of one is being chosen; null outside of that.
    pub(in crate::nginx) attempts: Cell<*mut Attempts>,
    /// A body filter's Lua has seen, or said, that the body ends: what follows is dropped.
    pub body_ended: Cell<bool>,
    /// Its captured subrequests that have not ended.
    pub(in crate::nginx) running: Rc<Running>,
    driver: RefCell<Option<Box<dyn Any>>>,
    pin: RefCell<Option<Rc<dyn Pinnable>>>,
    kept: RefCell<Vec<Box<dyn Any>>>,
    ends: RefCell<Vec<Weak<dyn Ends>>>,
}

impl State {
    /// Takes out what the driver keeps, so that no borrow is held while Lua runs.
    pub fn take_driver<T: 'static>(&self) -> Option<Box<T>> {
        self.driver.take()?.downcast().ok()
    }

    /// Puts back what the driver keeps.
    pub fn put_driver<T: 'static>(&self, driver: Box<T>) {
        self.driver.replace(Some(driver));
    }

    /// Drops what the driver keeps: the Lua that waits will not go on.
    pub fn drop_driver(&self) {
        self.driver.take();
    }

    /// Lets go of all but `ngx.ctx`, for a request whose Lua has ended but whose table others inherit. False where there
    /// is no such table, or it would not outlive the pin.
    pub(in crate::nginx) fn keep_context(&self) -> bool {
        let lasts = self.pin.borrow().as_ref().is_none_or(|pin| pin.number().is_some());
        if self.lua_context.get() == 0 || !lasts {
            return false;
        }
        self.driver.take();
        if let Some(pinned) = self.pin.take() {
            pinned.unpinned();
        }
        true
    }

    /// What the request is pinned to for all of its life; none before its first Lua.
    pub fn pinned(&self) -> Option<Rc<dyn Any>> {
        self.pin.borrow().clone().map(|pinned| pinned as Rc<dyn Any>)
    }

    /// Pins the request.
    pub fn pin(&self, to: Rc<dyn Pinnable>) {
        to.pinned();
        if let Some(before) = self.pin.replace(Some(to)) {
            before.unpinned();
        }
    }

    /// Pins the request to what another one is pinned to for itself, if anything.
    pub fn pin_as(&self, other: &Self) {
        let pin = other.pin.borrow().clone();
        if let Some(to) = pin {
            self.pin(to);
        }
    }

    /// Keeps a value until the request ends or is redirected internally.
    pub fn keep(&self, value: impl Any) {
        self.kept.borrow_mut().push(Box::new(value));
    }

    /// Tells one when the request ends or is redirected internally, where it is still there then.
    pub fn on_end(&self, one: Weak<dyn Ends>) {
        let mut ends = self.ends.borrow_mut();
        if ends.len() == ends.capacity() {
            ends.retain(|one| one.strong_count() > 0);
        }
        ends.push(one);
    }

    fn end_all(&self) {
        let ends = self.ends.take();
        ends.iter().filter_map(Weak::upgrade).for_each(|one| one.end());
    }

    /// An internal redirect starts the request's Lua anew, but on the code that it is pinned to.
    fn redirected(&self) {
        self.headers_set.set(false);
        self.content_type_set.set(false);
        self.lua_context.set(0);
        self.client.forget();
        self.phase_result.set(None);
        self.exit.set(None);
        self.header_refused.set(false);
        self.output.redirected();
        self.exec.take();
        self.driver.take();
        self.end_all();
        self.kept.take();
    }
}

impl Request {
    /// The module's state of this request, if any of its Lua has run.
    #[inline]
    pub fn state(&self) -> Option<&State> {
        // SAFETY: `r->ctx` has a slot for each module; ours holds null or what `state_or_new` put there.
        unsafe { (*(*self.as_ptr()).ctx.add(ctx_index())).cast::<State>().as_ref() }
    }

    /// The module's state of this request, made where there is none. An internal redirect empties `r->ctx`; the
    /// state from before it is found again in the pool. None where memory ran out.
    pub fn state_or_new(&self) -> Option<&State> {
        if let Some(state) = self.state() {
            return Some(state);
        }
        let r = self.as_ptr();
        // SAFETY: the request and its pool are valid; the memory of the cleanup is as large as what is written.
        unsafe {
            let slot = (*r).ctx.add(ctx_index());
            if self.may_have_lost_state()
                && let Some(state) = self.state_in_pool()
            {
                *slot = ptr::from_ref(state).cast_mut().cast();
                state.redirected();
                return Some(state);
            }
            let cleanup = ngx_pool_cleanup_add((*r).pool, size_of::<State>());
            if cleanup.is_null() {
                return None;
            }
            (*cleanup).data.cast::<State>().write(State {
                request: r,
                output: Output::default(),
                body_read: BodyRead::default(),
                body_written: BodyWritten::default(),
                flushes: Flushes::default(),
                client: Client::default(),
                streams: OnceCell::new(),
                settings: Cell::default(),
                headers_set: Cell::default(),
                content_type_set: Cell::default(),
                lua_context: Cell::default(),
                phase_result: Cell::default(),
                exit: Cell::default(),
                header_refused: Cell::default(),
                exec: RefCell::default(),
                arguments: RefCell::default(),
                body_chunk: Cell::new(ptr::null_mut()),
                attempts: Cell::new(ptr::null_mut()),
                body_ended: Cell::default(),
                running: Rc::default(),
                driver: RefCell::default(),
                pin: RefCell::default(),
                kept: RefCell::default(),
                ends: RefCell::default(),
            });
            (*cleanup).handler = Some(DROP);
            *slot = (*cleanup).data;
        }
        self.state()
    }

    /// Says whether nginx may have emptied `r->ctx`: by an internal redirect or for the page of a filter that has
    /// refused a header. A look into a pool takes time by the number of subrequests.
    fn may_have_lost_state(&self) -> bool {
        // SAFETY: a live request. It begins with one change of its path more than it may have, and each takes one.
        unsafe {
            let r = self.as_ptr();
            (*r).uri_changes() <= NGX_HTTP_MAX_URI_CHANGES || (*r).filter_finalize() != 0
        }
    }

    /// The state of this request that the pool holds, whether or not an internal redirect has emptied `r->ctx`.
    fn state_in_pool(&self) -> Option<&State> {
        let r = self.as_ptr();
        // SAFETY: the request and its pool are valid; each cleanup with our handler holds a `State`.
        unsafe {
            let mut cleanup = (*(*r).pool).cleanup;
            while let Some(entry) = cleanup.as_ref() {
                if entry.handler.is_some_and(|handler| ptr::fn_addr_eq(handler, DROP)) {
                    let state = &*entry.data.cast::<State>();
                    if state.request == r {
                        return Some(state);
                    }
                }
                cleanup = entry.next;
            }
        }
        None
    }

    /// The number of what the main request is pinned to: also after an internal redirect, before Lua has run again.
    pub fn pinned_number(&self) -> Option<u64> {
        let main = self.main();
        let state = main.state().or_else(|| main.state_in_pool())?;
        state.pin.borrow().as_ref()?.number()
    }
}

/// The one address of [`drop_state`]: by it a cleanup is told to be ours, and a function has none of its own.
static DROP: unsafe extern "C" fn(*mut c_void) = drop_state;

impl Drop for State {
    fn drop(&mut self) {
        // What runs and what it keeps point into the VM that the pin may be the last to hold.
        self.driver.take();
        self.end_all();
        self.kept.take();
        if let Some(pinned) = self.pin.take() {
            pinned.unpinned();
        }
    }
}

unsafe extern "C" fn drop_state(data: *mut c_void) {
    // SAFETY: `data` is the state that `state_or_new` wrote into this cleanup's memory, which runs once.
    unsafe { data.cast::<State>().drop_in_place() }
}
