//! Scripts in a contained VM without nginx around it.

use std::time::Duration;

use super::*;

const NAMES: &[&str] = &[
    "assert",
    "error",
    "ipairs",
    "pairs",
    "pcall",
    "select",
    "setmetatable",
    "tostring",
    "type",
    "xpcall",
    "coroutine.wrap",
    "coroutine.yield",
    "coroutine.create",
    "coroutine.resume",
    "ngx.header",
    "ngx.say",
    "ngx.status",
    "string.find",
    "string.format",
    "string.gmatch",
    "string.gsub",
    "string.match",
    "string.rep",
    "table.concat",
    "table.insert",
    "table.sort",
    "math.random",
    "math.randomseed",
];

const LONG: Duration = Duration::from_secs(60);

fn budget() -> Limits {
    Limits { instructions: 10_000_000, time: LONG, memory: 4 << 20, output: 1000 }
}

fn open(memory: usize) -> Contained {
    Contained::open(NAMES, Box::new(|_| false), memory).unwrap()
}

/// Runs `source` to its end in slices of `slice`.
fn run(vm: &mut Contained, source: &str, budget: Limits, slice: Duration) -> Result<(Vec<Value>, String), Ended> {
    let key = *blake3::hash(source.as_bytes()).as_bytes();
    if !vm.has(&key) {
        vm.load(key, "test", source.as_bytes())?;
    }
    vm.begin(&key, budget, vec![Value::Number(7.0)], Vec::new());
    let ended = loop {
        match vm.step(slice) {
            Advance::Paused => {}
            Advance::Done(_) => break Ok(()),
            Advance::Ended(ended) => break Err(ended),
        }
    };
    let results = ended.map(|()| {
        let results = vm.results().unwrap();
        (results, String::from_utf8(vm.take_output()).unwrap())
    });
    vm.end();
    results
}

fn text(results: &[Value]) -> String {
    let texts = results.iter().map(|value| match value {
        Value::Text(text) => String::from_utf8_lossy(text).into_owned(),
        Value::Number(number) => number.to_string(),
        Value::Boolean(value) => value.to_string(),
        Value::Nil => "nil".into(),
        Value::Table(pairs) => format!("table of {}", pairs.len()),
    });
    texts.collect::<Vec<_>>().join(" ")
}

/// Much of what scripts do, in a few lines.
const BUSY: &str = r##"
    local n = ...
    local words = {}
    for word in ("one two three four"):gmatch("%a+") do table.insert(words, 1, word) end
    table.sort(words, function(a, b) return a < b end)
    local squares = coroutine.wrap(function() for i = 1, 5 do coroutine.yield(i * i) end end)
    local sum = 0
    for square in squares do sum = sum + square end
    local ok, message = pcall(function() error({ code = n }) end)
    local late = coroutine.wrap(function() return pcall(string.find, ("a"):rep(300) .. "cb", "a-a-b[") end)
    local found, wrong = late()
    return table.concat(words, ","), sum, ok, message.code, (("x"):rep(3):gsub("x", { x = "yz" })),
        string.format("%s %5.2f", setmetatable({}, { __tostring = function() return "object" end }), 1 / 3),
        select("#", xpcall(error, function() return 1, 2 end)), found, wrong
"##;
const BUSY_RESULTS: &str = "four,one,three,two 55 false 7 yzyzyz object  0.33 3 false malformed pattern (missing ']')";

#[test]
fn a_run_gives_the_same_however_it_is_sliced() {
    let mut vm = open(4 << 20);
    for slice in [LONG, Duration::from_micros(50), Duration::from_micros(1), Duration::ZERO] {
        let (results, _) = run(&mut vm, BUSY, budget(), slice).unwrap();
        assert_eq!(text(&results), BUSY_RESULTS, "{slice:?}");
    }
}

#[test]
fn each_limit_ends_a_run_and_the_next_one_is_fine() {
    let tight = |change: fn(&mut Limits)| {
        let mut budget = budget();
        change(&mut budget);
        budget
    };
    for (source, kind, budget) in [
        ("while true do end", Kind::Cpu, budget()),
        ("while true do pcall(function() while true do end end) end", Kind::Cpu, budget()),
        ("local s = ('x'):rep(3000) return s:match(('.-'):rep(5) .. 'y')", Kind::Cpu, budget()),
        ("local function f() return (('x'):gsub('.', f)) end return f()", Kind::Error, budget()),
        ("while true do end", Kind::Time, tight(|budget| budget.time = Duration::ZERO)),
        ("local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end", Kind::Memory, budget()),
        ("return ('x'):rep(1e9)", Kind::Memory, budget()),
        ("pcall(string.rep, 'x', 1e8) ngx.say('on')", Kind::Memory, budget()),
        ("for i = 1, 1001 do ngx.say() end", Kind::Output, budget()),
        ("pcall(ngx.say, ('x'):rep(1000)) return 1", Kind::Output, budget()),
        ("error('on purpose')", Kind::Error, budget()),
        ("return nil .. 1", Kind::Error, budget()),
    ] {
        let mut vm = open(4 << 20);
        let ended = run(&mut vm, source, budget, Duration::from_millis(1)).map(|(results, _)| text(&results));
        assert_eq!(ended.as_ref().map_err(|ended| ended.kind), Err(kind), "{source}: {ended:?}");
        if kind == Kind::Error {
            assert_eq!(text(&run(&mut vm, BUSY, self::budget(), LONG).unwrap().0), BUSY_RESULTS, "after {source}");
        }
    }
}

#[test]
fn a_run_finds_nothing_of_the_one_before() {
    let mut vm = open(4 << 20);
    let poison = "x = 1 string.rep = nil table.sort = 1 ngx.say = nil math.randomseed(1) \
                  setmetatable(string, { __index = error }) local m = math m.random = nil return 1";
    run(&mut vm, poison, budget(), LONG).unwrap();
    let clean = "return x, type(string.rep), type(table.sort), type(ngx.say), type(math.random), ngx.status";
    assert_eq!(text(&run(&mut vm, clean, budget(), LONG).unwrap().0), "nil function function function function 200");
    let random = "return math.random()";
    let seeded = "math.randomseed(1) return math.random()";
    let (first, seeded) =
        (run(&mut vm, seeded, budget(), LONG).unwrap(), run(&mut vm, random, budget(), LONG).unwrap());
    assert_ne!(first.0, seeded.0);
}

#[test]
fn memory_may_run_out_anywhere() {
    let mut fine = 0;
    let (mut memory, mut steps) = (0, 0);
    while fine < 20 {
        let mut vm = open(256 << 10);
        let mut budget = budget();
        budget.memory = memory;
        match run(&mut vm, BUSY, budget, LONG) {
            Ok((results, _)) => {
                assert_eq!(text(&results), BUSY_RESULTS);
                fine += 1;
            }
            Err(ended) => {
                assert_eq!(ended.kind, Kind::Memory, "{memory} bytes: {ended:?}");
                fine = 0;
            }
        }
        memory += 97;
        steps += 1;
    }
    assert!(steps > 100, "memory did run out: {steps}");
}

#[test]
fn source_is_text_and_not_too_long() {
    let mut vm = open(1 << 20);
    for (source, want) in [
        (&b"\x1bLJ\x02"[..], "is bytecode"),
        (b"#!x\n\x1bLJ\x02", "unexpected symbol"),
        (b"\xef\xbb\xbf\x1bLJ\x02", ""),
        (b"x = = 1", "test:1: unexpected symbol"),
        (b"return 1 -- \0", ""),
        (&[b' '; SOURCE + 1], "is larger than 64 KiB"),
    ] {
        let loaded = vm.load([0; 32], "test", source);
        let refused = loaded.map_err(|ended| ended.message);
        match want {
            "" => {}
            want => assert!(refused.as_ref().is_err_and(|text| text.contains(want)), "{source:?}: {refused:?}"),
        }
        assert!(!source.contains(&0x1b) || refused.is_err(), "{source:?}");
    }
}
