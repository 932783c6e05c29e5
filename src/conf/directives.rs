//! Every directive as a row of a table.

use std::ffi::CStr;
use std::rc::Rc;

use crate::nginx::{Apply, Arity, Conf, Context, Directive};

use super::code::Code;
use super::once::{duplicate, once};
use super::sandboxed::Sandboxed;
use super::token::Token;
use super::{Confs, LocConf, MainConf, hot, sandbox};

const HTTP: Context = Context::HTTP;
const CONTENT: Context = Context::LOCATION.or(Context::IF_IN_LOCATION);
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

pub(super) const DIRECTIVES: &[Directive<Confs>] = &[
    location(c"content_by_lua", CONTENT, Arity::One, |conf, loc| content(conf, loc, Code::quoted)),
    location(c"content_by_lua_block", CONTENT, Arity::Block, |conf, loc| content(conf, loc, Code::block)),
    location(c"content_by_lua_file", CONTENT, Arity::One, |conf, loc| content(conf, loc, Code::file)),
    main(c"init_by_lua", Arity::One, |conf, main| init(conf, main, Code::quoted)),
    main(c"init_by_lua_block", Arity::Block, |conf, main| init(conf, main, Code::block)),
    main(c"init_by_lua_file", Arity::One, |conf, main| init(conf, main, Code::file)),
    main(c"init_worker_by_lua", Arity::One, |conf, main| init_worker(conf, main, Code::quoted)),
    main(c"init_worker_by_lua_block", Arity::Block, |conf, main| init_worker(conf, main, Code::block)),
    main(c"init_worker_by_lua_file", Arity::One, |conf, main| init_worker(conf, main, Code::file)),
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
];

type Read = fn(&mut Conf) -> Result<Code, String>;

fn content(conf: &mut Conf, loc: &mut LocConf, read: Read) -> Result<(), String> {
    if loc.content.is_some() {
        return Err(duplicate(conf));
    }
    sole_handler(conf, loc)?;
    let code = Rc::new(read(conf)?);
    let main = conf.main_conf::<Confs>();
    main.used = true;
    main.codes.push(Rc::clone(&code));
    loc.content = Some(code);
    conf.set_content_handler();
    Ok(())
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

fn init(conf: &mut Conf, main: &mut MainConf, read: Read) -> Result<(), String> {
    let code = code(conf, &main.init, read)?;
    main.used = true;
    main.codes.push(Rc::clone(&code));
    main.init = Some(code);
    Ok(())
}

fn init_worker(conf: &mut Conf, main: &mut MainConf, read: Read) -> Result<(), String> {
    let code = code(conf, &main.init_worker, read)?;
    main.used = true;
    main.codes.push(Rc::clone(&code));
    main.init_worker = Some(code);
    Ok(())
}

fn code(conf: &mut Conf, slot: &Option<Rc<Code>>, read: Read) -> Result<Rc<Code>, String> {
    if slot.is_some() {
        return Err(duplicate(conf));
    }
    Ok(Rc::new(read(conf)?))
}

fn text(conf: &mut Conf, slot: &mut Option<String>) -> Result<(), String> {
    let text = String::from_utf8_lossy(conf.arg()).into_owned();
    once(conf, slot, text)
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
