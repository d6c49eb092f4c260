//! What the journal has done, for people and dashboards.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use super::lane::Pending;
use crate::node::clock::boottime;
use crate::time::Timestamp;

/// Shared between the journal's thread and who asks.
#[derive(Debug, Default)]
pub(super) struct Counters {
    commits: AtomicU64,
    appends: AtomicU64,
    changes: AtomicU64,
    bytes: AtomicU64,
    failed: AtomicU64,
    live: AtomicUsize,
    segments: AtomicUsize,
    full: AtomicBool,
    reserve: AtomicU64,
    /// Since when it writes, in µs of the machine's monotonic time; 0: it waits for appends.
    busy_since: AtomicU64,
}

/// What the journal has done since it was opened, and what it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Groups of appends made durable by one `fdatasync`.
    pub commits: u64,
    /// Appends in them.
    pub appends: u64,
    /// Saves and deletions in those.
    pub changes: u64,
    /// Bytes written, with what was carried over.
    pub bytes: u64,
    /// Appends that were answered with an error.
    pub failed: u64,
    /// Live calls.
    pub live: usize,
    /// Segments on disk.
    pub segments: usize,
    /// The disk is full: calls under way are saved in the reserve, and no new ones should be placed.
    pub full: bool,
    /// Bytes of the reserve that are left.
    pub reserve: u64,
}

impl Counters {
    pub(super) fn committed(&self, appends: &[Pending], bytes: usize, durable: bool) {
        let count = u64::try_from(appends.len()).expect("a length fits u64");
        if !durable {
            self.failed.fetch_add(count, Ordering::Relaxed);
            return;
        }
        let changes: usize = appends.iter().map(|append| append.batch().len()).sum();
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.appends.fetch_add(count, Ordering::Relaxed);
        self.changes.fetch_add(u64::try_from(changes).expect("a length fits u64"), Ordering::Relaxed);
        self.bytes.fetch_add(u64::try_from(bytes).expect("a length fits u64"), Ordering::Relaxed);
    }

    pub(super) fn holds(&self, live: usize, segments: usize) {
        self.live.store(live, Ordering::Relaxed);
        self.segments.store(segments, Ordering::Relaxed);
    }

    pub(super) fn room(&self, full: bool, reserve: u64) {
        self.full.store(full, Ordering::Relaxed);
        self.reserve.store(reserve, Ordering::Relaxed);
    }

    pub(super) fn is_busy(&self, is: bool) {
        self.busy_since.store(if is { boottime().as_micros().max(1) } else { 0 }, Ordering::Relaxed);
    }

    pub(super) fn busy_for(&self) -> Duration {
        match self.busy_since.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            since => boottime().since(Timestamp::from_micros(since)),
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    pub(super) fn read(&self) -> Counts {
        Counts {
            commits: self.commits.load(Ordering::Relaxed),
            appends: self.appends.load(Ordering::Relaxed),
            changes: self.changes.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            live: self.live.load(Ordering::Relaxed),
            segments: self.segments.load(Ordering::Relaxed),
            full: self.is_full(),
            reserve: self.reserve.load(Ordering::Relaxed),
        }
    }
}
