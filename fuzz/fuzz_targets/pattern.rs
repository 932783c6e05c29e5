//! The sandbox's pattern matcher against LuaJIT's own `string.find`, `match`, `gmatch` and `gsub`.
#![no_main]

#[path = "pattern/case.rs"]
mod case;
#[path = "../../src/text/pattern/mod.rs"]
#[allow(dead_code)]
mod matcher;
#[path = "pattern/oracle.rs"]
mod oracle;
#[path = "pattern/ours.rs"]
mod ours;

use case::Case;
use libfuzzer_sys::{Corpus, fuzz_target};
use oracle::Oracle;

thread_local! {
    static ORACLE: Oracle = Oracle::new();
}

fuzz_target!(|data: &[u8]| -> Corpus {
    let case = Case::read(data);
    // What takes us long takes LuaJIT as long, and it cannot be stopped.
    let Some(ours) = ours::results(&case) else {
        return Corpus::Reject;
    };
    let wanted = ORACLE.with(|oracle| oracle.results(&case));
    assert_eq!(ours, wanted, "{case:?}");
    Corpus::Keep
});
