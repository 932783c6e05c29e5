//! `hotlua_sandbox NAME { ... }`: what a profile may say.

use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::Duration;

use crate::nginx::{ComplexValue, Conf, Refused};
use crate::sandbox::{Allow, Limits, Place, Pool, Profile, closest};

use super::MainConf;
use super::number::{count, number};
use super::once::{argument, duplicate, once};

const INSTRUCTIONS: RangeInclusive<u64> = 1..=100_000_000_000;
const TIME: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(60);
const MEMORY: RangeInclusive<usize> = 64 << 10..=1 << 30;
const OUTPUT: RangeInclusive<usize> = 0..=1 << 30;
const STATUS: RangeInclusive<usize> = 400..=599;
const VMS: RangeInclusive<usize> = 1..=65536;

const DEFAULT_STATUS: usize = 500;
const DEFAULT_VMS: usize = 64;

/// A profile while its block is read.
#[derive(Default)]
struct Draft {
    allow: Allow,
    instructions: Option<u64>,
    time: Option<Duration>,
    memory: Option<usize>,
    output: Option<usize>,
    status: Option<usize>,
    per: Option<ComplexValue>,
    vms: Option<usize>,
}

/// A directive of the block.
struct Row {
    name: &'static str,
    /// What to write behind the name.
    value: &'static str,
    /// It takes one argument; else at least one.
    one: bool,
    apply: Apply,
}

/// Keeps a directive's value. The error is the whole text for the user.
type Apply = fn(&Row, &mut Conf, &mut Draft) -> Result<(), String>;

const ROWS: &[Row] = &[
    Row { name: "allow", value: "names, for instance allow math string ngx.say", one: false, apply: allow },
    one("instructions", "a number from 1 to 100000m, for instance 1m", |row, conf, draft| {
        row.keep(conf, &mut draft.instructions, count(conf.arg()), INSTRUCTIONS)
    }),
    one("time", "a time from 1ms to 60s, for instance 100ms", |row, conf, draft| {
        row.keep(conf, &mut draft.time, conf.time(), TIME)
    }),
    one("memory", "a size from 64k to 1g, for instance 8m", |row, conf, draft| {
        row.keep(conf, &mut draft.memory, conf.size(), MEMORY)
    }),
    one("output", "a size from 0 to 1g, for instance 1m", |row, conf, draft| {
        row.keep(conf, &mut draft.output, conf.size(), OUTPUT)
    }),
    one("status", "a status from 400 to 599, for instance 503", |row, conf, draft| {
        row.keep(conf, &mut draft.status, number(conf.arg()), STATUS)
    }),
    one("per", "what tells tenants apart, for instance $host", per),
    one("vms", "a number from 1 to 65536, for instance 64", |row, conf, draft| {
        row.keep(conf, &mut draft.vms, number(conf.arg()), VMS)
    }),
];

const fn one(name: &'static str, value: &'static str, apply: Apply) -> Row {
    Row { name, value, one: true, apply }
}

impl Row {
    /// Keeps a value that was read, where it lies in its range.
    fn keep<T: PartialOrd>(
        &self,
        conf: &Conf,
        slot: &mut Option<T>,
        value: Option<T>,
        range: RangeInclusive<T>,
    ) -> Result<(), String> {
        let value = value.filter(|value| range.contains(value)).ok_or_else(|| {
            format!("invalid value \"{}\" in \"{}\", write {}", argument(conf), self.name, self.value)
        })?;
        once(conf, slot, value)
    }
}

/// Reads the block of a profile.
pub(super) fn sandbox(conf: &mut Conf, main: &mut MainConf) -> Result<(), Refused> {
    let name = argument(conf);
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
        let text = format!("invalid name \"{name}\" in \"hotlua_sandbox\", write letters, digits, \"-\" and \"_\"");
        return Err(text.into());
    }
    if let Some(first) = main.profile_place(&name) {
        return Err(format!("\"hotlua_sandbox {name}\" is duplicate, the first one is at {first}").into());
    }
    let place = conf.place();
    let mut draft = Draft::default();
    let mut variables = Vec::new();
    conf.read_block(|conf| {
        let before = draft.allow.variables.clone();
        line(conf, &mut draft)?;
        let new = draft.allow.variables.iter().filter(|variable| !before.contains(variable));
        variables.extend(new.map(|variable| (variable.clone(), conf.place())));
        Ok(())
    })?;
    if draft.allow.is_empty() {
        conf.warn(&format!(
            "\"hotlua_sandbox {name}\" allows nothing, so its scripts can neither see nor say anything: write for \
             instance \"allow math string ngx.say;\""
        ));
    }
    main.profiles.push(Rc::new(draft.finish(name)));
    main.profile_places.push(place);
    main.profile_variables.extend(variables);
    Ok(())
}

/// Reads one directive of the block.
fn line(conf: &mut Conf, draft: &mut Draft) -> Result<(), String> {
    let name = conf.name();
    let Some(row) = ROWS.iter().find(|row| row.name == name) else {
        let names = || ROWS.iter().map(|row| row.name);
        return Err(match closest(&name, names()) {
            Some(meant) => format!("unknown directive \"{name}\" in \"hotlua_sandbox\", did you mean \"{meant}\""),
            None => {
                let names: Vec<_> = names().collect();
                format!("unknown directive \"{name}\" in \"hotlua_sandbox\", there are {}", names.join(", "))
            }
        });
    };
    match conf.args().len() {
        0 => Err(format!("\"{name}\" has no value, write {}", row.value)),
        2.. if row.one => Err(format!("\"{name}\" has more than one value, write {}", row.value)),
        _ => (row.apply)(row, conf, draft),
    }
}

fn allow(_: &Row, conf: &mut Conf, draft: &mut Draft) -> Result<(), String> {
    let words: Vec<String> = conf.args().into_iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    // nginx reads on to the next ";", which may be that of the next line.
    if let Some(word) = words.iter().find(|word| ROWS.iter().any(|row| row.name == **word)) {
        return Err(format!("\"{word}\" is a directive and no name: the \"allow\" before it needs a \";\" at its end"));
    }
    draft.allow.parse(words.iter().map(String::as_str))
}

fn per(row: &Row, conf: &mut Conf, draft: &mut Draft) -> Result<(), String> {
    if draft.per.is_some() {
        return Err(duplicate(conf));
    }
    let text = conf.arg().to_vec();
    let value = ComplexValue::compile(conf, &text)?;
    if value.is_constant() {
        return Err(format!(
            "\"{}\" in \"per\" is the same for every request and tells nobody apart, write {}",
            argument(conf),
            row.value
        ));
    }
    draft.per = Some(value);
    Ok(())
}

impl Draft {
    fn finish(self, name: String) -> Profile {
        let default = Limits::default();
        Profile {
            name,
            allow: self.allow,
            limits: Limits {
                instructions: self.instructions.unwrap_or(default.instructions),
                time: self.time.unwrap_or(default.time),
                memory: self.memory.unwrap_or(default.memory),
                output: self.output.unwrap_or(default.output),
            },
            status: self.status.unwrap_or(DEFAULT_STATUS) as u16,
            per: self.per,
            vms: self.vms.unwrap_or(DEFAULT_VMS),
            pool: Pool::default(),
            place: Place::default(),
        }
    }
}
