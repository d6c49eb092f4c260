//! How late media threads serve their calls: a histogram that many threads count into.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Upper edges of the buckets, in milliseconds; what is later falls into one more bucket.
const EDGES_MS: [u64; 8] = [1, 2, 5, 10, 20, 40, 80, 160];

/// Counts of services by lateness (time of service minus due time).
#[derive(Debug, Default)]
pub(crate) struct Lateness {
    buckets: [AtomicU64; EDGES_MS.len() + 1],
    skipped: AtomicU64,
}

impl Lateness {
    /// Counts one service of a slot.
    pub(crate) fn record(&self, late: Duration) {
        let late_us = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
        let bucket = EDGES_MS.iter().position(|edge| late_us < edge * 1_000).unwrap_or(EDGES_MS.len());
        self.buckets[bucket].fetch_add(1, Relaxed);
    }

    /// Counts packets that were never sent because the wheel was too far behind.
    pub(crate) fn skip(&self, packets: u64) {
        self.skipped.fetch_add(packets, Relaxed);
    }

    /// The counts so far.
    pub(crate) fn snapshot(&self) -> LatenessCounts {
        LatenessCounts {
            below: std::array::from_fn(|n| (EDGES_MS[n], self.buckets[n].load(Relaxed))),
            above: self.buckets[EDGES_MS.len()].load(Relaxed),
            skipped: self.skipped.load(Relaxed),
        }
    }
}

/// Lateness of the media threads since the node began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatenessCounts {
    /// Services later than the edge before and less late than this edge, in milliseconds, and their count.
    pub below: [(u64, u64); EDGES_MS.len()],
    /// Services later than the last edge.
    pub above: u64,
    /// Packets that were never sent because a thread was more than 100 ms behind.
    pub skipped: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_fall_into_their_buckets() {
        let lateness = Lateness::default();
        for micros in [0, 999, 1_000, 19_999, 500_000] {
            lateness.record(Duration::from_micros(micros));
        }
        lateness.skip(3);
        let counts = lateness.snapshot();
        assert_eq!(counts.below[0], (1, 2));
        assert_eq!(counts.below[1], (2, 1));
        assert_eq!(counts.below[4], (20, 1));
        assert_eq!((counts.above, counts.skipped), (1, 3));
    }
}
