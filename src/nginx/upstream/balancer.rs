//! `balancer_by_lua*`: a load balancing method of an `upstream` block that asks a call for each attempt's peer.

use std::any::Any;
use std::cell::OnceCell;
use std::ffi::c_void;
use std::rc::Rc;
use std::sync::OnceLock;

use ngx::core::Status;
use ngx::ffi::*;

use crate::nginx::conf::Conf;
use crate::nginx::entry::guarded;
use crate::nginx::export::ctx_index;
use crate::nginx::request::Request;

/// Chooses the peer of an attempt by [`Request::attempt`]. `NGX_OK`: it has, or nginx is to choose by round robin;
/// `NGX_BUSY` and `NGX_DECLINED`: there is no peer; anything else ends the request by 500.
pub type Balance = fn(&Request, &dyn Any) -> Status;

static BALANCE: OnceLock<Balance> = OnceLock::new();

/// Registers what chooses the peers, once.
pub(in crate::nginx) fn register_balance(balance: Balance) {
    let _ = BALANCE.set(balance);
}

/// The module's configuration of an `upstream` block; that of a `server` stays empty.
#[derive(Default)]
pub(in crate::nginx) struct Balanced(OnceCell<Rc<dyn Any>>);

/// What is known of a request's attempts at its upstream. It lies in the request's pool.
#[repr(C)]
pub(in crate::nginx) struct Attempts {
    round_robin: ngx_http_upstream_rr_peer_data_t,
    request: *mut ngx_http_request_t,
    balanced: *const Balanced,
    /// The current attempt's peer; null where round robin chooses. nginx shows its name until the request ends.
    pub(in crate::nginx) peer: *mut ngx_addr_t,
    /// How many have begun.
    pub(in crate::nginx) begun: usize,
    /// How many more are allowed once the current one fails.
    pub(in crate::nginx) more: usize,
    /// How the one before ended: nginx's `NGX_PEER_*`; 0 where there was none.
    pub(in crate::nginx) last: ngx_uint_t,
    /// The upstream's configuration is the request's own by now.
    pub(in crate::nginx) own_conf: bool,
    set_session: ngx_event_set_peer_session_pt,
    save_session: ngx_event_save_peer_session_pt,
}

impl Conf {
    /// Makes the enclosing `upstream` ask what was registered for its peers, which is given `what`.
    ///
    /// # Errors
    /// The upstream asks for its peers already.
    pub fn set_balancer(&mut self, what: Rc<dyn Any>) -> Result<(), String> {
        // SAFETY: inside an upstream `cf->ctx` is a context whose srv_conf holds the upstream module's configuration
        // of the block, and ours as `Glue::create` made it.
        let (balanced, upstream) = unsafe {
            let http = (*self.as_ptr()).ctx.cast::<ngx_http_conf_ctx_t>();
            let upstream = *(*http).srv_conf.add(ngx_http_upstream_module.ctx_index);
            (
                &*(*(*http).srv_conf.add(ctx_index())).cast::<Balanced>(),
                &mut *upstream.cast::<ngx_http_upstream_srv_conf_t>(),
            )
        };
        if balanced.0.set(what).is_err() {
            return Err(format!("\"{}\" directive is duplicate", self.name()));
        }
        if upstream.peer.init_upstream.is_some() {
            self.warn("load balancing method redefined");
        }
        upstream.peer.init_upstream = Some(init_upstream);
        upstream.flags = (NGX_HTTP_UPSTREAM_CREATE
            | NGX_HTTP_UPSTREAM_WEIGHT
            | NGX_HTTP_UPSTREAM_MAX_FAILS
            | NGX_HTTP_UPSTREAM_FAIL_TIMEOUT
            | NGX_HTTP_UPSTREAM_DOWN) as ngx_uint_t;
        Ok(())
    }
}

/// At configuration time: the servers of the block are those of round robin.
unsafe extern "C" fn init_upstream(cf: *mut ngx_conf_t, upstream: *mut ngx_http_upstream_srv_conf_t) -> ngx_int_t {
    // SAFETY: nginx passes its own structures.
    unsafe {
        if ngx_http_upstream_init_round_robin(cf, upstream) != NGX_OK as ngx_int_t {
            return NGX_ERROR as _;
        }
        (*upstream).peer.init = Some(init_request);
    }
    NGX_OK as _
}

/// At the start of a request to the upstream.
unsafe extern "C" fn init_request(r: *mut ngx_http_request_t, us: *mut ngx_http_upstream_srv_conf_t) -> ngx_int_t {
    // SAFETY: a live request that has an upstream; the zeroed memory is as large as what it is used for, zero is valid
    // for each field, and it lives as long as the request. Round robin takes the data that stands there.
    unsafe {
        let attempts = ngx_pcalloc((*r).pool, size_of::<Attempts>()).cast::<Attempts>();
        if attempts.is_null() {
            return NGX_ERROR as _;
        }
        let pc = &raw mut (*(*r).upstream).peer;
        (*pc).data = (&raw mut (*attempts).round_robin).cast();
        if ngx_http_upstream_init_round_robin_peer(r, us) != NGX_OK as ngx_int_t {
            return NGX_ERROR as _;
        }
        (*attempts).request = r;
        (*attempts).balanced = (*(*us).srv_conf.add(ctx_index())).cast();
        (*attempts).set_session = (*pc).set_session;
        (*attempts).save_session = (*pc).save_session;
        (*pc).data = attempts.cast();
        (*pc).get = Some(get_peer);
        (*pc).free = Some(free_peer);
        (*pc).set_session = Some(set_session);
        (*pc).save_session = Some(save_session);
    }
    NGX_OK as _
}

/// At the start of an attempt.
unsafe extern "C" fn get_peer(pc: *mut ngx_peer_connection_t, data: *mut c_void) -> ngx_int_t {
    let attempts = data.cast::<Attempts>();
    // SAFETY: `data` is what `init_request` made for this live request, whose upstream's peer `pc` is.
    unsafe {
        (*attempts).peer = std::ptr::null_mut();
        (*attempts).more = 0;
        (*attempts).begun += 1;
        let status = choose(attempts);
        match status {
            Status::NGX_OK => {}
            // nginx asks again as long as there are tries, and counts none that has had no peer.
            Status::NGX_DECLINED => {
                (*pc).tries = ((*pc).tries + (*attempts).more).saturating_sub(1);
                return status.0;
            }
            Status::NGX_BUSY => return status.0,
            _ => return NGX_ERROR as _,
        }
        (*pc).tries += (*attempts).more;
        let Some(peer) = (*attempts).peer.as_mut() else {
            return ngx_http_upstream_get_round_robin_peer(pc, (&raw mut (*attempts).round_robin).cast());
        };
        (*pc).sockaddr = peer.sockaddr;
        (*pc).socklen = peer.socklen;
        (*pc).name = &raw mut peer.name;
        (*pc).set_cached(0);
        (*pc).connection = std::ptr::null_mut();
    }
    NGX_OK as _
}

/// Runs what was registered, for which the attempt is the request's current one meanwhile.
///
/// # Safety
/// `attempts` must be what `init_request` made for a live request.
unsafe fn choose(attempts: *mut Attempts) -> Status {
    // SAFETY: by this function's contract; an upstream's configuration outlives its requests.
    let (request, what) = unsafe { (Request::from_ptr((*attempts).request), (*(*attempts).balanced).0.get()) };
    let (Some(balance), Some(what), Some(state)) = (BALANCE.get(), what, request.state_or_new()) else {
        return Status::NGX_ERROR;
    };
    let before = state.attempts.replace(attempts);
    let status = guarded(request, || balance(request, &**what));
    state.attempts.set(before);
    status
}

/// At the end of an attempt that had a peer.
unsafe extern "C" fn free_peer(pc: *mut ngx_peer_connection_t, data: *mut c_void, state: ngx_uint_t) {
    let attempts = data.cast::<Attempts>();
    // SAFETY: as in `get_peer`.
    unsafe {
        (*attempts).last = state;
        if (*attempts).peer.is_null() {
            ngx_http_upstream_free_round_robin_peer(pc, (&raw mut (*attempts).round_robin).cast(), state);
        } else {
            (*pc).tries = (*pc).tries.saturating_sub(1);
        }
    }
}

/// Round robin keeps the TLS session of a server of the block; a chosen peer has none to be kept in.
unsafe extern "C" fn set_session(pc: *mut ngx_peer_connection_t, data: *mut c_void) -> ngx_int_t {
    let attempts = data.cast::<Attempts>();
    // SAFETY: as in `get_peer`; round robin has a current peer where none was chosen.
    unsafe {
        match (*attempts).set_session {
            Some(set) if (*attempts).peer.is_null() => set(pc, (&raw mut (*attempts).round_robin).cast()),
            _ => NGX_OK as _,
        }
    }
}

/// As [`set_session`].
unsafe extern "C" fn save_session(pc: *mut ngx_peer_connection_t, data: *mut c_void) {
    let attempts = data.cast::<Attempts>();
    // SAFETY: as in `set_session`.
    unsafe {
        if let Some(save) = (*attempts).save_session
            && (*attempts).peer.is_null()
        {
            save(pc, (&raw mut (*attempts).round_robin).cast());
        }
    }
}
