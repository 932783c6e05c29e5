//! `lua_ssl_*`: how the connections that Lua opens shake hands.

use std::rc::Rc;

use crate::nginx::{BadSetting, ClientContext, ClientSettings, Conf, Protocols};

use super::number::number;
use super::once::duplicate;
use super::{Confs, LocConf, MainConf};

/// What the directives of a block say, and what was made of it.
#[derive(Default)]
pub struct ClientTls {
    settings: ClientSettings,
    /// Directives and the `file:line` where each stands.
    places: Vec<(String, Rc<str>)>,
    context: Option<Rc<ClientContext>>,
}

/// The contexts of a configuration: one for all blocks that say the same.
#[derive(Default)]
pub struct ClientContexts(Vec<(ClientSettings, Rc<ClientContext>)>);

impl ClientTls {
    /// What the connections shake hands by; none before the configuration was complete.
    pub fn context(&self) -> Option<&ClientContext> {
        self.context.as_deref()
    }

    /// Takes from the outer block what this one does not say, and makes what is needed of it.
    pub(super) fn inherit(&mut self, conf: &Conf, outer: &Self, made: &mut ClientContexts) -> Result<(), String> {
        let says_nothing = self.places.is_empty();
        self.settings.inherit(&outer.settings);
        for (directive, place) in &outer.places {
            if !self.has(directive) {
                self.places.push((directive.clone(), Rc::clone(place)));
            }
        }
        match &outer.context {
            Some(context) if says_nothing => self.context = Some(Rc::clone(context)),
            _ => self.complete(conf, made)?,
        }
        Ok(())
    }

    fn complete(&mut self, conf: &Conf, made: &mut ClientContexts) -> Result<(), String> {
        let context = match made.0.iter().find(|(settings, _)| *settings == self.settings) {
            Some((_, context)) => Rc::clone(context),
            None => {
                let context = ClientContext::create(conf, &self.settings).map_err(|bad| self.refused(&bad))?;
                let context = Rc::new(context);
                made.0.push((self.settings.clone(), Rc::clone(&context)));
                context
            }
        };
        self.context = Some(context);
        Ok(())
    }

    fn refused(&self, bad: &BadSetting) -> String {
        let place = self.places.iter().find(|(directive, _)| directive == bad.directive);
        match place {
            Some((_, place)) => format!("{}, in \"{}\" at {place}", bad.reason, bad.directive),
            None => bad.reason.clone(),
        }
    }

    fn has(&self, directive: &str) -> bool {
        self.places.iter().any(|(known, _)| known == directive)
    }

    fn note(&mut self, conf: &Conf) {
        self.places.push((conf.name(), conf.place().into()));
    }
}

impl MainConf {
    /// Makes what the Lua shakes hands by that belongs to no server: that of timers, and of processes as they begin.
    ///
    /// # Errors
    /// What is wrong with a directive of the `http` block.
    pub fn complete_client_tls(&mut self, conf: &mut Conf) -> Result<(), String> {
        let mut tls = std::mem::take(&mut conf.http_loc_conf::<Confs>().client_tls);
        let completed = tls.complete(conf, &mut self.client_contexts);
        conf.http_loc_conf::<Confs>().client_tls = tls;
        completed
    }
}

/// Sets what may be said once in a block.
fn set(conf: &Conf, tls: &mut ClientTls, set: impl FnOnce(&mut ClientSettings)) -> Result<(), String> {
    if tls.has(&conf.name()) {
        return Err(duplicate(conf));
    }
    set(&mut tls.settings);
    tls.note(conf);
    Ok(())
}

/// Which text an argument is kept as.
pub(super) type Slot = fn(&mut ClientSettings) -> &mut Option<Vec<u8>>;

pub(super) fn text(conf: &Conf, loc: &mut LocConf, slot: Slot) -> Result<(), String> {
    set(conf, &mut loc.client_tls, |settings| *slot(settings) = Some(conf.arg().to_vec()))
}

/// Which list an argument is added to.
pub(super) type List = fn(&mut ClientSettings) -> &mut Vec<Vec<u8>>;

pub(super) fn file(conf: &Conf, loc: &mut LocConf, list: List) -> Result<(), String> {
    list(&mut loc.client_tls.settings).push(conf.arg().to_vec());
    loc.client_tls.note(conf);
    Ok(())
}

pub(super) fn command(conf: &Conf, loc: &mut LocConf) -> Result<(), String> {
    let pair = [0, 1].map(|at| conf.args().get(at).map_or_else(Vec::new, |word| word.to_vec()));
    loc.client_tls.settings.commands.push(pair);
    loc.client_tls.note(conf);
    Ok(())
}

pub(super) fn verify_depth(conf: &Conf, loc: &mut LocConf) -> Result<(), String> {
    let depth =
        number(conf.arg()).and_then(|depth| u32::try_from(depth).ok()).filter(|depth| i32::try_from(*depth).is_ok());
    let depth = depth.ok_or_else(|| format!("\"{}\" directive invalid number", conf.name()))?;
    set(conf, &mut loc.client_tls, |settings| settings.verify_depth = Some(depth))
}

pub(super) fn protocols(conf: &Conf, loc: &mut LocConf) -> Result<(), String> {
    let tls = &mut loc.client_tls;
    // As nginx has it for a set of words, a second directive adds to the first.
    let mut protocols = tls.settings.protocols.unwrap_or(Protocols::NONE);
    for word in conf.args() {
        let shown = String::from_utf8_lossy(word);
        let protocol = Protocols::named(word).ok_or_else(|| format!("invalid value \"{shown}\""))?;
        if protocols.has(protocol) {
            conf.warn(&format!("duplicate value \"{shown}\""));
        }
        protocols = protocols.or(protocol);
    }
    tls.settings.protocols = Some(protocols);
    tls.note(conf);
    Ok(())
}
