//! Resolving a host name by the location's `resolver`.

use std::cell::{Cell, OnceCell};
use std::ffi::CStr;
use std::ptr;
use std::rc::Rc;

use ngx::ffi::*;

use crate::nginx::event::Posted;
use crate::nginx::request::Request;

use super::address::Address;

/// `resolver_timeout` where nobody has merged one: in the `http` block, which a request of the process has.
const TIMEOUT: ngx_msec_t = 30_000;

/// What has become of a name: one of its addresses, or upstream's text of what went wrong.
pub type Resolved = Result<Address, Vec<u8>>;

/// A resolution that was started.
pub enum Resolving {
    /// nginx knew the answer.
    Now(Resolved),
    /// The answer will come from the event loop.
    Later(Resolution),
}

/// A name that is being resolved. Dropping it cancels that. It needs neither the request nor its pool.
pub struct Resolution(Rc<Pending>);

/// What nginx and a [`Resolution`] share while there is no answer.
struct Pending {
    /// nginx keeps no copy of it.
    name: Vec<u8>,
    port: u16,
    /// Null once nginx has answered.
    ctx: Cell<*mut ngx_resolver_ctx_t>,
    outcome: Cell<Outcome>,
    /// Ends a resolution that nobody waits for any more.
    cancel: OnceCell<Posted>,
}

enum Outcome {
    /// Within `ngx_resolve_name`, which may answer at once.
    Starting,
    /// It came while starting.
    Come(Resolved),
    /// It is waited for by who is to be told.
    Awaited(Box<dyn FnOnce(Resolved)>),
    /// It was given, or nobody wants it any more.
    Over,
}

impl Resolution {
    /// Starts to resolve a name by the resolver of a request's location. `done` is called with the answer from within
    /// nginx's resolver, unless it came at once; it may do no more than note it and post an event.
    pub fn start(request: &Request, name: &[u8], port: u16, done: impl FnOnce(Resolved) + 'static) -> Resolving {
        let pending = Rc::new(Pending {
            name: name.to_vec(),
            port,
            ctx: Cell::new(ptr::null_mut()),
            outcome: Cell::new(Outcome::Starting),
            cancel: OnceCell::new(),
        });
        if let Err(text) = pending.begin(request) {
            return Resolving::Now(Err(text));
        }
        match pending.outcome.replace(Outcome::Over) {
            Outcome::Come(resolved) => Resolving::Now(resolved),
            _ => {
                pending.outcome.set(Outcome::Awaited(Box::new(done)));
                Resolving::Later(Self(pending))
            }
        }
    }
}

impl Pending {
    fn begin(self: &Rc<Self>, request: &Request) -> Result<(), Vec<u8>> {
        let conf = request.core_conf();
        // SAFETY: the location's configuration outlives the request, and its resolver lives as long as the cycle. nginx
        // has the context on the heap, and `self` keeps the name until it has answered.
        unsafe {
            let resolver = (*conf).resolver;
            let none = usize::MAX as *mut ngx_resolver_ctx_t; // NGX_NO_RESOLVER
            let ctx = if resolver.is_null() { none } else { ngx_resolve_start(resolver, ptr::null_mut()) };
            if ctx == none {
                return Err([b"no resolver defined to resolve \"", &*self.name, b"\""].concat());
            }
            let Some(started) = ctx.as_mut() else {
                return Err(b"failed to start the resolver".to_vec());
            };
            started.name = ngx_str_t { len: self.name.len(), data: self.name.as_ptr().cast_mut() };
            started.handler = Some(answered);
            started.data = Rc::into_raw(Rc::clone(self)).cast_mut().cast();
            let timeout = (*conf).resolver_timeout;
            started.timeout = if timeout == ngx_msec_t::MAX { TIMEOUT } else { timeout };
            self.ctx.set(ctx);
            if ngx_resolve_name(ctx) != NGX_OK as ngx_int_t {
                // nginx has freed the context and will not answer.
                self.ctx.set(ptr::null_mut());
                Rc::decrement_strong_count(Rc::as_ptr(self));
                return Err([&*self.name, b" could not be resolved"].concat());
            }
        }
        Ok(())
    }

    /// Takes the answer out of a context.
    ///
    /// # Safety
    /// nginx must have answered in it.
    unsafe fn read(&self, ctx: &ngx_resolver_ctx_t) -> Resolved {
        // SAFETY: an answer without an error has at least one address, and as many as it says.
        unsafe {
            if ctx.state != NGX_OK as ngx_int_t {
                let reason = CStr::from_ptr(ngx_resolver_strerror(ctx.state));
                let code = format!(" could not be resolved ({}: ", ctx.state);
                return Err([&*self.name, code.as_bytes(), reason.to_bytes(), b")"].concat());
            }
            // nginx has turned them round by chance, so that each comes first as often.
            let addresses = std::slice::from_raw_parts(ctx.addrs, ctx.naddrs);
            addresses
                .first()
                .and_then(|address| Address::from_raw(address.sockaddr, address.socklen))
                .map(|address| address.with_port(self.port))
                .ok_or_else(|| [&*self.name, b" could not be resolved"].concat())
        }
    }

    /// Ends a resolution that was not answered.
    fn end(&self) {
        let ctx = self.ctx.replace(ptr::null_mut());
        if !ctx.is_null() {
            // SAFETY: nginx has not answered, so the context is alive, and holds the count of `begin`.
            unsafe {
                ngx_resolve_name_done(ctx);
                Rc::decrement_strong_count(ptr::from_ref(self));
            }
        }
    }
}

impl Drop for Resolution {
    /// nginx answers all who wait for a name in a loop over them, and another one's answer may be what drops this: it
    /// can be taken from the list only when that loop has ended.
    fn drop(&mut self) {
        self.0.outcome.set(Outcome::Over);
        if self.0.ctx.get().is_null() {
            return;
        }
        // The count that nginx's context holds keeps the event until it runs.
        let pending = Rc::downgrade(&self.0);
        let end = move || pending.upgrade().iter().for_each(|pending| pending.end());
        self.0.cancel.get_or_init(|| Posted::new(end)).post();
    }
}

unsafe extern "C" fn answered(ctx: *mut ngx_resolver_ctx_t) {
    // SAFETY: `begin` has put a count into the context, and nginx answers once.
    let pending = unsafe {
        let pending = Rc::from_raw((*ctx).data.cast_const().cast::<Pending>());
        pending.ctx.set(ptr::null_mut());
        pending
    };
    let outcome = pending.outcome.replace(Outcome::Over);
    // SAFETY: nginx has just answered; the context is not used after it was given back.
    let resolved = unsafe {
        let resolved = pending.read(&*ctx);
        ngx_resolve_name_done(ctx);
        resolved
    };
    match outcome {
        Outcome::Starting => pending.outcome.set(Outcome::Come(resolved)),
        Outcome::Awaited(done) => done(resolved),
        Outcome::Come(_) | Outcome::Over => {}
    }
}
