//! The `ngx` API, a file a family. Each has a Lua half of the same stem in `src/lua/`.

mod apart;
mod arg;
mod args;
mod balancer;
mod base64;
mod body;
mod body_write;
mod constants;
mod context;
mod coroutine;
mod errlog;
mod ffi;
mod header;
mod location;
mod log;
mod ndk;
mod ocsp;
mod on_abort;
mod output;
mod pipe;
mod process;
mod redirect;
mod refuse;
mod regex;
mod request_header;
mod require;
mod resty_core;
mod semaphore;
mod shared_dict;
mod sleep;
mod socket_request;
mod socket_tcp;
mod socket_tcp_tls;
mod socket_udp;
mod split;
mod ssl;
mod ssl_clienthello;
mod ssl_session;
mod status;
mod support;
mod text;
mod thread;
mod time;
mod timer;
mod timer_call;
mod variable;
mod worker_thread;
mod write_guard;

use crate::vm::Family;

pub use apart::seal_apart;
pub use regex::limit_regex;
pub use shared_dict::share;
pub use timer::{TimerLimits, Timers};

/// Every family, in the order in which a VM gets them: a Lua half may use what earlier ones put into `shared`.
pub const FAMILIES: &[Family] = &[
    support::FAMILY,
    coroutine::FAMILY,
    refuse::FAMILY,
    constants::FAMILY,
    log::FAMILY,
    require::FAMILY,
    ffi::FAMILY,
    context::FAMILY,
    output::FAMILY,
    on_abort::FAMILY,
    arg::FAMILY,
    text::FAMILY,
    time::FAMILY,
    args::FAMILY,
    body::FAMILY,
    body_write::FAMILY,
    sleep::FAMILY,
    semaphore::FAMILY,
    socket_tcp::FAMILY,
    socket_tcp_tls::FAMILY,
    socket_request::FAMILY,
    socket_udp::FAMILY,
    timer::FAMILY,
    thread::FAMILY,
    worker_thread::FAMILY,
    variable::FAMILY,
    header::FAMILY,
    status::FAMILY,
    request_header::FAMILY,
    redirect::FAMILY,
    location::FAMILY,
    ndk::FAMILY,
    regex::FAMILY,
    split::FAMILY,
    shared_dict::FAMILY,
    ssl::FAMILY,
    ssl_clienthello::FAMILY,
    ssl_session::FAMILY,
    ocsp::FAMILY,
    balancer::FAMILY,
    errlog::FAMILY,
    process::FAMILY,
    pipe::FAMILY,
    base64::FAMILY,
    // Behind all whose functions it names.
    resty_core::FAMILY,
    // Last: what the others set is nothing to warn of.
    write_guard::FAMILY,
];

/// The families of a VM apart, which runs in a thread: none that looks for the request that runs.
pub const FAMILIES_APART: &[Family] = &[
    refuse::FAMILY,
    constants::FAMILY,
    apart::FAMILY,
    require::FAMILY,
    ffi::FAMILY,
    text::FAMILY,
    time::FAMILY,
    args::FAMILY,
    regex::FAMILY,
    split::FAMILY,
    shared_dict::FAMILY,
    base64::FAMILY,
];
