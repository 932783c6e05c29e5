//! Which handshakes run Lua: the callbacks are set into each server's `SSL_CTX` when the configuration is complete.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::OnceLock;

use ngx::core::Status;
use ngx::ffi::*;

use super::callbacks;
use super::stapling::let_lua_staple;
use crate::nginx::conf::Conf;
use crate::nginx::export::{Configuration, ctx_index, is_installed};
use crate::nginx::request::Request;

/// A point of a TLS handshake at which Lua may run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TlsHook {
    /// The client's first message has come; nothing was decided yet. May wait.
    ClientHello,
    /// A full handshake needs a certificate. May wait.
    Certificate,
    /// A client names a session that it would resume. May wait.
    SessionFetch,
    /// A session was made. Cannot wait.
    SessionStore,
}

impl TlsHook {
    /// The directive's name, as the log shows it.
    pub(super) fn directive(self) -> &'static str {
        match self {
            Self::ClientHello => "ssl_client_hello_by_lua*",
            Self::Certificate => "ssl_certificate_by_lua*",
            Self::SessionFetch => "ssl_session_fetch_by_lua*",
            Self::SessionStore => "ssl_session_store_by_lua*",
        }
    }

    /// How lines for those who debug begin: before its Lua runs, and after that.
    pub(super) fn debug_names(self) -> [&'static str; 2] {
        match self {
            Self::ClientHello => ["ssl client hello", "lua_client_hello_by_lua"],
            Self::Certificate => ["ssl cert", "lua_certificate_by_lua"],
            Self::SessionFetch => ["ssl session fetch", "ssl_session_fetch_by_lua*"],
            Self::SessionStore => ["ssl session store", "ssl_session_store_by_lua*"],
        }
    }

    /// What upstream calls OpenSSL's callback of it.
    pub(super) fn callback_name(self) -> &'static str {
        match self {
            Self::ClientHello => "client hello cb",
            Self::Certificate => "cert cb",
            Self::SessionFetch => "sess get cb",
            Self::SessionStore => "sess new cb",
        }
    }
}

/// Which hooks a server has Lua for.
#[derive(Clone, Copy, Default, Debug)]
pub struct TlsHooks {
    /// [`TlsHook::ClientHello`]
    pub client_hello: bool,
    /// [`TlsHook::Certificate`]
    pub certificate: bool,
    /// [`TlsHook::SessionFetch`]
    pub session_fetch: bool,
    /// [`TlsHook::SessionStore`]
    pub session_store: bool,
}

impl TlsHooks {
    fn may_wait(self) -> bool {
        self.client_hello || self.certificate || self.session_fetch
    }
}

/// Runs a hook's Lua for a handshake's fake request. `NGX_OK`: the handshake goes on; `NGX_DONE`: the Lua waits, and
/// [`Request::tls_hook_ended`] will be called; anything else: the handshake fails.
pub type TlsHandler = fn(&Request, TlsHook) -> Status;

/// What runs the hooks. The rooms that know do not stand below the configuration, so the composition root registers it.
static HANDLER: OnceLock<TlsHandler> = OnceLock::new();

/// Registers what runs the hooks, once.
pub fn register_tls(handler: TlsHandler) {
    let _ = HANDLER.set(handler);
}

/// Runs what is registered.
pub(super) fn run(request: &Request, hook: TlsHook) -> Status {
    HANDLER.get().map_or(Status::NGX_ERROR, |handle| handle(request, hook))
}

/// OpenSSL's numbers of our data: of an `SSL_CTX` the server's context, of an `SSL` the handshake.
struct Indexes {
    server: c_int,
    handshake: c_int,
}

static INDEXES: OnceLock<Indexes> = OnceLock::new();

fn new_index(class: u32) -> c_int {
    // SAFETY: OpenSSL asks for no argument and gets no callback.
    unsafe { CRYPTO_get_ex_new_index(class as c_int, 0, ptr::null_mut(), None, None, None) }
}

fn indexes() -> &'static Indexes {
    INDEXES.get_or_init(|| Indexes {
        server: new_index(CRYPTO_EX_INDEX_SSL_CTX),
        handshake: new_index(CRYPTO_EX_INDEX_SSL),
    })
}

/// Where a handshake stands among an `SSL`'s data.
pub(super) fn handshake_index() -> c_int {
    indexes().handshake
}

/// The context of the server whose certificate a connection uses: the default server's until the client's name was
/// looked at.
///
/// # Safety
/// `ssl` must be one of an HTTP server.
pub(super) unsafe fn server_of(ssl: *const SSL) -> *const ngx_http_conf_ctx_t {
    // SAFETY: by this function's contract; `hook_tls` has set the data of every `SSL_CTX` of a server.
    unsafe { SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), indexes().server).cast_const().cast() }
}

impl Conf {
    /// Makes the handshakes of every server run its hooks. For the time of postconfiguration.
    ///
    /// # Errors
    /// OpenSSL has no memory.
    pub fn hook_tls<C: Configuration>(&mut self, hooks_of: impl Fn(&C::Loc) -> TlsHooks) -> Result<(), String> {
        debug_assert!(is_installed::<C>());
        let servers = self.tls_servers();
        let hooks = servers.iter().map(|(server, _)| {
            // SAFETY: `Glue::create` filled the slot of each server's location with a `C::Loc`.
            hooks_of(unsafe { &*(*(**server).loc_conf.add(ctx_index())).cast::<C::Loc>() })
        });
        let hooks: Vec<TlsHooks> = hooks.collect();
        // A client's name may lead from a server without Lua to one with it.
        let may_wait = hooks.iter().any(|hooks| hooks.may_wait());
        if !may_wait && !hooks.iter().any(|hooks| hooks.session_store) {
            return Ok(());
        }
        for ((server, ctx), hooks) in servers.into_iter().zip(hooks) {
            // SAFETY: nginx has made the `SSL_CTX` for this server; both live as long as the cycle. The callbacks have
            // the types that OpenSSL asks for.
            unsafe {
                if SSL_CTX_set_ex_data(ctx, indexes().server, server.cast::<c_void>()) != 1 {
                    return Err("SSL_CTX_set_ex_data() failed".into());
                }
                if may_wait {
                    callbacks::watch(ctx);
                }
                if hooks.client_hello || hooks.session_fetch {
                    let wants = callbacks::Wants { hello: hooks.client_hello, session: hooks.session_fetch };
                    SSL_CTX_set_client_hello_cb(ctx, Some(callbacks::client_hello), wants.as_argument());
                }
                if hooks.certificate {
                    let_lua_staple(ctx, (*self.as_ptr()).pool)?;
                    SSL_CTX_set_cert_cb(ctx, Some(callbacks::certificate), ptr::null_mut());
                }
                if hooks.session_fetch {
                    SSL_CTX_sess_set_get_cb(ctx, Some(callbacks::session_fetch));
                }
                if hooks.session_store {
                    SSL_CTX_sess_set_new_cb(ctx, Some(callbacks::session_store));
                }
            }
        }
        Ok(())
    }

    /// The context and the `SSL_CTX` of each server that has one.
    fn tls_servers(&self) -> Vec<(*mut ngx_http_conf_ctx_t, *mut SSL_CTX)> {
        // SAFETY: in postconfiguration `cf->ctx` is the http block's; its core module lists all servers, and the SSL
        // module has merged its configuration of each.
        unsafe {
            let http = (*self.as_ptr()).ctx.cast::<ngx_http_conf_ctx_t>();
            let core = (*(*http).main_conf.add(ngx_http_core_module.ctx_index)).cast::<ngx_http_core_main_conf_t>();
            let servers = (*core).servers.as_slice::<*mut ngx_http_core_srv_conf_t>().iter();
            let contexts = servers.map(|server| {
                let context = (**server).ctx;
                (context, (*ssl_conf(context)).ssl.ctx)
            });
            contexts.filter(|(_, ctx)| !ctx.is_null()).collect()
        }
    }
}

/// The SSL module's configuration of a server.
///
/// # Safety
/// `server` must be a server's context.
pub(super) unsafe fn ssl_conf(server: *const ngx_http_conf_ctx_t) -> *mut ngx_http_ssl_srv_conf_t {
    // SAFETY: the SSL module fills its slot in every server.
    unsafe { (*(*server).srv_conf.add(ngx_http_ssl_module.ctx_index)).cast() }
}
