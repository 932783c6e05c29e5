//! Scripts in generations that a test makes: what is found, remembered, read again and refused.

use std::collections::{BTreeMap, HashSet};
use std::os::unix::fs::symlink;
use std::sync::{Arc, Mutex};

use crate::code::{Found, Generation, Sources, Untrusted};

use super::super::fixture::Fixture;
use super::super::{file_chunk, find_module};
use super::*;

/// A generation that adopts what it is given, as far as it has room.
#[derive(Clone, Default)]
struct Files(Arc<Mutex<BTreeMap<String, Found>>>, bool);

impl Sources for Files {
    fn find(&self, file: &str) -> Found {
        self.0.lock().unwrap().get(file).cloned().unwrap_or(Found::Unknown)
    }

    fn hash(&self, file: &str) -> Option<Hash> {
        match self.0.lock().unwrap().get(file) {
            Some(Found::Source(source)) => Some(source.hash),
            _ => None,
        }
    }

    fn covers(&self, _: &str) -> bool {
        false
    }

    fn adopt(&self, file: &str, source: Source) -> Source {
        if !self.1 {
            self.0.lock().unwrap().insert(file.to_owned(), Found::Source(source.clone()));
        }
        source
    }
}

struct Tenants {
    fixture: Fixture,
    files: Files,
    environment: Rc<Environment>,
}

impl Tenants {
    fn new() -> Self {
        Self::with(Files::default())
    }

    fn with(files: Files) -> Self {
        let scripts = [("t/a", "return 1"), ("t/b/c", "return 2"), ("t/b/inner", "return 3"), ("own", "return 4")];
        let fixture = Fixture::with_untrusted(&scripts, |top| {
            Untrusted::new(vec![top.join("t"), top.join("t/b")], vec![top.join("one.lua")])
        });
        let environment = next(&fixture, &fixture.first, 2, &files, &[]);
        Self { fixture, files, environment }
    }

    fn path(&self, name: &str) -> String {
        self.fixture.directory.path().join(name).into_os_string().into_string().unwrap()
    }

    fn file(&self, path: &str) -> Result<Rc<ScriptFile>, LoadError> {
        script_file(&self.environment, Path::new(&self.path("t")), self.path(path).as_bytes(), true)
    }

    fn text(&self, path: &str) -> String {
        let script = self.file(path).unwrap();
        let source = script_source(&self.environment, &script).unwrap();
        String::from_utf8(source.text.to_vec()).unwrap()
    }

    fn remembered(&self) -> usize {
        self.environment.scripts.borrow().len()
    }
}

fn next(fixture: &Fixture, of: &Environment, number: u64, files: &Files, stale: &[String]) -> Rc<Environment> {
    let generation = Rc::new(Generation { number, sources: Arc::new(files.clone()) });
    of.successor(&fixture.vm, generation, &[], &stale.iter().cloned().collect::<HashSet<_>>()).unwrap()
}

#[test]
fn a_script_has_a_name_that_shows_nothing_of_the_host() {
    let tenants = Tenants::new();
    for (path, name, text) in
        [("t/a.lua", "a.lua", "return 1"), ("t/./b//c.lua", "c.lua", "return 2"), ("t//a.lua", "a.lua", "return 1")]
    {
        let script = tenants.file(path).unwrap();
        assert_eq!((&*script.name, script.hash), (name, Hash::of(text.as_bytes())), "{path}");
        assert_eq!(tenants.text(path), text, "{path}");
    }
    let (script, source) =
        script_fresh(Path::new(&tenants.path("t")), tenants.path("t/b/c.lua").as_bytes(), true).unwrap();
    assert_eq!((&*script.name, &*source.text), ("b/c.lua", &b"return 2"[..]), "without a generation");
    assert_eq!((script.hash, &*script.file), (source.hash, &*tenants.path("t/b/c.lua")));
}

#[test]
fn what_leads_elsewhere_is_not_found() {
    let tenants = Tenants::new();
    let directory = PathBuf::from(tenants.path("t"));
    symlink("../own.lua", tenants.path("t/out.lua")).unwrap();
    symlink("/etc/passwd", tenants.path("t/absolute.lua")).unwrap();
    symlink("../a.lua", tenants.path("t/b/up.lua")).unwrap();
    symlink("b/c.lua", tenants.path("t/down.lua")).unwrap();
    assert_eq!(tenants.text("t/down.lua"), "return 2", "a symlink that stays inside");
    let before = tenants.remembered();
    for path in [
        "own.lua",
        "t/../own.lua",
        "t/b/../a.lua",
        "tx/a.lua",
        "t",
        "t/",
        "t/b",
        "t/missing.lua",
        "t/out.lua",
        "t/absolute.lua",
        "t/b/up.lua",
        "t/a.lua\0",
        "t/a.lua/",
    ] {
        let error = tenants.file(path).unwrap_err();
        assert_eq!(error.status(), 404, "{path}: {error}");
        let fresh = script_fresh(&directory, tenants.path(path).as_bytes(), true);
        // Without a generation the directive's own directory is the boundary.
        assert!(fresh.is_err() || path == "t/b/up.lua", "{path}");
    }
    let odd = [tenants.path("t/").as_bytes(), b"\xff.lua"].concat();
    assert!(script_file(&tenants.environment, &directory, &odd, true).is_err());
    assert_eq!(tenants.remembered(), before, "none of it is remembered");
    // Not even where another directive's requests have made it known.
    tenants.file("t/a.lua").unwrap();
    let inner = PathBuf::from(tenants.path("t/b"));
    assert!(script_file(&tenants.environment, &inner, tenants.path("t/a.lua").as_bytes(), true).is_err());
}

#[test]
fn spellings_grow_nothing() {
    let tenants = Tenants::new();
    let first = tenants.file("t/a.lua").unwrap();
    for path in ["t//a.lua", "t/./a.lua", "t/././/a.lua", "./t/a.lua"] {
        assert!(Rc::ptr_eq(&tenants.file(path).unwrap(), &first), "{path}");
    }
    assert_eq!(tenants.remembered(), 1);
    // The disk is not asked again: the generation has it.
    std::fs::write(tenants.path("t/a.lua"), "changed").unwrap();
    assert!(Rc::ptr_eq(&tenants.file("t/a.lua").unwrap(), &first));
    assert_eq!(tenants.text("t/a.lua"), "return 1");
}

#[test]
fn what_no_generation_has_is_read_anew() {
    let tenants = Tenants::with(Files(Arc::default(), true));
    assert_eq!(tenants.text("t/a.lua"), "return 1");
    std::fs::write(tenants.path("t/a.lua"), "changed").unwrap();
    assert_eq!(tenants.text("t/a.lua"), "changed");
    assert_eq!(tenants.remembered(), 0);
}

#[test]
fn the_next_generation_forgets_what_changed() {
    let mut tenants = Tenants::new();
    let (a, c) = (tenants.file("t/a.lua").unwrap(), tenants.file("t/b/c.lua").unwrap());
    let new = Files::default();
    *new.0.lock().unwrap() = tenants.files.0.lock().unwrap().clone();
    new.0.lock().unwrap().insert(a.file.to_string(), Found::Source(Source::new(b"new".to_vec())));
    let differ = |file: &str, hash| new.hash(file) != Some(hash);
    let stale: Vec<String> = tenants.environment.stale_files(differ).into_iter().collect();
    assert_eq!(stale, [a.file.to_string()]);
    let old = Rc::clone(&tenants.environment);
    tenants.environment = next(&tenants.fixture, &old, 3, &new, &stale);
    assert_eq!(tenants.text("t/a.lua"), "new");
    assert!(Rc::ptr_eq(&tenants.file("t/b/c.lua").unwrap(), &c), "what did not change is carried over");
    tenants.environment = old;
    assert_eq!(tenants.text("t/a.lua"), "return 1", "a request on the generation before");
    // A removed file.
    let gone = Files::default();
    gone.0.lock().unwrap().insert(a.file.to_string(), Found::Gone);
    tenants.environment = next(&tenants.fixture, &tenants.environment, 4, &gone, &[a.file.to_string()]);
    assert_eq!(tenants.file("t/a.lua").unwrap_err().status(), 404);
    assert_eq!(script_source(&tenants.environment, &a).unwrap_err().status(), 404);
}

#[test]
fn only_the_operator_names_a_file_that_leads_elsewhere() {
    let tenants = Tenants::new();
    std::fs::create_dir(tenants.path("scripts")).unwrap();
    symlink("../own.lua", tenants.path("scripts/one.lua")).unwrap();
    symlink("../own.lua", tenants.path("t/out.lua")).unwrap();
    let named = |path: &str| {
        let path = tenants.path(path);
        script_file(&tenants.environment, Path::new(&path).parent().unwrap(), path.as_bytes(), false)
    };
    let script = named("scripts/one.lua").unwrap();
    assert_eq!((&*script.name, script.hash), ("one.lua", Hash::of(b"return 4")));
    // A tenant may have put it there.
    assert_eq!(named("t/out.lua").unwrap_err().status(), 404);
    let path = tenants.path("t/../own.lua");
    let script = script_file(&tenants.environment, Path::new("/elsewhere"), path.as_bytes(), false).unwrap();
    assert_eq!((&*script.file, &*script.name), (&*path, "own.lua"));
}

#[test]
fn bytecode_is_refused_in_every_guise() {
    for (source, want) in [
        (&b"\x1bLJ\x02"[..], true),
        (b"\x1b", true),
        (b"\xef\xbb\xbf\x1bLJ\x02", true),
        (b"#!/usr/bin/lua\n\x1bLJ\x02", true),
        (b"#\r\n\x1bLJ\x02", true),
        (b"\xef\xbb\xbf# x\n\x1bLJ\x02", true),
        (b"", false),
        (b"#", false),
        (b"#!/usr/bin/lua\nreturn 1", false),
        (b"\xef\xbb\xbfreturn 1", false),
        (b"return '\x1bLJ'", false),
        (b"-- x\n\x1bLJ", false),
    ] {
        assert_eq!(is_bytecode(source), want, "{:?}", String::from_utf8_lossy(source));
    }
    let tenants = Tenants::new();
    tenants.fixture.write("t/a", "\x1bLJ\x02");
    let error = script_source(&tenants.environment, &tenants.file("t/a.lua").unwrap()).unwrap_err();
    assert_eq!(error.status(), 500);
    assert!(error.to_string().contains("t/a.lua\": is bytecode; sandboxed scripts are source text"), "{error}");
    let path = tenants.path("t/a.lua");
    assert!(matches!(script_fresh(Path::new("/"), path.as_bytes(), true), Err(LoadError::Bytecode(_))));
    // What is too large is the file's own matter too.
    std::fs::File::create(tenants.path("t/huge.lua")).unwrap().set_len(FILE_LIMIT as u64 + 1).unwrap();
    assert!(tenants.file("t/huge.lua").unwrap_err().to_string().contains("larger than the limit"));
}

#[test]
fn a_script_is_no_trusted_code() {
    let tenants = Tenants::new();
    let (vm, environment) = (&tenants.fixture.vm, &tenants.environment);
    symlink("t/a.lua", tenants.path("alias.lua")).unwrap();
    symlink("t", tenants.path("tenants")).unwrap();
    tenants.fixture.write("one", "return 1");
    let top = PathBuf::from(tenants.path(""));
    // Known to the generation or not.
    tenants.file("t/a.lua").unwrap();
    let roots = [top.clone()];
    for (path, from_request) in [
        ("t/a.lua", true),
        ("t/b/c.lua", true),
        ("t/missing.lua", true),
        ("./t//a.lua", true),
        ("alias.lua", true),
        ("tenants/a.lua", true),
        ("one.lua", true),
        ("t/a.lua", false),
        ("alias.lua", false),
    ] {
        for roots in [&roots[..], &[]] {
            let error = file_chunk(vm, environment, roots, tenants.path(path).as_bytes(), from_request).unwrap_err();
            assert_eq!(error.status(), 404, "{path}");
            if !roots.is_empty() || !from_request {
                assert!(error.to_string().contains("refused: the file is a sandboxed script"), "{path}: {error}");
            }
        }
    }
    assert!(file_chunk(vm, environment, &roots, tenants.path("own.lua").as_bytes(), true).is_ok());
    for (path, name, want) in [
        ("?.lua", "t.a", Some("refused: the file is a sandboxed script")),
        ("t/?.lua", "a", Some("refused: the file is a sandboxed script")),
        ("?.lua", "tenants.a", Some("refused: the file is a sandboxed script")),
        ("?.lua", "alias", Some("refused: the file is a sandboxed script")),
        ("?.lua", "one", Some("refused: the file is a sandboxed script")),
        ("t/?.lua", "missing", Some("refused: sandboxed scripts lie there")),
        ("?.lua", "own", None),
        // A tenant hides no module of the operator's.
        ("t/?.lua", "own", None),
    ] {
        if name == "own" {
            tenants.fixture.write("t/own", "return nil");
        }
        let path = format!("{};{}", tenants.path(path), tenants.path("other/?.lua;") + &tenants.path("own.lua"));
        let path = if want.is_some() { path.rsplit_once(';').unwrap().0.to_owned() } else { path };
        match find_module(vm, environment, &path, name).unwrap() {
            Ok((_, file)) => assert_eq!((file, None), (tenants.path("own.lua"), want), "{path} {name}"),
            Err(tried) => assert!(want.is_some_and(|want| tried.contains(want)), "{path} {name}: {tried}"),
        }
    }
}
