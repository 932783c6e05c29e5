//! The directives of hot loading: what they allow, and what stands where they are not given.

use std::path::Path;
use std::time::Duration;

use crate::code::{FILE_LIMIT, read_static};
use crate::nginx::Conf;
use crate::vm;

use super::MainConf;
use super::number::number;
use super::once::{argument, duplicate, once};
use super::roots::plain;

/// How a worker prepares a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prepare {
    /// Compiles what changed and loads the affected modules.
    Eager,
    /// Only compiles; modules load when a request first requires them.
    Compile,
}

impl MainConf {
    /// Says whether files that change are published without being asked to.
    pub fn watches(&self) -> bool {
        self.watch.unwrap_or(false)
    }

    /// The quiet time after the last change before a watched publish.
    pub fn settle(&self) -> Duration {
        self.settle.unwrap_or(Duration::from_millis(50))
    }

    /// How many earlier generations are kept for rollback.
    pub fn keep(&self) -> usize {
        self.keep.unwrap_or(3)
    }

    /// How workers prepare a candidate.
    pub fn prepare(&self) -> Prepare {
        self.prepare.unwrap_or(Prepare::Eager)
    }

    /// How long workers may take to prepare a candidate.
    pub fn prepare_timeout(&self) -> Duration {
        self.prepare_timeout.unwrap_or(Duration::from_secs(10))
    }

    /// The Lua file that is run on each candidate, absolute.
    pub fn check(&self) -> Option<&Path> {
        self.check.as_deref()
    }
}

/// A zone must hold its words and a few pages of blocks.
const SMALLEST_ZONE: usize = 1 << 20;
/// More would only fill the zone: who wants an older version has it in version control.
const MOST_KEPT: usize = 64;
const LONGEST_TIME: Duration = Duration::from_secs(3600);

pub(super) fn zone(conf: &mut Conf, main: &mut MainConf) -> Result<(), String> {
    let text = argument(conf);
    let size =
        conf.size().ok_or_else(|| format!("invalid size \"{text}\" in \"hotlua_zone\", write for instance 32m"))?;
    if size < SMALLEST_ZONE {
        return Err(format!("\"hotlua_zone {text}\" is too small, it must be at least 1m"));
    }
    once(conf, &mut main.zone_size, size)
}

pub(super) fn roots(conf: &mut Conf, main: &mut MainConf) -> Result<(), String> {
    if main.roots_given() {
        return Err(duplicate(conf));
    }
    for path in conf.args() {
        if path.is_empty() {
            return Err("\"hotlua_root\" needs the path of a directory".into());
        }
        let root = plain(&conf.absolute(path));
        let refused = |error: std::io::Error| format!("hotlua_root \"{}\" cannot be used: {error}", root.display());
        if !std::fs::metadata(&root).map_err(refused)?.is_dir() {
            return Err(format!("hotlua_root \"{}\" is not a directory, write the one that holds it", root.display()));
        }
        std::fs::read_dir(&root).map_err(refused)?;
        if !main.roots.contains(&root) {
            main.roots.push(root);
        }
    }
    Ok(())
}

pub(super) fn settle(conf: &mut Conf, main: &mut MainConf) -> Result<(), String> {
    time(conf, &mut main.settle, Duration::from_millis(1), "50ms")
}

pub(super) fn prepare_timeout(conf: &mut Conf, main: &mut MainConf) -> Result<(), String> {
    time(conf, &mut main.prepare_timeout, Duration::from_millis(100), "10s")
}

/// Reads a time of at least `shortest`.
fn time(conf: &Conf, slot: &mut Option<Duration>, shortest: Duration, example: &str) -> Result<(), String> {
    let (name, text) = (conf.name(), argument(conf));
    let time =
        conf.time().ok_or_else(|| format!("invalid time \"{text}\" in \"{name}\", write for instance {example}"))?;
    if time < shortest {
        return Err(format!("\"{name} {text}\" is too short, it must be at least {}ms", shortest.as_millis()));
    }
    if time > LONGEST_TIME {
        return Err(format!("\"{name} {text}\" is too long, it must be at most 1h"));
    }
    once(conf, slot, time)
}

pub(super) fn keep(conf: &mut Conf, main: &mut MainConf) -> Result<(), String> {
    let number = number(conf.arg()).filter(|&number| number <= MOST_KEPT).ok_or_else(|| {
        let text = argument(conf);
        format!("invalid number \"{text}\" in \"hotlua_keep\", write one from 0 to {MOST_KEPT}, for instance 3")
    })?;
    once(conf, &mut main.keep, number)
}

pub(super) fn prepare(conf: &mut Conf, main: &mut MainConf) -> Result<(), String> {
    let prepare = match conf.arg() {
        b"eager" => Prepare::Eager,
        b"compile" => Prepare::Compile,
        _ => {
            let text = argument(conf);
            return Err(format!("invalid value \"{text}\" in \"hotlua_prepare\", it must be \"eager\" or \"compile\""));
        }
    };
    once(conf, &mut main.prepare, prepare)
}

pub(super) fn check(conf: &mut Conf, main: &mut MainConf) -> Result<(), String> {
    if conf.arg().is_empty() {
        return Err("\"hotlua_check\" needs the path of a Lua file".into());
    }
    let path = conf.absolute(conf.arg());
    let shown = path.display();
    let source = read_static(&path, FILE_LIMIT)
        .map_err(|error| format!("the Lua file \"{shown}\" of \"hotlua_check\" {error}"))?;
    vm::check(&source.bytes, &format!("@{shown}")).map_err(|failure| {
        format!("the Lua file \"{shown}\" of \"hotlua_check\" does not compile: {}", failure.message)
    })?;
    once(conf, &mut main.check, path)
}
