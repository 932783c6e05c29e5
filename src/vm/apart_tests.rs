//! VMs apart: who gets which, how many there are, and what they load.

use std::collections::BTreeMap;
use std::thread;

use super::super::fixture::{FAMILIES, Fixture};
use super::*;
use crate::code::{Found, Hash, Source};

/// A generation's files, all that there are.
struct Files(BTreeMap<String, &'static str>);

impl Sources for Files {
    fn find(&self, file: &str) -> Found {
        self.0.get(file).map_or(Found::Gone, |text| Found::Source(Source::new(text.as_bytes().to_vec())))
    }

    fn hash(&self, file: &str) -> Option<Hash> {
        self.0.get(file).map(|text| Hash::of(text.as_bytes()))
    }

    fn covers(&self, _: &str) -> bool {
        true
    }

    fn adopt(&self, _: &str, source: Source) -> Source {
        source
    }
}

fn generation(fixture: &Fixture, number: u64, module: &'static str) -> Generation {
    let file = format!("{}/app.lua", fixture.directory.path().display());
    Generation { number, sources: Arc::new(Files([(file, module)].into())) }
}

fn vms(limit: usize) -> Arc<VmsApart> {
    VmsApart::new(&[FAMILIES], Box::new(|_| Ok(())), Untrusted::default(), limit)
}

/// Calls `app.count()` in a thread, and tells what that has returned.
fn count(fixture: &Fixture, vms: &Arc<VmsApart>, generation: &Generation) -> Option<String> {
    let place = vms.reserve(&fixture.vm, generation).unwrap()?;
    let copied = thread::spawn(move || place.call(b"app", b"count", Copied::default())).join().unwrap();
    let text = copied.map(|copied| copied.into_values(fixture.vm.lua()).unwrap().pop_front().unwrap());
    Some(text.map_or_else(|text| text, |value| value.to_string().unwrap()))
}

const ONE: &str = "local n = 0 return { count = function() n = n + 1 return 'one ' .. n end }";
const TWO: &str = "local n = 0 return { count = function() n = n + 1 return 'two ' .. n end }";

#[test]
fn a_vm_is_kept_for_the_next_call_of_its_generation_and_for_no_other() {
    let (fixture, vms) = (Fixture::new(&[]), vms(2));
    let (one, two) = (generation(&fixture, 1, ONE), generation(&fixture, 2, TWO));
    let calls = [(&one, "one 1"), (&one, "one 2"), (&two, "two 1"), (&two, "two 2"), (&one, "one 1"), (&two, "two 3")];
    for (at, (generation, want)) in calls.into_iter().enumerate() {
        assert_eq!(count(&fixture, &vms, generation).as_deref(), Some(want), "call {at}");
    }
    assert_eq!(vms.state().idle.len(), 1, "those of older generations go");
}

#[test]
fn there_are_only_so_many_at_once() {
    let (fixture, vms) = (Fixture::new(&[]), vms(2));
    let (one, two) = (generation(&fixture, 1, ONE), generation(&fixture, 2, TWO));
    let reserve = |generation: &Generation| vms.reserve(&fixture.vm, generation).unwrap();
    let first = reserve(&one).unwrap();
    let second = reserve(&two).unwrap();
    assert!(reserve(&one).is_none() && reserve(&two).is_none());
    drop(first);
    assert_eq!(count(&fixture, &vms, &two).unwrap(), "two 1");
    drop(second);
    // One is idle, so that there is room for one of the older generation, and again none for a third.
    let older = reserve(&one).unwrap();
    assert_eq!(count(&fixture, &vms, &two).unwrap(), "two 2");
    drop(older);
    let both = [reserve(&one).unwrap(), reserve(&one).unwrap()];
    assert!(vms.state().idle.is_empty(), "an idle one makes room");
    drop(both);
    assert!(reserve(&Generation::default()).is_some());
    assert_eq!(vms.state().taken, 0);
}

#[test]
fn one_that_does_not_load_or_run_is_told_of_and_leaves_its_place() {
    let (fixture, vms) = (Fixture::new(&[]), vms(1));
    for (module, want) in [
        ("error('sad')", ":1: sad"),
        ("return 1", "invalid lua module"),
        ("return {}", "invalid function"),
        ("return { count = function() error({}) end }", "unknown reason"),
        ("return { count = function() return print end }", "unsupported Lua type: LUA_TFUNCTION in the return value"),
        ("local = 1", "error loading module 'app' from file"),
    ] {
        let text = count(&fixture, &vms, &generation(&fixture, 0, module)).unwrap();
        assert!(text.contains(want), "{module}: {text}");
    }
    assert_eq!(vms.state().idle.len(), 0, "those without a generation are not kept");
}
