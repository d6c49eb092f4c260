//! The process clock: monotonic, anchored once to wall time.
//!
//! ```text
//! Timestamp = wall time at the anchor + monotonic time since
//! ```
//! A step of the system's wall clock during a run therefore never moves a deadline or an RTP stream; the
//! drift between the two is what NTP slews in a run, and a restart anchors anew.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::time::Timestamp;

/// Reads the time of this process. Copies of one clock agree; [`Clock::of_process`] is the one to copy.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    anchor: Instant,
    wall: Timestamp,
}

impl Clock {
    /// The one clock of this process, anchored when it is first asked for.
    #[must_use]
    pub fn of_process() -> Self {
        static PROCESS: OnceLock<Clock> = OnceLock::new();
        *PROCESS.get_or_init(Self::anchored_now)
    }

    fn anchored_now() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { anchor: Instant::now(), wall: Timestamp::EPOCH + wall }
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.wall + self.anchor.elapsed()
    }

    /// How long it is until `at`; zero if that is past.
    #[must_use]
    pub fn until(&self, at: Timestamp) -> Duration {
        at.since(self.now())
    }

    /// The machine's instant at which `at` is reached, for waits with a deadline. A time before the anchor
    /// is the anchor; one that the machine cannot express is an hour from now.
    #[must_use]
    pub fn instant(&self, at: Timestamp) -> Instant {
        let ahead = at.since(self.wall);
        self.anchor.checked_add(ahead).unwrap_or_else(|| Instant::now() + Duration::from_secs(3_600))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_wall_time_that_never_steps_back() {
        let clock = Clock::of_process();
        let wall = Timestamp::EPOCH + SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let first = clock.now();
        assert!(wall.since(first) < Duration::from_secs(5) && first.since(wall) < Duration::from_secs(5));
        assert!((0..1_000).map(|_| clock.now()).is_sorted());
    }

    #[test]
    fn an_instant_is_the_same_moment() {
        let clock = Clock::of_process();
        let in_a_second = clock.now() + Duration::from_secs(1);
        let left = clock.instant(in_a_second).saturating_duration_since(Instant::now());
        assert!(left <= Duration::from_secs(1) && left > Duration::from_millis(900), "{left:?}");
        assert!(clock.until(in_a_second) <= Duration::from_secs(1));
        assert_eq!(clock.until(Timestamp::EPOCH), Duration::ZERO);
    }
}
