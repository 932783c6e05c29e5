//! nginx-hotlua: an nginx module that runs OpenResty-style Lua and changes that code in production.
//!
//! A map of the house; `docs/architecture.md` walks through it.
//!
//! | room | holds |
//! |---|---|
//! | [`module`] | what nginx calls in the life of a configuration and a process |
//! | [`worker`] | the composition root: builds the VM and hands it to the rooms |
//! | [`phase`] | the driver that runs a request's Lua |
//! | [`api`] | the `ngx.*` families, each with a Lua half in `src/lua/` |
//! | [`cosocket`] | what a cosocket is: its states, its reading and writing |
//! | [`hot`] | publish, prepare, activate |
//! | [`watch`] | hints that files have changed and settled |
//! | [`control`] | the control API |
//! | [`sandbox`] | untrusted scripts: profiles, VMs, limits |
//! | [`conf`] | directives and what they keep |
//! | [`vm`] | LuaJIT |
//! | [`pipe`] | what a process that Lua has started is |
//! | [`text`] | escaping, query strings, quoting: pure functions |
//! | [`code`] | paths, generations, the require graph |
//! | [`ffi`] | the C functions that Lua's hot calls use (`unsafe`) |
//! | [`nginx`] | nginx's structures as safe types (`unsafe`) |

/// Lua's memory comes from here too: a coroutine that begins or ends costs half of what it does with the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[forbid(unsafe_code)]
mod api;
#[forbid(unsafe_code)]
mod code;
#[forbid(unsafe_code)]
mod conf;
#[forbid(unsafe_code)]
mod control;
#[forbid(unsafe_code)]
mod cosocket;
#[allow(unsafe_code)]
mod ffi;
#[forbid(unsafe_code)]
mod hot;
#[forbid(unsafe_code)]
mod module;
#[allow(unsafe_code)]
mod nginx;
#[forbid(unsafe_code)]
mod phase;
#[forbid(unsafe_code)]
mod pipe;
#[forbid(unsafe_code)]
mod sandbox;
#[forbid(unsafe_code)]
mod text;
#[forbid(unsafe_code)]
mod vm;
#[forbid(unsafe_code)]
mod watch;
#[forbid(unsafe_code)]
mod worker;

export_module!(ngx_http_hotlua_module, module::HotLua);
