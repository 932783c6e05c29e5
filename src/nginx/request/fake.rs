//! A request that no client has sent: what Lua runs for where it belongs to a TLS handshake or to nobody.
//!
//! It has all that the module keeps of a request: a pool, the module's state and the configuration of a server. It has
//! no header, no body and no socket of its own.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::mem::{MaybeUninit, size_of};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, Ordering};

use ngx::ffi::*;

use crate::nginx::event::Posted;
use crate::nginx::log::Log;
use crate::nginx::request::Request;
use crate::nginx::value::bytes;

/// What a pool has room for at first beside the variables and the modules' contexts.
const POOL_SIZE: usize = 1536;
/// The descriptor of a connection that is none.
const NO_SOCKET: ngx_socket_t = -1;
/// How many headers a list of a fake request has room for at first; hardly any is ever pushed.
const HEADERS: usize = 2;

/// A fake request. Dropping it ends it as nginx ends a request: its cleanups run, then its pool is destroyed.
pub struct FakeRequest(NonNull<Parts>);

/// What nginx keeps the addresses of.
struct Parts {
    request: ngx_http_request_t,
    connection: ngx_connection_t,
    events: [ngx_event_t; 2],
    log: ngx_log_t,
    /// What stands behind `context:` in the log.
    context: Cell<&'static str>,
    /// What is dropped at its end, where nobody owns it.
    kept: Cell<Option<Box<dyn Any>>>,
    /// Frees it then.
    free: RefCell<Option<Posted>>,
}

impl FakeRequest {
    /// A fake request on a connection, with the configuration of a server. None where memory ran out.
    ///
    /// # Safety
    /// The connection must outlive the result; `conf` must be a context of a cycle that does.
    pub(in crate::nginx) unsafe fn on_connection(
        connection: *mut ngx_connection_t,
        conf: *const ngx_http_conf_ctx_t,
    ) -> Option<Self> {
        // SAFETY: by this function's contract; the copy shares what the connection points to, but no descriptor.
        unsafe {
            let mut copy = ptr::read(connection);
            copy.fd = NO_SOCKET;
            Self::new(copy, (*connection).log, conf)
        }
    }

    /// A fake request that belongs to no connection, with the configuration of the `http` block: for what runs as a
    /// process begins and ends. None where memory ran out or there is no such block.
    pub fn of_process() -> Option<Self> {
        // SAFETY: `ngx_cycle` is the process's own, and its http module's slot null where there is no http block.
        unsafe {
            let conf = (*(*ngx_cycle).conf_ctx.add(ngx_http_module.index)).cast::<ngx_http_conf_ctx_t>();
            if conf.is_null() { None } else { Self::detached(conf) }
        }
    }

    /// A fake request that belongs to no connection, with the configuration of a server. None where memory
    /// ran out.
    ///
    /// # Safety
    /// `conf` must be a context of a cycle that outlives the result.
    unsafe fn detached(conf: *const ngx_http_conf_ctx_t) -> Option<Self> {
        // SAFETY: by this function's contract; `ngx_cycle` has its log.
        unsafe { Self::new(no_connection(), (*ngx_cycle).log, conf) }
    }

    /// The same, but one whose log lines name the client and the socket that it came to, and go to `log`.
    ///
    /// # Safety
    /// `conf`, `log` and `listening`, which may be null, must be of a cycle that outlives the result.
    pub(in crate::nginx) unsafe fn of_client(
        conf: *const ngx_http_conf_ctx_t,
        log: *mut ngx_log_t,
        listening: *mut ngx_listening_t,
        client: &[u8],
    ) -> Option<Self> {
        // SAFETY: by this function's contract; the allocation is checked. The counter is a word of shared memory, which
        // nginx too only adds to.
        unsafe {
            let mut connection = no_connection();
            connection.listening = listening;
            let fake = Self::new(connection, log, conf)?;
            let connection = &raw mut (*fake.0.as_ptr()).connection;
            let address = ngx_pnalloc((*connection).pool, client.len().max(1)).cast::<u8>();
            if address.is_null() {
                return None;
            }
            ptr::copy_nonoverlapping(client.as_ptr(), address, client.len());
            (*connection).addr_text = ngx_str_t { len: client.len(), data: address };
            let number = AtomicU64::from_ptr(ngx_connection_counter.cast()).fetch_add(1, Ordering::Relaxed);
            (*connection).number = number;
            (*(*connection).log).connection = number;
            Some(fake)
        }
    }

    /// # Safety
    /// As of the two above; `log` must outlive the result.
    unsafe fn new(connection: ngx_connection_t, log: *mut ngx_log_t, conf: *const ngx_http_conf_ctx_t) -> Option<Self> {
        // SAFETY: all-zero is what nginx's own ngx_pcalloc leaves in a request and an event.
        let parts = unsafe {
            Box::new(Parts {
                request: MaybeUninit::zeroed().assume_init(),
                connection,
                events: MaybeUninit::zeroed().assume_init(),
                log: ptr::read(log),
                context: Cell::new(""),
                kept: Cell::default(),
                free: RefCell::default(),
            })
        };
        let fake = Self(NonNull::from(Box::leak(parts)));
        let parts = fake.0.as_ptr();
        // SAFETY: the parts stay where they are until `drop`; every allocation is checked. What is not set stays zero,
        // which to nginx is a request of which nothing is known yet.
        unsafe {
            (*parts).log.handler = Some(describe);
            (*parts).log.data = parts.cast();
            (*parts).log.action = ptr::null_mut();
            let core = (*(*conf).main_conf.add(ngx_http_core_module.ctx_index)).cast::<ngx_http_core_main_conf_t>();
            let variables = (*core).variables.nelts * size_of::<ngx_variable_value_t>();
            let contexts = ngx_http_max_module * size_of::<*mut c_void>();
            // In one piece with what every request needs.
            let pool = ngx_create_pool(POOL_SIZE + variables + contexts, &raw mut (*parts).log);
            if pool.is_null() {
                return None;
            }
            let connection = &raw mut (*parts).connection;
            (*connection).log = &raw mut (*parts).log;
            (*connection).pool = pool;
            (*connection).data = (&raw mut (*parts).request).cast();
            if (*connection).read.is_null() {
                (*connection).read = &raw mut (*parts).events[0];
                (*connection).write = &raw mut (*parts).events[1];
            }
            let r = &raw mut (*parts).request;
            (*r).pool = pool;
            (*r).signature = NGX_HTTP_MODULE;
            (*r).connection = connection;
            (*r).main = r;
            (*r).set_count(1);
            (*r).headers_in.content_length_n = -1;
            (*r).headers_in.keep_alive_n = -1;
            (*r).headers_out.content_length_n = -1;
            (*r).headers_out.last_modified_time = -1;
            (*r).ctx = ngx_pcalloc(pool, contexts).cast();
            (*r).variables = ngx_pcalloc(pool, variables.max(1)).cast();
            if (*r).ctx.is_null() || (*r).variables.is_null() {
                return None;
            }
            init_list(&raw mut (*r).headers_in.headers, pool)?;
            init_list(&raw mut (*r).headers_out.headers, pool)?;
            init_list(&raw mut (*r).headers_out.trailers, pool)?;
            fake.configure(conf);
        }
        Some(fake)
    }

    /// Gives it the configuration of a server.
    ///
    /// # Safety
    /// `conf` must be a context of a cycle that outlives this request.
    pub(in crate::nginx) unsafe fn configure(&self, conf: *const ngx_http_conf_ctx_t) {
        // SAFETY: by this function's contract.
        unsafe {
            let r = &raw mut (*self.0.as_ptr()).request;
            (*r).main_conf = (*conf).main_conf;
            (*r).srv_conf = (*conf).srv_conf;
            (*r).loc_conf = (*conf).loc_conf;
        }
    }

    /// Sets what the log says that it runs: `ssl_certificate_by_lua*`.
    pub fn set_context(&self, context: &'static str) {
        // SAFETY: the parts live as long as this.
        unsafe { &(*self.0.as_ptr()).context }.set(context);
    }

    /// Leaves it to itself until [`Request::end_fake`], which drops `kept`.
    pub fn leave(self, kept: Box<dyn Any>) {
        let parts = self.0;
        // SAFETY: the parts live on, because this is not dropped; `end_fake` posts what makes it whole again.
        unsafe {
            (*parts.as_ptr()).kept.set(Some(kept));
            *(*parts.as_ptr()).free.borrow_mut() = Some(Posted::new(move || drop(Self(parts))));
        }
        std::mem::forget(self);
    }

    /// The request.
    pub fn request(&self) -> &Request {
        // SAFETY: the parts live as long as this.
        unsafe { Request::from_ptr(&raw mut (*self.0.as_ptr()).request) }
    }
}

impl Drop for FakeRequest {
    fn drop(&mut self) {
        let parts = self.0.as_ptr();
        // SAFETY: the parts are still whole.
        let log = unsafe { Log::from_raw(&raw mut (*parts).log) };
        log.debug(|| format!("http lua close fake http connection {parts:p}"));
        // SAFETY: what nginx does with a request's cleanups and pool (`ngx_http_free_request`). The log that the pool
        // writes to goes after it, with the box that `new` has leaked.
        unsafe {
            let r = &raw mut (*parts).request;
            while let Some(cleanup) = (*r).cleanup.as_mut() {
                (*r).cleanup = cleanup.next;
                if let Some(handler) = cleanup.handler {
                    handler(cleanup.data);
                }
            }
            if !(*r).pool.is_null() {
                ngx_destroy_pool((*r).pool);
            }
            drop(Box::from_raw(parts));
        }
    }
}

impl Request {
    /// Ends a fake request that was left to itself. It is still there until what runs now has returned to the event loop.
    pub fn end_fake(&self) {
        if !self.is_fake() {
            return;
        }
        // SAFETY: a fake request is a field of its parts, whose address is the one that was given to the log.
        let parts = unsafe { &*(*(*(*self.as_ptr()).connection).log).data.cast::<Parts>() };
        drop(parts.kept.take());
        if let Some(free) = &*parts.free.borrow() {
            free.post();
        }
    }

    /// Says whether no client has sent it.
    #[inline]
    pub fn is_fake(&self) -> bool {
        // SAFETY: a request's connection outlives it; only a fake one has no descriptor.
        unsafe { (*(*self.as_ptr()).connection).fd == NO_SOCKET }
    }
}

/// A connection that is none.
fn no_connection() -> ngx_connection_t {
    // SAFETY: all-zero is what nginx's ngx_pcalloc leaves in a connection.
    let mut none: ngx_connection_t = unsafe { MaybeUninit::zeroed().assume_init() };
    none.fd = NO_SOCKET;
    none.sockaddr = (&raw const NOWHERE.0).cast_mut();
    none.socklen = size_of::<sockaddr>() as socklen_t;
    none
}

/// The address of a connection that is none: code that asks for the family finds one without an address.
struct Nowhere(sockaddr);

// SAFETY: nothing writes it.
unsafe impl Sync for Nowhere {}

static NOWHERE: Nowhere = Nowhere(sockaddr { sa_family: libc::AF_UNIX as sa_family_t, sa_data: [0; 14] });

/// What `ngx_list_init` does, which is no function that could be called.
///
/// # Safety
/// The list must be valid and live no longer than the pool.
unsafe fn init_list(list: *mut ngx_list_t, pool: *mut ngx_pool_t) -> Option<()> {
    let size = size_of::<ngx_table_elt_t>();
    // SAFETY: by this function's contract; the allocation is checked.
    unsafe {
        (*list).part.elts = ngx_palloc(pool, HEADERS * size);
        (*list).last = &raw mut (*list).part;
        (*list).size = size;
        (*list).nalloc = HEADERS;
        (*list).pool = pool;
        (!(*list).part.elts.is_null()).then_some(())
    }
}

/// Writes what nginx appends to a line of a fake request's log: what runs, and the client where there is one.
unsafe extern "C" fn describe(log: *mut ngx_log_t, into: *mut u_char, room: usize) -> *mut u_char {
    // SAFETY: `new` has set the data to the parts around this log; nginx passes a buffer of that size.
    unsafe {
        let parts = &*(*log).data.cast::<Parts>();
        let mut rest = std::slice::from_raw_parts_mut(into, room);
        let mut put = |text: &[u8]| {
            let length = text.len().min(rest.len());
            let (now, later) = std::mem::take(&mut rest).split_at_mut(length);
            now.copy_from_slice(&text[..length]);
            rest = later;
        };
        if !parts.context.get().is_empty() {
            put(b", context: ");
            put(parts.context.get().as_bytes());
        }
        if let Some(listening) = parts.connection.listening.as_ref() {
            put(b", client: ");
            put(bytes(&parts.connection.addr_text));
            put(b", server: ");
            put(bytes(&listening.addr_text));
        }
        rest.as_mut_ptr()
    }
}
