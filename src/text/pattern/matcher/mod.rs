//! The matcher: one state that goes on a step at a time, and a stack of what may have to be tried again.

mod item;

use super::set::{Reading, Set};
use super::{PatternError, at};

/// LuaJIT allows so many.
const MAX_CAPTURES: usize = 32;
/// LuaJIT nests 200 calls, the first of which puts nothing aside.
const MAX_CHOICES: usize = 199;
/// So many sets stay read; another one takes the place of the oldest.
const MAX_SETS: usize = 8;
/// Bytes of a back reference that are compared in one step.
const COMPARED: u64 = 16;

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// There is a match: see [`Matcher::span`] and [`Matcher::capture`].
    Matched,
    /// There is none.
    Failed,
    /// The budget is used up: go on with another one.
    Paused,
}

/// What a pair of parentheses caught; offsets from 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Capture {
    /// These bytes of the subject.
    Span {
        /// Of the first byte.
        start: usize,
        /// Behind the last byte.
        end: usize,
    },
    /// `()`: a place in the subject. Scripts count from 1.
    Position(usize),
}

/// A capture while the matcher is at work.
#[derive(Clone, Copy, Debug)]
enum Caught {
    Open { start: usize },
    Done(Capture),
}

/// What to do where the rest of the pattern does not match: the last choice is taken back or made anew.
#[derive(Clone, Copy, Debug)]
enum Choice {
    /// Take back the capture that was opened last.
    Open,
    /// Take back the end of a capture, which began at `start`.
    Close { index: usize, start: usize },
    /// `?` took one: go on without it.
    Optional { place: usize, item: usize },
    /// `*` and `+` took all up to `place`: give one back, but none below `least`.
    Greedy { least: usize, place: usize, item: usize },
    /// `-` took all up to `place`: take one more of `repeated`.
    Lazy { place: usize, repeated: usize },
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Nothing is known of the pattern.
    Fresh,
    /// Looking for a place, from `start` on, where the first item matches.
    Scan,
    /// At `item` of the pattern and `place` of the subject.
    Item,
    /// That did not match.
    Retry,
    /// Taking as many of `repeated` as there are; `least` is where the choice ends.
    Grow {
        repeated: usize,
        least: usize,
    },
    /// In `%b`: so many are open.
    Balance {
        open: u8,
        close: u8,
        depth: usize,
    },
    /// In a back reference: these bytes of the subject are still to come.
    Compare {
        from: usize,
        to: usize,
    },
    /// Reading a set that `after` needs.
    Set,
    Matched,
    Failed,
}

/// A search that can be paused. It holds no reference to subject or pattern, allocates nothing once it is made, and serves
/// any number of searches one after the other.
///
/// A step is one look at one byte of the subject or one item of the pattern, which takes a few nanoseconds.
#[derive(Debug)]
pub struct Matcher {
    state: State,
    /// The state that waits for a set.
    after: State,
    reading: Reading,
    sets: Vec<Set>,
    /// Which of the sets gives way to the next.
    oldest: usize,
    anchors: bool,
    anchored: bool,
    /// The item that every match begins with, if there is one.
    first: Option<usize>,
    /// Where the match begins.
    start: usize,
    place: usize,
    item: usize,
    choices: Vec<Choice>,
    captures: [Caught; MAX_CAPTURES],
    level: usize,
}

impl Default for Matcher {
    fn default() -> Self {
        Self::new()
    }
}

impl Matcher {
    /// One without a search.
    pub fn new() -> Self {
        Self {
            state: State::Failed,
            after: State::Failed,
            reading: Reading::new(0, b""),
            sets: Vec::with_capacity(MAX_SETS),
            oldest: 0,
            anchors: false,
            anchored: false,
            first: None,
            start: 0,
            place: 0,
            item: 0,
            choices: Vec::with_capacity(MAX_CHOICES),
            captures: [Caught::Open { start: 0 }; MAX_CAPTURES],
            level: 0,
        }
    }

    /// Begins a search at the offset `init` of the subject; beyond its end there is no match. `anchors`: whether a `^` at
    /// the pattern's beginning is an anchor. It is for `find`, `match` and `gsub`; for `gmatch` it is a character.
    pub fn begin(&mut self, init: usize, anchors: bool) {
        self.sets.clear();
        self.oldest = 0;
        self.again(init, anchors);
    }

    /// Begins the next search for the pattern of the last one, of which it keeps what it knows.
    pub fn again(&mut self, init: usize, anchors: bool) {
        self.state = State::Fresh;
        self.start = init;
        self.anchors = anchors;
    }

    /// Goes on for at most `budget` steps, from which it takes off those that it took. `subject` and `pattern` are those
    /// of the search's first run.
    pub fn run(&mut self, subject: &[u8], pattern: &[u8], budget: &mut u64) -> Result<Progress, PatternError> {
        let mut left = *budget;
        let progress = loop {
            match self.state {
                State::Matched => break Ok(Progress::Matched),
                State::Failed => break Ok(Progress::Failed),
                _ if left == 0 => break Ok(Progress::Paused),
                _ => {}
            }
            if let Err(error) = self.step(subject, pattern, &mut left) {
                self.state = State::Failed;
                break Err(error);
            }
        };
        *budget = left;
        progress
    }

    /// Where the match begins and ends.
    pub fn span(&self) -> (usize, usize) {
        (self.start, self.place)
    }

    /// How many captures the pattern has. One that has none gives its whole match where a capture is asked for.
    pub fn captures(&self) -> usize {
        self.level
    }

    /// Capture `index` of the match, from 0; of a pattern without captures the first one is the whole match.
    pub fn capture(&self, index: usize) -> Result<Capture, PatternError> {
        match self.captures[..self.level].get(index) {
            Some(Caught::Done(capture)) => Ok(*capture),
            Some(Caught::Open { .. }) => Err(PatternError::UnfinishedCapture),
            None if index == 0 => Ok(Capture::Span { start: self.start, end: self.place }),
            None => Err(PatternError::CaptureIndex),
        }
    }

    /// How many choices and sets it has room for; never changes.
    #[cfg(test)]
    pub(super) fn room(&self) -> (usize, usize) {
        (self.choices.capacity(), self.sets.capacity())
    }

    /// Takes at least one of `left`, which is not 0.
    fn step(&mut self, subject: &[u8], pattern: &[u8], left: &mut u64) -> Result<(), PatternError> {
        match self.state {
            State::Item => {
                *left -= 1;
                self.match_item(subject, pattern)
            }
            State::Retry => {
                *left -= 1;
                self.retry(subject, pattern)
            }
            State::Grow { repeated, least } => self.grow(subject, pattern, left, repeated, least),
            State::Scan => self.scan(subject, pattern, left),
            State::Balance { open, close, depth } => {
                self.balance(subject, left, open, close, depth);
                Ok(())
            }
            State::Compare { from, to } => {
                self.compare(subject, left, from, to);
                Ok(())
            }
            State::Set => self.read_set(pattern, left),
            State::Fresh => {
                *left -= 1;
                self.look_at(pattern);
                Ok(())
            }
            State::Matched | State::Failed => Ok(()),
        }
    }

    fn look_at(&mut self, pattern: &[u8]) {
        self.anchored = self.anchors && at(pattern, 0) == b'^';
        self.first = if self.anchored { None } else { first_single(pattern) };
        self.state = State::Scan;
    }

    /// Skips what the first item does not match, then begins there with the whole pattern.
    fn scan(&mut self, subject: &[u8], pattern: &[u8], left: &mut u64) -> Result<(), PatternError> {
        let mut skipped = 0;
        if self.start > subject.len() {
            self.state = State::Failed;
        } else if let Some(first) = self.first {
            let Some((test, next)) = self.single(pattern, first)? else {
                self.need_set(pattern, first);
                return Ok(());
            };
            if matches!(at(pattern, next), b'?' | b'*' | b'-') {
                self.first = None;
            } else {
                let window = window(subject, self.start, *left);
                let found = test.first(window);
                skipped = found.unwrap_or(window.len());
                self.start += skipped;
                if found.is_some() {
                    self.begin_here();
                } else if self.start == subject.len() {
                    self.state = State::Failed;
                }
            }
        } else {
            self.begin_here();
        }
        charge(left, skipped);
        Ok(())
    }

    fn begin_here(&mut self) {
        self.choices.clear();
        self.level = 0;
        self.place = self.start;
        self.item = usize::from(self.anchored);
        self.state = State::Item;
    }

    /// Makes the last choice anew, or takes it back; without one, begins at the next place.
    fn retry(&mut self, subject: &[u8], pattern: &[u8]) -> Result<(), PatternError> {
        match self.choices.last_mut() {
            Some(Choice::Greedy { least, place, item }) if *place > *least => {
                *place -= 1;
                (self.place, self.item, self.state) = (*place, *item, State::Item);
                return Ok(());
            }
            Some(&mut Choice::Lazy { place, repeated }) => {
                let Some((test, next)) = self.single(pattern, repeated)? else {
                    self.need_set(pattern, repeated);
                    return Ok(());
                };
                if subject.get(place).is_some_and(|&byte| test.matches(byte)) {
                    (self.place, self.item, self.state) = (place + 1, next + 1, State::Item);
                    if let Some(Choice::Lazy { place, .. }) = self.choices.last_mut() {
                        *place += 1;
                    }
                    return Ok(());
                }
            }
            Some(Choice::Greedy { .. }) => {}
            Some(&mut Choice::Optional { place, item }) => {
                (self.place, self.item, self.state) = (place, item, State::Item);
            }
            Some(Choice::Open) => self.level -= 1,
            Some(&mut Choice::Close { index, start }) => self.captures[index] = Caught::Open { start },
            None if self.anchored => self.state = State::Failed,
            None => {
                self.start += 1;
                self.state = State::Scan;
            }
        }
        self.choices.pop();
        Ok(())
    }

    fn set(&self, start: usize) -> Option<&Set> {
        self.sets.iter().find(|set| set.start == start)
    }

    fn need_set(&mut self, pattern: &[u8], start: usize) {
        self.after = self.state;
        self.reading = Reading::new(start, pattern);
        self.state = State::Set;
    }

    fn read_set(&mut self, pattern: &[u8], left: &mut u64) -> Result<(), PatternError> {
        let Some(set) = self.reading.read(pattern, left)? else {
            return Ok(());
        };
        if self.sets.len() < MAX_SETS {
            self.sets.push(set);
        } else {
            self.sets[self.oldest] = set;
            self.oldest = (self.oldest + 1) % MAX_SETS;
        }
        self.state = self.after;
        Ok(())
    }
}

/// Where the item of one byte stands that a match of `pattern` begins with, captures left aside. Whether it is repeated
/// is not looked at.
fn first_single(pattern: &[u8]) -> Option<usize> {
    let mut item = 0;
    for _ in 0..=MAX_CAPTURES {
        match (at(pattern, item), at(pattern, item + 1)) {
            (b'(', b')') => item += 2,
            (b'(', _) => item += 1,
            (0 | b')', _) | (b'$', 0) | (b'%', b'b' | b'f' | b'0'..=b'9') => return None,
            _ => return Some(item),
        }
    }
    None
}

/// As much of `text` from `from` on as `left` allows.
fn window(text: &[u8], from: usize, left: u64) -> &[u8] {
    let rest = &text[from..];
    &rest[..usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()))]
}

/// Takes `taken` off, and at least one, so that every step is one. `left` is not 0 and not below `taken`.
fn charge(left: &mut u64, taken: usize) {
    *left -= (taken as u64).max(1);
}
