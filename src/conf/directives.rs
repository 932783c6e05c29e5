//! Every directive as a row of a table.

use std::ffi::CStr;
use std::rc::Rc;

use crate::nginx::{Apply, Arity, Conf, Context, Directive, SharedDict};

use super::client_tls::{self, command, file, protocols, verify_depth};
use super::code::Code;
use super::number::number;
use super::once::{argument, duplicate, once};
use super::phases::{Read, Slot, main_code, phase, set, used};
use super::sandboxed::Sandboxed;
use super::socket;
use super::token::Token;
use super::{Confs, LocConf, MainConf, hot, sandbox, worker};

const UPSTREAM: Context = Context::UPSTREAM;
const HTTP: Context = Context::HTTP;
const CONTENT: Context = Context::LOCATION.or(Context::IF_IN_LOCATION);
const SET: Context = Context::SERVER.or(Context::IF_IN_SERVER).or(Context::LOCATION).or(Context::IF_IN_LOCATION);
const SERVERS: Context = Context::HTTP.or(Context::SERVER);
const LEVELS: Context = Context::HTTP.or(Context::SERVER).or(Context::LOCATION);
const ANYWHERE: Context = Context::HTTP.or(Context::SERVER).or(Context::LOCATION).or(Context::IF_IN_LOCATION);

const fn main(
    name: &'static CStr,
    arity: Arity,
    apply: fn(&mut Conf, &mut MainConf) -> Result<(), String>,
) -> Directive<Confs> {
    Directive { name, context: HTTP, arity, apply: Apply::Main(apply) }
}

const fn location(
    name: &'static CStr,
    context: Context,
    arity: Arity,
    apply: fn(&mut Conf, &mut LocConf) -> Result<(), String>,
) -> Directive<Confs> {
    Directive { name, context, arity, apply: Apply::Loc(apply) }
}

/// One that is on or off for requests, wherever it stands.
const fn switch(name: &'static CStr, apply: fn(&mut Conf, &mut LocConf) -> Result<(), String>) -> Directive<Confs> {
    location(name, ANYWHERE, Arity::Flag, apply)
}

pub(super) const DIRECTIVES: &[Directive<Confs>] = &[
    location(c"set_by_lua", SET, Arity::TwoOrMore, |conf, loc| set(conf, loc, Code::quoted)),
    location(c"set_by_lua_block", SET, Arity::NamedBlock, |conf, loc| set(conf, loc, Code::block)),
    location(c"set_by_lua_file", SET, Arity::TwoOrMore, |conf, loc| set(conf, loc, Code::file)),
    location(c"server_rewrite_by_lua_block", SERVERS, Arity::Block, |conf, loc| {
        phase(conf, loc, Slot::ServerRewrite, Code::block)
    }),
    location(c"server_rewrite_by_lua_file", SERVERS, Arity::One, |conf, loc| {
        phase(conf, loc, Slot::ServerRewrite, Code::file)
    }),
    location(c"rewrite_by_lua", ANYWHERE, Arity::One, |conf, loc| phase(conf, loc, Slot::Rewrite, Code::quoted)),
    location(c"rewrite_by_lua_block", ANYWHERE, Arity::Block, |conf, loc| phase(conf, loc, Slot::Rewrite, Code::block)),
    location(c"rewrite_by_lua_file", ANYWHERE, Arity::One, |conf, loc| phase(conf, loc, Slot::Rewrite, Code::file)),
    location(c"access_by_lua", ANYWHERE, Arity::One, |conf, loc| phase(conf, loc, Slot::Access, Code::quoted)),
    location(c"access_by_lua_block", ANYWHERE, Arity::Block, |conf, loc| phase(conf, loc, Slot::Access, Code::block)),
    location(c"access_by_lua_file", ANYWHERE, Arity::One, |conf, loc| phase(conf, loc, Slot::Access, Code::file)),
    location(c"precontent_by_lua_block", ANYWHERE, Arity::Block, |conf, loc| {
        phase(conf, loc, Slot::Precontent, Code::block)
    }),
    location(c"precontent_by_lua_file", ANYWHERE, Arity::One, |conf, loc| {
        phase(conf, loc, Slot::Precontent, Code::file)
    }),
    location(c"content_by_lua", CONTENT, Arity::One, |conf, loc| content(conf, loc, Code::quoted)),
    location(c"content_by_lua_block", CONTENT, Arity::Block, |conf, loc| content(conf, loc, Code::block)),
    location(c"content_by_lua_file", CONTENT, Arity::One, |conf, loc| content(conf, loc, Code::file)),
    location(c"header_filter_by_lua", ANYWHERE, Arity::One, |conf, loc| {
        phase(conf, loc, Slot::HeaderFilter, Code::quoted)
    }),
    location(c"header_filter_by_lua_block", ANYWHERE, Arity::Block, |conf, loc| {
        phase(conf, loc, Slot::HeaderFilter, Code::block)
    }),
    location(c"header_filter_by_lua_file", ANYWHERE, Arity::One, |conf, loc| {
        phase(conf, loc, Slot::HeaderFilter, Code::file)
    }),
    location(c"body_filter_by_lua", ANYWHERE, Arity::One, |conf, loc| phase(conf, loc, Slot::BodyFilter, Code::quoted)),
    location(c"body_filter_by_lua_block", ANYWHERE, Arity::Block, |conf, loc| {
        phase(conf, loc, Slot::BodyFilter, Code::block)
    }),
    location(c"body_filter_by_lua_file", ANYWHERE, Arity::One, |conf, loc| {
        phase(conf, loc, Slot::BodyFilter, Code::file)
    }),
    location(c"log_by_lua", ANYWHERE, Arity::One, |conf, loc| phase(conf, loc, Slot::Log, Code::quoted)),
    location(c"log_by_lua_block", ANYWHERE, Arity::Block, |conf, loc| phase(conf, loc, Slot::Log, Code::block)),
    location(c"log_by_lua_file", ANYWHERE, Arity::One, |conf, loc| phase(conf, loc, Slot::Log, Code::file)),
    location(c"balancer_by_lua_block", UPSTREAM, Arity::Block, |conf, _| balancer(conf, Code::block)),
    location(c"balancer_by_lua_file", UPSTREAM, Arity::One, |conf, _| balancer(conf, Code::static_file)),
    main(c"rewrite_by_lua_no_postpone", Arity::Flag, |conf, main| flag(conf, &mut main.rewrite_no_postpone)),
    main(c"access_by_lua_no_postpone", Arity::Flag, |conf, main| flag(conf, &mut main.access_no_postpone)),
    main(c"precontent_by_lua_no_postpone", Arity::Flag, |conf, main| flag(conf, &mut main.precontent_no_postpone)),
    main(c"init_by_lua", Arity::One, |conf, main| main_code(conf, main, |main| &mut main.init, Code::quoted)),
    main(c"init_by_lua_block", Arity::Block, |conf, main| main_code(conf, main, |main| &mut main.init, Code::block)),
    main(c"init_by_lua_file", Arity::One, |conf, main| main_code(conf, main, |main| &mut main.init, Code::static_file)),
    main(c"init_worker_by_lua", Arity::One, |conf, main| {
        main_code(conf, main, |main| &mut main.init_worker, Code::quoted)
    }),
    main(c"init_worker_by_lua_block", Arity::Block, |conf, main| {
        main_code(conf, main, |main| &mut main.init_worker, Code::block)
    }),
    main(c"init_worker_by_lua_file", Arity::One, |conf, main| {
        main_code(conf, main, |main| &mut main.init_worker, Code::static_file)
    }),
    location(c"ssl_client_hello_by_lua_block", SERVERS, Arity::Block, |conf, loc| {
        phase(conf, loc, Slot::ClientHello, Code::block)
    }),
    location(c"ssl_client_hello_by_lua_file", SERVERS, Arity::One, |conf, loc| {
        phase(conf, loc, Slot::ClientHello, Code::static_file)
    }),
    location(c"ssl_certificate_by_lua_block", SERVERS, Arity::Block, |conf, loc| {
        phase(conf, loc, Slot::Certificate, Code::block)
    }),
    location(c"ssl_certificate_by_lua_file", SERVERS, Arity::One, |conf, loc| {
        phase(conf, loc, Slot::Certificate, Code::static_file)
    }),
    main(c"ssl_session_fetch_by_lua_block", Arity::Block, |conf, main| {
        main_code(conf, main, |main| &mut main.session_fetch, Code::block)
    }),
    main(c"ssl_session_fetch_by_lua_file", Arity::One, |conf, main| {
        main_code(conf, main, |main| &mut main.session_fetch, Code::static_file)
    }),
    main(c"ssl_session_store_by_lua_block", Arity::Block, |conf, main| {
        main_code(conf, main, |main| &mut main.session_store, Code::block)
    }),
    main(c"ssl_session_store_by_lua_file", Arity::One, |conf, main| {
        main_code(conf, main, |main| &mut main.session_store, Code::static_file)
    }),
    main(c"exit_worker_by_lua_block", Arity::Block, |conf, main| {
        main_code(conf, main, |main| &mut main.exit_worker, Code::block)
    }),
    main(c"exit_worker_by_lua_file", Arity::One, |conf, main| {
        main_code(conf, main, |main| &mut main.exit_worker, Code::static_file)
    }),
    main(c"hotlua_root", Arity::Some, hot::roots),
    main(c"hotlua_zone", Arity::One, hot::zone),
    main(c"hotlua_watch", Arity::Flag, |conf, main| flag(conf, &mut main.watch)),
    main(c"hotlua_settle", Arity::One, hot::settle),
    main(c"hotlua_keep", Arity::One, hot::keep),
    main(c"hotlua_prepare", Arity::One, hot::prepare),
    main(c"hotlua_prepare_timeout", Arity::One, hot::prepare_timeout),
    main(c"hotlua_check", Arity::One, hot::check),
    main(c"lua_package_path", Arity::One, |conf, main| text(conf, &mut main.package_path)),
    main(c"lua_package_cpath", Arity::One, |conf, main| text(conf, &mut main.package_cpath)),
    main(c"lua_load_resty_core", Arity::Flag, |conf, main| {
        flag(conf, &mut main.load_resty_core)?;
        worker::load_resty_core(conf);
        Ok(())
    }),
    main(c"lua_malloc_trim", Arity::One, worker::malloc_trim),
    main(c"lua_thread_cache_max_entries", Arity::One, worker::thread_cache),
    main(c"lua_worker_thread_vm_pool_size", Arity::One, worker::thread_vms),
    main(c"lua_max_pending_timers", Arity::One, worker::max_pending_timers),
    main(c"lua_max_running_timers", Arity::One, worker::max_running_timers),
    main(c"lua_sa_restart", Arity::Flag, |conf, main| flag(conf, &mut main.sa_restart)),
    main(c"lua_capture_error_log", Arity::One, worker::capture_error_log),
    main(c"lua_regex_cache_max_entries", Arity::One, |conf, main| limit(conf, &mut main.regex_cache_max_entries)),
    main(c"lua_regex_match_limit", Arity::One, |conf, main| limit(conf, &mut main.regex_match_limit)),
    main(c"lua_shared_dict", Arity::Two, shared_dict),
    location(c"lua_code_cache", ANYWHERE, Arity::Flag, code_cache),
    Directive {
        name: c"hotlua_sandbox",
        context: HTTP,
        arity: Arity::NamedBlock,
        apply: Apply::MainBlock(sandbox::sandbox),
    },
    location(c"content_by_sandbox_file", CONTENT, Arity::Two, sandboxed),
    location(c"hotlua_control", Context::LOCATION, Arity::None, control),
    location(c"hotlua_control_token", LEVELS, Arity::One, control_token),
    location(c"lua_transform_underscores_in_response_headers", ANYWHERE, Arity::Flag, |conf, loc| {
        flag(conf, &mut loc.transform_underscores)
    }),
    switch(c"lua_need_request_body", |conf, loc| flag(conf, &mut loc.need_request_body)),
    switch(c"lua_http10_buffering", |conf, loc| flag(conf, &mut loc.http10_buffering)),
    switch(c"lua_use_default_type", |conf, loc| flag(conf, &mut loc.use_default_type)),
    location(c"lua_socket_connect_timeout", ANYWHERE, Arity::One, |conf, loc| {
        socket::time(conf, &mut loc.socket.connect_timeout)
    }),
    location(c"lua_socket_send_timeout", ANYWHERE, Arity::One, |conf, loc| {
        socket::time(conf, &mut loc.socket.send_timeout)
    }),
    location(c"lua_socket_read_timeout", ANYWHERE, Arity::One, |conf, loc| {
        socket::time(conf, &mut loc.socket.read_timeout)
    }),
    location(c"lua_socket_send_lowat", ANYWHERE, Arity::One, socket::send_lowat),
    location(c"lua_socket_buffer_size", ANYWHERE, Arity::One, socket::buffer_size),
    location(c"lua_socket_pool_size", ANYWHERE, Arity::One, socket::pool_size),
    location(c"lua_socket_keepalive_timeout", ANYWHERE, Arity::One, |conf, loc| {
        socket::time(conf, &mut loc.socket.keepalive_timeout)
    }),
    switch(c"lua_socket_log_errors", |conf, loc| flag(conf, &mut loc.socket.log_errors)),
    switch(c"lua_check_client_abort", |conf, loc| flag(conf, &mut loc.check_client_abort)),
    location(c"lua_ssl_protocols", LEVELS, Arity::Some, |conf, loc| protocols(conf, loc)),
    location(c"lua_ssl_ciphers", LEVELS, Arity::One, |conf, loc| {
        client_tls::text(conf, loc, |settings| &mut settings.ciphers)
    }),
    location(c"lua_ssl_certificate", LEVELS, Arity::One, |conf, loc| {
        file(conf, loc, |settings| &mut settings.certificates)
    }),
    location(c"lua_ssl_certificate_key", LEVELS, Arity::One, |conf, loc| {
        file(conf, loc, |settings| &mut settings.certificate_keys)
    }),
    location(c"lua_ssl_trusted_certificate", LEVELS, Arity::One, |conf, loc| {
        client_tls::text(conf, loc, |settings| &mut settings.trusted)
    }),
    location(c"lua_ssl_crl", LEVELS, Arity::One, |conf, loc| client_tls::text(conf, loc, |settings| &mut settings.crl)),
    location(c"lua_ssl_verify_depth", LEVELS, Arity::One, |conf, loc| verify_depth(conf, loc)),
    location(c"lua_ssl_conf_command", LEVELS, Arity::Two, |conf, loc| command(conf, loc)),
    location(c"lua_ssl_key_log", LEVELS, Arity::One, |conf, loc| {
        client_tls::text(conf, loc, |settings| &mut settings.key_log)
    }),
];

fn content(conf: &mut Conf, loc: &mut LocConf, read: Read) -> Result<(), String> {
    if loc.content.is_some() {
        return Err(duplicate(conf));
    }
    sole_handler(conf, loc)?;
    loc.content = Some(used(conf, read, 0)?);
    conf.set_content_handler();
    Ok(())
}

fn balancer(conf: &mut Conf, read: Read) -> Result<(), String> {
    let code = used(conf, read, 0)?;
    conf.set_balancer(code)
}

fn control(conf: &mut Conf, loc: &mut LocConf) -> Result<(), String> {
    if loc.control {
        return Err(duplicate(conf));
    }
    sole_handler(conf, loc)?;
    loc.control = true;
    conf.main_conf::<Confs>().used = true;
    conf.set_content_handler();
    Ok(())
}

fn sandboxed(conf: &mut Conf, loc: &mut LocConf) -> Result<(), String> {
    if loc.sandboxed.is_some() {
        return Err(duplicate(conf));
    }
    sole_handler(conf, loc)?;
    let sandboxed = Rc::new(Sandboxed::read(conf)?);
    let main = conf.main_conf::<Confs>();
    main.used = true;
    main.sandboxed.push(Rc::clone(&sandboxed));
    loc.sandboxed = Some(sandboxed);
    conf.set_content_handler();
    Ok(())
}

fn control_token(conf: &mut Conf, loc: &mut LocConf) -> Result<(), String> {
    if loc.control_token.is_some() {
        return Err(duplicate(conf));
    }
    loc.control_token = Some(Rc::new(Token::read(conf)?));
    Ok(())
}

fn text(conf: &mut Conf, slot: &mut Option<String>) -> Result<(), String> {
    let text = String::from_utf8_lossy(conf.arg()).into_owned();
    once(conf, slot, text)
}

/// Reads a limit; one beyond what PCRE can count is none to speak of.
fn limit(conf: &mut Conf, slot: &mut Option<u32>) -> Result<(), String> {
    let limit = number(conf.arg()).ok_or_else(|| {
        let text = argument(conf);
        format!("invalid number \"{text}\" in \"{}\", write for instance 1024", conf.name())
    })?;
    once(conf, slot, u32::try_from(limit).unwrap_or(u32::MAX))
}

/// nginx's slab pool needs more.
const SMALLEST_DICT: usize = 8 << 10;

fn shared_dict(conf: &mut Conf, main: &mut MainConf) -> Result<(), String> {
    let name: Box<[u8]> = conf.arg().into();
    let shown = String::from_utf8_lossy(&name).into_owned();
    if name.is_empty() {
        return Err("invalid lua shared dict name \"\"".into());
    }
    let size = conf.args().get(1).copied().unwrap_or_default();
    let size = conf
        .size_of(size)
        .filter(|&size| size >= SMALLEST_DICT)
        .ok_or_else(|| format!("invalid lua shared dict size \"{}\"", String::from_utf8_lossy(size)))?;
    if main.shared_dicts.iter().any(|dict| dict.name == name) {
        return Err(format!("lua_shared_dict \"{shown}\" is already defined as \"{shown}\""));
    }
    main.shared_dicts.push(SharedDict::request(conf, &name, size)?);
    Ok(())
}

fn code_cache(conf: &mut Conf, loc: &mut LocConf) -> Result<(), String> {
    flag(conf, &mut loc.code_cache)?;
    if !loc.caches_code() {
        conf.alert("lua_code_cache is off; this will hurt performance");
    }
    Ok(())
}

fn flag(conf: &mut Conf, slot: &mut Option<bool>) -> Result<(), String> {
    let on = match conf.arg() {
        b"on" => true,
        b"off" => false,
        other => {
            let other = String::from_utf8_lossy(other).into_owned();
            return Err(format!("invalid value \"{other}\" in \"{}\", it must be \"on\" or \"off\"", conf.name()));
        }
    };
    once(conf, slot, on)
}

/// Refuses a directive that makes content where another one does already.
fn sole_handler(conf: &Conf, loc: &LocConf) -> Result<(), String> {
    match loc.handler() {
        Some(first) => {
            Err(format!("\"{}\" makes a duplicate content handler: the location has \"{first}\" already", conf.name()))
        }
        None => Ok(()),
    }
}
