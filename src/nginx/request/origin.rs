//! Where Lua comes from that goes on without its request: a configuration, and the client that the log names.

use std::ffi::c_void;

use ngx::ffi::*;

use crate::nginx::request::Request;
use crate::nginx::request::fake::FakeRequest;
use crate::nginx::value::bytes;

/// The configuration of a request's location, or of the `http` block, and whose request it was. It is of the process's
/// cycle, so any later time may use it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin {
    main_conf: *mut *mut c_void,
    srv_conf: *mut *mut c_void,
    loc_conf: *mut *mut c_void,
    listening: *mut ngx_listening_t,
    client: Box<[u8]>,
}

impl Origin {
    /// That of a request, which may be a fake one.
    pub fn of(request: &Request) -> Self {
        // SAFETY: a live request has a connection and a configuration; the address is copied.
        unsafe {
            let r = request.as_ptr();
            let connection = (*r).connection;
            Self {
                main_conf: (*r).main_conf,
                srv_conf: (*r).srv_conf,
                loc_conf: (*r).loc_conf,
                listening: (*connection).listening,
                client: bytes(&(*connection).addr_text).into(),
            }
        }
    }

    /// Says whether it is that of a request.
    pub fn is_of(&self, request: &Request) -> bool {
        // SAFETY: as above.
        unsafe {
            let r = request.as_ptr();
            let connection = (*r).connection;
            self.loc_conf == (*r).loc_conf
                && self.srv_conf == (*r).srv_conf
                && self.main_conf == (*r).main_conf
                && self.listening == (*connection).listening
                && *self.client == *bytes(&(*connection).addr_text)
        }
    }

    /// That of Lua which belongs to no request: the `http` block. None where there is no such block.
    pub fn of_process() -> Option<Self> {
        // SAFETY: the http module's slot of the running cycle is null where there is no http block.
        unsafe {
            let conf = (*(*ngx_cycle).conf_ctx.add(ngx_http_module.index)).cast::<ngx_http_conf_ctx_t>().as_ref()?;
            let ngx_http_conf_ctx_t { main_conf, srv_conf, loc_conf } = *conf;
            Some(Self { main_conf, srv_conf, loc_conf, listening: std::ptr::null_mut(), client: Box::default() })
        }
    }

    /// A fake request with this configuration, which logs where that says. None where memory ran out.
    pub fn fake_request(&self) -> Option<FakeRequest> {
        let Self { main_conf, srv_conf, loc_conf, listening, client } = self;
        let conf = ngx_http_conf_ctx_t { main_conf: *main_conf, srv_conf: *srv_conf, loc_conf: *loc_conf };
        // SAFETY: the configuration is the running cycle's, and that is the process's last. The core module's log is
        // null in an `http` block that names none.
        unsafe {
            let core = (*loc_conf.add(ngx_http_core_module.ctx_index)).cast::<ngx_http_core_loc_conf_t>();
            let log = if (*core).error_log.is_null() { (*ngx_cycle).log } else { (*core).error_log };
            FakeRequest::of_client(&raw const conf, log, *listening, client)
        }
    }
}
