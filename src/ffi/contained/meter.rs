//! What a run has left to spend. The hook and the allocator take from it, and C functions for what they do.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::Kind;

/// How often the hook looks at the clock, in instructions: a microsecond or two. Some instructions take a hundred times
/// as long (the conversion of a long numeral), and none can be interrupted.
const INTERVAL: u64 = 250;
/// The largest block up to which that is often enough. One instruction can take time by the size of what it works on
/// (`#`, `next`, arithmetics on a numeral of megabytes), some nanoseconds a byte at the worst.
const USUAL: usize = 8 << 10;
/// An interval that took longer than this is made shorter: each instruction takes long then (strings whose hashes
/// collide, tables that were emptied), or the machine is busy.
const SLOW: Duration = Duration::from_micros(100);
/// How many bytes that are made or read cost as much as an instruction.
pub(super) const BYTES: usize = 16;
/// What a new block costs besides, in instructions: it is found, and collected one day.
const BLOCK: u64 = 8;

/// What a run may still do.
pub(super) struct Meter {
    /// Instructions left; below 0 for what was charged at once.
    left: Cell<i64>,
    /// For how many instructions the hook is set.
    armed: Cell<u64>,
    /// What C functions have taken since the clock was looked at.
    charged: Cell<u64>,
    /// The largest block of the run, bytes.
    largest: Cell<usize>,
    /// The longest interval by what the last ones took, and when the last one began.
    pace: Cell<u64>,
    ticked: Cell<Instant>,
    time_left: Cell<Duration>,
    slice: Cell<Slice>,
    over: Cell<Option<Kind>>,
}

/// The time in which a run may go on.
#[derive(Clone, Copy)]
struct Slice {
    begin: Instant,
    /// When it is to pause.
    pause: Instant,
    /// When its time is up.
    end: Instant,
}

/// What the hook is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tick {
    /// Go on, for so many instructions.
    Go(i32),
    /// Yield: another slice goes on, or a limit is hit.
    Yield,
}

impl Meter {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            left: Cell::new(0),
            armed: Cell::new(0),
            charged: Cell::new(0),
            largest: Cell::new(0),
            pace: Cell::new(INTERVAL),
            ticked: Cell::new(now),
            time_left: Cell::new(Duration::ZERO),
            slice: Cell::new(Slice { begin: now, pause: now, end: now }),
            over: Cell::new(None),
        }
    }

    /// Begins a run.
    pub(super) fn begin(&self, instructions: u64, time: Duration) {
        self.left.set(i64::try_from(instructions).unwrap_or(i64::MAX));
        self.time_left.set(time);
        self.largest.set(0);
        self.pace.set(INTERVAL);
        self.over.set(None);
    }

    /// Begins a slice; returns for how many instructions the hook is to be set.
    pub(super) fn begin_slice(&self, slice: Duration) -> i32 {
        self.begin_slice_at(Instant::now(), slice)
    }

    fn begin_slice_at(&self, now: Instant, slice: Duration) -> i32 {
        self.slice.set(Slice { begin: now, pause: now + slice, end: now + self.time_left.get() });
        self.ticked.set(now);
        self.charged.set(0);
        self.arm()
    }

    /// Ends a slice.
    pub(super) fn end_slice(&self) {
        let ran = self.slice.get().begin.elapsed();
        self.time_left.set(self.time_left.get().saturating_sub(ran));
    }

    /// The hook's instructions are over.
    pub(super) fn tick(&self) -> Tick {
        self.tick_at(Instant::now())
    }

    fn tick_at(&self, now: Instant) -> Tick {
        let armed = self.armed.replace(0);
        self.left.set(self.left.get().saturating_sub_unsigned(armed));
        self.charged.set(0);
        let took = now - self.ticked.replace(now);
        self.pace.set(if took > SLOW {
            (u128::from(armed) * SLOW.as_nanos() / took.as_nanos()).max(1) as u64
        } else {
            INTERVAL.min(self.pace.get() * 2)
        });
        if self.stops_at(now) { Tick::Yield } else { Tick::Go(self.arm()) }
    }

    /// Says whether the run must not go on now, by the clock or by what it has spent.
    pub(super) fn is_to_stop(&self) -> bool {
        self.stops_at(Instant::now())
    }

    fn stops_at(&self, now: Instant) -> bool {
        if self.over.get().is_some() {
            return true;
        }
        if self.left.get() <= 0 {
            self.end(Kind::Cpu);
            return true;
        }
        let slice = self.slice.get();
        if now >= slice.end {
            self.end(Kind::Time);
        }
        now >= slice.pause.min(slice.end)
    }

    fn arm(&self) -> i32 {
        let next =
            interval(self.largest.get()).min(self.pace.get()).min(u64::try_from(self.left.get()).unwrap_or(0)).max(1);
        self.armed.set(next);
        next as i32
    }

    /// Takes what a C function has done, in instructions. True: the hook must run as soon as it can, as nothing is left
    /// or the clock was not looked at for as much as an interval.
    pub(super) fn charge(&self, instructions: u64) -> bool {
        let left = self.left.get().saturating_sub_unsigned(instructions);
        self.left.set(left);
        let before = self.charged.get();
        let charged = before.saturating_add(instructions);
        self.charged.set(charged);
        left <= 0 || (before < INTERVAL && charged >= INTERVAL)
    }

    /// Takes a new block. True: the hook must run as soon as it can, as it was set for smaller ones.
    pub(super) fn charge_block(&self, bytes: usize) -> bool {
        let is_over = self.charge(BLOCK + (bytes / BYTES) as u64);
        if bytes <= self.largest.get() {
            return is_over;
        }
        self.largest.set(bytes);
        is_over || interval(bytes) < self.armed.get()
    }

    /// Instructions left, for a function that does its work in steps.
    pub(super) fn left(&self) -> u64 {
        u64::try_from(self.left.get()).unwrap_or(0)
    }

    /// Ends the run; the first reason stays.
    pub(super) fn end(&self, kind: Kind) {
        if self.over.get().is_none() {
            self.over.set(Some(kind));
        }
    }

    /// What the run was ended by.
    pub(super) fn over(&self) -> Option<Kind> {
        self.over.get()
    }

    /// The time left, as of the end of the last slice.
    pub(super) fn time_left(&self) -> Duration {
        self.time_left.get()
    }
}

/// After how many instructions to look at the clock where the largest block has so many bytes.
fn interval(largest: usize) -> u64 {
    if largest <= USUAL { INTERVAL } else { (INTERVAL * USUAL as u64 / largest as u64).max(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    /// A meter in a slice that began at the moment that comes with it.
    fn meter(instructions: u64, time: Duration, slice: Duration) -> (Meter, Instant) {
        let (meter, now) = (Meter::new(), Instant::now());
        meter.begin(instructions, time);
        meter.begin_slice_at(now, slice);
        (meter, now)
    }

    #[test]
    fn the_last_instructions_are_counted_exactly() {
        let (meter, now) = meter(550, LONG, LONG);
        assert_eq!(meter.tick_at(now), Tick::Go(250));
        assert_eq!(meter.tick_at(now), Tick::Go(50));
        assert_eq!((meter.tick_at(now), meter.over()), (Tick::Yield, Some(Kind::Cpu)));
    }

    #[test]
    fn what_c_functions_do_counts() {
        let (meter, now) = meter(1000, LONG, LONG);
        assert!(!meter.charge(200));
        assert!(meter.charge(100), "the clock is to be looked at");
        assert_eq!(meter.tick_at(now), Tick::Go(250));
        assert!(meter.charge(450));
        assert_eq!((meter.tick_at(now), meter.over()), (Tick::Yield, Some(Kind::Cpu)));
        let (meter, _) = self::meter(10, LONG, LONG);
        assert!(meter.charge(u64::MAX) && meter.charge(u64::MAX));
        assert_eq!(meter.left(), 0);
    }

    #[test]
    fn what_takes_as_long_as_an_interval_has_the_clock_looked_at_once() {
        let (meter, now) = meter(1 << 40, LONG, LONG);
        for (instructions, want) in [(INTERVAL - 1, false), (1, true), (INTERVAL, false)] {
            assert_eq!(meter.charge(instructions), want, "{instructions}");
        }
        meter.tick_at(now);
        assert!(meter.charge(INTERVAL));
    }

    #[test]
    fn the_larger_a_block_the_more_often_the_clock_is_looked_at() {
        for (bytes, interval) in [(16, 250), (8 << 10, 250), (16 << 10, 125), (1 << 20, 1), (8 << 20, 1), (1 << 30, 1)]
        {
            let (meter, now) = meter(1 << 40, LONG, LONG);
            // One that counts as an interval has the hook run at once, too.
            assert_eq!(meter.charge_block(bytes), bytes >= 8 << 10, "{bytes}");
            assert_eq!(meter.tick_at(now), Tick::Go(interval), "{bytes}");
        }
    }

    #[test]
    fn slow_instructions_make_the_intervals_short_until_they_are_quick_again() {
        let (meter, now) = meter(1 << 40, LONG, LONG);
        let slow = now + 100 * SLOW;
        for (at, want) in [(slow, 2), (slow, 4), (slow, 8), (slow + 4 * SLOW, 2), (slow + 4 * SLOW, 4)] {
            assert_eq!(meter.tick_at(at), Tick::Go(want));
        }
        let back = (0..20).map(|_| meter.tick_at(slow + 4 * SLOW)).last();
        assert_eq!(back, Some(Tick::Go(250)));
    }

    #[test]
    fn a_slice_pauses_and_time_ends() {
        let millisecond = Duration::from_millis(1);
        let (meter, now) = meter(1 << 40, 10 * millisecond, millisecond);
        assert!(matches!(meter.tick_at(now + millisecond / 2), Tick::Go(_)));
        assert_eq!((meter.tick_at(now + millisecond), meter.over()), (Tick::Yield, None));
        // The slice may be longer than what is left of the time.
        meter.begin_slice_at(now, LONG);
        assert!(matches!(meter.tick_at(now + 9 * millisecond), Tick::Go(_)));
        assert_eq!((meter.tick_at(now + 10 * millisecond), meter.over()), (Tick::Yield, Some(Kind::Time)));
        meter.end(Kind::Memory);
        assert_eq!(meter.over(), Some(Kind::Time), "the first reason stays");
    }
}
