//! Patterns in streams, read whole and in pieces, the streams cut anywhere.

use std::num::NonZeroUsize;

use super::Until;

/// What a call returns.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Returned {
    Data(String),
    /// The piece before was the last one before the pattern.
    Ended,
    /// What there is when the stream ends.
    Partial(String),
}

use Returned::{Data, Ended, Partial};

fn data(text: &str) -> Returned {
    Data(text.into())
}

fn partial(text: &str) -> Returned {
    Partial(text.into())
}

/// Calls with each of `sizes` (0: all before the pattern), the last of them until the stream has ended, which comes in
/// pieces of `cut` bytes.
fn read(until: &mut Until, sizes: &[usize], stream: &str, cut: usize) -> Vec<Returned> {
    let (mut stream, mut returned, mut calls) = (stream.as_bytes(), Vec::new(), 0);
    loop {
        let size = sizes[calls.min(sizes.len() - 1)];
        calls += 1;
        if !until.begin(NonZeroUsize::new(size)) {
            returned.push(Ended);
            continue;
        }
        let mut into = Vec::new();
        loop {
            let piece = &stream[..stream.len().min(cut)];
            let fed = until.feed(piece, &mut into);
            assert!(fed.complete || fed.taken == piece.len());
            stream = &stream[fed.taken..];
            if fed.complete {
                returned.push(Data(String::from_utf8(into).unwrap()));
                break;
            }
            if stream.is_empty() {
                returned.push(Partial(String::from_utf8(into).unwrap()));
                return returned;
            }
        }
    }
}

fn check(pattern: &str, inclusive: bool, sizes: &[usize], stream: &str, want: &[Returned]) {
    for cut in 1..=stream.len() {
        let mut until = Until::new(pattern.as_bytes(), inclusive).unwrap();
        let got = read(&mut until, sizes, stream, cut);
        assert_eq!(got, want, "{pattern:?} in {stream:?} cut into {cut}s, sizes {sizes:?}");
    }
}

#[test]
fn all_before_the_pattern() {
    let table: &[(&str, &str, &[Returned])] = &[
        ("--", "ab--cd--e", &[data("ab"), data("cd"), partial("e")]),
        ("--", "----", &[data(""), data(""), partial("")]),
        ("--", "a-b--", &[data("a-b"), partial("")]),
        ("x", "axxb", &[data("a"), data(""), partial("b")]),
        ("\r\n", "a\r\r\nb\n\r", &[data("a\r"), partial("b\n")]),
        ("abcabd", "abcabcabd", &[data("abc"), partial("")]),
        ("aaab", "aaaaab", &[data("aa"), partial("")]),
        ("aabaaa", "aabaabaaaa", &[data("aab"), partial("")]),
        ("ababac", "abababac-abaabababacab", &[data("ab"), data("-abaab"), partial("")]),
        ("\0\u{1}", "a\0\0\u{1}b", &[data("a\0"), partial("b")]),
    ];
    for (pattern, stream, want) in table {
        check(pattern, false, &[0], stream, want);
    }
}

#[test]
fn in_pieces_a_piece_is_longer_where_data_looked_like_the_pattern() {
    let table: &[(usize, &[Returned])] = &[
        (1, &[data("h"), data("o"), data("--"), data("w"), data(""), Ended, data("l"), data(""), Ended, partial("")]),
        (2, &[data("ho"), data("--"), data("w"), Ended, data("l"), Ended, partial("")]),
        (3, &[data("ho--"), data("w"), Ended, data("l"), Ended, partial("")]),
        (4, &[data("ho--"), data("w"), Ended, data("l"), Ended, partial("")]),
        (5, &[data("ho--w"), data(""), Ended, data("l"), Ended, partial("")]),
        (6, &[data("ho--w"), Ended, data("l"), Ended, partial("")]),
        (usize::MAX, &[data("ho--w"), Ended, data("l"), Ended, partial("")]),
    ];
    for (size, want) in table {
        check("---", false, &[*size], "ho--w---l---", want);
    }
}

#[test]
fn inclusive_data_has_the_pattern_at_its_end() {
    let stream = "ho--w---l---t";
    check("---", true, &[0], stream, &[data("ho--w---"), data("l---"), partial("t")]);
    let twos = [data("ho"), data("--"), data("w---"), Ended, data("l---"), Ended, partial("t")];
    check("---", true, &[2], stream, &twos);
    let ones = [data("h"), data("o"), data("--"), data("w"), data("---"), Ended, data("l"), data("---"), Ended];
    check("---", true, &[1], &stream[..12], &[&ones[..], &[partial("")]].concat());
}

#[test]
fn calls_with_and_without_a_size_may_be_mixed() {
    let stream = "hello--wor---ld---t";
    check("---", false, &[2, 0, 9, 0], stream, &[data("he"), data("llo--wor"), data("ld"), Ended, partial("t")]);
    // Only a piece is followed by a call that says that it was the last one.
    check("---", false, &[0, 2], stream, &[data("hello--wor"), data("ld"), data(""), Ended, partial("t")]);
}

#[test]
fn what_may_begin_the_pattern_is_kept_for_the_next_call() {
    let mut until = Until::new(b"---", false).unwrap();
    for (input, want, complete) in [("ab--", "ab", false), ("c--", "--c", false), ("-xyz", "", true)] {
        let mut into = Vec::new();
        assert!(until.begin(None));
        let fed = until.feed(input.as_bytes(), &mut into);
        assert_eq!((into.as_slice(), fed.complete), (want.as_bytes(), complete), "{input}");
    }
}

#[test]
fn the_same_as_a_plain_search() {
    // Every stream of 12 bytes and every pattern of up to 4, of two letters.
    let word = |bits: u32, length: u32| -> String {
        (0..length).map(|at| if bits >> at & 1 == 1 { 'a' } else { 'b' }).collect()
    };
    for (length, bits) in (1..=4).flat_map(|length| (0..1 << length).map(move |bits| (length, bits))) {
        let pattern = word(bits, length);
        for bits in 0..1 << 12 {
            let stream = word(bits, 12);
            let mut want: Vec<&str> = stream.split(&pattern).collect();
            let end = want.pop().unwrap();
            let mut until = Until::new(pattern.as_bytes(), false).unwrap();
            let mut got = read(&mut until, &[0], &stream, 5);
            let Some(Partial(rest)) = got.pop() else { panic!("{pattern} in {stream}") };
            assert_eq!(got, want.iter().map(|text| data(text)).collect::<Vec<_>>(), "{pattern} in {stream}");
            assert!(end.starts_with(&rest) && pattern.starts_with(&end[rest.len()..]), "{pattern} in {stream}");
        }
    }
}

#[test]
fn there_is_no_empty_pattern() {
    assert!(Until::new(b"", false).is_none());
}
