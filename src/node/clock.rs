//! The process clock: monotonic, anchored once to wall time.
//!
//! ```text
//! Timestamp = wall time at the anchor + monotonic time since
//! ```
//! A step of the system's wall clock during a run therefore never moves a deadline or an RTP stream; the
//! drift between the two is what NTP slews in a run.
//!
//! A process that goes on with the calls of the one before it goes on with its clock too ([`Clock::continued`]):
//! monotonic time is the machine's, so that one number from the first process is enough. It stands in a file:
//! ```text
//! 1 4e1e8f0c-… 1795641600123456      format, the machine's boot id, wall time at monotonic 0 in µs
//! ```
//! After a boot monotonic time begins anew, and so does the clock; but where calls are left it goes on no earlier than the
//! process before is known to have lived: a wall clock that is wrong until NTP has set it takes no stream or deadline back.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

use crate::time::Timestamp;

/// The file in the journal's directory.
const FILE: &str = "clock";
/// The shape of the file.
const FORMAT: &str = "1";
/// The sign of life is a little older than the process's end.
const ABOVE: Duration = Duration::from_secs(1);
/// Changes with each boot of the machine (random(4)).
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

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

    /// The clock of the process that wrote `dir` before, if it has calls left and the machine was not booted since:
    /// a step of the wall clock between the two moves no deadline, and no RTP stream goes back. Else the clock of
    /// this process, with calls left at least [`ABOVE`] after `alive`, when the process before lived last by its own.
    /// Either is written down for the next one.
    ///
    /// # Errors
    /// If the file cannot be written. One that cannot be read is as good as none.
    pub fn continued(dir: &Path, has_calls: bool, alive: Option<Timestamp>) -> io::Result<Self> {
        let boot = fs::read_to_string(BOOT_ID)?.trim().to_owned();
        let path = dir.join(FILE);
        let before = if has_calls { fs::read_to_string(&path).ok() } else { None };
        if let Some(zero) = before.and_then(|text| zero(&text, &boot)) {
            let anchor = Instant::now();
            return Ok(Self { anchor, wall: zero + monotonic()? });
        }
        let mut clock = Self::of_process();
        let floor = alive.filter(|_| has_calls).map(|alive| alive + ABOVE);
        clock.wall = clock.wall + floor.map_or(Duration::ZERO, |floor| floor.since(clock.now()));
        // Read one after the other: what lies between is less than a packet's jitter.
        let zero = clock.now().as_micros().saturating_sub(micros(monotonic()?));
        let new = dir.join("clock.new");
        let mut file = fs::File::create(&new)?;
        writeln!(file, "{FORMAT} {boot} {zero}")?;
        file.sync_all()?;
        fs::rename(new, path)?;
        Ok(clock)
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

/// The time since the machine was booted, its suspensions counted (`CLOCK_BOOTTIME`): what promises between instances
/// are measured by. No wall time, and the same for all processes of the machine.
#[must_use]
pub fn boottime() -> Timestamp {
    let since: Duration =
        clock_gettime(ClockId::CLOCK_BOOTTIME).expect("Linux has had it since 2.6.39").into();
    Timestamp::EPOCH + since
}

/// Wall time at monotonic 0, as the file says it for this boot.
fn zero(text: &str, boot: &str) -> Option<Timestamp> {
    let mut words = text.split_whitespace();
    let known = words.next() == Some(FORMAT) && words.next() == Some(boot);
    known.then_some(())?;
    words.next()?.parse().ok().map(Timestamp::from_micros)
}

/// The machine's monotonic time, the same for all processes (`clock_gettime(2)`); it is what [`Instant`] reads.
fn monotonic() -> io::Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_MONOTONIC)?.into())
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_goes_on_has_the_clock_of_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(FILE);
        let first = Clock::continued(dir.path(), false, None).unwrap();
        let written = fs::read_to_string(&file).unwrap();
        // As if the wall clock had been an hour ahead in the process before.
        let mut words: Vec<String> = written.split_whitespace().map(str::to_owned).collect();
        let zero: u64 = words[2].parse().unwrap();
        words[2] = (zero + 3_600_000_000).to_string();
        fs::write(&file, words.join(" ")).unwrap();
        let next = Clock::continued(dir.path(), true, None).unwrap();
        let ahead = next.now().since(first.now());
        assert!((3_599..=3_601).contains(&ahead.as_secs()), "{ahead:?}");
        let anew = Clock::continued(dir.path(), false, None).unwrap();
        assert!(anew.now().since(first.now()) < Duration::from_secs(1), "without calls it is anchored anew");
        for other in ["1 another-boot 5", "2 x 5", "", "1"] {
            fs::write(&file, other).unwrap();
            let anew = Clock::continued(dir.path(), true, None).unwrap();
            assert!(anew.now().since(first.now()) < Duration::from_secs(1), "{other:?}");
            assert_eq!(fs::read_to_string(&file).unwrap().split(' ').count(), 3, "and written down");
        }
    }

    #[test]
    fn after_a_boot_with_a_wrong_wall_clock_it_does_not_go_back() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), "1 another-boot 5").unwrap();
        let alive = Clock::of_process().now() + Duration::from_secs(500);
        let next = Clock::continued(dir.path(), true, Some(alive)).unwrap();
        assert!(next.now() >= alive + ABOVE && next.now() < alive + ABOVE * 2);
        let again = Clock::continued(dir.path(), true, None).unwrap();
        let (then, now) = (next.now(), again.now());
        assert!(then.since(now) < Duration::from_millis(1) && now.since(then) < Duration::from_secs(1));
        let without = Clock::continued(dir.path(), false, Some(alive)).unwrap();
        assert!(without.now() < alive, "without calls nothing has to go on");
    }

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
