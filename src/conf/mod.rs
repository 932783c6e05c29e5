//! The directives: what nginx.conf may say, checked as it is read, and where it is kept.

mod block;
mod client_tls;
mod code;
mod directives;
mod hot;
mod number;
mod once;
mod phases;
mod profiles;
mod roots;
mod sandbox;
mod sandboxed;
mod socket;
mod token;
mod untrusted;
mod variable_path;
mod worker;

use std::any::Any;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use once_cell::unsync::OnceCell;

use crate::nginx::{ClientContext, Conf, Configuration, Directive, Settings, SharedDict, Zone};
use crate::sandbox::{Profile, Variable};

pub use client_tls::{ClientContexts, ClientTls};
pub use code::{Code, Source, evaluate};
pub use hot::Prepare;
pub use phases::{Phases, SetCode, Slot, Used};
pub use sandboxed::Sandboxed;
pub use socket::Socket;
pub use token::Token;

/// The `http` block's configuration.
#[derive(Default)]
pub struct MainConf {
    /// Every piece of Lua that a directive names, in the order of the file.
    pub codes: Vec<Rc<Code>>,
    /// Lua runs or code is controlled somewhere in this configuration.
    pub used: bool,
    /// `init_by_lua*`
    pub init: Option<Rc<Code>>,
    /// `init_worker_by_lua*`
    pub init_worker: Option<Rc<Code>>,
    /// `exit_worker_by_lua*`
    pub exit_worker: Option<Rc<Code>>,
    /// `ssl_session_fetch_by_lua*`
    pub session_fetch: Option<Rc<Code>>,
    /// `ssl_session_store_by_lua*`
    pub session_store: Option<Rc<Code>>,
    /// The phases of requests that run Lua.
    pub phases: Used,
    /// `rewrite_by_lua_no_postpone`
    pub rewrite_no_postpone: Option<bool>,
    /// `access_by_lua_no_postpone`
    pub access_no_postpone: Option<bool>,
    /// `precontent_by_lua_no_postpone`
    pub precontent_no_postpone: Option<bool>,
    /// The profiles of `hotlua_sandbox`.
    pub profiles: Vec<Rc<Profile>>,
    /// `file:line` of each of `profiles`.
    profile_places: Vec<String>,
    /// The variables that profiles allow, each with the `file:line` that does.
    profile_variables: Vec<(Variable, String)>,
    /// Every `content_by_sandbox_file`.
    pub sandboxed: Vec<Rc<Sandboxed>>,
    /// `lua_package_path`, with `;;` still in it.
    pub package_path: Option<String>,
    /// `lua_package_cpath`, with `;;` still in it.
    pub package_cpath: Option<String>,
    /// `lua_regex_cache_max_entries`, patterns; 0: any number.
    pub regex_cache_max_entries: Option<u32>,
    /// `lua_regex_match_limit`, steps of going back; 0: as many as PCRE allows.
    pub regex_match_limit: Option<u32>,
    /// Every `lua_shared_dict`.
    pub shared_dicts: Vec<SharedDict>,
    /// `hotlua_root`; empty where it is not given. [`MainConf::code_roots`] derives them then.
    pub roots: Vec<PathBuf>,
    /// `hotlua_zone`, bytes.
    pub zone_size: Option<usize>,
    /// `hotlua_watch`
    pub watch: Option<bool>,
    /// `hotlua_settle`
    pub settle: Option<Duration>,
    /// `hotlua_keep`, generations.
    pub keep: Option<usize>,
    /// `hotlua_prepare`
    pub prepare: Option<Prepare>,
    /// `hotlua_prepare_timeout`
    pub prepare_timeout: Option<Duration>,
    /// `hotlua_check`, absolute; it compiled while the configuration was read.
    pub check: Option<PathBuf>,
    /// `lua_load_resty_core`
    load_resty_core: Option<bool>,
    /// `lua_malloc_trim`, requests.
    pub malloc_trim: Option<usize>,
    /// `lua_thread_cache_max_entries`
    pub thread_cache: Option<usize>,
    /// `lua_worker_thread_vm_pool_size`
    thread_vms: Option<usize>,
    /// `lua_max_pending_timers`
    pub max_pending_timers: Option<usize>,
    /// `lua_max_running_timers`
    pub max_running_timers: Option<usize>,
    /// `lua_sa_restart`
    pub sa_restart: Option<bool>,
    /// `lua_capture_error_log`, bytes.
    pub capture_error_log: Option<usize>,
    /// The shared memory, once it was asked for.
    pub zone: Option<Zone>,
    /// What `lua_ssl_*` has asked for, made once.
    client_contexts: ClientContexts,
    /// What the composition root made of this configuration.
    pub runtime: OnceCell<Box<dyn Any>>,
    /// How its code changes, as the composition root keeps it.
    pub changes: OnceCell<Box<dyn Any>>,
}

/// A location's configuration, and what servers and `http` set for those inside.
#[derive(Default)]
pub struct LocConf {
    /// The Lua of phases that inner blocks inherit.
    pub phases: Phases,
    /// `content_by_lua*`
    pub content: Option<Rc<Code>>,
    /// `content_by_sandbox_file`
    pub sandboxed: Option<Rc<Sandboxed>>,
    /// `lua_code_cache`
    pub code_cache: Option<bool>,
    /// `hotlua_control`: the location answers by the control API instead of by Lua.
    pub control: bool,
    /// `hotlua_control_token`
    pub control_token: Option<Rc<Token>>,
    /// `lua_transform_underscores_in_response_headers`
    pub transform_underscores: Option<bool>,
    /// `lua_need_request_body`
    pub need_request_body: Option<bool>,
    /// `lua_http10_buffering`
    pub http10_buffering: Option<bool>,
    /// `lua_use_default_type`
    pub use_default_type: Option<bool>,
    /// `lua_check_client_abort`
    pub check_client_abort: Option<bool>,
    /// `lua_socket_*`
    pub socket: Socket,
    /// `lua_ssl_*`
    pub client_tls: ClientTls,
}

impl LocConf {
    /// The directive that makes the location's content; none where no directive of the module does.
    fn handler(&self) -> Option<&str> {
        let content = self.content.as_ref().map(|code| code.directive.as_str());
        let sandboxed = self.sandboxed.as_ref().map(|_| "content_by_sandbox_file");
        content.or(sandboxed).or(self.control.then_some("hotlua_control"))
    }

    /// Says whether code is compiled once and kept.
    pub fn caches_code(&self) -> bool {
        self.code_cache.unwrap_or(true)
    }

    /// Says whether the body is read before Lua runs that may use it.
    pub fn needs_request_body(&self) -> bool {
        self.need_request_body.unwrap_or(false)
    }

    /// How requests are treated.
    pub fn settings(&self) -> Settings {
        let usual = Settings::default();
        Settings {
            transforms_underscores: self.transform_underscores.unwrap_or(usual.transforms_underscores),
            gathers_http10: self.http10_buffering.unwrap_or(usual.gathers_http10),
            default_type: self.use_default_type.unwrap_or(usual.default_type),
            watches_client: self.check_client_abort.unwrap_or(usual.watches_client),
            socket: self.socket.settings(),
        }
    }

    /// Says whether the response passes through Lua.
    pub fn runs_lua_in_filters(&self) -> bool {
        self.phases.get(Slot::HeaderFilter).is_some() || self.phases.get(Slot::BodyFilter).is_some()
    }
}

/// The module's configuration, for [`crate::nginx`].
pub struct Confs;

impl Configuration for Confs {
    type Main = MainConf;
    type Loc = LocConf;
    const DIRECTIVES: &'static [Directive<Self>] = directives::DIRECTIVES;

    fn merge(conf: &mut Conf, parent: &LocConf, child: &mut LocConf) -> Result<(), String> {
        // nginx lets an `if` block inherit the handler that its location has, so it inherits what that one serves; a
        // block with a handler of its own has one only.
        if child.handler().is_none() {
            child.content.clone_from(&parent.content);
            child.sandboxed.clone_from(&parent.sandboxed);
            child.control = parent.control;
            if child.control || child.sandboxed.is_some() {
                conf.inherit_content_handler();
            }
        }
        if conf.main_conf::<Self>().capture_error_log.is_some() {
            conf.capture_error_log()?;
        }
        child.phases.inherit(&parent.phases);
        child.control_token = child.control_token.take().or_else(|| parent.control_token.clone());
        child.code_cache = child.code_cache.or(parent.code_cache);
        child.transform_underscores = child.transform_underscores.or(parent.transform_underscores);
        child.need_request_body = child.need_request_body.or(parent.need_request_body);
        child.http10_buffering = child.http10_buffering.or(parent.http10_buffering);
        child.use_default_type = child.use_default_type.or(parent.use_default_type);
        child.check_client_abort = child.check_client_abort.or(parent.check_client_abort);
        child.socket.inherit(&parent.socket);
        let mut contexts = std::mem::take(&mut conf.main_conf::<Self>().client_contexts);
        let inherited = child.client_tls.inherit(conf, &parent.client_tls, &mut contexts);
        conf.main_conf::<Self>().client_contexts = contexts;
        inherited
    }

    fn client_context(loc: &LocConf) -> Option<&ClientContext> {
        loc.client_tls.context()
    }
}

/// Puts nginx's prefix for `$prefix` and `${prefix}` in a search path.
pub fn expand_prefix(path: &str) -> String {
    let prefix = crate::nginx::prefix();
    let prefix = prefix.to_string_lossy();
    path.replace("${prefix}", &prefix).replace("$prefix", &prefix)
}
