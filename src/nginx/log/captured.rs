//! Lines of the error log in a buffer of fixed size: a new one takes the place of the oldest.

use std::collections::VecDeque;

/// A captured line.
#[derive(Debug, PartialEq)]
pub struct LogLine {
    /// nginx's number of its level.
    pub level: u8,
    /// When it was written, in seconds since the epoch with milliseconds.
    pub time: f64,
    /// As it stands in the log, without its line break.
    pub text: Vec<u8>,
}

/// What stands before each line: its level, time and length.
const HEADER: usize = 1 + 8 + 4;

/// Captured lines, oldest first.
pub(in crate::nginx) struct Captured {
    bytes: VecDeque<u8>,
    size: usize,
    /// The highest number of a level that is captured; the higher the number, the less it matters.
    pub filter: usize,
}

impl Captured {
    /// A buffer of `size` bytes that takes every level. None where there is no memory for it.
    pub fn new(size: usize) -> Option<Self> {
        let mut bytes = VecDeque::new();
        bytes.try_reserve_exact(size).ok()?;
        Some(Self { bytes, size, filter: usize::MAX })
    }

    /// Keeps a line and drops the oldest ones that it needs the room of. A line that the whole buffer has no room for
    /// is not kept. Never allocates.
    pub fn push(&mut self, level: u8, time: f64, text: &[u8]) {
        let Ok(length) = u32::try_from(text.len()) else { return };
        let room = HEADER + text.len();
        if room > self.size || usize::from(level) > self.filter {
            return;
        }
        while self.bytes.len() + room > self.size {
            self.drop_oldest();
        }
        self.bytes.push_back(level);
        self.bytes.extend(time.to_le_bytes());
        self.bytes.extend(length.to_le_bytes());
        self.bytes.extend(text);
    }

    /// Takes the oldest line out.
    pub fn pop(&mut self) -> Option<LogLine> {
        let (level, time, length) = self.take_header()?;
        Some(LogLine { level, time, text: self.bytes.drain(..length).collect() })
    }

    fn drop_oldest(&mut self) {
        if let Some((_, _, length)) = self.take_header() {
            self.bytes.drain(..length);
        }
    }

    fn take_header(&mut self) -> Option<(u8, f64, usize)> {
        let level = self.bytes.pop_front()?;
        let time = f64::from_le_bytes(self.take()?);
        let length = u32::from_le_bytes(self.take()?);
        Some((level, time, length as usize))
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let mut taken = [0; N];
        for byte in &mut taken {
            *byte = self.bytes.pop_front()?;
        }
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::{Captured, HEADER};

    fn texts(captured: &mut Captured) -> Vec<String> {
        std::iter::from_fn(|| captured.pop()).map(|line| String::from_utf8_lossy(&line.text).into_owned()).collect()
    }

    #[test]
    fn the_oldest_lines_make_room() {
        for (size, lines, want) in [
            (1000, vec!["one", "two"], vec!["one", "two"]),
            (2 * (HEADER + 3), vec!["one", "two"], vec!["one", "two"]),
            (2 * (HEADER + 3), vec!["one", "two", "six"], vec!["two", "six"]),
            (2 * (HEADER + 3), vec!["one", "two", "three"], vec!["three"]),
            (HEADER + 3, vec!["one", "longer", "two"], vec!["two"]),
            (HEADER + 3, vec!["one", "longer"], vec!["one"]),
            (HEADER, vec!["", "a", ""], vec![""]),
            (HEADER - 1, vec![""], vec![]),
        ] {
            let mut captured = Captured::new(size).expect("memory");
            lines.iter().for_each(|line| captured.push(4, 0.0, line.as_bytes()));
            assert_eq!(texts(&mut captured), want, "{size} {lines:?}");
            assert!(captured.bytes.is_empty());
        }
    }

    #[test]
    fn a_line_keeps_its_level_and_time_and_the_buffer_its_size() {
        let mut captured = Captured::new(100).expect("memory");
        let capacity = captured.bytes.capacity();
        for number in 0..1000 {
            captured.push((number % 9) as u8, f64::from(number) / 8.0, &vec![b'x'; number as usize % 90]);
        }
        assert_eq!(captured.bytes.capacity(), capacity);
        let last = std::iter::from_fn(|| captured.pop()).last().expect("a line");
        assert_eq!((last.level, last.time, last.text.len()), (0, 999.0 / 8.0, 9));
    }

    #[test]
    fn lines_that_matter_less_than_the_filter_are_left_out() {
        let mut captured = Captured::new(1000).expect("memory");
        captured.filter = 5;
        for level in 3..8 {
            captured.push(level, 0.0, &[b'0' + level]);
        }
        assert_eq!(texts(&mut captured), ["3", "4", "5"]);
    }
}
