//! The right to send: whether anything of any call may leave this process (ARCHITECTURE.md, "Who may speak for a call").
//!
//! ```text
//! always ──speak_until──► until t ──speak_until──► until t'        an instance that stands alone is always here
//!   ▲                        │ t has come, or silence()
//!   └──────speak_*───────────┤
//!                            ▼
//!                         silent ──begin()──► nothing yet ──speak_*──► …      as another incarnation
//! ```
//! Who sends looks here before each batch: shards before their outputs and their SIP, media threads in each turn of
//! their wheel, the thread of connections before it writes. A right that ran out has run out for good: time alone
//! silences, whether or not anybody has noticed, and a word that comes late changes nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use super::clock::boottime;
use crate::time::Timestamp;

/// May always send.
const ALWAYS: u64 = u64::MAX;
/// May send nothing any more.
const SILENT: u64 = 0;
/// May send nothing yet.
const NOT_YET: u64 = 1;

/// The right to send. Copies share it.
#[derive(Clone, Debug)]
pub struct Right {
    until: Arc<AtomicU64>,
    promise: Option<Arc<Promise>>,
}

/// How long promises last, in µs.
#[derive(Debug)]
struct Promise {
    /// From now on.
    lasts: AtomicU64,
    /// What connections are bound to; 0: there can be none yet.
    binds: AtomicU64,
}

fn micros(promise: Duration) -> u64 {
    u64::try_from(promise.as_micros()).unwrap_or(u64::MAX)
}

impl Default for Right {
    /// Of an instance that stands alone: always.
    fn default() -> Self {
        Self { until: Arc::new(AtomicU64::new(ALWAYS)), promise: None }
    }
}

impl Right {
    /// Of a member of a cluster in which promises last so long: it may send nothing yet.
    #[must_use]
    pub fn of_member(promise: Duration) -> Self {
        let promise = Promise { lasts: AtomicU64::new(micros(promise)), binds: AtomicU64::new(0) };
        Self { until: Arc::new(AtomicU64::new(NOT_YET)), promise: Some(Arc::new(promise)) }
    }

    /// How long the system may try to bring what a connection was given; `None`: as long as it likes.
    pub(super) fn promise(&self) -> Option<Duration> {
        self.promise.as_ref().map(|promise| Duration::from_micros(promise.lasts.load(SeqCst)))
    }

    /// Promises last so long from now on.
    pub fn promises_last(&self, promise: Duration) {
        if let Some(it) = &self.promise {
            it.lasts.store(micros(promise), SeqCst);
        }
    }

    /// All connections are bound to this promise: what one was given is not tried for longer.
    pub(super) fn binds(&self, promise: Duration) {
        if let Some(it) = &self.promise {
            it.binds.store(micros(promise), SeqCst);
        }
    }

    /// Whether nothing that a connection was given is tried for longer than this promise: then it may come to count.
    #[must_use]
    pub fn is_within(&self, promise: Duration) -> bool {
        self.promise.as_ref().is_none_or(|it| it.binds.load(SeqCst) <= micros(promise))
    }

    /// Whether anything may leave now.
    #[must_use]
    pub fn holds(&self) -> bool {
        match self.until.load(SeqCst) {
            ALWAYS => true,
            SILENT | NOT_YET => false,
            until => boottime().as_micros() < until,
        }
    }

    /// Nothing may be sent at or after this time of [`boottime`]. False: the right has run out, and this changes
    /// nothing.
    pub fn speak_until(&self, until: Timestamp) -> bool {
        self.set(until.as_micros().clamp(NOT_YET + 1, ALWAYS - 1))
    }

    /// Sending is not limited. False: the right has run out before.
    pub fn speak_always(&self) -> bool {
        self.set(ALWAYS)
    }

    fn set(&self, new: u64) -> bool {
        let now = boottime().as_micros();
        let may_begin = |before| matches!(before, ALWAYS | NOT_YET) || (before != SILENT && now < before);
        self.until.fetch_update(SeqCst, SeqCst, |before| may_begin(before).then_some(new)).is_ok()
    }

    /// Nothing may be sent any more. True for the first who says so of somebody who was allowed to.
    pub fn silence(&self) -> bool {
        !matches!(self.until.swap(SILENT, SeqCst), SILENT | NOT_YET)
    }

    /// The instance goes on as another incarnation, which has no call and may send nothing yet.
    pub fn begin(&self) {
        self.until.store(NOT_YET, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_stands_alone_may_always_send() {
        let right = Right::default();
        assert!(right.holds() && right.promise().is_none());
    }

    #[test]
    fn a_right_ends_by_time_alone_and_a_late_word_changes_nothing() {
        let right = Right::of_member(Duration::from_millis(250));
        assert!(!right.holds());
        assert!(right.speak_until(boottime() + Duration::from_millis(30)) && right.holds());
        assert!(right.speak_until(boottime() + Duration::from_millis(60)), "renewed without a gap");
        std::thread::sleep(Duration::from_millis(65));
        assert!(!right.holds());
        assert!(!right.speak_until(boottime() + Duration::from_secs(60)) && !right.holds());
        assert!(!right.speak_always() && !right.holds());
        right.begin();
        assert!(!right.holds(), "nothing yet");
        assert!(right.speak_always() && right.holds());
    }

    #[test]
    fn a_shorter_promise_counts_when_connections_are_bound_to_it() {
        let (long, short) = (Duration::from_secs(2), Duration::from_millis(250));
        let right = Right::of_member(long);
        assert!(right.is_within(short), "a witness has no connections");
        let threads = right.clone();
        threads.binds(long);
        right.promises_last(short);
        assert_eq!(threads.promise(), Some(short));
        assert!(!right.is_within(short) && right.is_within(long));
        threads.binds(short);
        assert!(right.is_within(short));
        assert!(Right::default().is_within(short), "nobody goes by promises");
    }

    #[test]
    fn silence_is_for_good_and_said_once() {
        let (right, other) = (Right::default(), Right::default());
        let copy = right.clone();
        assert!(copy.silence() && !right.silence());
        assert!(!right.holds() && !right.speak_always());
        assert!(other.holds());
    }
}
