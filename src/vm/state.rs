//! One LuaJIT state with the `ngx` API in it.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use mlua::chunk::{Chunk, ChunkMode};
use mlua::{Function, Lua, Table};

use crate::ffi::Resumable;

use super::anchor::{Anchors, Kept};
use super::environment::Environment;
use super::error::Failure;
use super::family::Family;
use super::globals::Globals;
use super::slice;

/// How many finished coroutines are kept for reuse, where it is not set.
const STOCK: usize = 1024;

/// A Lua VM: one a worker, and one a request where the code cache is off.
pub struct Vm {
    lua: Lua,
    shared: Table,
    stock: RefCell<Vec<Resumable>>,
    stock_limit: Cell<usize>,
    is_of_request: Cell<bool>,
    pub(super) anchors: Rc<Anchors>,
    /// A module was loaded since [`Vm::take_loaded`] was asked last.
    pub(super) loaded: Cell<bool>,
    /// The environment that `package.loaded` shows.
    pub(super) running: RefCell<Option<Rc<Environment>>>,
    /// The address of the coroutine that the driver has resumed last.
    pub(super) resumed: Cell<usize>,
    /// Each environment holds one more.
    pub(super) environments: Rc<()>,
    pub(super) globals: Globals,
}

/// How a primitive finds the VM that it was called in; weak, because the state must not own itself.
struct Home(Weak<Vm>);

impl Vm {
    /// The VM of a state; none while it is being made or torn down.
    pub fn of(lua: &Lua) -> Option<Rc<Self>> {
        lua.app_data_ref::<Home>()?.0.upgrade()
    }

    /// Opens a state and gives it `families`, in order.
    pub fn new(families: &[&[Family]]) -> Result<Rc<Self>, Failure> {
        let lua = crate::ffi::open();
        let shared = lua.create_table()?;
        let ngx = lua.create_table()?;
        lua.globals().raw_set("ngx", &ngx)?;
        let globals = Globals::new(&lua, &ngx, &shared)?;
        slice::FAMILY.install(&lua, &ngx, &shared)?;
        for family in families.iter().copied().flatten() {
            family.install(&lua, &ngx, &shared)?;
        }
        let anchors = Anchors::new(&lua)?;
        let vm = Rc::new(Self {
            lua,
            anchors,
            shared,
            stock: RefCell::default(),
            stock_limit: Cell::new(STOCK),
            is_of_request: Cell::default(),
            loaded: Cell::new(true),
            running: RefCell::default(),
            resumed: Cell::new(0),
            environments: Rc::default(),
            globals,
        });
        vm.lua.set_app_data(Home(Rc::downgrade(&vm)));
        Ok(vm)
    }

    /// The state itself.
    pub fn lua(&self) -> &Lua {
        &self.lua
    }

    /// What the Lua halves of the families share.
    pub fn shared(&self) -> &Table {
        &self.shared
    }

    /// Says whether a module was loaded since this was asked last.
    #[inline]
    pub fn take_loaded(&self) -> bool {
        self.loaded.replace(false)
    }

    /// Says whether the Lua that runs now can wait for an operation: it is the driver's coroutine itself, and no C
    /// function stands between.
    pub fn may_wait(&self) -> bool {
        let thread = self.lua.current_thread();
        thread.to_pointer().addr() == self.resumed.get() && crate::ffi::may_yield(&thread)
    }

    /// Keeps a function for long.
    pub fn keep(&self, function: Function) -> Kept<Function> {
        let mut kept = self.anchors.keep(function);
        kept.settle();
        kept
    }

    /// Compiles source or bytecode. `name` is a Lua chunk name: `@path` or `=text`.
    pub fn compile(&self, source: &[u8], name: &str) -> Result<Function, Failure> {
        chunk(&self.lua, source, name).into_function().map_err(syntax)
    }

    /// `package.path`, as Lua has it now.
    pub fn package_path(&self) -> Result<String, Failure> {
        let package: Table = self.lua.globals().raw_get("package")?;
        Ok(package.raw_get("path")?)
    }

    /// Where modules are searched: `package.path` and `package.cpath`, as Lua has them now.
    pub fn search_paths(&self) -> Result<[String; 2], Failure> {
        let package: Table = self.lua.globals().raw_get("package")?;
        Ok([package.raw_get("path")?, package.raw_get("cpath")?])
    }

    /// Marks it as the VM of one request without the code cache.
    pub fn set_of_request(&self) {
        self.is_of_request.set(true);
    }

    /// Says whether it is the VM of one request without the code cache.
    pub fn is_of_request(&self) -> bool {
        self.is_of_request.get()
    }

    /// Sets how many finished coroutines are kept for reuse.
    pub fn limit_stock(&self, coroutines: usize) {
        self.stock_limit.set(coroutines);
    }

    pub(super) fn stock(&self, coroutine: Resumable) {
        let mut stock = self.stock.borrow_mut();
        if stock.len() < self.stock_limit.get() {
            stock.push(coroutine);
        }
    }

    pub(super) fn unstock(&self) -> Option<Resumable> {
        self.stock.borrow_mut().pop()
    }
}

/// Source or bytecode as mlua loads it.
pub(super) fn chunk<'a>(lua: &Lua, source: &'a [u8], name: &str) -> Chunk<'a> {
    // Lua's own loadfile skips a first line that begins with `#`; its line break stays, so that lines count.
    let source = match source.first() {
        Some(b'#') => &source[source.iter().position(|&byte| byte == b'\n').unwrap_or(source.len())..],
        _ => source,
    };
    let mode = if source.starts_with(b"\x1bL") { ChunkMode::Binary } else { ChunkMode::Text };
    lua.load(source).set_name(name).set_mode(mode)
}

/// Says whether `source` compiles, in a state that is thrown away: for configuration that is only read so far.
pub fn check(source: &[u8], name: &str) -> Result<(), Failure> {
    chunk(&Lua::new(), source, name).into_function().map(drop).map_err(syntax)
}

/// The frames below a compilation are of no use.
fn syntax(error: mlua::Error) -> Failure {
    Failure::new(Failure::from(error).message)
}
