//! Globals of generations.

use std::time::{Duration, Instant};

use super::super::fixture::{Fixture, finish};
use crate::vm::Progress;

#[test]
fn a_candidate_has_its_own() {
    let fixture = Fixture::new(&[]);
    let see = |environment| {
        fixture.eval::<String>(
            environment,
            "return table.concat({ tostring(added), tostring(changed), tostring(removed), tostring(no) }, ' ')",
        )
    };
    fixture.eval::<()>(&fixture.first, "changed, removed, no = 1, 2, false");
    let candidate = fixture.candidate(&fixture.first, &[]);
    assert!(!fixture.vm.globals.some.get());
    finish(&mut fixture.sliced("added, changed, removed, no = 'new', 'other', nil, true"), &candidate).unwrap();
    assert_eq!(see(&fixture.first), "nil 1 2 false");
    assert_eq!(see(&candidate), "new other nil true");
    fixture.eval::<()>(&fixture.first, "added, shared = 'by the old one', 'for all'");
    assert_eq!(see(&candidate), "new other nil true");
    assert_eq!(fixture.eval::<String>(&candidate, "return shared"), "for all");
    assert_eq!(see(&fixture.first), "by the old one 1 2 false");
}

#[test]
fn a_rejected_one_leaves_none() {
    let fixture = Fixture::new(&[]);
    fixture.eval::<()>(&fixture.first, "kept = 'kept'");
    let candidate = fixture.candidate(&fixture.first, &[]);
    finish(&mut fixture.sliced("leaked, kept = 1, nil error('no')"), &candidate).unwrap_err();
    drop(candidate);
    assert!(fixture.eval::<bool>(&fixture.first, "return leaked == nil and kept == 'kept'"));
    fixture.vm.settle_globals().unwrap();
    assert!(!fixture.vm.globals.some.get());
    assert!(fixture.eval::<bool>(&fixture.first, "return leaked == nil and kept == 'kept'"));
}

#[test]
fn pauses_and_later_candidates_keep_them_apart() {
    let fixture = Fixture::new(&[]);
    fixture.eval::<()>(&fixture.first, "x = 1");
    let second = fixture.candidate(&fixture.first, &[]);
    let mut sliced = fixture.sliced("x = 2 for i = 1, 50000 do end y = x");
    let far = Instant::now() + Duration::from_secs(60);
    while sliced.run(&second, Duration::ZERO, far).unwrap() == Progress::Paused {
        assert_eq!(fixture.eval::<i64>(&fixture.first, "return x"), 1);
    }
    assert_eq!(fixture.eval::<(i64, i64)>(&second, "return x, y"), (2, 2));
    // A third is made while the first, which is older, runs.
    assert_eq!(fixture.eval::<i64>(&fixture.first, "return x"), 1);
    let third = fixture.candidate(&second, &[]);
    finish(&mut fixture.sliced("z = x"), &third).unwrap();
    assert_eq!(fixture.eval::<(i64, i64)>(&third, "return z, x"), (2, 2));
    assert!(fixture.eval::<bool>(&fixture.first, "return z == nil and y == nil"));
    drop(second);
    fixture.vm.switch_to(&third).unwrap();
    fixture.vm.settle_globals().unwrap();
    assert!(fixture.vm.globals.some.get(), "the first is alive");
}

#[test]
fn they_are_shared_again_once_one_environment_is_left() {
    let fixture = Fixture::new(&[]);
    let second = fixture.candidate(&fixture.first, &[]);
    finish(&mut fixture.sliced("x = 2"), &second).unwrap();
    let Fixture { vm, first, directory } = fixture;
    drop(first);
    vm.settle_globals().unwrap();
    assert!(vm.globals.some.get(), "the first still runs");
    vm.switch_to(&second).unwrap();
    vm.settle_globals().unwrap();
    assert!(!vm.globals.some.get());
    assert_eq!(vm.lua().load("return x").eval::<i64>().unwrap(), 2);
    let fixture = Fixture { vm, first: second, directory };
    let third = fixture.candidate(&fixture.first, &[]);
    fixture.eval::<()>(&third, "x = 3");
    assert_eq!(fixture.eval::<i64>(&fixture.first, "return x"), 3, "what was not set while loading is shared");
}

#[test]
fn a_strict_table_of_globals_is_not_asked() {
    let fixture = Fixture::new(&[]);
    fixture.eval::<()>(
        &fixture.first,
        "setmetatable(_G, { __index = function(_, k) error('undeclared ' .. k, 2) end,
            __newindex = function(_, k) error('undeclared ' .. k, 2) end })",
    );
    let candidate = fixture.candidate(&fixture.first, &[]);
    finish(&mut fixture.sliced("rawset(_G, 'x', 1)"), &candidate).unwrap();
    assert!(fixture.eval::<bool>(&fixture.first, "return rawget(_G, 'x') == nil"));
    assert_eq!(fixture.eval::<i64>(&candidate, "return x"), 1);
    let failure = finish(&mut fixture.sliced("y = 1"), &candidate).unwrap_err();
    assert_eq!(failure.message, "module.lua:1: undeclared y");
}
