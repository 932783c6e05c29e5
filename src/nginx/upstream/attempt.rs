//! The attempt at an upstream for which a peer is being chosen: what `ngx.balancer` reads and changes.

use ngx::ffi::*;

use crate::nginx::request::Request;
use crate::nginx::upstream::balancer::Attempts;

/// What a call that wants memory says where there is none.
const NO_MEMORY: &str = "no memory";
/// The longest timeout, milliseconds: nginx's timers compare as signed numbers.
const LONGEST: u64 = i32::MAX as u64;

/// A request's attempt at its upstream, while its peer is being chosen.
pub struct Attempt<'r> {
    request: &'r Request,
    attempts: *mut Attempts,
    upstream: *mut ngx_http_upstream_t,
}

/// How the attempt before has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LastFailure {
    /// The connection failed; otherwise the answer was one that `proxy_next_upstream` names.
    pub connection: bool,
    /// The status that stands for it: the peer's, or 502 or 504.
    pub status: usize,
}

/// The timeouts of an attempt and of those after it, milliseconds; none: as configured.
#[derive(Clone, Copy, Default)]
pub struct Timeouts {
    /// For the connection to be made.
    pub connect: Option<u64>,
    /// Between two writes.
    pub send: Option<u64>,
    /// Between two reads.
    pub read: Option<u64>,
}

impl Request {
    /// The attempt for which a peer is being chosen. Otherwise what keeps it from being chosen.
    pub fn attempt(&self) -> Result<Attempt<'_>, &'static str> {
        // SAFETY: a live request.
        let upstream = unsafe { (*self.as_ptr()).upstream };
        if upstream.is_null() {
            return Err("no upstream found");
        }
        let attempts = self.state().map(|state| state.attempts.get()).filter(|attempts| !attempts.is_null());
        let attempts = attempts.ok_or("API disabled in the current context")?;
        Ok(Attempt { request: self, attempts, upstream })
    }
}

// The three pointers are valid as long as `request` is borrowed: `balancer::choose` sets the state's only for the time of
// a call, and the upstream is the request's.
impl Attempt<'_> {
    /// Chooses an address as nginx's `server` has it: an IP address or `unix:` path, with a port of its own or `port`.
    ///
    /// # Errors
    /// nginx's text for what is none, and "no host allowed" for a name that would have to be looked up.
    pub fn set_peer(&self, address: &[u8], port: u16) -> Result<(), String> {
        let address = self.request.copy(address).ok_or(NO_MEMORY)?;
        // SAFETY: zero is valid for each field; the text lies in the request's pool, where nginx puts the addresses.
        unsafe {
            let mut url: ngx_url_t = std::mem::zeroed();
            url.url = ngx_str_t { len: address.len(), data: address.as_ptr().cast_mut() };
            url.default_port = port;
            url.set_no_resolve(1);
            let rc = ngx_parse_url((*self.request.as_ptr()).pool, &raw mut url);
            if rc != NGX_OK as ngx_int_t {
                let error = (!url.err.is_null()).then(|| std::ffi::CStr::from_ptr(url.err));
                return Err(error.map_or(NO_MEMORY.into(), |error| error.to_string_lossy().into_owned()));
            }
            if url.addrs.is_null() || url.naddrs == 0 {
                return Err("no host allowed".into());
            }
            (*self.attempts).peer = url.addrs;
        }
        Ok(())
    }

    /// Allows that many attempts after this one. False where `proxy_next_upstream_tries` allows fewer.
    pub fn set_more_tries(&self, count: usize) -> bool {
        // SAFETY: as said above.
        unsafe {
            let limit = (*(*self.upstream).conf).next_upstream_tries;
            // Those that are over, this one, and those that are allowed already.
            let taken = (*self.attempts).begun - 1 + (*self.upstream).peer.tries;
            let allowed = if limit == 0 { count } else { count.min(limit.saturating_sub(taken)) };
            (*self.attempts).more = allowed;
            allowed == count
        }
    }

    /// How the attempt before has ended; none where this is the first.
    pub fn last_failure(&self) -> Option<LastFailure> {
        // SAFETY: as said above; nginx pushes the state of an attempt before it asks for its peer, so that the one before
        // it is the last but one.
        unsafe {
            let last = (*self.attempts).last;
            if last == 0 {
                return None;
            }
            let states = (*(*self.request.as_ptr()).upstream_states).as_slice::<ngx_http_upstream_state_t>();
            let status = states.len().checked_sub(2).map_or(0, |before| states[before].status);
            Some(LastFailure { connection: last & NGX_PEER_FAILED as ngx_uint_t != 0, status })
        }
    }

    /// Changes the timeouts of this attempt and of those after it. False where memory ran out.
    pub fn set_timeouts(&self, timeouts: Timeouts) -> bool {
        // SAFETY: as said above; the configuration is shared by all requests, so it is changed in a copy that lives as
        // long as the request. nginx only reads it.
        unsafe {
            if !(*self.attempts).own_conf {
                let own = ngx_palloc((*self.request.as_ptr()).pool, size_of::<ngx_http_upstream_conf_t>());
                let own = own.cast::<ngx_http_upstream_conf_t>();
                if own.is_null() {
                    return false;
                }
                own.copy_from_nonoverlapping((*self.upstream).conf, 1);
                (*self.upstream).conf = own;
                (*self.attempts).own_conf = true;
            }
            let conf = &mut *(*self.upstream).conf;
            for (slot, timeout) in [
                (&mut conf.connect_timeout, timeouts.connect),
                (&mut conf.send_timeout, timeouts.send),
                (&mut conf.read_timeout, timeouts.read),
            ] {
                if let Some(timeout) = timeout {
                    *slot = timeout.min(LONGEST) as ngx_msec_t;
                }
            }
        }
        true
    }

    /// Makes what is sent to the upstream anew, by the variables as they are now. False where that has failed.
    pub fn recreate_request(&self) -> bool {
        // SAFETY: as said above; nginx itself calls `create_request` with the buffers of the body in that place.
        unsafe {
            let r = self.request.as_ptr();
            let Some(create) = (*self.upstream).create_request else { return false };
            (*self.upstream).request_bufs = (*r).request_body.as_ref().map_or(std::ptr::null_mut(), |body| body.bufs);
            create(r) == NGX_OK as ngx_int_t
        }
    }
}
