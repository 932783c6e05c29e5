//! Stapling: a response of the certificate's OCSP responder that goes out with the certificate.

use std::ffi::{c_int, c_long, c_void};
use std::mem::transmute;
use std::ptr;

use ngx::ffi::*;

use super::connection::Tls;

type StatusCallback = unsafe extern "C" fn(*mut SSL, *mut c_void) -> c_int;

/// What a server's stapling was before: nginx's own, where `ssl_stapling` is on.
struct Before {
    callback: Option<StatusCallback>,
    argument: *mut c_void,
}

impl Tls<'_> {
    /// Makes a response go out with the certificate. False: the client does not ask for one.
    ///
    /// # Errors
    /// OpenSSL refuses it.
    pub fn set_ocsp_response(&self, response: &[u8]) -> Result<bool, &'static str> {
        // SAFETY: a live connection; the request takes no argument.
        let asked = unsafe { SSL_ctrl(self.ssl(), GET_TYPE, 0, ptr::null_mut()) };
        if asked == NOT_ASKED {
            return Ok(false);
        }
        if response.is_empty() {
            return Err("empty OCSP response");
        }
        self.handle_mut()
            .set_ocsp_status(response)
            .map(|()| true)
            .map_err(|_| "SSL_set_tlsext_status_ocsp_resp() failed")
    }
}

const GET_TYPE: c_int = SSL_CTRL_GET_TLSEXT_STATUS_REQ_TYPE as c_int;
const GET_RESPONSE: c_int = SSL_CTRL_GET_TLSEXT_STATUS_REQ_OCSP_RESP as c_int;
const NOT_ASKED: c_long = -1;

/// Makes the responses that Lua sets go out; where it sets none, what nginx has.
///
/// # Safety
/// `ctx` must be an `SSL_CTX` that nginx has made, and `pool` one that lives as long as it.
pub(super) unsafe fn let_lua_staple(ctx: *mut SSL_CTX, pool: *mut ngx_pool_t) -> Result<(), String> {
    // SAFETY: by this function's contract; these are OpenSSL's numbers for reading and setting the callback and its
    // argument, and the allocation is checked.
    unsafe {
        let before: *mut Before = ngx_palloc(pool, size_of::<Before>()).cast();
        if before.is_null() {
            return Err("out of memory".into());
        }
        before.write(Before { callback: None, argument: ptr::null_mut() });
        SSL_CTX_ctrl(ctx, SSL_CTRL_GET_TLSEXT_STATUS_REQ_CB as c_int, 0, (&raw mut (*before).callback).cast());
        SSL_CTX_ctrl(ctx, SSL_CTRL_GET_TLSEXT_STATUS_REQ_CB_ARG as c_int, 0, (&raw mut (*before).argument).cast());
        let callback = transmute::<StatusCallback, unsafe extern "C" fn()>(staple);
        SSL_CTX_callback_ctrl(ctx, SSL_CTRL_SET_TLSEXT_STATUS_REQ_CB as c_int, Some(callback));
        SSL_CTX_ctrl(ctx, SSL_CTRL_SET_TLSEXT_STATUS_REQ_CB_ARG as c_int, 0, before.cast());
    }
    Ok(())
}

/// Says whether there is a response to send.
unsafe extern "C" fn staple(ssl: *mut SSL, before: *mut c_void) -> c_int {
    let mut response: *mut u8 = ptr::null_mut();
    // SAFETY: OpenSSL passes the connection that shakes hands, and what `let_lua_staple` has set.
    unsafe {
        if SSL_ctrl(ssl, GET_RESPONSE, 0, (&raw mut response).cast()) > 0 {
            return SSL_TLSEXT_ERR_OK as c_int;
        }
        let before = &*before.cast::<Before>();
        before.callback.map_or(SSL_TLSEXT_ERR_NOACK as c_int, |callback| callback(ssl, before.argument))
    }
}
