//! Compiling what PCRE 1 took: PCRE2 is stricter about letters that it does not know behind a backslash and about
//! hyphens in classes. Patterns that were written for PCRE 1 mean by PCRE2 what they meant.

use std::borrow::Cow;
use std::ptr::null_mut;

use pcre2_sys::*;

use super::error;

/// How many hyphens are mended, each by compiling once more.
const MOST: usize = 64;

/// Compiles `pattern`; the code is the caller's to free.
///
/// # Errors
/// Upstream's text of what is wrong with it.
pub(super) fn compile(pattern: &[u8], options: u32) -> Result<*mut pcre2_code_8, Vec<u8>> {
    let mut text = Cow::Borrowed(pattern);
    // Where backslashes were added, in ascending order.
    let mut added = Vec::new();
    let mut lenient = false;
    loop {
        let (number, offset) = match try_compile(&text, options, lenient) {
            Ok(code) => return Ok(code),
            Err(error) => error,
        };
        match u32::try_from(number) {
            // `\j` is `j`.
            Ok(PCRE2_ERROR_UNKNOWN_ESCAPE) if !lenient => lenient = true,
            // `[\w-.]` is `[\w\-.]`.
            Ok(PCRE2_ERROR_CLASS_INVALID_RANGE) if text.get(offset) == Some(&b'-') && added.len() < MOST => {
                text.to_mut().insert(offset, b'\\');
                added.push(offset);
            }
            _ => {
                let before = added.iter().filter(|&&at| at < offset).count();
                return Err(error::compile_text(number, pattern, offset - before));
            }
        }
    }
}

/// Compiles by PCRE2's own rules or, `lenient`, with unknown escapes as what is escaped; else its error and where.
fn try_compile(text: &[u8], options: u32, lenient: bool) -> Result<*mut pcre2_code_8, (i32, usize)> {
    let (mut number, mut offset) = (0, 0);
    // SAFETY: the text is readable for its length; a null context stands for PCRE2's defaults.
    let code = unsafe {
        let context = if lenient { pcre2_compile_context_create_8(null_mut()) } else { null_mut() };
        if !context.is_null() {
            pcre2_set_compile_extra_options_8(context, PCRE2_EXTRA_BAD_ESCAPE_IS_LITERAL);
        }
        let code = pcre2_compile_8(text.as_ptr(), text.len(), options, &raw mut number, &raw mut offset, context);
        pcre2_compile_context_free_8(context);
        code
    };
    if code.is_null() { Err((number, offset)) } else { Ok(code) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compiled(pattern: &str, options: u32) -> Result<(), String> {
        let code = compile(pattern.as_bytes(), options).map_err(|text| String::from_utf8_lossy(&text).into_owned())?;
        // SAFETY: it was compiled just now, and nothing else has it.
        unsafe { pcre2_code_free_8(code) };
        Ok(())
    }

    #[test]
    fn what_pcre_1_took_is_taken() {
        let hyphens = format!("[{}a]", r"\d-".repeat(MOST));
        for pattern in ["", "a", r"\j\y", r"[\w-.]", r"[\d-/\w-.]", "[[:alpha:]-.]", r"[\w-]", r"[\w-.]\j", &hyphens] {
            assert_eq!(compiled(pattern, 0), Ok(()), "{pattern}");
        }
    }

    #[test]
    fn errors_are_in_the_words_of_pcre_1() {
        let hyphens = format!("[{}a]", r"\d-".repeat(MOST + 1));
        for (pattern, options, want) in [
            ("(", 0, r#"missing ) in "(""#),
            ("a)b", 0, r#"unmatched parentheses in "a)b" at ")b""#),
            ("*a", 0, r#"nothing to repeat in "*a" at "*a""#),
            (r"(a)\2b", 0, r#"reference to non-existent subpattern in "(a)\2b""#),
            (r"(?1)b", 0, r#"reference to non-existent subpattern in "(?1)b" at ")b""#),
            (r"\k<name>", 0, r#"reference to non-existent subpattern in "\k<name>" at ">""#),
            ("(?<n>a)(?<n>b)", 0, r#"two named subpatterns have the same name in "(?<n>a)(?<n>b)" at ">b)""#),
            (r"\N{x}", 0, r#"PCRE does not support \L, \l, \N{name}, \U, or \u in "\N{x}" at "N{x}""#),
            (r"[a-\d]", 0, r#"invalid range in character class in "[a-\d]" at "d]""#),
            (r"[\w-.](", 0, r#"missing ) in "[\w-.](""#),
            (r"[\w-.]*+*a", 0, r#"nothing to repeat in "[\w-.]*+*a" at "*a""#),
            (r"\j(", 0, r#"missing ) in "\j(""#),
        ] {
            assert_eq!(compiled(pattern, options), Err(format!("pcre_compile() failed: {want}")), "{pattern}");
        }
        assert!(compiled(&hyphens, 0).is_err());
        let text = compile(b"a\xff", PCRE2_UTF).map(drop);
        assert_eq!(text, Err(b"pcre_compile() failed: invalid UTF-8 string in \"a\xff\" at \"\xff\"".to_vec()));
    }
}
