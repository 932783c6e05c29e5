//! Makes subject, pattern and call out of the fuzzer's bytes: each byte is a piece of a small grammar, so that most
//! patterns are well formed, most subjects match partly, and a changed byte changes one piece.

/// What is called.
#[derive(Clone, Debug)]
pub enum Call {
    Find {
        init: i32,
        plain: bool,
    },
    Match {
        init: i32,
    },
    Gmatch,
    /// The replacement is a string.
    Gsub {
        with: Vec<u8>,
        limit: i32,
    },
    /// The replacement is a function that notes what it is given, and replaces nothing.
    GsubFunction,
}

/// One input.
#[derive(Clone)]
pub struct Case {
    pub subject: Vec<u8>,
    pub pattern: Vec<u8>,
    pub call: Call,
    /// Where our matcher's budgets come from.
    pub seed: u8,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { subject, pattern, call, seed } = self;
        let (subject, pattern) = (subject.escape_ascii(), pattern.escape_ascii());
        write!(f, "subject \"{subject}\", pattern \"{pattern}\", {call:?}, seed {seed}")
    }
}

const MAX_SUBJECT: usize = 512;
const MAX_PATTERN: usize = 1024;

/// Pieces of patterns, each with a text that it may match where it stands behind the ones before.
#[rustfmt::skip]
const PIECES: &[(&[u8], &[u8])] = &[
    (b"a", b"a"), (b"b", b"b"), (b"c", b"c"), (b"x", b"x"), (b"-", b""), (b"1", b"1"), (b".", b" "), (b".", b"("),
    (b".", b"-"), (b"%a", b"a"), (b"%w", b"1"), (b"%d", b"1"), (b"%s", b" "), (b"%p", b")"), (b"%A", b"-"),
    (b"%W", b" "), (b"%g", b"a"), (b"%z", b"\0"), (b"%x", b"a"), (b"%u", b"Z"), (b"%l", b"b"), (b"%c", b"\n"),
    (b"%S", b"x"), (b"%Z", b"a"), (b"%D", b"a"), (b"%.", b"."), (b"%%", b"%"), (b"%-", b"-"), (b"%)", b")"),
    (b"*", b""), (b"*", b"aa"), (b"*", b""), (b"+", b""), (b"+", b"a"), (b"+", b"bb"), (b"-", b""), (b"-", b""),
    (b"-", b"a"), (b"?", b""), (b"?", b""), (b"?", b""), (b"(", b""), (b"(", b""), (b"(", b""), (b")", b""),
    (b")", b""), (b")", b""), (b"()", b""), (b"(.-)", b"x"), (b"(%w+)", b"ab"), (b"(a*)", b"aa"), (b"[", b"["),
    (b"]", b"]"), (b"[^", b""), (b"[ab]", b"a"), (b"[^ab]", b"c"), (b"[a-c]", b"b"), (b"[%w_]", b"_"), (b"[]]", b"]"),
    (b"[^]]", b"x"), (b"[%a-z]", b"-"), (b"[a-%%]", b"]"), (b"[%d-]", b"-"), (b"[^%s]", b"x"), (b"[-a]", b"-"),
    (b"[a-]", b"-"), (b"a-", b"a"), (b"-z", b""), (b"%1", b"a"), (b"%1", b"b"), (b"%2", b"a"), (b"%3", b""),
    (b"%9", b""), (b"%0", b""), (b"%b()", b"(a(b))"), (b"%b()", b"()"), (b"%bab", b"aabb"), (b"%baa", b"aa"),
    (b"%bx", b""), (b"%b", b""), (b"%f[%w]", b"a"), (b"%f[^a]", b""), (b"%f[%z]", b""), (b"%f[%W]", b""),
    (b"%f[()]", b"("), (b"%f", b""), (b"$", b""), (b"$", b""), (b"^", b""), (b"^", b"^"), (b"%", b""), (b"\0", b""),
    (b"\x7f", b"\x7f"), (b"\x80", b"\x80"), (b"\xff", b"\xff"), (b"[\x80-\xff]", b"\x90"), (b"[%z]", b"\0"),
    (b"[^%z]", b"a"), (b"[\x01-\x7e]", b"b"), (b"[^\0]", b""), (b"(()", b""), (b"((a)b)", b"ab"), (b"a?", b"a"),
    (b"b*", b"bb"), (b".-", b""), (b".*", b"b"), (b"%w-", b"a"), (b"%s*", b""), (b"[a-c]+", b"abc"), (b"[^)]*", b"x"),
    (b",", b""), (b"%a+", b"ab"),
];

/// Bytes of subjects.
const BYTES: &[u8] = b"aaabbbccxx()()--]]^%.  11_Z\0\n\x7f\x80\xff";

/// The pieces of replacements.
const REPLACEMENTS: &[&[u8]] = &[b"a", b"%0", b"%1", b"%2", b"%3", b"%9", b"%%", b"%", b"-", b"%a", b"\0"];

/// The fuzzer's bytes, and when they are used up, bytes that follow from them: short inputs make whole cases too.
struct Input<'d> {
    rest: std::slice::Iter<'d, u8>,
    state: u32,
}

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        let next = self.rest.next().copied();
        self.state = (self.state ^ u32::from(next.unwrap_or(0))).wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // The fuzzer's favourites, 0 and 255, become middling ones.
        next.map_or((self.state >> 24) as u8, |byte| byte.wrapping_mul(167).wrapping_add(91))
    }

    fn bytes(&mut self, count: u8) -> Vec<u8> {
        (0..count).map(|_| self.byte()).collect()
    }
}

impl Case {
    pub fn read(data: &[u8]) -> Self {
        let mut input = Input { rest: data.iter(), state: 0 };
        let (kind, init, seed, at) = (input.byte(), input.byte(), input.byte(), input.byte());
        let (pieces, bytes) = (input.byte(), input.byte());
        let (pieces, bytes) = (input.bytes(pieces % 32), input.bytes(bytes % 64));
        let replacement = input.bytes(kind >> 6);
        let small = i32::from(init as i8);
        let init = if small % 7 == 0 { i32::MIN.wrapping_add(small) } else { small };
        let call = match kind % 16 {
            0 => Call::Find { init, plain: seed % 2 == 0 },
            1..=4 => Call::Find { init: 1, plain: false },
            5 => Call::Match { init },
            6..=8 => Call::Match { init: 1 },
            9..=11 => Call::Gmatch,
            12 | 13 => Call::GsubFunction,
            _ => Call::Gsub {
                with: replacement[..usize::from(kind >> 6)]
                    .iter()
                    .map(|&byte| *pick(REPLACEMENTS, byte))
                    .collect::<Vec<_>>()
                    .concat(),
                limit: if small % 3 == 0 { small } else { i32::MAX },
            },
        };
        // One in eight takes the pattern as it stands, half of the others a subject that it may match.
        let pattern = match seed % 8 {
            7 => pieces.clone(),
            _ => repeated(&pieces, |byte| pick(PIECES, byte).0, MAX_PATTERN),
        };
        let mut subject = repeated(&bytes, |byte| std::slice::from_ref(pick(BYTES, byte)), MAX_SUBJECT);
        if seed % 8 < 4 {
            let matching = repeated(&pieces, |byte| pick(PIECES, byte).1, MAX_SUBJECT);
            let at = usize::from(at % 8).min(subject.len());
            subject.splice(at..at, matching);
        }
        Self { subject, pattern, call, seed }
    }
}

fn pick<T>(table: &[T], byte: u8) -> &T {
    &table[usize::from(byte) % table.len()]
}

/// The pieces of `data` one after the other; a byte from 240 on repeats the last one or two, up to 196 times: LuaJIT's limits are at 32
/// captures and 199 choices.
fn repeated<'p>(data: &[u8], piece: impl Fn(u8) -> &'p [u8], max: usize) -> Vec<u8> {
    let mut text = Vec::new();
    let mut starts = Vec::new();
    for &byte in data {
        let start = text.len();
        match byte.checked_sub(240) {
            None => text.extend_from_slice(piece(byte)),
            Some(how) => {
                let pieces = usize::from(how % 2) + 1;
                let from = starts.get(starts.len().saturating_sub(pieces)).copied().unwrap_or(start);
                let again = text[from..].repeat([1, 2, 3, 8, 16, 31, 64, 196][usize::from(how / 2)]);
                text.extend(again);
            }
        }
        if text.len() >= max {
            break;
        }
        starts.push(start);
    }
    text.truncate(max);
    text
}
