//! What somebody beside the crowd watches or tells while the calls go on: for a caller that dies in the middle.
//!
//! ```text
//! Crowd ── has answered ──► Watch ◄── the caller is dead since … ── who killed it
//!                             └─► Conversation: the first packet from then on is the next caller's
//! ```

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::time::Timestamp;

/// Shared by a crowd and whoever watches it.
#[derive(Debug, Default)]
pub struct Watch {
    answered: AtomicUsize,
    /// In microseconds; 0: the caller lives.
    dead_since: AtomicU64,
}

impl Watch {
    /// How many telephones have been picked up so far.
    #[must_use]
    pub fn answered(&self) -> usize {
        self.answered.load(Ordering::Acquire)
    }

    /// The caller is dead, and its successor has not been started: what comes from `now` on comes of that one.
    pub fn caller_died(&self, now: Timestamp) {
        self.dead_since.store(now.as_micros(), Ordering::Release);
    }

    /// Since when it is.
    #[must_use]
    pub fn dead_since(&self) -> Option<Timestamp> {
        Some(self.dead_since.load(Ordering::Acquire)).filter(|at| *at > 0).map(Timestamp::from_micros)
    }

    pub(super) fn picked_up(&self) {
        self.answered.fetch_add(1, Ordering::AcqRel);
    }
}
