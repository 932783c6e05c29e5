//! How the Lua halves refuse a call: no request, wrong phase, wrong arguments.

use mlua::{Lua, Table};

use crate::nginx::Phase;
use crate::vm::Family;

pub(super) const FAMILY: Family = Family { name: "refuse", install, lua: include_str!("../lua/refuse.lua") };

/// The sets of phases that the Lua halves name.
const SETS: &[(&str, Phase)] = &[
    ("output", Phase::OUTPUT),
    ("request", Phase::REQUEST),
    ("wait", Phase::WAIT),
    ("exit", Phase::EXIT),
    ("exit_at_return", Phase::EXIT_AT_RETURN),
    ("tls", Phase::TLS),
    ("init", Phase::INIT),
    ("timer", Phase::TIMER),
    ("set", Phase::SET),
    ("rewrite", Phase::REWRITE.or(Phase::SERVER_REWRITE)),
    ("access", Phase::ACCESS),
    ("content", Phase::CONTENT),
    ("header_filter", Phase::HEADER_FILTER),
    ("body_filter", Phase::BODY_FILTER),
    ("log", Phase::LOG),
    ("balancer", Phase::BALANCER),
    ("ssl_client_hello", Phase::SSL_CLIENT_HELLO),
    ("ssl_certificate", Phase::SSL_CERTIFICATE),
];

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    let names = lua.create_table()?;
    for (phase, _) in Phase::NAMES {
        names.raw_set(phase.0, phase.context())?;
    }
    prim.raw_set("contexts", names)?;
    let phases = lua.create_table()?;
    for (name, set) in SETS {
        phases.raw_set(*name, set.0)?;
    }
    prim.raw_set("phases", phases)
}
