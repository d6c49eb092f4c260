//! The clocks of the machine: its wall clock, which somebody sets, and the one that a process goes by.
//!
//! ```text
//! true time  ─────────────────────────────────────►
//! wall clock    true + wall        set by hand, or by NTP after a boot
//! process       true + ahead       as the wall clock was when it began with no call of a process before;
//!                                  a boot takes it from the wall clock, but never back
//! ```
//! As `node/clock` does it: see `Clock::continued`.

use std::time::Duration;

use baton::time::Timestamp;

/// After a boot the clock goes on at least so much above the last sign of life.
const ABOVE: Duration = Duration::from_secs(1);

/// How far the clocks are from true time, in µs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clocks {
    wall: i64,
    process: i64,
}

impl Clocks {
    /// The process's time at a true one.
    pub(crate) fn at(self, now: Timestamp) -> Timestamp {
        Timestamp::from_micros(now.as_micros().saturating_add_signed(self.process))
    }

    /// When the process's clock shows this.
    pub(crate) fn shows(self, at: Timestamp) -> Timestamp {
        Timestamp::from_micros(at.as_micros().saturating_add_signed(-self.process))
    }

    /// Somebody sets the wall clock.
    pub(crate) fn step(&mut self, by_ms: i64) {
        self.wall += by_ms * 1_000;
    }

    /// Another machine's clock is gone by from now on.
    pub(crate) fn moves(&mut self, by_ms: i64) {
        self.process += by_ms * 1_000;
        self.wall = self.process;
    }

    /// A process begins; it goes on with the clock of the one before if that left calls and the machine still runs.
    pub(crate) fn begin(&mut self, now: Timestamp, alive: Option<Timestamp>, has_calls: bool, booted: bool) {
        if has_calls && !booted {
            return;
        }
        self.process = self.wall;
        let floor = alive.filter(|_| has_calls).map(|alive| alive + ABOVE);
        let behind = floor.map_or(Duration::ZERO, |floor| floor.since(self.at(now)));
        self.process += i64::try_from(behind.as_micros()).expect("no clock is so wrong");
    }
}
