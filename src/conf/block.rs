//! Finds the end of a `*_by_lua_block { ... }`: the brace that no Lua comment, string or inner brace owns.

/// Upstream's words for a block that nothing ends.
const END: &str = "unexpected end of file, expecting terminating characters for lua code block";

/// The offset of the `}` that ends a block whose `{` has just been read.
///
/// # Errors
/// Text that says what was left open, to be shown with the directive's file and line.
pub fn end_of_block(text: &[u8]) -> Result<usize, String> {
    let mut depth = 1usize;
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'{' => depth += 1,
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return Ok(at);
                }
            }
            b'-' if text[at..].starts_with(b"--") => {
                at = match long_bracket(&text[at + 2..]) {
                    Some(level) => end_of_long_bracket(text, at + 2, level)?,
                    None => text[at..].iter().position(|&byte| byte == b'\n').map_or(text.len(), |line| at + line),
                };
                continue;
            }
            quote @ (b'"' | b'\'') => {
                at = end_of_string(text, at, quote)?;
                continue;
            }
            b'[' => {
                if let Some(level) = long_bracket(&text[at..]) {
                    at = end_of_long_bracket(text, at, level)?;
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
    Err(format!("{END}: {depth} \"}}\" missing"))
}

/// The level of a long bracket that opens at the start of `text` (`[[`: 0, `[=[`: 1).
fn long_bracket(text: &[u8]) -> Option<usize> {
    let rest = text.strip_prefix(b"[")?;
    let level = rest.iter().take_while(|&&byte| byte == b'=').count();
    (rest.get(level) == Some(&b'[')).then_some(level)
}

fn end_of_long_bracket(text: &[u8], at: usize, level: usize) -> Result<usize, String> {
    let close: Vec<u8> = [&b"]"[..], &b"=".repeat(level), b"]"].concat();
    text[at..]
        .windows(close.len())
        .position(|window| window == close)
        .map(|offset| at + offset + close.len())
        .ok_or_else(|| {
            let close = String::from_utf8_lossy(&close);
            format!("Lua code block missing the closing long bracket \"{close}\", the inlined Lua code may be too long")
        })
}

fn end_of_string(text: &[u8], start: usize, quote: u8) -> Result<usize, String> {
    let mut at = start + 1;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'\\' => at += 1,
            // Lua would refuse the string too; without this one forgotten quote swallows the rest of the file.
            b'\n' => return Ok(at),
            _ if byte == quote => return Ok(at + 1),
            _ => {}
        }
        at += 1;
    }
    Err(format!("{END}: a string is not closed by {}", quote as char))
}

#[cfg(test)]
mod tests {
    use super::end_of_block;

    #[test]
    fn the_closing_brace_is_found() {
        for (text, rest) in [
            (" } tail", " tail"),
            ("local t = { {}, { 1 } } } tail", " tail"),
            ("-- }\n} tail", " tail"),
            ("--[[ } ]] } tail", " tail"),
            ("--[==[ } ]] } ]==] } tail", " tail"),
            ("x = [[ } ]] } tail", " tail"),
            ("x = [=[ ]] } ]=] } tail", " tail"),
            ("x = '}' } tail", " tail"),
            (r#"x = "\"}" } tail"#, " tail"),
            (r"x = 'a\\' } tail", " tail"),
            ("x = t[1] } tail", " tail"),
            ("x = t[ [[}]] ] } tail", " tail"),
            ("x = 'broken\n} tail", " tail"),
            ("x = 'a\\\nb}' } tail", " tail"),
            ("--\n} tail", " tail"),
            ("} tail", " tail"),
        ] {
            let end = end_of_block(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(&text[end + 1..], rest, "{text}");
        }
    }

    #[test]
    fn what_was_left_open_is_named() {
        for (text, want) in [
            ("", "1 \"}\" missing"),
            ("if x then {", "2 \"}\" missing"),
            ("--[[ }", "the closing long bracket \"]]\""),
            ("x = [==[ ]] }", "\"]==]\""),
            ("x = ' }", "not closed by '"),
            ("-- }", "1 \"}\" missing"),
        ] {
            let error = end_of_block(text.as_bytes()).unwrap_err();
            assert!(error.contains(want), "{text}: {error}");
        }
    }
}
