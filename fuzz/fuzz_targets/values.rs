//! Copying of values out of a contained VM and into another one, against a naive copy in Lua.
#![no_main]

#[path = "values/graph.rs"]
mod graph;
#[path = "values/plain.rs"]
mod plain;
#[path = "../../src/ffi/contained/stack.rs"]
#[allow(dead_code)]
mod stack;
#[path = "values/state.rs"]
mod state;
#[path = "../../src/ffi/contained/value.rs"]
#[allow(dead_code)]
mod value;

use std::ffi::c_int;

use graph::Graph;
use libfuzzer_sys::{Corpus, fuzz_target};
use state::State;
use value::{Allowance, Uncrossable, Value};

thread_local! {
    static FROM: State = State::new();
    static INTO: State = State::new();
}

fuzz_target!(|data: &[u8]| -> Corpus {
    FROM.with(|from| INTO.with(|into| cross(data, from, into)));
    Corpus::Keep
});

/// Copies a graph out of one state and into the other one, and compares.
fn cross(data: &[u8], from: &State, into: &State) {
    let graph = Graph::build(from, data);
    let (values, bytes) = (graph.values, graph.bytes);
    let before = from.fingerprint(&graph);
    let ours = read(from, &graph, values, bytes);
    assert_eq!(from.fingerprint(&graph), before, "reading changed the graph");
    let wanted = from.copy(graph.first, graph.roots, values, bytes);
    match (&ours, &wanted) {
        (Ok(ours), Ok(wanted)) => {
            assert!(plain::write(ours) == wanted.text, "{ours:?}");
            assert_eq!(plain::tables(ours), wanted.tables, "each table is gone over once");
            exact(from, &graph, wanted);
            carry(into, ours, wanted, &graph);
        }
        (Err(ours), Err(wanted)) => assert_eq!(&reason(*ours), wanted),
        _ => panic!("{ours:?}, wanted {:?}", wanted.as_ref().map(|_| ())),
    }
    from.clear();
}

/// Reads the graph's roots within one allowance.
fn read(state: &State, graph: &Graph, values: usize, bytes: usize) -> Result<Vec<Value>, Uncrossable> {
    let mut allowance = Allowance::of(values, bytes);
    state.undisturbed(|raw| {
        let root = |index: c_int| if graph.negative { index - graph.first - graph.roots } else { index };
        // SAFETY: `undisturbed` has made room.
        (graph.first..graph.first + graph.roots)
            .map(|index| unsafe { value::read(raw, root(index), 1, &mut allowance) })
            .collect()
    })
}

/// An allowance of just what is needed suffices; with one value or byte less it does not.
fn exact(state: &State, graph: &Graph, wanted: &state::Copied) {
    let (values, bytes) = (wanted.values, wanted.bytes);
    assert!(read(state, graph, values, bytes).is_ok(), "{values} values and {bytes} bytes are needed");
    if values > 0 {
        assert_eq!(read(state, graph, values - 1, bytes), Err(Uncrossable::TooMany));
    }
    if bytes > 0 {
        assert_eq!(read(state, graph, values, bytes - 1), Err(Uncrossable::TooLarge(bytes - 1)));
    }
}

/// Pushes what was read into another state, where it must be the same.
fn carry(state: &State, values: &[Value], wanted: &state::Copied, graph: &Graph) {
    if let Some(memory) = graph.memory {
        // It may run out of memory on the way, or not.
        state.push(values, Some(memory));
        state.clear();
    }
    assert!(state.push(values, None), "it had memory");
    let count = values.len() as c_int;
    let first = state.top() - count + 1;
    let copied = state.copy(first, count, wanted.values, wanted.bytes).expect("a copy is as large as what was copied");
    assert!(copied.text == wanted.text, "{values:?}");
    assert_eq!((copied.values, copied.bytes), (wanted.values, wanted.bytes));
    assert!(copied.bare, "a copy's table has a metatable or stands in two places");
    let mut allowance = Allowance::of(wanted.values, wanted.bytes);
    let again: Result<Vec<Value>, Uncrossable> = state.undisturbed(|raw| {
        // SAFETY: `undisturbed` has made room.
        (first..first + count).map(|index| unsafe { value::read(raw, index, 1, &mut allowance) }).collect()
    });
    assert!(plain::write(&again.expect("what crossed once does so again")) == wanted.text, "{values:?}");
    state.clear();
}

/// As the naive copy names it.
fn reason(why: Uncrossable) -> String {
    match why {
        Uncrossable::Type(name) => name.to_owned(),
        Uncrossable::TooDeep => "too deep".to_owned(),
        Uncrossable::TooMany => "too many".to_owned(),
        Uncrossable::TooLarge(bytes) => format!("more than {bytes} bytes"),
    }
}
