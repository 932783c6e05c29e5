//! What a call returns by our matcher, with LuaJIT's loops around it.

use crate::case::{Call, Case};
use crate::matcher::{Capture, Matcher, PatternError, Progress, find_plain, has_specials, start};

/// A value that a call returns.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    Nil,
    Number(i64),
    Text(Vec<u8>),
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nil => write!(f, "nil"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "\"{}\"", text.escape_ascii()),
        }
    }
}

/// The values of each match of `gmatch` or of each call of `gsub`'s function, then what the call returns; or its error.
pub type Results = Result<Vec<Vec<Value>>, String>;

/// So many steps may a case take.
const MAX_STEPS: u64 = 20_000;

/// None: it takes more steps than it may.
pub fn results(case: &Case) -> Option<Results> {
    let at_once = Search { case, matcher: Matcher::new(), left: MAX_STEPS, next_budget: None }.results();
    if at_once == Err(Stop::Long) {
        return None;
    }
    let seed = u32::from(case.seed) << 8 | 1;
    // Pausing may take more steps, because each part of what is done at a time counts at least as one.
    let paused = Search { case, matcher: Matcher::new(), left: u64::MAX, next_budget: Some(seed) }.results();
    assert_eq!(at_once, paused, "pausing makes a difference: {case:?}");
    Some(at_once.map_err(|stop| match stop {
        Stop::Long => unreachable!(),
        Stop::Error(error) => error.to_string(),
    }))
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stop {
    Long,
    Error(PatternError),
}

impl From<PatternError> for Stop {
    fn from(error: PatternError) -> Self {
        Self::Error(error)
    }
}

struct Search<'c> {
    case: &'c Case,
    matcher: Matcher,
    left: u64,
    /// Where the budgets come from, if it is to be paused.
    next_budget: Option<u32>,
}

impl Search<'_> {
    fn results(mut self) -> Result<Vec<Vec<Value>>, Stop> {
        let case = self.case;
        let length = case.subject.len();
        match &case.call {
            Call::Find { init, plain } => {
                let from = start(i64::from(*init), length);
                if *plain || !has_specials(&case.pattern) {
                    let found = find_plain(&case.subject, &case.pattern, from);
                    let span = found.map(|at| vec![number(at + 1), number(at + case.pattern.len())]);
                    return Ok(vec![span.unwrap_or_else(|| vec![Value::Nil])]);
                }
                self.matcher.begin(from, true);
                if !self.search()? {
                    return Ok(vec![vec![Value::Nil]]);
                }
                let (start, end) = self.matcher.span();
                let mut values = vec![number(start + 1), number(end)];
                for index in 0..self.matcher.captures() {
                    values.push(self.capture(index)?);
                }
                Ok(vec![values])
            }
            Call::Match { init } => {
                self.matcher.begin(start(i64::from(*init), length), true);
                Ok(vec![if self.search()? { self.values()? } else { vec![Value::Nil] }])
            }
            Call::Gmatch => self.gmatch(),
            Call::Gsub { with, limit } => self.gsub(Some(with), i64::from(*limit)),
            Call::GsubFunction => self.gsub(None, i64::MAX),
        }
    }

    fn search(&mut self) -> Result<bool, Stop> {
        let Case { subject, pattern, .. } = self.case;
        while self.left > 0 {
            let mut budget = match &mut self.next_budget {
                None => self.left,
                Some(state) => {
                    *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    u64::from((*state >> 24) % [1, 2, 3, 8, 50, 200][(*state >> 8) as usize % 6]) + 1
                }
            };
            let given = budget;
            let progress = self.matcher.run(subject, pattern, &mut budget)?;
            assert!(budget < given, "a run takes no step");
            self.left -= given - budget;
            match progress {
                Progress::Matched => return Ok(true),
                Progress::Failed => return Ok(false),
                Progress::Paused => assert_eq!(budget, 0, "paused with steps left"),
            }
        }
        Err(Stop::Long)
    }

    fn values(&self) -> Result<Vec<Value>, Stop> {
        (0..self.matcher.captures().max(1)).map(|index| self.capture(index)).collect()
    }

    fn capture(&self, index: usize) -> Result<Value, Stop> {
        Ok(match self.matcher.capture(index)? {
            Capture::Position(at) => number(at + 1),
            Capture::Span { start, end } => Value::Text(self.case.subject[start..end].to_vec()),
        })
    }

    fn gmatch(mut self) -> Result<Vec<Vec<Value>>, Stop> {
        let mut results = Vec::new();
        let mut from = 0;
        self.matcher.begin(from, false);
        while self.search()? {
            results.push(self.values()?);
            let (start, end) = self.matcher.span();
            from = if end == start { end + 1 } else { end };
            self.matcher.again(from, false);
        }
        Ok(results)
    }

    /// As the product does it: a search goes on to the next match, and what it skipped is kept.
    fn gsub(mut self, with: Option<&Vec<u8>>, limit: i64) -> Result<Vec<Vec<Value>>, Stop> {
        let subject = &self.case.subject;
        let anchored = self.case.pattern.first() == Some(&b'^');
        let (mut results, mut text, mut count, mut kept, mut from) = (Vec::new(), Vec::new(), 0, 0, 0);
        self.matcher.begin(from, true);
        while count < limit && self.search()? {
            let (start, end) = self.matcher.span();
            count += 1;
            text.extend_from_slice(&subject[kept..start]);
            match with {
                Some(with) => self.replace(with, &mut text)?,
                None => {
                    results.push(self.values()?);
                    text.extend_from_slice(&subject[start..end]);
                }
            }
            kept = end;
            from = if end == start { end + 1 } else { end };
            if anchored {
                break;
            }
            self.matcher.again(from, true);
        }
        text.extend_from_slice(&subject[kept..]);
        results.push(vec![Value::Text(text), Value::Number(count)]);
        Ok(results)
    }

    fn replace(&self, with: &[u8], text: &mut Vec<u8>) -> Result<(), Stop> {
        let mut with = with.iter();
        while let Some(&byte) = with.next() {
            let quoted = if byte == b'%' { with.next().copied().unwrap_or(0) } else { byte };
            match quoted {
                b'0' if byte == b'%' => {
                    let (start, end) = self.matcher.span();
                    text.extend_from_slice(&self.case.subject[start..end]);
                }
                b'1'..=b'9' if byte == b'%' => match self.capture(usize::from(quoted - b'1'))? {
                    Value::Text(capture) => text.extend(capture),
                    Value::Number(number) => text.extend(number.to_string().bytes()),
                    Value::Nil => {}
                },
                _ => text.push(quoted),
            }
        }
        Ok(())
    }
}

fn number(number: usize) -> Value {
    Value::Number(number as i64)
}
