//! `*_by_lua*` of the phases of a request: where each may stand, and what inner blocks inherit.

use std::rc::Rc;

use crate::nginx::{ComplexValue, Conf};

use super::code::Code;
use super::once::duplicate;
use super::{Confs, LocConf, MainConf};

/// A phase whose Lua a block inherits from the one around it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slot {
    /// `server_rewrite_by_lua*`
    ServerRewrite,
    /// `rewrite_by_lua*`
    Rewrite,
    /// `access_by_lua*`
    Access,
    /// `precontent_by_lua*`
    Precontent,
    /// `header_filter_by_lua*`
    HeaderFilter,
    /// `body_filter_by_lua*`
    BodyFilter,
    /// `log_by_lua*`
    Log,
    /// `ssl_client_hello_by_lua*`
    ClientHello,
    /// `ssl_certificate_by_lua*`
    Certificate,
}

const SLOTS: usize = 9;

/// The Lua of each [`Slot`].
#[derive(Default)]
pub struct Phases([Option<Rc<Code>>; SLOTS]);

impl Phases {
    /// The Lua of a phase.
    #[inline]
    pub fn get(&self, slot: Slot) -> Option<&Rc<Code>> {
        self.0[slot as usize].as_ref()
    }

    /// Takes from the block around what this one does not set.
    pub(super) fn inherit(&mut self, parent: &Self) {
        for (own, theirs) in self.0.iter_mut().zip(&parent.0) {
            if own.is_none() {
                own.clone_from(theirs);
            }
        }
    }
}

/// The phases that some block of a configuration has Lua for.
#[derive(Default)]
pub struct Used([bool; SLOTS]);

impl Used {
    /// Says whether one has.
    pub fn has(&self, slot: Slot) -> bool {
        self.0[slot as usize]
    }
}

/// Reads a directive's Lua: `Code::quoted`, `Code::block` or `Code::file`. It stands at that place among the
/// arguments.
pub(super) type Read = fn(&mut Conf, usize) -> Result<Code, String>;

/// Reads the Lua of a phase.
pub(super) fn phase(conf: &mut Conf, loc: &mut LocConf, slot: Slot, read: Read) -> Result<(), String> {
    if loc.phases.get(slot).is_some() {
        return Err(duplicate(conf));
    }
    let code = used(conf, read, 0)?;
    conf.main_conf::<Confs>().phases.0[slot as usize] = true;
    loc.phases.0[slot as usize] = Some(code);
    Ok(())
}

/// Reads Lua that belongs to no request into `slot`.
pub(super) fn main_code(
    conf: &mut Conf,
    main: &mut MainConf,
    slot: fn(&mut MainConf) -> &mut Option<Rc<Code>>,
    read: Read,
) -> Result<(), String> {
    if slot(main).is_some() {
        return Err(duplicate(conf));
    }
    let code = Rc::new(read(conf, 0)?);
    *slot(main) = Some(run_by(main, code));
    Ok(())
}

/// Reads a directive's Lua and notes that the configuration runs it.
pub(super) fn used(conf: &mut Conf, read: Read, place: usize) -> Result<Rc<Code>, String> {
    let code = Rc::new(read(conf, place)?);
    Ok(run_by(conf.main_conf::<Confs>(), code))
}

/// Notes that a configuration runs that Lua.
fn run_by(main: &mut MainConf, code: Rc<Code>) -> Rc<Code> {
    main.used = true;
    main.codes.push(Rc::clone(&code));
    code
}

/// What `set_by_lua*` stores into its variable.
pub struct SetCode {
    /// The Lua that returns the value.
    pub code: Rc<Code>,
    /// Its arguments.
    pub arguments: Vec<ComplexValue>,
}

/// Reads `set_by_lua* $variable LUA argument ...`.
pub(super) fn set(conf: &mut Conf, _: &mut LocConf, read: Read) -> Result<(), String> {
    let words: Vec<Vec<u8>> = conf.args().iter().map(|word| word.to_vec()).collect();
    let arguments = words.iter().skip(2).map(|word| ComplexValue::compile(conf, word)).collect::<Result<_, _>>()?;
    let code = used(conf, read, 1)?;
    conf.set_variable(&words[0], Rc::new(SetCode { code, arguments }))
}
