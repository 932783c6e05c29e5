//! One item of a pattern, at one place of the subject.

use super::super::class::class;
use super::super::test::Test;
use super::super::{PatternError, at};
use super::{COMPARED, Capture, Caught, Choice, MAX_CHOICES, Matcher, State, charge, window};

impl Matcher {
    /// Goes on with the item at `item`, or begins with one that takes many steps.
    pub(super) fn match_item(&mut self, subject: &[u8], pattern: &[u8]) -> Result<(), PatternError> {
        match (at(pattern, self.item), at(pattern, self.item + 1)) {
            (0, _) => self.state = State::Matched,
            (b'(', b')') => {
                self.open(Caught::Done(Capture::Position(self.place)))?;
                self.item += 2;
            }
            (b'(', _) => {
                self.open(Caught::Open { start: self.place })?;
                self.item += 1;
            }
            (b')', _) => self.close()?,
            (b'$', 0) if self.place == subject.len() => self.item += 1,
            (b'$', 0) => self.state = State::Retry,
            (b'%', b'b') => self.begin_balance(subject, pattern)?,
            (b'%', b'f') => self.frontier(subject, pattern)?,
            (b'%', digit) if digit.is_ascii_digit() => self.refer(subject, digit)?,
            _ => self.match_single(subject, pattern)?,
        }
        Ok(())
    }

    fn open(&mut self, caught: Caught) -> Result<(), PatternError> {
        *self.captures.get_mut(self.level).ok_or(PatternError::TooManyCaptures)? = caught;
        self.level += 1;
        self.choose(Choice::Open)
    }

    fn close(&mut self) -> Result<(), PatternError> {
        let mut caught = self.captures[..self.level].iter_mut().enumerate().rev();
        let open = caught.find_map(|(index, caught)| match *caught {
            Caught::Open { start } => Some((index, start, caught)),
            Caught::Done(_) => None,
        });
        let (index, start, caught) = open.ok_or(PatternError::NoOpenCapture)?;
        *caught = Caught::Done(Capture::Span { start, end: self.place });
        self.item += 1;
        self.choose(Choice::Close { index, start })
    }

    fn choose(&mut self, choice: Choice) -> Result<(), PatternError> {
        if self.choices.len() == MAX_CHOICES {
            return Err(PatternError::TooComplex);
        }
        self.choices.push(choice);
        Ok(())
    }

    fn begin_balance(&mut self, subject: &[u8], pattern: &[u8]) -> Result<(), PatternError> {
        let (open, close) = (at(pattern, self.item + 2), at(pattern, self.item + 3));
        if open == 0 || close == 0 {
            return Err(PatternError::Unbalanced);
        }
        if subject.get(self.place) == Some(&open) {
            self.place += 1;
            self.item += 4;
            self.state = State::Balance { open, close, depth: 1 };
        } else {
            self.state = State::Retry;
        }
        Ok(())
    }

    pub(super) fn balance(&mut self, subject: &[u8], left: &mut u64, open: u8, close: u8, mut depth: usize) {
        let window = window(subject, self.place, *left);
        let end = window.iter().position(|&byte| {
            if byte == close {
                depth -= 1;
            } else if byte == open {
                depth += 1;
            }
            depth == 0
        });
        let taken = end.map_or(window.len(), |end| end + 1);
        self.place += taken;
        charge(left, taken);
        self.state = match end {
            Some(_) => State::Item,
            None if self.place == subject.len() => State::Retry,
            None => State::Balance { open, close, depth },
        };
    }

    /// Before the subject and behind it there is a NUL.
    fn frontier(&mut self, subject: &[u8], pattern: &[u8]) -> Result<(), PatternError> {
        let start = self.item + 2;
        if at(pattern, start) != b'[' {
            return Err(PatternError::NoFrontier);
        }
        let Some(set) = self.set(start) else {
            self.need_set(pattern, start);
            return Ok(());
        };
        let before = self.place.checked_sub(1).map_or(0, |before| at(subject, before));
        if !set.bytes.has(before) && set.bytes.has(at(subject, self.place)) {
            self.item = set.end;
        } else {
            self.state = State::Retry;
        }
        Ok(())
    }

    /// A back reference. One to a position never matches.
    fn refer(&mut self, subject: &[u8], digit: u8) -> Result<(), PatternError> {
        let index = usize::from(digit).wrapping_sub(usize::from(b'1'));
        self.state = match self.captures[..self.level].get(index) {
            Some(Caught::Done(Capture::Span { start, end })) if end - start <= subject.len() - self.place => {
                self.item += 2;
                State::Compare { from: *start, to: *end }
            }
            Some(Caught::Done(_)) => State::Retry,
            _ => return Err(PatternError::CaptureIndex),
        };
        Ok(())
    }

    pub(super) fn compare(&mut self, subject: &[u8], left: &mut u64, from: usize, to: usize) {
        let part = window(&subject[from..to], 0, left.saturating_mul(COMPARED));
        if subject[self.place..].starts_with(part) {
            self.place += part.len();
            let from = from + part.len();
            self.state = if from == to { State::Item } else { State::Compare { from, to } };
        } else {
            self.state = State::Retry;
        }
        charge(left, part.len().div_ceil(COMPARED as usize));
    }

    fn match_single(&mut self, subject: &[u8], pattern: &[u8]) -> Result<(), PatternError> {
        let (place, item) = (self.place, self.item);
        let Some((test, next)) = self.single(pattern, item)? else {
            self.need_set(pattern, item);
            return Ok(());
        };
        let matches = subject.get(place).is_some_and(|&byte| test.matches(byte));
        match at(pattern, next) {
            b'?' => {
                self.item = next + 1;
                if matches {
                    self.place += 1;
                    self.choose(Choice::Optional { place, item: next + 1 })?;
                }
            }
            b'*' => self.state = State::Grow { repeated: item, least: place },
            b'+' if matches => {
                self.place += 1;
                self.state = State::Grow { repeated: item, least: place + 1 };
            }
            b'-' => {
                self.item = next + 1;
                self.choose(Choice::Lazy { place, repeated: item })?;
            }
            b'+' => self.state = State::Retry,
            _ if matches => {
                self.place += 1;
                self.item = next;
            }
            _ => self.state = State::Retry,
        }
        Ok(())
    }

    pub(super) fn grow(
        &mut self,
        subject: &[u8],
        pattern: &[u8],
        left: &mut u64,
        repeated: usize,
        least: usize,
    ) -> Result<(), PatternError> {
        let Some((test, next)) = self.single(pattern, repeated)? else {
            self.need_set(pattern, repeated);
            return Ok(());
        };
        let window = window(subject, self.place, *left);
        let taken = test.run(window);
        let all = taken < window.len() || self.place + taken == subject.len();
        self.place += taken;
        charge(left, taken);
        if all {
            self.item = next + 1;
            self.state = State::Item;
            self.choose(Choice::Greedy { least, place: self.place, item: self.item })?;
        }
        Ok(())
    }

    /// What the item of one byte at `item` matches, and where it ends; None where its set has to be read first.
    pub(super) fn single(&self, pattern: &[u8], item: usize) -> Result<Option<(Test<'_>, usize)>, PatternError> {
        Ok(Some(match at(pattern, item) {
            b'.' => (Test::Any, item + 1),
            b'[' => match self.set(item) {
                Some(set) => (Test::Bytes(&set.bytes), set.end),
                None => return Ok(None),
            },
            b'%' => match at(pattern, item + 1) {
                0 => return Err(PatternError::EndsWithPercent),
                letter => (class(letter).map_or(Test::Byte(letter), Test::Bytes), item + 2),
            },
            byte => (Test::Byte(byte), item + 1),
        }))
    }
}
