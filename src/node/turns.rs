//! Whether the shards and the media threads turn: each says so at the end of every turn, at least four times a second.
//!
//! A watchdog that only asks whether the process is there would not see a shard that waits for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::time::Timestamp;

/// Nothing but a stop makes a shard so late.
const STALL: Duration = Duration::from_secs(1);

/// The last turn of each shard.
#[derive(Debug)]
pub(crate) struct Turns {
    turns: Vec<Arc<AtomicU64>>,
}

/// Where one shard says that it turns.
#[derive(Debug)]
pub(crate) struct TurnOf(Arc<AtomicU64>);

impl Turns {
    /// Of so many shards, all of which turn now.
    pub(crate) fn new(shards: usize, now: Timestamp) -> Self {
        Self { turns: (0..shards).map(|_| Arc::new(AtomicU64::new(now.as_micros()))).collect() }
    }

    /// The place of a shard.
    pub(crate) fn of(&self, shard: usize) -> TurnOf {
        TurnOf(Arc::clone(&self.turns[shard]))
    }

    /// How long ago the slowest shard turned last.
    pub(crate) fn slowest(&self, now: Timestamp) -> Duration {
        let turns = self.turns.iter().map(|turn| Timestamp::from_micros(turn.load(Ordering::Relaxed)));
        turns.map(|turn| now.since(turn)).max().unwrap_or_default()
    }
}

impl TurnOf {
    /// Since when the shard did nothing, if it was to wait no longer than `waited` and woke much later: the process
    /// was stopped, or its machine was.
    pub(crate) fn stalled(&self, now: Timestamp, waited: Duration) -> Option<Timestamp> {
        let since = Timestamp::from_micros(self.0.load(Ordering::Relaxed));
        (now.since(since) >= waited + STALL).then_some(since)
    }

    /// The shard has turned.
    pub(crate) fn turned(&self, now: Timestamp) {
        self.0.store(now.as_micros(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_that_was_stopped_knows_since_when() {
        let at = Timestamp::from_millis;
        let turns = Turns::new(1, at(1_000));
        let shard = turns.of(0);
        let waited = Duration::from_millis(250);
        assert_eq!(shard.stalled(at(2_249), waited), None);
        assert_eq!(shard.stalled(at(2_250), waited), Some(at(1_000)));
        shard.turned(at(2_260));
        assert_eq!(shard.stalled(at(2_270), Duration::ZERO), None);
    }

    #[test]
    fn the_slowest_shard_is_told() {
        let at = Timestamp::from_millis;
        let turns = Turns::new(2, at(1_000));
        let (first, second) = (turns.of(0), turns.of(1));
        first.turned(at(9_000));
        assert_eq!(turns.slowest(at(9_500)), Duration::from_millis(8_500));
        second.turned(at(9_400));
        assert_eq!(turns.slowest(at(9_500)), Duration::from_millis(500));
    }
}
