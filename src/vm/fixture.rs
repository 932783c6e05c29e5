//! A VM without nginx for the room's tests: no families but `require` and `ffi`.

use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use mlua::{Lua, Table, Value};
use tempfile::TempDir;

use crate::code::{Generation, Untrusted};

use super::{Environment, Failure, Family, Progress, Sliced, Vm, find_module};

/// What its VMs have.
pub const FAMILIES: &[Family] = &[
    Family { name: "require", install, lua: include_str!("../lua/require.lua") },
    Family { name: "ffi", install: |_, _| Ok(()), lua: include_str!("../lua/ffi.lua") },
];

fn install(lua: &Lua, prim: &Table) -> mlua::Result<()> {
    let find = lua.create_function(|lua, (name, path): (String, String)| {
        let vm = Vm::of(lua).unwrap();
        Ok(match find_module(&vm, &vm.running().unwrap(), &path, &name) {
            Ok(Ok((chunk, file))) => (Value::Function(chunk), file),
            Ok(Err(tried)) => (Value::Nil, tried),
            Err(failure) => (Value::Boolean(false), failure.message),
        })
    })?;
    prim.raw_set("find", find)?;
    prim.raw_set("record", lua.create_function(|_, _: (Value, Value, Value)| Ok(()))?)
}

/// A VM whose modules lie in a directory of its own.
pub struct Fixture {
    pub vm: Rc<Vm>,
    pub first: Rc<Environment>,
    pub directory: TempDir,
}

impl Fixture {
    pub fn new(files: &[(&str, &str)]) -> Self {
        Self::with_untrusted(files, |_| Untrusted::default())
    }

    /// The same; what is untrusted in its directory.
    pub fn with_untrusted(files: &[(&str, &str)], untrusted: impl FnOnce(&Path) -> Untrusted) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let untrusted = Rc::new(untrusted(directory.path()));
        let vm = Vm::new(&[FAMILIES]).unwrap();
        let package: Table = vm.lua().globals().get("package").unwrap();
        package.set("path", format!("{}/?.lua", directory.path().display())).unwrap();
        let first =
            Environment::first(&vm, Rc::new(Generation { number: 1, ..Generation::default() }), untrusted).unwrap();
        let fixture = Self { vm, first, directory };
        files.iter().for_each(|(name, source)| fixture.write(name, source));
        fixture
    }

    pub fn write(&self, name: &str, source: &str) {
        let path = self.directory.path().join(format!("{name}.lua"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, source).unwrap();
    }

    /// The environment of a candidate that reloads `modules`.
    pub fn candidate(&self, of: &Environment, modules: &[&str]) -> Rc<Environment> {
        let number = of.generation.number + 1;
        let modules: Vec<String> = modules.iter().map(|&name| name.to_owned()).collect();
        let generation = Rc::new(Generation { number, ..Generation::default() });
        of.successor(&self.vm, generation, &modules, &Default::default()).unwrap()
    }

    /// Evaluates Lua in an environment, as a request would run it.
    pub fn eval<T: mlua::FromLuaMulti>(&self, environment: &Rc<Environment>, source: &str) -> T {
        self.vm.switch_to(environment).unwrap();
        self.vm.lua().load(source).eval().unwrap()
    }

    pub fn sliced(&self, source: &str) -> Sliced {
        self.vm.sliced(self.vm.compile(source.as_bytes(), "@module.lua").unwrap(), ()).unwrap()
    }

    /// Loads a module for a candidate, however many slices that takes.
    pub fn load(&self, candidate: &Rc<Environment>, module: &str) -> Result<(), Failure> {
        finish(&mut self.vm.sliced_require(module)?, candidate)
    }
}

/// Runs to the end.
pub fn finish(sliced: &mut Sliced, environment: &Rc<Environment>) -> Result<(), Failure> {
    let deadline = Instant::now() + Duration::from_secs(20);
    while sliced.run(environment, Duration::from_millis(5), deadline)? == Progress::Paused {}
    Ok(())
}
