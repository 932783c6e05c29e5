//! Query strings: `name=value&name&name=value`.

use super::escape::unescape_uri;

/// How many arguments are taken.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// At most so many; 0: all.
    pub max: usize,
    /// Arguments without a name, which are dropped, use up the limit too. They do in `ngx.decode_args` and
    /// `ngx.req.get_post_args`, and do not in `ngx.req.get_uri_args`.
    pub counts_nameless: bool,
}

/// A decoded argument, as ranges of the decoded text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Arg {
    /// Where the name starts.
    pub name: usize,
    /// Its length, never 0.
    pub name_length: usize,
    /// Where the value starts.
    pub value: usize,
    /// Its length; None without a `=`.
    pub value_length: Option<usize>,
}

/// The arguments of a query string, decoded one by one into a buffer.
pub struct Args<'t, 'b> {
    rest: Option<&'t [u8]>,
    into: &'b mut [u8],
    used: usize,
    left: Option<usize>,
    limit: Limit,
}

impl<'t, 'b> Args<'t, 'b> {
    /// Reads `text`; what it decodes goes to `into`, which is at least as long.
    pub fn new(text: &'t [u8], into: &'b mut [u8], limit: Limit) -> Self {
        let rest = (!text.is_empty()).then_some(text);
        Self { rest, into, used: 0, left: (limit.max > 0).then_some(limit.max), limit }
    }

    /// How many there are between `&`s, those without a name included.
    pub fn count(text: &[u8]) -> usize {
        if text.is_empty() { 0 } else { memchr::memchr_iter(b'&', text).count() + 1 }
    }

    /// Says whether a limit leaves some out.
    pub fn truncated(text: &[u8], limit: Limit) -> bool {
        limit.max > 0 && Self::count(text) > limit.max
    }

    fn decode(&mut self, text: &[u8]) -> (usize, usize) {
        let start = self.used;
        self.used += unescape_uri(text, &mut self.into[start..]);
        (start, self.used - start)
    }
}

impl Iterator for Args<'_, '_> {
    type Item = Arg;

    fn next(&mut self) -> Option<Arg> {
        loop {
            if self.left == Some(0) {
                return None;
            }
            let text = self.rest?;
            let piece = match memchr::memchr(b'&', text) {
                Some(end) => {
                    self.rest = Some(&text[end + 1..]);
                    &text[..end]
                }
                None => {
                    self.rest = None;
                    text
                }
            };
            let (name, value) = match memchr::memchr(b'=', piece) {
                Some(end) => (&piece[..end], Some(&piece[end + 1..])),
                None => (piece, None),
            };
            if !name.is_empty() || self.limit.counts_nameless {
                self.left = self.left.map(|left| left - 1);
            }
            if name.is_empty() {
                continue;
            }
            let (name, name_length) = self.decode(name);
            let value = value.map(|value| self.decode(value));
            return Some(Arg {
                name,
                name_length,
                value: value.map_or(0, |(start, _)| start),
                value_length: value.map(|(_, length)| length),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str, limit: Limit) -> String {
        let mut buffer = vec![0; text.len()];
        let args: Vec<Arg> = Args::new(text.as_bytes(), &mut buffer, limit).collect();
        let text = |start: usize, length: usize| String::from_utf8_lossy(&buffer[start..start + length]).into_owned();
        let shown = args.iter().map(|arg| {
            let value = arg.value_length.map_or("true".into(), |length| format!("'{}'", text(arg.value, length)));
            format!("{}:{value}", text(arg.name, arg.name_length))
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn names_and_values_are_decoded() {
        for (text, want) in [
            ("", ""),
            ("a", "a:true"),
            ("a=", "a:''"),
            ("a=1&a&b=%42+c", "a:'1' a:true b:'B c'"),
            ("=x&&=&a", "a:true"),
            ("a==b=c", "a:'=b=c'"),
            ("a%3D=%", "a=:'%'"),
        ] {
            assert_eq!(decoded(text, Limit { max: 0, counts_nameless: true }), want, "{text}");
        }
    }

    #[test]
    fn a_limit_may_count_what_has_no_name() {
        for (text, max, all, named, truncated) in [
            ("a&b", 2, "a:true b:true", "a:true b:true", false),
            ("a&&b", 2, "a:true", "a:true b:true", true),
            ("a&b&", 2, "a:true b:true", "a:true b:true", true),
            ("&a", 1, "", "a:true", true),
            ("=", 1, "", "", false),
        ] {
            assert_eq!(decoded(text, Limit { max, counts_nameless: true }), all, "{text}");
            assert_eq!(decoded(text, Limit { max, counts_nameless: false }), named, "{text}");
            assert_eq!(Args::truncated(text.as_bytes(), Limit { max, counts_nameless: true }), truncated, "{text}");
        }
    }
}
