//! `ngx.say` and `ngx.print`: appending to the response's buffer.

use crate::nginx::{Append, Phase, current, current_phase};
use crate::text::{NumberText, number_text};

use super::lua_bytes;

/// The length of a piece that is a number.
const NUMBER: isize = -1;

/// One argument: bytes, or with the length [`NUMBER`] a number.
struct Piece {
    data: *const u8,
    length: isize,
    /// The number's text.
    text: Option<NumberText>,
}

impl Piece {
    #[inline]
    fn new(data: *const u8, length: isize, number: f64) -> Self {
        Self { data, length, text: (length == NUMBER).then(|| number_text(number)) }
    }

    /// # Safety
    /// `data` must be readable for `length` bytes during the call that it was passed to.
    #[inline]
    unsafe fn bytes(&self) -> &[u8] {
        match &self.text {
            Some(text) => text.as_bytes(),
            // SAFETY: by this function's contract.
            None => unsafe { lua_bytes(self.data, self.length as usize) },
        }
    }
}

/// 1: all is in the buffer. 0: nothing is, so the slow path must run: the header is not out, the buffer is full, or
/// the phase does not output.
#[inline]
fn append(pieces: &[&[u8]]) -> i32 {
    if !current_phase().is_in(Phase::OUTPUT) {
        return 0;
    }
    i32::from(current(|request| request.append(pieces)) == Some(Append::Done))
}

#[inline]
fn line_end(newline: i32) -> &'static [u8] {
    if newline == 0 { b"" } else { b"\n" }
}

/// Appends one argument and, for `newline`, the end of the line.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_put1(newline: i32, data: *const u8, length: isize, number: f64) -> i32 {
    let piece = Piece::new(data, length, number);
    // SAFETY: Lua passes a string of its own with its length.
    append(&[unsafe { piece.bytes() }, line_end(newline)])
}

/// Appends two arguments.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_put2(
    newline: i32,
    data1: *const u8,
    length1: isize,
    number1: f64,
    data2: *const u8,
    length2: isize,
    number2: f64,
) -> i32 {
    let (first, second) = (Piece::new(data1, length1, number1), Piece::new(data2, length2, number2));
    // SAFETY: Lua passes strings of its own with their lengths.
    let (first, second) = unsafe { (first.bytes(), second.bytes()) };
    append(&[first, second, line_end(newline)])
}

/// Appends three arguments.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_put3(
    newline: i32,
    data1: *const u8,
    length1: isize,
    number1: f64,
    data2: *const u8,
    length2: isize,
    number2: f64,
    data3: *const u8,
    length3: isize,
    number3: f64,
) -> i32 {
    let first = Piece::new(data1, length1, number1);
    let second = Piece::new(data2, length2, number2);
    let third = Piece::new(data3, length3, number3);
    // SAFETY: Lua passes strings of its own with their lengths.
    let (first, second, third) = unsafe { (first.bytes(), second.bytes(), third.bytes()) };
    append(&[first, second, third, line_end(newline)])
}

/// Writes a number's text, at most 32 bytes, and returns its length.
#[unsafe(no_mangle)]
unsafe extern "C" fn hotlua_number(number: f64, into: *mut u8) -> i32 {
    let text = number_text(number);
    let bytes = text.as_bytes();
    // SAFETY: Lua passes a buffer of 32 bytes.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), into, bytes.len()) };
    bytes.len() as i32
}
