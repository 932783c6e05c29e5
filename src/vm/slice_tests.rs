//! Slices: what pauses, what ends, and that nothing of them stays.

use std::time::{Duration, Instant};

use super::super::fixture::{Fixture, finish};
use super::*;

const NO_TIME: Duration = Duration::ZERO;

fn far() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// Runs with a deadline that is over at once: what can end ends.
fn late(fixture: &Fixture, source: &str) -> Failure {
    let mut sliced = fixture.sliced(source);
    let deadline = Instant::now() + Duration::from_millis(20);
    loop {
        match sliced.run(&fixture.first, Duration::from_millis(5), deadline) {
            Ok(Progress::Paused) => {}
            Ok(Progress::Done) => panic!("it ended by itself: {source}"),
            Err(failure) => return failure,
        }
    }
}

/// The hook fires in what runs now.
fn hooked(fixture: &Fixture) -> bool {
    !fixture.eval::<Value>(&fixture.first, "return debug.gethook()").is_nil()
}

#[test]
fn pauses_and_goes_on_through_whatever_lua_is_on_the_stack() {
    const SPIN: &str = "local n = 0 for i = 1, 30000 do n = n + 1 end";
    for (what, source, want) in [
        ("a loop", "SPIN result = n", 30000),
        ("a call", "local function spin(a, b) SPIN return a + b, n end local s, n = spin(1, 2) result = s + n", 30003),
        ("pcall", "local ok, n = pcall(function() SPIN return n end) result = ok and n", 30000),
        ("an error after it", "local ok, e = pcall(function() SPIN error({ n = n }) end) result = e.n", 30000),
        ("xpcall", "local ok, n = xpcall(function() SPIN return n end, print) result = ok and n", 30000),
        (
            "a metamethod",
            "local t = setmetatable({}, { __index = function(t, k) SPIN return n + k end }) result = t[5]",
            30005,
        ),
        (
            "varargs",
            "local function f(...) SPIN return select('#', ...), n end local c, n = f(1, nil, 3) result = c + n",
            30003,
        ),
        (
            "a tail call",
            "local function g(x) SPIN return x + n end local function f(x) return g(x) end result = f(1)",
            30001,
        ),
        (
            "an iterator",
            "local s = 0 for i in function(_, i) SPIN i = (i or 0) + 1 return i < 4 and i or nil end do s = s + i end result = s",
            6,
        ),
        (
            "a coroutine of its own",
            "local co = coroutine.wrap(function(x) local y = coroutine.yield(x + 1) return y * 2 end) local a = co(1) SPIN result = a + co(n)",
            60002,
        ),
        (
            "a loop in a coroutine of its own",
            "local co = coroutine.wrap(function() SPIN coroutine.yield(n) SPIN return n end) result = co() + co() SPIN",
            60000,
        ),
        ("a callback", "local m = 0 ;(('x'):rep(3)):gsub('.', function() SPIN m = m + n end) SPIN result = m", 90000),
        (
            "a comparator",
            "local t = { 3, 1, 2 } table.sort(t, function(a, b) SPIN return a < b end) SPIN result = t[1]",
            1,
        ),
        (
            "string.format and concatenation",
            "local s = '' for i = 1, 3000 do s = s .. ('%d'):format(i % 10) end result = #s",
            3000,
        ),
    ] {
        let fixture = Fixture::new(&[]);
        let source = source.replace("SPIN", SPIN);
        let mut sliced = fixture.sliced(&source);
        let mut pauses = 0;
        while sliced.run(&fixture.first, NO_TIME, far()).unwrap_or_else(|failure| panic!("{what}: {failure}"))
            == Progress::Paused
        {
            pauses += 1;
            assert!(!hooked(&fixture), "{what}: the hook stays");
        }
        assert!(pauses > 0, "{what}: never paused");
        assert_eq!(fixture.eval::<i64>(&fixture.first, "return result"), want, "{what}");
        assert_eq!(sliced.run(&fixture.first, NO_TIME, far()).unwrap_err().message, "cannot resume dead coroutine");
    }
}

#[test]
fn pauses_within_nested_requires() {
    let spin = "local n = 0 for i = 1, 20000 do n = n + 1 end ";
    let fixture = Fixture::new(&[
        ("outer", &format!("{spin} local inner = require 'inner' {spin} return {{ n = n + inner.n }}")),
        ("inner", &format!("{spin} local ok, none = pcall(require, 'missing') {spin} return {{ n = n, ok = ok }}")),
    ]);
    let candidate = fixture.candidate(&fixture.first, &[]);
    let mut sliced = fixture.vm.sliced_require("outer").unwrap();
    let mut pauses = 0;
    while sliced.run(&candidate, NO_TIME, far()).unwrap() == Progress::Paused {
        pauses += 1;
        let seen: bool =
            fixture.eval(&fixture.first, "return package.loaded.outer == nil and package.loaded.inner == nil");
        assert!(seen, "the running environment sees nothing of it");
    }
    assert!(pauses > 10);
    assert!(fixture.vm.runs(&fixture.first));
    assert_eq!(fixture.eval::<i64>(&candidate, "return require('outer').n"), 40000);
    let known: Vec<String> = candidate.modules.borrow().keys().cloned().collect();
    assert_eq!(known, ["inner", "outer"]);
}

#[test]
fn what_never_ends_is_ended_and_told_where() {
    for (what, source, line) in [
        ("a loop", "\nwhile true do end", Some(2)),
        ("a loop of pcalls", "\nwhile true do pcall(function() while true do end end) end", Some(2)),
        ("in a callback", "\n\nlocal _ = ('x'):gsub('.', function() while true do end end)", Some(3)),
        (
            "pcalls in a callback",
            "('x'):gsub('.', function()\nwhile true do pcall(function() while true do end end) end end)",
            Some(2),
        ),
        ("in a coroutine", "coroutine.wrap(function()\nwhile true do end end)()", Some(2)),
        (
            "coroutines without end",
            "while true do coroutine.wrap(function() while true do pcall(error) end end)() end",
            Some(1),
        ),
        (
            "pcall around a coroutine",
            "while true do pcall(coroutine.wrap(function() while true do end end)) end",
            Some(1),
        ),
        ("recursion", "local function f() return f() end\nf()", Some(1)),
        ("a comparator", "table.sort({ 1, 2 }, function() while true do end end)", Some(1)),
    ] {
        let fixture = Fixture::new(&[]);
        let failure = late(&fixture, source);
        assert!(failure.message.ends_with(": took longer than the prepare timeout"), "{what}: {failure}");
        assert_eq!(failure.place().map(|(file, at)| (file, Some(at))), Some(("module.lua", line)), "{what}: {failure}");
        assert!(failure.traceback.contains("module.lua:"), "{what}: {failure}");
        assert!(!hooked(&fixture), "{what}: the hook stays");
        fixture.eval::<()>(&fixture.first, "collectgarbage() collectgarbage() for i = 1, 5000 do local t = { i } end");
    }
}

#[test]
fn what_swallows_the_end_fails_too() {
    let fixture = Fixture::new(&[]);
    let failure = late(&fixture, "pcall(string.gsub, 'x', '.', function() while true do end end)");
    assert!(failure.message.contains("took longer than the prepare timeout"), "{failure}");
}

#[test]
fn a_yield_of_its_own_fails_with_its_place() {
    for (source, line) in [
        ("\ncoroutine.yield()", 2),
        ("local function f() coroutine.yield(1, 2) end\n\npcall(f)", 1),
        ("\n\nlocal y = coroutine.yield return y()", 3),
    ] {
        let fixture = Fixture::new(&[]);
        let failure = finish(&mut fixture.sliced(source), &fixture.first).unwrap_err();
        let want = format!("module.lua:{line}: attempt to yield while loading a module");
        if source.contains("return y()") {
            // A tail call leaves no frame.
            assert!(failure.message.ends_with("attempt to yield while loading a module"), "{failure}");
        } else {
            assert_eq!(failure.message, want);
        }
    }
}

#[test]
fn what_it_raises_comes_with_the_frames_where_it_was_raised() {
    let fixture = Fixture::new(&[
        ("inner", "local function blow()\n error('no way') end\nblow()"),
        ("outer", "pcall(require, 'missing')\nreturn require 'inner'"),
    ]);
    let failure = fixture.load(&fixture.first, "outer").unwrap_err();
    assert!(failure.message.ends_with("inner.lua:2: no way"), "{failure}");
    assert!(failure.traceback.contains("in function 'blow'"), "{failure}");
    assert_eq!(failure.place().map(|(_, line)| line), Some(2));
    let failure = finish(
        &mut fixture.sliced("error(setmetatable({}, { __tostring = function() return 'odd' end }))"),
        &fixture.first,
    );
    assert_eq!(failure.unwrap_err().message, "odd");
    assert!(fixture.eval::<bool>(&fixture.first, "return package.loaded.outer == nil"));
}

#[test]
fn the_process_is_not_ended_by_what_loads() {
    let fixture = Fixture::new(&[]);
    for source in ["os.exit(3)", "local exit = os.exit exit()"] {
        let failure = finish(&mut fixture.sliced(source), &fixture.first).unwrap_err();
        assert_eq!(failure.message, "module.lua:1: os.exit() while a module is loaded for a candidate");
    }
    let refused: String = fixture.eval(&fixture.first, "return select(2, pcall(function() os.exit({}) end))");
    assert!(refused.contains("bad argument #1 to 'exit' (number expected, got table)"), "{refused}");
}

#[test]
fn the_jit_is_as_it_was() {
    let fixture = Fixture::new(&[]);
    let status = || fixture.eval::<bool>(&fixture.first, "return (jit.status())");
    fixture.vm.lua().globals().set("status", Value::Nil).unwrap();
    for on in [true, false] {
        fixture.eval::<()>(&fixture.first, if on { "jit.on()" } else { "jit.off()" });
        for source in ["seen = jit.status()", "error('no')", "coroutine.yield()", "while true do end"] {
            let mut sliced = fixture.sliced(source);
            let _ = sliced.run(&fixture.first, Duration::from_millis(1), Instant::now());
            assert_eq!(status(), on, "{source}");
            assert!(!hooked(&fixture), "{source}");
        }
        assert!(!fixture.eval::<bool>(&fixture.first, "return seen"), "off while a slice runs");
    }
}

#[test]
fn what_runs_between_two_slices_compiles() {
    let fixture = Fixture::new(&[]);
    let mut sliced = fixture.sliced("while true do end");
    let traces = "local util, n = require 'jit.util', 0 while util.traceinfo(n + 1) do n = n + 1 end return n";
    let before: i64 = fixture.eval(&fixture.first, traces);
    assert_eq!(sliced.run(&fixture.first, NO_TIME, far()).unwrap(), Progress::Paused);
    assert_eq!(fixture.eval::<i64>(&fixture.first, traces), before, "the slice compiled nothing");
    let hot = "local function hot(n) local s = 0 for i = 1, n do s = s + i end return s end return hot(100000)";
    fixture.eval::<i64>(&fixture.first, hot);
    let after: i64 = fixture.eval(&fixture.first, traces);
    assert!(after > before, "{before} traces before, {after} after");
    assert_eq!(sliced.run(&fixture.first, NO_TIME, far()).unwrap(), Progress::Paused);
}

#[test]
fn functions_of_a_module_compile_though_its_main_chunk_does_not() {
    let fixture = Fixture::new(&[(
        "hot",
        "for i = 1, 1000 do local x = i end return function(n) local s = 0 for i = 1, n do s = s + i end return s end",
    )]);
    let traces = "local util, n = require 'jit.util', 0 while util.traceinfo(n + 1) do n = n + 1 end return n";
    fixture.eval::<()>(&fixture.first, "for i = 1, 300 do package.loaded.hot = nil; require 'hot' end jit.flush()");
    let before: i64 = fixture.eval(&fixture.first, traces);
    fixture.eval::<()>(&fixture.first, "local hot = require 'hot' hot(100000)");
    let after: i64 = fixture.eval(&fixture.first, traces);
    assert!(after > before, "{before} traces before, {after} after");
}
