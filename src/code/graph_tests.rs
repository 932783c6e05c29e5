//! Tests of the require graph, and of names against files and patterns.

use super::*;
use std::time::{Duration, Instant};

fn names(list: &str) -> Vec<String> {
    list.split_whitespace().map(str::to_owned).collect()
}

/// A graph from lines such as `a: b c`, literal edges of modules.
fn graph(lines: &[&str]) -> RequireGraph {
    let mut graph = RequireGraph::default();
    for line in lines {
        let (from, to) = line.split_once(':').unwrap();
        graph.set_requires(&Node::module(from), names(to));
    }
    graph
}

#[test]
fn affected_modules_come_dependencies_first() {
    let diamond: &[&str] = &["app: b a", "a: base", "b: base", "other: lone"];
    // z must come first though its name is last.
    let backwards: &[&str] = &["a: b", "b: c", "c: z"];
    let cycle: &[&str] = &["a: b", "b: c", "c: a x", "out: b"];
    let own: &[&str] = &["a: a x"];
    let cases: &[(&[&str], &str, &str, &str)] = &[
        (diamond, "base", "", "base a b app"),
        (diamond, "a", "", "a app"),
        (diamond, "app", "", "app"),
        (diamond, "lone", "", "lone other"),
        (diamond, "b a", "", "a b app"),
        (diamond, "", "", ""),
        (diamond, "unknown", "", "unknown"),
        (diamond, "base base", "", "base a b app"),
        (backwards, "z", "", "z c b a"),
        (backwards, "a z", "", "z c b a"),
        // unloaded ones are looked through and keep the order
        (backwards, "z", "c b", "z a"),
        (backwards, "z", "z", "c b a"),
        (cycle, "x", "", "x c b a out"),
        (cycle, "b", "", "c b a out"),
        (cycle, "a", "", "c b a out"),
        (own, "a", "", "a"),
        (own, "x", "", "x a"),
    ];
    for (lines, changed, unloaded, want) in cases {
        let unloaded = names(unloaded);
        let changed: Vec<&str> = changed.split_whitespace().collect();
        let loaded = |name: &str| !unloaded.iter().any(|u| u == name);
        let got = graph(lines).affected(&changed, loaded);
        assert_eq!(got, names(want), "{lines:?} {changed:?} without {unloaded:?}");
    }
}

#[test]
fn literal_and_recorded_requires_are_kept_apart() {
    let (a, handler) = (Node::module("a"), Node::chunk("/code/a"));
    let mut graph = graph(&["a: x both"]);
    graph.record(&a, "both");
    graph.record(&a, "computed");
    graph.record(&handler, "a");
    graph.set_requires(&Node::chunk("a"), names("x"));
    assert_eq!(graph.requires(&a), ["both", "computed", "x"]);
    assert_eq!(graph.required_by("x"), [&a, &Node::chunk("a")]);
    assert_eq!(graph.affected(&["x"], |_| true), ["x", "a"]);

    let before = graph.clone();
    graph.set_requires(&a, names("y"));
    assert_eq!(graph.requires(&a), ["both", "computed", "y"]);
    assert_eq!(graph.required_by("x"), [&Node::chunk("a")]);
    assert_eq!(graph.required_by("both"), [&a]);
    assert_eq!(graph.required_by("a"), [&handler]);

    graph.forget(&a);
    assert!(graph.requires(&a).is_empty());
    assert!(graph.required_by("both").is_empty() && graph.required_by("y").is_empty());
    assert_eq!(graph.required_by("a"), [&handler]);
    graph.forget(&handler);
    graph.forget(&handler);
    graph.forget(&Node::chunk("a"));
    assert!(graph.edges.is_empty() && graph.dependents.is_empty());
    assert_eq!(before.requires(&a), ["both", "computed", "x"]);
    assert_eq!(handler.name(), "/code/a");
}

/// Random changes; after each, the reverse index is what a scan finds, and
/// the order puts each module behind what it requires, cycles aside.
#[test]
fn the_reverse_index_follows_every_change() {
    let mut state = 88_172_645_463_325_252_u64;
    let mut random = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let mut graph = RequireGraph::default();
    for _ in 0..3_000 {
        let from = Node::Module(random(12).to_string());
        match random(4) {
            0 => graph.forget(&from),
            1 => graph.record(&from, &random(12).to_string()),
            _ => {
                let to = (0..random(4)).map(|_| random(12).to_string()).collect();
                graph.set_requires(&from, to);
            }
        }
        let mut scan: BTreeMap<String, BTreeSet<Node>> = BTreeMap::new();
        for (from, edges) in &graph.edges {
            for to in edges.names() {
                scan.entry(to.to_owned()).or_default().insert(from.clone());
            }
        }
        assert_eq!(graph.dependents, scan);

        let changed = random(12).to_string();
        let order = graph.affected(&[&changed], |_| true);
        let reaches = |from: &str, to: &str| graph.affected(&[to], |_| true).iter().any(|name| name == from);
        for (at, module) in order.iter().enumerate() {
            for to in graph.requires(&Node::module(module)) {
                let Some(place) = order.iter().position(|name| name == to) else {
                    continue;
                };
                assert!(place <= at || reaches(to, module), "{module} before {to}: {order:?}");
            }
        }
    }
}

#[test]
fn a_long_chain_and_a_clone_take_no_time() {
    const MODULES: usize = 20_000;
    let mut graph = RequireGraph::default();
    for n in 0..MODULES {
        let to = (1..=5).map(|step| format!("app.module{}", n + step)).collect();
        graph.set_requires(&Node::Module(format!("app.module{n}")), to);
    }
    let start = Instant::now();
    let affected = graph.clone().affected(&[&format!("app.module{MODULES}")], |_| true);
    assert_eq!(affected.len(), MODULES + 1);
    assert_eq!(affected[MODULES], "app.module0");
    println!("clone and affected: {:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn files_and_modules_are_found_from_each_other() {
    let cases: &[(&str, &str, &[&str])] = &[
        ("/c/?.lua;/c/?/init.lua", "a.b", &["/c/a/b.lua", "/c/a/b/init.lua"]),
        ("/c/?.lua;", "a", &["/c/a.lua"]),
        (";/c/?/?.lua", "a", &["/c/a/a.lua"]),
        ("/c/one.lua", "a", &["/c/one.lua"]),
        ("/c/?.lua", "../x", &["/c////x.lua"]),
        ("", "a", &[]),
    ];
    for (path, module, want) in cases {
        assert_eq!(candidates(path, module), *want, "{path} {module}");
    }
    let cases: &[(&str, &str, &[&str])] = &[
        ("/c/?.lua", "/c/a/b.lua", &["a.b"]),
        ("/c/?.lua;/c/?/init.lua", "/c/a/init.lua", &["a.init", "a"]),
        ("/c/?.lua;/c/?.lua", "/c/a.lua", &["a"]),
        ("/c/?/?.lua", "/c/ab/ab.lua", &["ab"]),
        ("/c/?/?.lua", "/c/ab/cd.lua", &[]),
        ("/c/?/?.lua", "/c/ab/a.lua", &[]),
        ("/c/?.lua", "/c/a.b.lua", &[]),
        ("/c/?.lua", "/c/.lua", &[]),
        ("/c/?.lua", "/c", &[]),
        ("/c/?.lua", "/d/a.lua", &[]),
        ("/c/?.lua", "/c/a.luax", &[]),
        ("/c/ä?.lua;/c/?ä", "/c/ä.lua", &[]),
        ("/c/?.lua", "/c/ä.lua", &["ä"]),
        ("/c/one.lua;;", "/c/one.lua", &[]),
    ];
    for (path, file, want) in cases {
        assert_eq!(module_names(path, file), *want, "{path} {file}");
    }
}

#[test]
fn patterns_match_whole_names() {
    let cases = [
        ("app.*", "app.a", true),
        ("app.*", "app.a.b", true),
        ("app.*", "app.", true),
        ("app.*", "app", false),
        ("app.*", "apps.a", false),
        ("app.*", "x.app.a", false),
        ("*", "", true),
        ("*", "a.b", true),
        ("*.b", "a.b", true),
        ("*.b", "a.bb", false),
        ("a*b*c", "a1b2c", true),
        ("a*b*c", "abc", true),
        ("a*b*c", "acb", false),
        ("a*b*b", "ab", false),
        ("ab*ba", "aba", false),
        ("a**b", "a.b", true),
        ("a", "a", true),
        ("a", "ab", false),
        ("a.b", "axb", false),
        ("a?[b]", "a?[b]", true),
        ("", "", true),
        ("", "a", false),
        ("*ä*", "xäy", true),
    ];
    for (pattern, name, want) in cases {
        assert_eq!(module_pattern(pattern)(name), want, "{pattern} {name}");
    }
    let slow = module_pattern(&"a*".repeat(2_000));
    assert!(!slow(&format!("{}b", "a".repeat(1_999))));
}
