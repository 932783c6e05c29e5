//! A piece of Lua that a directive names: written in nginx.conf or in a file.

use std::path::PathBuf;

use mlua::Function;
use once_cell::unsync::OnceCell;

use crate::nginx::{ComplexValue, Conf, Request, prefix};
use crate::vm::{self, Kept};

use super::block::end_of_block;
use super::variable_path;

/// Where the Lua of a directive is.
pub enum Source {
    /// In nginx.conf.
    Inline {
        /// The Lua, as it is compiled.
        text: Vec<u8>,
        /// Its chunk name: `=content_by_lua(nginx.conf:40)`.
        name: String,
        /// Compiled in the worker's VM.
        chunk: OnceCell<Kept<Function>>,
    },
    /// In a file that is the same for every request.
    File(PathBuf),
    /// In a file that variables name.
    Variable(ComplexValue),
}

/// The Lua of one directive.
pub struct Code {
    /// Where it is.
    pub source: Source,
    /// The directive's name without `_block` and `_file`.
    pub directive: String,
}

impl Source {
    /// The file that `path` names, which may hold variables; warns where those let a client choose it.
    pub(super) fn named(conf: &mut Conf, path: &[u8]) -> Result<Self, String> {
        let value = ComplexValue::compile(conf, path)?;
        if value.is_constant() {
            return Ok(Self::File(conf.absolute(path)));
        }
        let text = String::from_utf8_lossy(path);
        if let Some(warning) = variable_path::warning(&text, conf.location_regex().as_deref()) {
            conf.warn(&warning);
        }
        Ok(Self::Variable(value))
    }
}

impl Code {
    /// Reads `*_by_lua '...'`, the Lua at `place` among the arguments.
    pub fn quoted(conf: &mut Conf, place: usize) -> Result<Self, String> {
        let text = conf.args().get(place).copied().unwrap_or_default().to_vec();
        Self::inline(conf, text)
    }

    /// Reads `*_by_lua_block { ... }`.
    pub fn block(conf: &mut Conf, _: usize) -> Result<Self, String> {
        let line = conf.line();
        let name = conf.name();
        let text = conf.take_block(|rest| {
            end_of_block(rest).map_err(|open| format!("{open} in the block of \"{name}\" that begins in line {line}"))
        })?;
        Self::inline_at(conf, text, line)
    }

    /// Reads `*_by_lua_file path`, the path at `place` among the arguments.
    pub fn file(conf: &mut Conf, place: usize) -> Result<Self, String> {
        let path = path(conf, place)?;
        let source = Source::named(conf, &path)?;
        Ok(Self { source, directive: directive(&conf.name()) })
    }

    /// As [`Code::file`], with a `$` that stands for itself: no request's variables are there.
    pub fn static_file(conf: &mut Conf, place: usize) -> Result<Self, String> {
        let path = path(conf, place)?;
        Ok(Self { source: Source::File(conf.absolute(&path)), directive: directive(&conf.name()) })
    }

    fn inline(conf: &mut Conf, text: Vec<u8>) -> Result<Self, String> {
        let line = conf.line();
        Self::inline_at(conf, text, line)
    }

    fn inline_at(conf: &mut Conf, text: Vec<u8>, line: usize) -> Result<Self, String> {
        let directive = directive(&conf.name());
        let file = conf.file();
        let file = file.rsplit('/').next().unwrap_or_default();
        let name = format!("={directive}({file}:{line})");
        vm::check(&text, &name).map_err(|failure| match directive.as_str() {
            "init_by_lua" | "init_worker_by_lua" => format!("{directive} error: {}", failure.message),
            _ => format!("failed to load inlined Lua code: {}", failure.message),
        })?;
        Ok(Self { source: Source::Inline { text, name, chunk: OnceCell::new() }, directive })
    }
}

/// The path of a Lua file, at `place` among the arguments.
fn path(conf: &Conf, place: usize) -> Result<Vec<u8>, String> {
    match conf.args().get(place).copied() {
        Some(path) if !path.is_empty() => Ok(path.to_vec()),
        _ => Err(format!("\"{}\" needs the path of a Lua file", conf.name())),
    }
}

/// `content_by_lua` of `content_by_lua_block` and `content_by_lua_file`.
fn directive(name: &str) -> String {
    name.trim_end_matches("_block").trim_end_matches("_file").to_owned()
}

/// The path that a file with variables evaluates to; relative ones are nginx's prefix's. None where memory ran out.
pub fn evaluate(value: &ComplexValue, request: &Request) -> Option<Vec<u8>> {
    use std::os::unix::ffi::OsStrExt;
    let path = value.evaluate(request)?;
    if path.first() == Some(&b'/') {
        return Some(path.to_vec());
    }
    Some([prefix().as_os_str().as_bytes(), path].concat())
}
