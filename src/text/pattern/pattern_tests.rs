//! What LuaJIT 2.1 returned for these calls. A whole search is written as its values: captures in brackets, a position as
//! a number counted from 1, `-` for no match, or the error.

use super::*;

/// Runs a search in parts of `part` steps.
fn run(matcher: &mut Matcher, subject: &str, pattern: &str, part: u64) -> Result<bool, PatternError> {
    loop {
        let mut budget = part;
        match matcher.run(subject.as_bytes(), pattern.as_bytes(), &mut budget)? {
            Progress::Matched => return Ok(true),
            Progress::Failed => return Ok(false),
            Progress::Paused => assert_eq!(budget, 0, "paused early: {pattern}"),
        }
    }
}

fn values(matcher: &Matcher, subject: &str) -> Result<String, PatternError> {
    let value = |index| {
        Ok(match matcher.capture(index)? {
            Capture::Span { start, end } => format!("[{}]", subject[start..end].replace("\0", "NUL")),
            Capture::Position(at) => (at + 1).to_string(),
        })
    };
    (0..matcher.captures().max(1)).map(value).collect()
}

/// `string.match`.
fn matched(subject: &str, pattern: &str, init: i64) -> String {
    let by_parts = |part| {
        let mut matcher = Matcher::new();
        matcher.begin(start(init, subject.len()), true);
        match run(&mut matcher, subject, pattern, part) {
            Ok(true) => values(&matcher, subject).unwrap_or_else(|error| error.to_string()),
            Ok(false) => "-".into(),
            Err(error) => error.to_string(),
        }
    };
    let at_once = by_parts(u64::MAX);
    for part in [1, 2, 7] {
        assert_eq!(by_parts(part), at_once, "'{subject}' '{pattern}' in parts of {part}");
    }
    at_once
}

/// All that `string.gmatch` gives.
fn all(subject: &str, pattern: &str) -> String {
    let (mut matcher, mut found, mut from) = (Matcher::new(), String::new(), 0);
    matcher.begin(from, false);
    while run(&mut matcher, subject, pattern, 3).unwrap() {
        found += &values(&matcher, subject).unwrap();
        let (start, end) = matcher.span();
        from = if end == start { end + 1 } else { end };
        matcher.again(from, false);
    }
    found
}

#[test]
fn items_match_one_byte() {
    for (subject, pattern, want) in [
        ("", "", "[]"),
        ("abc", "b", "[b]"),
        ("abc", "d", "-"),
        ("abc", ".c", "[bc]"),
        ("a.c", "%.", "[.]"),
        ("a-1", "%-%d", "[-1]"),
        ("ab 1", "%s%w", "[ 1]"),
        ("ab", "%A", "-"),
        ("é", "%a", "-"),
        ("h", "%h", "[h]"),
        ("b]c", "[]]", "[]]"),
        ("]", "[^]]", "-"),
        ("x]", "[^%]]", "[x]"),
        ("-", "[a-]", "[-]"),
        ("a-]", "[a-]]", "[-]]"),
        ("-", "[%a-z]", "[-]"),
        ("k", "[%a-z]", "[k]"),
        ("b", "[a-%%]", "-"),
        ("]", "[a-%%]", "[]]"),
        ("c", "[c-a]", "-"),
        ("mM", "[A-Z]", "[M]"),
        ("a^", "[%^]", "[^]"),
        ("^", "[^a]", "[^]"),
        ("a_", "[^%w]", "[_]"),
        ("a\0c", "a.c", "[aNULc]"),
        ("a\0", "a%z", "[aNUL]"),
        ("a\0c", "a\0b", "[a]"),
    ] {
        assert_eq!(matched(subject, pattern, 1), want, "'{subject}' '{pattern}'");
    }
}

#[test]
fn items_repeat() {
    for (subject, pattern, want) in [
        ("aaab", "a*", "[aaa]"),
        ("baaa", "a*", "[]"),
        ("baaa", "a+", "[aaa]"),
        ("b", "a+", "-"),
        ("aaab", "a-b", "[aaab]"),
        ("aaab", "a-", "[]"),
        ("ab", "a?b", "[ab]"),
        ("b", "a?b", "[b]"),
        ("aab", "a?ab", "[aab]"),
        ("ab", "a?ab", "[ab]"),
        ("<a><b>", "<.*>", "[<a><b>]"),
        ("<a><b>", "<.->", "[<a>]"),
        ("x12y", "%d*y", "[12y]"),
        ("aab", "[ab]*b", "[aab]"),
        ("abab.", "[ab]-%.", "[abab.]"),
        ("**", "**", "[**]"),
        ("a", "?", "-"),
        ("a-", "a--", "[a-]"),
        ("aaaa", "a+a+a+a+", "[aaaa]"),
        ("aaa", "a+a+a+a+", "-"),
    ] {
        assert_eq!(matched(subject, pattern, 1), want, "'{subject}' '{pattern}'");
    }
}

#[test]
fn anchors_hold_the_ends() {
    for (subject, pattern, init, want) in [
        ("ab", "^b", 1, "-"),
        ("ab", "^b", 2, "[b]"),
        ("^a", "^^a", 1, "[^a]"),
        ("a^", "a^", 1, "[a^]"),
        ("aa", "a$", 1, "[a]"),
        ("ab", "a$", 1, "-"),
        ("a$b", "a$b", 1, "[a$b]"),
        ("a", "a$b?", 1, "-"),
        ("a$b", "a$", 1, "-"),
        ("ab", "^.-$", 1, "[ab]"),
        ("ab", "()$", 1, "3"),
        ("abc", "()", 10, "4"),
        ("abc", ".", -1, "[c]"),
    ] {
        assert_eq!(matched(subject, pattern, init), want, "'{subject}' '{pattern}' {init}");
    }
}

#[test]
fn captures_are_taken_and_taken_back() {
    for (subject, pattern, want) in [
        ("k = v", "(%w+)%s*=%s*(%w+)", "[k][v]"),
        ("abc", "((a)(b)(c))", "[abc][a][b][c]"),
        ("abc", "()b()", "23"),
        ("ab", "(a*(.)b)", "[ab][a]"),
        ("aab", "(a*(.)b)", "[aab][a]"),
        ("xay", "(x-)a(.-)$", "[x][y]"),
        ("abac", "(a.)-c", "-"),
        ("ac", "(a)(b?)c", "[a][]"),
        ("say \"it's\"", "([\"'])(.-)%1", "[\"][it's]"),
        ("abcabc", "(abc)%1", "[abc]"),
        ("abcabd", "(abc)%1", "-"),
        ("abab-abab", "(.+)%-%1$", "[abab]"),
        ("aa", "()%1", "-"),
        ("aab", "(a-)b%1", "[]"),
    ] {
        assert_eq!(matched(subject, pattern, 1), want, "'{subject}' '{pattern}'");
    }
    let long = "0123456789abcdef".repeat(5);
    assert_eq!(matched(&format!("{long}-{long}"), "^(.+)%-%1$", 1), format!("[{long}]"));
    assert_eq!(matched(&format!("{long}-{}!", &long[1..]), "^(.+)%-%1$", 1), "-");
}

#[test]
fn balances_and_frontiers_are_found() {
    for (subject, pattern, want) in [
        ("f(a(b)c)d)", "%b()", "[(a(b)c)]"),
        ("((a)", "%b()", "[(a)]"),
        ("(a", "%b()", "-"),
        ("a|b|c", "%b||", "[|b|]"),
        ("x(1)(2)", "%b()%b()", "[(1)(2)]"),
        ("THE (quick) fox", "%f[%a]%a+%f[%A]", "[THE]"),
        ("the Fox", "%f[%u]%a+", "[Fox]"),
        ("a", "%f[%z]", "[]"),
        ("\0", "%f[%z]", "-"),
        ("", "%f[a]", "-"),
        ("ab", "%f[b]()", "2"),
        ("bb", "b%f[b]", "-"),
    ] {
        assert_eq!(matched(subject, pattern, 1), want, "'{subject}' '{pattern}'");
    }
}

#[test]
fn a_frontier_sees_what_is_before_the_first_byte() {
    assert_eq!(matched("ab b", "%f[%w]b()", 2), "5");
}

#[test]
fn malformed_patterns_are_refused_where_they_are_met() {
    for (subject, pattern, want) in [
        ("", "%", "malformed pattern (ends with '%')"),
        ("a", "b%", "-"),
        ("b", "b%", "malformed pattern (ends with '%')"),
        ("", "[", "malformed pattern (missing ']')"),
        ("", "[a", "malformed pattern (missing ']')"),
        ("", "[]", "malformed pattern (missing ']')"),
        ("", "[^]", "malformed pattern (missing ']')"),
        ("", "[%]", "malformed pattern (missing ']')"),
        ("", "[%", "malformed pattern (missing ']')"),
        ("a", "[a\0]", "malformed pattern (missing ']')"),
        ("a", "[%\0]", "malformed pattern (missing ']')"),
        ("b", "a[", "-"),
        ("", "%b", "unbalanced pattern"),
        ("", "%bx", "unbalanced pattern"),
        ("", "%bxy", "-"),
        ("", "%f", "missing '[' after '%f' in pattern"),
        ("", "%fa", "missing '[' after '%f' in pattern"),
        ("", "%f[", "malformed pattern (missing ']')"),
        ("", "%1", "invalid capture index"),
        ("a", "%0", "invalid capture index"),
        ("aa", "(a)%2", "invalid capture index"),
        ("aa", "(a%1)", "invalid capture index"),
        ("", ")", "invalid pattern capture"),
        ("a", "()a)", "invalid pattern capture"),
        ("", "(", "unfinished capture"),
        ("()", "(()", "unfinished capture"),
    ] {
        assert_eq!(matched(subject, pattern, 1), want, "'{subject}' '{pattern}'");
    }
}

#[test]
fn captures_and_choices_are_limited() {
    let too_many = "too many captures";
    let too_complex = "pattern too complex";
    let nested = |depth| "(".repeat(depth) + "a" + &")".repeat(depth);
    for (subject, pattern, want) in [
        ("", "()".repeat(32), "1".repeat(32).as_str()),
        ("", "()".repeat(33), too_many),
        ("a", nested(32), &"[a]".repeat(32)),
        ("", nested(33), too_many),
        ("", "a*".repeat(199), "[]"),
        ("", "a*".repeat(200), too_complex),
        ("aaa", "a-".repeat(199), "[]"),
        ("aaa", "a-".repeat(200), too_complex),
        (&"a".repeat(199), "a?".repeat(199), &format!("[{}]", "a".repeat(199))),
        (&"a".repeat(200), "a?".repeat(200), too_complex),
        ("", "a?".repeat(200), "[]"),
        ("a", nested(30) + &"a*".repeat(139), &"[a]".repeat(30)),
        ("a", nested(30) + &"a*".repeat(140), too_complex),
    ] {
        assert_eq!(matched(subject, &pattern, 1), want, "'{pattern}'");
    }
}

#[test]
fn more_sets_than_stay_read() {
    let letters = "abcdefghijkl";
    let sets: String = letters.chars().map(|letter| format!("[{letter}_]-")).collect();
    assert_eq!(matched(letters, &format!("^{sets}$"), 1), format!("[{letters}]"));
    assert_eq!(matched(letters, &format!("^{sets}!"), 1), "-");
}

#[test]
fn sets_are_forgotten_with_their_pattern() {
    let mut matcher = Matcher::new();
    for (pattern, want) in [("[a]", (0, 1)), ("[b]", (1, 2)), ("[ab]+", (0, 2))] {
        matcher.begin(0, true);
        assert_eq!(run(&mut matcher, "ab", pattern, 1), Ok(true));
        assert_eq!(matcher.span(), want, "{pattern}");
    }
}

#[test]
fn a_capture_is_asked_for_by_its_index() {
    let mut matcher = Matcher::new();
    matcher.begin(0, true);
    assert_eq!(run(&mut matcher, "xab", "a(b", 9), Ok(true));
    assert_eq!(matcher.capture(0), Err(PatternError::UnfinishedCapture));
    assert_eq!(matcher.capture(1), Err(PatternError::CaptureIndex));
    assert_eq!((matcher.span(), matcher.captures()), ((1, 3), 1));
    matcher.begin(1, true);
    assert_eq!(run(&mut matcher, "xab", "b", 9), Ok(true));
    assert_eq!(matcher.capture(0), Ok(Capture::Span { start: 2, end: 3 }));
    assert_eq!(matcher.capture(1), Err(PatternError::CaptureIndex));
    assert_eq!(matcher.captures(), 0);
}

#[test]
fn searches_follow_each_other() {
    for (subject, pattern, want) in [
        ("k=v, l=w", "(%w)=(%w)", "[k][v][l][w]"),
        ("ab", "", "[][][]"),
        ("ab", "()", "123"),
        ("abba", "b*", "[][bb][][]"),
        ("one two", "[a-z]+", "[one][two]"),
        ("^a^a", "^a", "[^a][^a]"),
        ("abb!a", "a.-b", "[ab]"),
        ("", "x", ""),
    ] {
        assert_eq!(all(subject, pattern), want, "'{subject}' '{pattern}'");
    }
}

#[test]
fn a_search_beyond_the_subject_finds_nothing() {
    let mut matcher = Matcher::new();
    matcher.begin(4, true);
    assert_eq!(run(&mut matcher, "abc", "", 1), Ok(false));
    assert_eq!(run(&mut matcher, "abc", "", 1), Ok(false), "asked again");
}

#[test]
fn an_error_ends_the_search() {
    let mut matcher = Matcher::new();
    matcher.begin(0, true);
    assert_eq!(run(&mut matcher, "abc", "[", 1), Err(PatternError::NoBracket));
    assert_eq!(run(&mut matcher, "abc", "[", 1), Ok(false));
}

#[test]
fn an_endless_search_pauses_in_the_memory_it_has() {
    let subject = [b'x'; 3000];
    let mut matcher = Matcher::new();
    let room = matcher.room();
    for pattern in [".-.-.-.-.-y".to_owned(), "[xy]-".repeat(20) + "y"] {
        matcher.begin(0, true);
        for _ in 0..100_000 {
            let mut budget = 10;
            assert_eq!(matcher.run(&subject, pattern.as_bytes(), &mut budget), Ok(Progress::Paused));
            assert_eq!(budget, 0);
        }
    }
    assert_eq!(matcher.room(), room);
}

#[test]
fn steps_grow_with_what_is_looked_at() {
    let steps = |subject: &str, pattern: &str| {
        let (mut matcher, mut budget) = (Matcher::new(), u64::MAX);
        matcher.begin(0, true);
        matcher.run(subject.as_bytes(), pattern.as_bytes(), &mut budget).unwrap();
        u64::MAX - budget
    };
    let many = "x".repeat(1000);
    for (what, subject, pattern, least) in [
        ("skipped bytes", many.as_str(), "y", 1000),
        ("repeated bytes", &many, "^x*$", 1000),
        ("bytes given back", &many, "^x*xy", 2000),
        ("bytes in a balance", &many, "^%bxy", 1000),
        ("items of a set", "a", &format!("[{many}]"), 2000),
        ("items that repeat nothing", "", &"a*".repeat(100), 200),
        ("compared bytes", &many.repeat(2), "^(x*)%1$", 2000 + 1000 + 1000 / 16),
    ] {
        let taken = steps(subject, pattern);
        assert!((least..least * 3).contains(&taken), "{what}: {taken} steps");
    }
}

#[test]
fn plain_text_is_found_as_it_stands() {
    for (subject, needle, from, want) in [
        ("abcabc", "c", 0, Some(2)),
        ("abcabc", "c", 3, Some(5)),
        ("abcabc", "d", 0, None),
        ("abc", "", 3, Some(3)),
        ("abc", "", 4, None),
        ("a%d\0", "%d\0", 0, Some(1)),
    ] {
        assert_eq!(find_plain(subject.as_bytes(), needle.as_bytes(), from), want, "'{subject}' '{needle}' {from}");
    }
}

#[test]
fn some_patterns_are_plain() {
    for special in "^$*+?.([%-".chars() {
        assert!(has_specials(format!("a{special}").as_bytes()), "{special}");
    }
    for plain in ["", "abc", "a)]{}|\\\0/"] {
        assert!(!has_specials(plain.as_bytes()), "{plain}");
    }
}

#[test]
fn init_counts_from_either_end() {
    for (init, length, want) in [
        (1, 3, 0),
        (0, 3, 0),
        (3, 3, 2),
        (4, 3, 3),
        (9, 3, 3),
        (-1, 3, 2),
        (-3, 3, 0),
        (-4, 3, 0),
        (i64::MIN, 3, 0),
        (i64::MAX, 3, 3),
    ] {
        assert_eq!(start(init, length), want, "{init} of {length}");
    }
}
