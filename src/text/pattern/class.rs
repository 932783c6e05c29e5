//! Sets of bytes, and the character classes `%a`, `%d`, ... of Lua's patterns.

/// A set of bytes, a bit each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bytes([u64; 4]);

impl Bytes {
    /// No byte.
    pub const NONE: Self = Self([0; 4]);

    /// Whether `byte` is in it.
    pub const fn has(&self, byte: u8) -> bool {
        self.0[(byte >> 6) as usize] >> (byte & 63) & 1 != 0
    }

    /// With the bytes from `low` to `high` too; none where `low` is the greater.
    pub const fn and_range(mut self, low: u8, high: u8) -> Self {
        let mut word = 0;
        while word < self.0.len() {
            let first = (word as u32) << 6;
            let from = if low as u32 > first { low as u32 } else { first };
            let to = if (high as u32) < first + 63 { high as u32 } else { first + 63 };
            if from <= to {
                self.0[word] |= (u64::MAX >> (63 - (to - from))) << (from & 63);
            }
            word += 1;
        }
        self
    }

    /// With `byte` too.
    pub const fn and(self, byte: u8) -> Self {
        self.and_range(byte, byte)
    }

    /// With those of `other` too.
    pub const fn or(self, other: &Self) -> Self {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        Self([a | e, b | f, c | g, d | h])
    }

    /// All the others.
    pub const fn not(self) -> Self {
        let [a, b, c, d] = self.0;
        Self([!a, !b, !c, !d])
    }
}

const LOWER: Bytes = Bytes::NONE.and_range(b'a', b'z');
const UPPER: Bytes = Bytes::NONE.and_range(b'A', b'Z');
const LETTER: Bytes = LOWER.or(&UPPER);
const DIGIT: Bytes = Bytes::NONE.and_range(b'0', b'9');
const GRAPHIC: Bytes = Bytes::NONE.and_range(b'!', b'~');

/// ASCII only, whatever the locale, as in LuaJIT.
const CLASSES: [(u8, Bytes); 11] = [
    (b'a', LETTER),
    (b'c', Bytes::NONE.and_range(0, 0x1f).and(0x7f)),
    (b'd', DIGIT),
    (b'g', GRAPHIC),
    (b'l', LOWER),
    (b'p', LETTER.or(&DIGIT).or(&GRAPHIC.not()).not()),
    (b's', Bytes::NONE.and_range(b'\t', b'\r').and(b' ')),
    (b'u', UPPER),
    (b'w', LETTER.or(&DIGIT)),
    (b'x', DIGIT.and_range(b'a', b'f').and_range(b'A', b'F')),
    (b'z', Bytes::NONE.and(0)),
];

const LETTERS: usize = (b'z' - b'A') as usize + 1;

static BY_LETTER: [Option<Bytes>; LETTERS] = {
    let mut classes = [None; LETTERS];
    let mut row = 0;
    while row < CLASSES.len() {
        let (letter, bytes) = CLASSES[row];
        classes[(letter - b'A') as usize] = Some(bytes);
        classes[(letter.to_ascii_uppercase() - b'A') as usize] = Some(bytes.not());
        row += 1;
    }
    classes
};

/// The class that `%letter` names; None where `%` only quotes.
pub fn class(letter: u8) -> Option<&'static Bytes> {
    BY_LETTER.get(usize::from(letter.wrapping_sub(b'A')))?.as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(bytes: &Bytes) -> Vec<u8> {
        (0..=255).filter(|&byte| bytes.has(byte)).collect()
    }

    #[test]
    fn classes_are_ascii_and_negated_by_capitals() {
        let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        for (letter, want) in [
            (b'a', letters.to_owned()),
            (b'c', (0..32).chain([127]).map(char::from).collect()),
            (b'd', "0123456789".into()),
            (b'g', ('!'..='~').collect()),
            (b'l', letters[26..].into()),
            (b'p', "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~".into()),
            (b's', "\t\n\x0b\x0c\r ".into()),
            (b'u', letters[..26].into()),
            (b'w', format!("0123456789{letters}")),
            (b'x', "0123456789ABCDEFabcdef".into()),
            (b'z', "\0".into()),
        ] {
            let shown = char::from(letter);
            let class_of = |letter| members(class(letter).unwrap());
            assert_eq!(class_of(letter), want.as_bytes(), "%{shown}");
            let others: Vec<u8> = (0..=255).filter(|byte| !want.as_bytes().contains(byte)).collect();
            assert_eq!(class_of(letter.to_ascii_uppercase()), others, "not %{shown}");
        }
        for letter in (0..=255u8).filter(|letter| !b"acdglpsuwxz".contains(&letter.to_ascii_lowercase())) {
            assert_eq!(class(letter), None, "{letter}");
        }
    }

    #[test]
    fn ranges_cross_words() {
        for (low, high) in [(0, 0), (0, 63), (0, 255), (63, 64), (1, 254), (64, 127), (200, 255), (5, 4), (255, 0)] {
            let bytes = Bytes::NONE.and_range(low, high);
            assert_eq!(members(&bytes), (low..=high).collect::<Vec<u8>>(), "{low} to {high}");
        }
    }
}
