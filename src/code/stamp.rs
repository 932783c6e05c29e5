//! What tells one state of a file on disk from another without reading it.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

const SECOND: i64 = 1_000_000_000;
/// Linux takes a file's times from a clock that ticks every 10 ms at most; twice that is on the safe side.
const TICK: i64 = 20_000_000;

/// What tells a state of a file on disk from another: device, inode, size, mtime and ctime in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Stamp {
    dev: u64,
    ino: u64,
    size: u64,
    mtime_ns: i64,
    ctime_ns: i64,
}

impl Stamp {
    /// The stamp in what stat says of a file.
    pub fn of(file: &Metadata) -> Self {
        Self {
            dev: file.dev(),
            ino: file.ino(),
            size: file.size(),
            mtime_ns: file.mtime().saturating_mul(SECOND).saturating_add(file.mtime_nsec()),
            ctime_ns: file.ctime().saturating_mul(SECOND).saturating_add(file.ctime_nsec()),
        }
    }

    /// The stamp, if every later write is sure to change it: None where the file was written so shortly before its
    /// reading began (`began_ns`, nanoseconds since the epoch) that a write in the same tick of the clock could give
    /// it the same times again. The clock is this machine's: a file server whose clock is behind is not seen through.
    pub fn settled(self, began_ns: i64) -> Option<Self> {
        // A ctime that lies ahead is due again: the clock was set back. An mtime is anyone's to set; it counts only
        // near the present, for file systems that keep no ctime.
        let racy = self.ctime_ns >= began_ns.saturating_sub(tick(self.ctime_ns))
            || self.mtime_ns.abs_diff(began_ns) <= tick(self.mtime_ns).unsigned_abs();
        (!racy).then_some(self)
    }
}

/// How long the clock behind a file's time may stand still, in nanoseconds. A time without a fraction is from a file
/// system that keeps whole seconds (vfat: even ones).
fn tick(time_ns: i64) -> i64 {
    if time_ns % SECOND == 0 { 2 * SECOND + TICK } else { TICK }
}

/// Nanoseconds since the epoch.
pub(super) fn now_ns() -> i64 {
    UNIX_EPOCH.elapsed().map_or(0, |elapsed| i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_that_was_left_alone_for_a_while_is_known_by_its_stamp() {
        const NOW: i64 = 1_700_000_000 * SECOND + 7;
        const OLD: i64 = NOW - 60 * SECOND;
        for (what, mtime_ns, ctime_ns, settled) in [
            ("written long ago", OLD, OLD, true),
            ("written before the last tick", NOW - TICK - 1, NOW - TICK - 1, true),
            ("written in this tick", NOW - TICK, NOW - TICK, false),
            ("written now", NOW, NOW, false),
            ("replaced just now, its mtime kept", OLD, NOW - 1, false),
            ("no ctime kept", NOW - 1, OLD, false),
            ("the clock was set back", OLD, NOW + 60 * SECOND, false),
            ("touched into the future long ago", NOW + 60 * SECOND, OLD, true),
            ("whole seconds, in this one", NOW - 7, NOW - 7, false),
            ("whole seconds, the one before the last", NOW - 7 - 2 * SECOND, NOW - 7 - 2 * SECOND, false),
            ("whole seconds, long ago", NOW - 7 - 3 * SECOND, NOW - 7 - 3 * SECOND, true),
            ("times at their ends", i64::MIN, i64::MIN, true),
        ] {
            let stamp = Stamp { dev: 1, ino: 2, size: 3, mtime_ns, ctime_ns };
            assert_eq!(stamp.settled(NOW), settled.then_some(stamp), "{what}");
        }
    }
}
