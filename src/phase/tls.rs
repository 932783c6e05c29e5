//! `ssl_client_hello_by_lua*`, `ssl_certificate_by_lua*`, `ssl_session_fetch_by_lua*` and `ssl_session_store_by_lua*`: Lua
//! in the middle of a TLS handshake.

use ngx::core::Status;

use crate::conf::{Confs, Slot};
use crate::nginx::{self, Request, TlsHook};

use super::call::call;
use super::{Phase, driver};

/// The first status with which `ngx.exit` fails a handshake.
const SPECIAL_RESPONSE: i64 = 300;
const ERROR: i64 = -1;

static CLIENT_HELLO: Phase = handshake(nginx::Phase::SSL_CLIENT_HELLO);
static CERTIFICATE: Phase = handshake(nginx::Phase::SSL_CERTIFICATE);
static SESSION_FETCH: Phase = handshake(nginx::Phase::SSL_SESSION_FETCH);

const fn handshake(bit: nginx::Phase) -> Phase {
    Phase {
        bit,
        waits: |_| {},
        returned: |_| Status::NGX_OK,
        exited,
        redirected: |_, _| {},
        resumed: Request::tls_hook_ended,
    }
}

/// Runs a hook's Lua for a handshake's fake request. `NGX_OK`: the handshake goes on; `NGX_DONE`: the Lua waits.
pub fn tls(request: &Request, hook: TlsHook) -> Status {
    let (server, main) = (request.loc_conf::<Confs>(), request.main_conf::<Confs>());
    let (code, phase) = match hook {
        TlsHook::ClientHello => (server.phases.get(Slot::ClientHello), &CLIENT_HELLO),
        TlsHook::Certificate => (server.phases.get(Slot::Certificate), &CERTIFICATE),
        TlsHook::SessionFetch => (main.session_fetch.as_ref(), &SESSION_FETCH),
        TlsHook::SessionStore => {
            if let Some(code) = &main.session_store {
                let _: Option<()> = call(request, code, nginx::Phase::SSL_SESSION_STORE, "session_store_by_lua");
            }
            return Status::NGX_OK;
        }
    };
    code.map_or(Status::NGX_OK, |code| driver::start(request, code, phase, server.caches_code()))
}

/// `ngx.exit(ngx.ERROR)`, or with the status of an error, fails the handshake; any other lets it go on.
fn exited(_: &Request, status: i64) -> Status {
    if status == ERROR || status >= SPECIAL_RESPONSE { Status::NGX_ERROR } else { Status::NGX_OK }
}
