//! `ngx.re.sub` and `ngx.re.gsub` by a template.

use crate::text::{Part, Template};

use super::code::Regex;
use super::error::Exec;

/// What is answered for a template that cannot be used. No error of PCRE has the number.
pub(super) const BAD_TEMPLATE: i32 = -1000;

/// The longest Lua string, about: a longer result cannot be handed over.
const LONGEST: usize = 0x7fff_ff00;

/// Replaces into `output`: see `hotlua_regex_replace`.
pub(super) fn replace(regex: &Regex, subject: &[u8], template: &[u8], all: bool, output: &mut Vec<u8>) -> i32 {
    let parts: Vec<Part> = match Template::new(template).collect() {
        Ok(parts) => parts,
        Err(wrong) => {
            *output = wrong.line(template);
            return BAD_TEMPLATE;
        }
    };
    match replaced(regex, subject, &parts, all, output) {
        Ok(count) => count,
        Err(error) => {
            *output = Vec::new();
            error.number()
        }
    }
}

fn replaced(regex: &Regex, subject: &[u8], parts: &[Part], all: bool, output: &mut Vec<u8>) -> Result<i32, Exec> {
    let (mut count, mut at, mut copied) = (0, 0, 0);
    while at <= subject.len() && regex.find(subject, at, count > 0)? {
        let Some((start, end)) = regex.span(0) else { break };
        append(output, subject.get(copied..start).unwrap_or_default())?;
        for part in parts {
            let text = match part {
                Part::Text(text) => text,
                Part::Group(number) => {
                    regex.span(*number).and_then(|(start, end)| subject.get(start..end)).unwrap_or_default()
                }
            };
            append(output, text)?;
        }
        count += 1;
        copied = end;
        if !all {
            break;
        }
        // After an empty match the next one is looked for a character later.
        at = if end > start { end } else { regex.after(subject, end) };
    }
    if count > 0 {
        append(output, subject.get(copied..).unwrap_or_default())?;
    }
    Ok(count)
}

/// Appends, or says that there is no memory, rather than to let the process die of it.
fn append(output: &mut Vec<u8>, text: &[u8]) -> Result<(), Exec> {
    if text.len() > LONGEST - output.len() || output.try_reserve(text.len()).is_err() {
        return Err(Exec::NO_MEMORY);
    }
    output.extend_from_slice(text);
    Ok(())
}
