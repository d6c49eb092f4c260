//! How much a node has to do: the count of its calls, against its limit.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Calls in memory for each live call that is allowed: an ended call is held while its transactions run out
/// (RFC 3261 timers D and J, RFC 6026 timer M: 32 s), so that short calls leave many behind.
const HELD_PER_CALL: usize = 8;

/// Calls of a node, over all its shards.
#[derive(Debug)]
pub(crate) struct Load {
    limit: usize,
    counts: Mutex<Counts>,
    changed: Condvar,
    draining: AtomicBool,
    failed: AtomicBool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    /// Calls without an outcome.
    live: usize,
    /// Calls in memory: also those whose transactions or results are still owed to somebody.
    held: usize,
    /// Results that somebody was told and has not kept or dropped yet.
    receipts: usize,
}

/// Why no call is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// As many calls as the node takes.
    Full,
    /// The node is shutting down.
    Draining,
    /// The journal's disk is full.
    DiskFull,
    /// The node may send nothing: another one may speak for its calls.
    Silent,
    /// The journal cannot be written, or a part of the node has ended.
    Failed,
}

impl Load {
    /// No calls, of at most `limit` live ones.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            counts: Mutex::default(),
            changed: Condvar::new(),
            draining: AtomicBool::new(false),
            failed: AtomicBool::new(false),
        }
    }

    /// Takes the place of one call.
    pub(crate) fn reserve(&self) -> Result<(), Refusal> {
        if self.failed.load(SeqCst) {
            return Err(Refusal::Failed);
        }
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if self.draining.load(SeqCst) {
            return Err(Refusal::Draining);
        }
        if counts.live >= self.limit || counts.held >= self.limit.saturating_mul(HELD_PER_CALL) {
            return Err(Refusal::Full);
        }
        counts.held += 1;
        counts.live += 1;
        Ok(())
    }

    /// Takes the place of a call of the process before, though there are as many as may be.
    pub(crate) fn resume(&self) {
        self.change(|counts| {
            counts.held += 1;
            counts.live += 1;
        });
    }

    /// A call has its outcome.
    pub(crate) fn ended(&self) {
        self.change(|counts| counts.live = counts.live.saturating_sub(1));
    }

    /// A call is gone from memory.
    pub(crate) fn forgotten(&self) {
        self.change(|counts| counts.held = counts.held.saturating_sub(1));
    }

    /// A result was given out with its receipt.
    pub(crate) fn receipt_out(&self) {
        self.change(|counts| counts.receipts += 1);
    }

    /// A receipt was given back, or dropped.
    pub(crate) fn receipt_back(&self) {
        self.change(|counts| counts.receipts = counts.receipts.saturating_sub(1));
    }

    fn change(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }

    /// Takes no more calls.
    pub(crate) fn drain(&self) {
        let _counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        self.draining.store(true, SeqCst);
    }

    /// Why no call is taken at all, if none is.
    pub(crate) fn closed(&self) -> Option<Refusal> {
        match (self.failed.load(SeqCst), self.draining.load(SeqCst)) {
            (true, _) => Some(Refusal::Failed),
            (false, true) => Some(Refusal::Draining),
            (false, false) => None,
        }
    }

    /// The journal failed. True for the first who says so.
    pub(crate) fn fail(&self) -> bool {
        !self.failed.swap(true, SeqCst)
    }

    /// The limit.
    pub(crate) const fn limit(&self) -> usize {
        self.limit
    }

    /// Calls without an outcome, and calls in memory.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let counts = *self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        (counts.live, counts.held)
    }

    /// Waits until every call has its outcome and every result is kept, or for this long; returns how many calls
    /// have none.
    pub(crate) fn wait_until_ended(&self, limit: Duration) -> usize {
        let deadline = Instant::now() + limit;
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        while counts.live > 0 || counts.receipts > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            counts = self.changed.wait_timeout(counts, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        counts.live
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_counts_live_calls_and_bounds_those_that_linger() {
        let load = Load::new(2);
        assert_eq!((load.reserve(), load.reserve(), load.reserve()), (Ok(()), Ok(()), Err(Refusal::Full)));
        load.ended();
        assert_eq!(load.reserve(), Ok(()), "an ended call makes room at once");
        assert_eq!(load.counts(), (2, 3));
        for _ in 0..13 {
            load.ended();
            assert_eq!(load.reserve(), Ok(()));
        }
        load.ended();
        assert_eq!((load.counts(), load.reserve()), ((1, 16), Err(Refusal::Full)), "but not without end");
        load.forgotten();
        assert_eq!(load.reserve(), Ok(()));
        load.drain();
        assert_eq!(load.reserve(), Err(Refusal::Draining));
        assert_eq!(load.wait_until_ended(Duration::from_millis(5)), 2);
        assert!(load.fail() && !load.fail());
        assert_eq!(load.reserve(), Err(Refusal::Failed));
    }
}
