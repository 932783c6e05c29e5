//! The directives: what nginx.conf may say, checked as it is read, and where it is kept.

mod block;
mod code;
mod directives;
mod roots;
mod variable_path;

use std::any::Any;
use std::path::PathBuf;
use std::rc::Rc;

use once_cell::unsync::OnceCell;

use crate::nginx::{Conf, Configuration, Directive, Zone};

pub use code::{Code, Source, evaluate};

/// The `http` block's configuration.
#[derive(Default)]
pub struct MainConf {
    /// Every piece of Lua that a directive names, in the order of the file.
    pub codes: Vec<Rc<Code>>,
    /// `init_by_lua*`
    pub init: Option<Rc<Code>>,
    /// `init_worker_by_lua*`
    pub init_worker: Option<Rc<Code>>,
    /// `lua_package_path`, with `;;` still in it.
    pub package_path: Option<String>,
    /// `lua_package_cpath`, with `;;` still in it.
    pub package_cpath: Option<String>,
    /// `hotlua_root`; empty where it is not given. [`MainConf::code_roots`] derives them then.
    pub roots: Vec<PathBuf>,
    /// `hotlua_zone`, bytes.
    pub zone_size: Option<usize>,
    /// The shared memory, once it was asked for.
    pub zone: Option<Zone>,
    /// What the composition root made of this configuration.
    pub runtime: OnceCell<Box<dyn Any>>,
}

/// A location's configuration, and what servers and `http` set for those inside.
#[derive(Default)]
pub struct LocConf {
    /// `content_by_lua*`
    pub content: Option<Rc<Code>>,
    /// `lua_code_cache`
    pub code_cache: Option<bool>,
}

impl LocConf {
    /// Says whether code is compiled once and kept.
    pub fn caches_code(&self) -> bool {
        self.code_cache.unwrap_or(true)
    }
}

/// The module's configuration, for [`crate::nginx`].
pub struct Confs;

impl Configuration for Confs {
    type Main = MainConf;
    type Loc = LocConf;
    const DIRECTIVES: &'static [Directive<Self>] = directives::DIRECTIVES;

    fn merge(_: &mut Conf, parent: &LocConf, child: &mut LocConf) -> Result<(), String> {
        child.content = child.content.take().or_else(|| parent.content.clone());
        child.code_cache = child.code_cache.or(parent.code_cache);
        Ok(())
    }
}

/// Puts nginx's prefix for `$prefix` and `${prefix}` in a search path.
pub fn expand_prefix(path: &str) -> String {
    let prefix = crate::nginx::prefix();
    let prefix = prefix.to_string_lossy();
    path.replace("${prefix}", &prefix).replace("$prefix", &prefix)
}
