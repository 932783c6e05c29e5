//! The text that may stand in a header: names as Lua gives them, and what is escaped in names and values.

use std::ptr;

use ngx::ffi::*;

/// Characters of a token (RFC 9110): what needs no escaping in a name.
const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let marks = b"!#$%&'*+-.^_`|~";
    let mut i = 0;
    while i < 256 {
        table[i] = (i as u8).is_ascii_alphanumeric();
        i += 1;
    }
    let mut i = 0;
    while i < marks.len() {
        table[marks[i] as usize] = true;
        i += 1;
    }
    table
};

/// Says whether `byte` may stand in a value as it is: all but control characters, among which a tab is allowed.
pub(in crate::nginx) const fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// A header's name as Lua gives it.
#[derive(Clone, Copy)]
pub(in crate::nginx) struct Name<'n> {
    text: &'n [u8],
    /// An underscore stands for a dash.
    dashes: bool,
}

impl<'n> Name<'n> {
    pub(in crate::nginx) fn new(text: &'n [u8], dashes: bool) -> Self {
        Self { text, dashes }
    }

    pub(in crate::nginx) fn text(self) -> &'n [u8] {
        self.text
    }

    /// The name with what is not a token character percent-escaped, so that no name ends its header line. None where
    /// memory ran out.
    pub(in crate::nginx) fn escaped(self, pool: *mut ngx_pool_t) -> Option<Self> {
        if self.text.iter().all(|&byte| TOKEN[byte as usize]) {
            return Some(self);
        }
        let (data, len) = escape(pool, self.text, |byte| TOKEN[byte as usize])?;
        // SAFETY: `escape` wrote `len` bytes that live as long as the pool, which outlives the call.
        Some(Self { text: unsafe { std::slice::from_raw_parts(data, len) }, ..self })
    }

    pub(in crate::nginx) fn is_empty(self) -> bool {
        self.text.is_empty()
    }

    /// The name in lower case, in `buffer`; empty where it is longer than any header that nginx knows.
    pub(in crate::nginx) fn lower(self, buffer: &mut [u8; 24]) -> &[u8] {
        if self.text.len() > buffer.len() {
            return &[];
        }
        for (lower, &byte) in buffer.iter_mut().zip(self.text) {
            *lower = self.fold(byte);
        }
        &buffer[..self.text.len()]
    }

    #[inline]
    pub(in crate::nginx) fn dashed(self, byte: u8) -> u8 {
        if self.dashes && byte == b'_' { b'-' } else { byte }
    }

    #[inline]
    pub(in crate::nginx) fn fold(self, byte: u8) -> u8 {
        self.dashed(byte).to_ascii_lowercase()
    }

    /// Says whether a variable's name is this one in lower case, with underscores for dashes.
    pub(in crate::nginx) fn is_variable(self, variable: &[u8]) -> bool {
        let as_variable = |byte: u8| if byte == b'-' { b'_' } else { byte.to_ascii_lowercase() };
        variable.len() == self.text.len() && variable.iter().zip(self.text).all(|(&a, &b)| a == as_variable(b))
    }

    /// Says whether `key` is this name.
    pub(in crate::nginx) fn is(self, key: &[u8]) -> bool {
        key.len() == self.text.len() && key.iter().zip(self.text).all(|(&a, &b)| a.to_ascii_lowercase() == self.fold(b))
    }
}

/// Copies `text` into the pool with the bytes that are not `plain` as `%XX`, and a NUL behind it. None where memory
/// ran out.
pub(in crate::nginx) fn escape(
    pool: *mut ngx_pool_t,
    text: &[u8],
    plain: impl Fn(u8) -> bool,
) -> Option<(*mut u_char, usize)> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let escaped = text.iter().filter(|&&byte| !plain(byte)).count();
    let length = text.len() + 2 * escaped;
    // SAFETY: the block has room for each byte or its escape and for the NUL, and is checked.
    unsafe {
        let data: *mut u_char = ngx_pnalloc(pool, length + 1).cast();
        if data.is_null() {
            return None;
        }
        if escaped == 0 {
            ptr::copy_nonoverlapping(text.as_ptr(), data, text.len());
        } else {
            let mut to = data;
            for &byte in text {
                if plain(byte) {
                    *to = byte;
                    to = to.add(1);
                } else {
                    *to = b'%';
                    *to.add(1) = HEX[usize::from(byte >> 4)];
                    *to.add(2) = HEX[usize::from(byte & 0xf)];
                    to = to.add(3);
                }
            }
        }
        *data.add(length) = 0;
        Some((data, length))
    }
}
