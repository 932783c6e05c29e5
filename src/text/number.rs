//! A Lua number as text.

use std::io::Write;

/// How many significant digits Lua shows (`%.14g`).
const DIGITS: i32 = 14;
/// The first whole number that Lua shows with an exponent.
const EXPONENT_FROM: f64 = 1e14;
/// The longest text: sign, digits, point, and `e-308`.
const LONGEST: usize = 32;

/// The text of a number, on the stack.
pub struct NumberText {
    text: [u8; LONGEST],
    length: usize,
}

impl NumberText {
    /// The text.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.text[..self.length]
    }

    fn push(&mut self, bytes: &[u8]) {
        self.text[self.length..self.length + bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }
}

/// What Lua's `%.14g` makes of a number, with `-0` as `0` and the sign of a NaN shown, as upstream does.
#[inline]
pub fn number_text(number: f64) -> NumberText {
    let mut text = NumberText { text: [0; LONGEST], length: 0 };
    if number.trunc() == number && number.abs() < EXPONENT_FROM {
        text.push(itoa::Buffer::new().format(number as i64).as_bytes());
    } else {
        general(number, &mut text);
    }
    text
}

#[cold]
fn general(number: f64, text: &mut NumberText) {
    if number.is_sign_negative() {
        text.push(b"-");
    }
    if number.is_nan() {
        return text.push(b"nan");
    }
    if number.is_infinite() {
        return text.push(b"inf");
    }
    // `1.2345678901234e-5`: one digit, the point, the other digits, the exponent.
    let mut scientific = [0u8; LONGEST];
    let mut rest = &mut scientific[..];
    let _ = write!(rest, "{:.1$e}", number.abs(), DIGITS as usize - 1);
    let left = rest.len();
    let scientific = &scientific[..LONGEST - left];
    let mark = scientific.iter().position(|&byte| byte == b'e').unwrap_or(scientific.len());
    let exponent: i32 = std::str::from_utf8(&scientific[mark..])
        .ok()
        .and_then(|text| text.strip_prefix('e')?.parse().ok())
        .unwrap_or(0);
    let mut digits = [b'0'; DIGITS as usize];
    digits[0] = scientific[0];
    digits[1..].copy_from_slice(&scientific[2..mark]);
    let significant = digits.iter().rposition(|&digit| digit != b'0').map_or(1, |last| last + 1);
    let digits = &digits[..significant];
    match exponent {
        0..DIGITS => {
            let whole = exponent as usize + 1;
            for place in 0..whole.max(digits.len()) {
                if place == whole {
                    text.push(b".");
                }
                text.push(&[digits.get(place).copied().unwrap_or(b'0')]);
            }
        }
        -4..0 => {
            text.push(b"0.");
            for _ in exponent + 1..0 {
                text.push(b"0");
            }
            text.push(digits);
        }
        _ => {
            text.push(&digits[..1]);
            if digits.len() > 1 {
                text.push(b".");
                text.push(&digits[1..]);
            }
            text.push(if exponent < 0 { b"e-" } else { b"e+" });
            if exponent.abs() < 10 {
                text.push(b"0");
            }
            text.push(itoa::Buffer::new().format(exponent.abs()).as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_look_as_lua_shows_them() {
        for (number, want) in [
            (0.0, "0"),
            (-0.0, "0"),
            (42.0, "42"),
            (-7.0, "-7"),
            (3.25, "3.25"),
            (-0.5, "-0.5"),
            (0.1 + 0.2, "0.3"),
            (1.0 / 3.0, "0.33333333333333"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.5e-7, "1.5e-07"),
            (99999999999999.0, "99999999999999"),
            (1e14, "1e+14"),
            (9007199254740992.0, "9.007199254741e+15"),
            (123456789.25, "123456789.25"),
            (99999999999999.5, "1e+14"),
            (1e100, "1e+100"),
            (-1e-300, "-1e-300"),
            (f64::MAX, "1.7976931348623e+308"),
            (5e-324, "4.9406564584125e-324"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
            (-f64::NAN, "-nan"),
        ] {
            assert_eq!(std::str::from_utf8(number_text(number).as_bytes()), Ok(want));
        }
    }
}
