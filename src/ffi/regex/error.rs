//! What goes wrong with a pattern or a match, in upstream's words: those of PCRE 1, which PCRE2 has changed.

use std::ffi::{CStr, c_int};

use pcre2_sys::*;

/// An error of a match, by its number in PCRE 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exec(i32);

impl Exec {
    pub(super) const NO_MEMORY: Self = Self(-6);
    pub(super) const BAD_UTF8: Self = Self(-10);
    pub(super) const BAD_UTF8_OFFSET: Self = Self(-11);
    pub(super) const BAD_OFFSET: Self = Self(-24);
    const INTERNAL: Self = Self(-14);

    /// The numbers of PCRE2 and those that PCRE 1 had for the same.
    const NUMBERS: &[(c_int, Self)] = &[
        (PCRE2_ERROR_MATCHLIMIT, Self(-8)),
        (PCRE2_ERROR_DEPTHLIMIT, Self(-21)),
        // PCRE 1 knew only a limit of recursion, for which it took stack.
        (PCRE2_ERROR_HEAPLIMIT, Self(-21)),
        (PCRE2_ERROR_JIT_STACKLIMIT, Self(-27)),
        (PCRE2_ERROR_JIT_BADOPTION, Self(-31)),
        (PCRE2_ERROR_NOMEMORY, Self::NO_MEMORY),
        (PCRE2_ERROR_BADOFFSET, Self::BAD_OFFSET),
        (PCRE2_ERROR_BADUTFOFFSET, Self::BAD_UTF8_OFFSET),
        (PCRE2_ERROR_RECURSELOOP, Self(-26)),
        (PCRE2_ERROR_DFA_UITEM, Self(-16)),
        (PCRE2_ERROR_DFA_UCOND, Self(-17)),
        (PCRE2_ERROR_DFA_WSSIZE, Self(-19)),
        (PCRE2_ERROR_DFA_RECURSE, Self(-20)),
    ];

    /// That of a number of PCRE2.
    pub(super) fn of(number: c_int) -> Self {
        if (PCRE2_ERROR_UTF8_ERR21..=PCRE2_ERROR_UTF8_ERR1).contains(&number) {
            return Self::BAD_UTF8;
        }
        Self::NUMBERS.iter().find(|(of_pcre2, _)| *of_pcre2 == number).map_or(Self::INTERNAL, |(_, error)| *error)
    }

    /// Its number.
    pub(super) fn number(self) -> i32 {
        self.0
    }
}

/// Where PCRE 1 had other words for an error of a pattern than PCRE2 has.
const WORDS: &[(u32, &str)] = &[
    (PCRE2_ERROR_ESCAPE_INVALID_IN_CLASS, "invalid escape sequence in character class"),
    (PCRE2_ERROR_QUANTIFIER_INVALID, "nothing to repeat"),
    (PCRE2_ERROR_MISSING_CLOSING_PARENTHESIS, "missing )"),
    (PCRE2_ERROR_MISSING_COMMENT_CLOSING, "missing ) after comment"),
    (PCRE2_ERROR_PARENTHESES_NEST_TOO_DEEP, "parentheses nested too deeply"),
    (PCRE2_ERROR_HEAP_FAILED, "failed to get memory"),
    (PCRE2_ERROR_UNMATCHED_CLOSING_PARENTHESIS, "unmatched parentheses"),
    (PCRE2_ERROR_MISSING_CONDITION_CLOSING, "malformed number or name after (?("),
    (PCRE2_ERROR_TOO_MANY_CONDITION_BRANCHES, "conditional group contains more than two branches"),
    (PCRE2_ERROR_BAD_RELATIVE_REFERENCE, "digit expected after (?+"),
    (PCRE2_ERROR_CODE_POINT_TOO_BIG, r"character value in \x{} or \o{} is too large"),
    (PCRE2_ERROR_LOOKBEHIND_INVALID_BACKSLASH_C, r"\C not allowed in lookbehind assertion"),
    (PCRE2_ERROR_UNSUPPORTED_ESCAPE_SEQUENCE, r"PCRE does not support \L, \l, \N{name}, \U, or \u"),
    (PCRE2_ERROR_CALLOUT_NUMBER_TOO_BIG, "number after (?C is > 255"),
    (PCRE2_ERROR_MISSING_CALLOUT_CLOSING, "closing ) for (?C expected"),
    (PCRE2_ERROR_MISSING_NAME_TERMINATOR, "syntax error in subpattern name (missing terminator)"),
    (PCRE2_ERROR_DUPLICATE_SUBPATTERN_NAME, "two named subpatterns have the same name"),
    (PCRE2_ERROR_INVALID_SUBPATTERN_NAME, "group name must start with a non-digit"),
    (PCRE2_ERROR_UNKNOWN_UNICODE_PROPERTY, r"unknown property name after \P or \p"),
    (PCRE2_ERROR_SUBPATTERN_NAME_TOO_LONG, "subpattern name is too long (maximum 32 characters)"),
    (PCRE2_ERROR_DEFINE_TOO_MANY_BRANCHES, "DEFINE group contains more than one branch"),
    (PCRE2_ERROR_PARENS_QUERY_R_MISSING_CLOSING, "(?R or (?[+-]digits must be followed by )"),
    (PCRE2_ERROR_SUBPATTERN_NUMBER_TOO_BIG, "number is too big"),
    (PCRE2_ERROR_BACKSLASH_C_SYNTAX, r"\c must be followed by an ASCII character"),
    (PCRE2_ERROR_BACKSLASH_U_CODE_POINT_TOO_BIG, r"character value in \u.... sequence is too large"),
    (PCRE2_ERROR_MISSING_OCTAL_OR_HEX_DIGITS, r"digits missing in \x{} or \o{}"),
];

/// The errors that PCRE 1 saw at the character after which PCRE2 sees them.
const BEFORE: &[u32] = &[
    PCRE2_ERROR_UNSUPPORTED_ESCAPE_SEQUENCE,
    PCRE2_ERROR_DUPLICATE_SUBPATTERN_NAME,
    PCRE2_ERROR_UNKNOWN_UNICODE_PROPERTY,
    PCRE2_ERROR_CLASS_INVALID_RANGE,
    PCRE2_ERROR_OCTAL_BYTE_TOO_BIG,
    PCRE2_ERROR_BACKSLASH_K_SYNTAX,
    PCRE2_ERROR_BACKSLASH_N_IN_CLASS,
];

/// Why a pattern does not compile: what is wrong, and what is left of it there unless that is its end.
pub(super) fn compile_text(number: c_int, pattern: &[u8], offset: usize) -> Vec<u8> {
    let mut text = [b"pcre_compile() failed: ", words(number).as_bytes(), b" in \"", pattern, b"\""].concat();
    match pattern.get(place(number, pattern, offset)..) {
        None | Some([]) => {}
        Some(rest) => text.extend([b" at \"", rest, b"\""].concat()),
    }
    text
}

/// The offset of an error as PCRE 1 had it.
fn place(number: c_int, pattern: &[u8], offset: usize) -> usize {
    let Ok(number) = u32::try_from(number) else { return offset };
    if BEFORE.contains(&number) {
        return offset.saturating_sub(1);
    }
    if number == PCRE2_ERROR_BAD_SUBPATTERN_REFERENCE {
        let (before, rest) = pattern.split_at(offset.min(pattern.len()));
        // PCRE 1 looked for groups by number when it was through with the pattern.
        if rest.first().is_some_and(u8::is_ascii_digit)
            && [&b"\\"[..], b"\\g"].iter().any(|escape| before.ends_with(escape))
        {
            return pattern.len();
        }
        return offset + rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    }
    offset
}

fn words(number: c_int) -> String {
    if let Some((_, words)) = WORDS.iter().find(|(of_pcre2, _)| i64::from(*of_pcre2) == i64::from(number)) {
        return (*words).to_owned();
    }
    if (PCRE2_ERROR_UTF8_ERR21..=PCRE2_ERROR_UTF8_ERR1).contains(&number) {
        return "invalid UTF-8 string".to_owned();
    }
    let mut buffer = [0_u8; 256];
    // SAFETY: PCRE2 writes at most so many bytes, with the NUL.
    unsafe { pcre2_get_error_message_8(number, buffer.as_mut_ptr(), buffer.len()) };
    CStr::from_bytes_until_nul(&buffer).map(|text| text.to_string_lossy().into_owned()).unwrap_or_default()
}
