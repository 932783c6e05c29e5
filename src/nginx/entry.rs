//! Where nginx calls in: C handlers that make safe types of their arguments and keep panics inside.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use ngx::core::Status;
use ngx::ffi::*;

use crate::nginx::conf::Conf;
use crate::nginx::log::{Level, Log};
use crate::nginx::request::Request;
use crate::nginx::response::body_chunk::BodyChunk;

/// Handles a request. `Status::NGX_DONE`: it is held and will be finalized later; anything else ends it.
pub type Handler = fn(&Request) -> Status;

/// A point in the life of a request at which nginx calls the module.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hook {
    /// The server's rewrite phase.
    ServerRewrite,
    /// The location's rewrite phase.
    Rewrite,
    /// The access phase.
    Access,
    /// The phase before the content's.
    Precontent,
    /// In the locations that [`Conf::set_content_handler`] was called for.
    Content,
    /// The response's header is on its way to the client. Anything but `NGX_OK` stops it.
    HeaderFilter,
    /// The request has ended.
    Log,
}

/// How many [`Hook`]s there are.
pub const HOOKS: usize = 7;

/// What runs at each [`Hook`]. The rooms that know do not stand below the configuration, so the composition root
/// registers it.
static HANDLERS: OnceLock<[Handler; HOOKS]> = OnceLock::new();

/// Handles a part of a response's body on its way to the client. Anything but `NGX_OK` stops it.
pub type BodyFilter = fn(&Request, &mut BodyChunk) -> Status;

static BODY_FILTER: OnceLock<BodyFilter> = OnceLock::new();

/// Registers what runs at each hook, once.
pub(super) fn register(handlers: [Handler; HOOKS], body_filter: BodyFilter) {
    let _ = HANDLERS.set(handlers);
    let _ = BODY_FILTER.set(body_filter);
}

/// Runs what is registered for a part of a response's body.
pub(super) fn run_body_filter(request: &Request, chunk: &mut BodyChunk) -> Status {
    guarded(request, || BODY_FILTER.get().map_or(Status::NGX_OK, |filter| filter(request, chunk)))
}

/// Runs what is registered for a hook.
pub(super) fn run(hook: Hook, request: &Request) -> Status {
    run_number(hook as usize, request)
}

fn run_number(hook: usize, request: &Request) -> Status {
    guarded(request, || HANDLERS.get().map_or(Status::NGX_DECLINED, |handlers| handlers[hook](request)))
}

/// The content handler of a location.
pub(super) unsafe extern "C" fn content_handler(r: *mut ngx_http_request_t) -> ngx_int_t {
    // SAFETY: nginx passes a live request.
    run(Hook::Content, unsafe { Request::from_ptr(r) }).0
}

/// The handler of the phase whose [`Hook`] is `HOOK`.
unsafe extern "C" fn phase_handler<const HOOK: usize>(r: *mut ngx_http_request_t) -> ngx_int_t {
    // SAFETY: nginx passes a live request.
    run_number(HOOK, unsafe { Request::from_ptr(r) }).0
}

impl Conf {
    /// Makes nginx call the hook of a phase: as the last of the phase's handlers, or else (`first`) before those that
    /// stand there by now. For the time of postconfiguration.
    ///
    /// # Errors
    /// Memory ran out.
    pub fn add_handler(&mut self, hook: Hook, first: bool) -> Result<(), String> {
        let (phase, handler): (_, ngx_http_handler_pt) = match hook {
            Hook::ServerRewrite => {
                (ngx_http_phases_NGX_HTTP_SERVER_REWRITE_PHASE, Some(phase_handler::<{ Hook::ServerRewrite as usize }>))
            }
            Hook::Rewrite => {
                (ngx_http_phases_NGX_HTTP_REWRITE_PHASE, Some(phase_handler::<{ Hook::Rewrite as usize }>))
            }
            Hook::Access => (ngx_http_phases_NGX_HTTP_ACCESS_PHASE, Some(phase_handler::<{ Hook::Access as usize }>)),
            Hook::Precontent => {
                (ngx_http_phases_NGX_HTTP_PRECONTENT_PHASE, Some(phase_handler::<{ Hook::Precontent as usize }>))
            }
            Hook::Log => (ngx_http_phases_NGX_HTTP_LOG_PHASE, Some(phase_handler::<{ Hook::Log as usize }>)),
            Hook::Content | Hook::HeaderFilter => return Err("no phase has this hook".into()),
        };
        // SAFETY: in postconfiguration `cf->ctx` is the http block's, whose core module has made the arrays of
        // handlers; the push is checked. nginx runs a phase's handlers from the last to the first, but those of the
        // log phase from the first.
        unsafe {
            let http = (*self.as_ptr()).ctx.cast::<ngx_http_conf_ctx_t>();
            let core = (*(*http).main_conf.add(ngx_http_core_module.ctx_index)).cast::<ngx_http_core_main_conf_t>();
            let handlers = &raw mut (*core).phases[phase as usize].handlers;
            let pushed = ngx_array_push(handlers).cast::<ngx_http_handler_pt>();
            if pushed.is_null() {
                return Err("out of memory".into());
            }
            if first {
                *pushed = handler;
            } else {
                let all = (*handlers).elts.cast::<ngx_http_handler_pt>();
                std::ptr::copy(all, all.add(1), (*handlers).nelts - 1);
                *all = handler;
            }
        }
        Ok(())
    }
}

/// Runs `call`; a panic is logged and answered by 500.
pub(super) fn guarded(request: &Request, call: impl FnOnce() -> Status) -> Status {
    unless_panics(request, call).unwrap_or(Status(NGX_HTTP_INTERNAL_SERVER_ERROR as _))
}

/// Runs `call`. None: it has panicked, which was logged.
pub(super) fn unless_panics<T>(request: &Request, call: impl FnOnce() -> T) -> Option<T> {
    let logged = |_| Log::of(request).write(Level::Alert, b"internal error: the Lua module panicked");
    catch_unwind(AssertUnwindSafe(call)).map_err(logged).ok()
}
