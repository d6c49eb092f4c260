//! An attempt that nobody is known to carry: what became of the node that was to place it, and what control does about it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Placement, millis};
use crate::sync::Incarnation;

/// How far wall clocks may be apart, and how long an indication may be worked at.
const SKEW: Duration = Duration::from_secs(10);
/// A call is placed anew no later than so long after it was accepted: the hour at which the person may be called may be
/// over, and whoever asked has given up.
const LATEST: Duration = Duration::from_secs(60);
/// Claimed incarnations that are remembered.
pub(super) const CLAIMS: usize = 256;

/// What is known of the node that was to place a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It owns its calls.
    Lives,
    /// It was claimed, and its successors have not settled yet.
    Claimed,
    /// Its key is gone. `whole`: it was claimed with whole copies of its calls.
    Gone {
        /// Whether nothing of its calls can be missing.
        whole: bool,
    },
}

/// What became of the latest incarnations that were claimed; it is remembered when their keys are gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fates(BTreeMap<Incarnation, Claimed>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Claimed {
    stale: bool,
    open: bool,
}

impl Fates {
    /// It was claimed; `stale`: something newer than what counts may have existed.
    pub fn claimed(&mut self, one: Incarnation, stale: bool) {
        self.0.insert(one, Claimed { stale, open: true });
        while self.0.len() > CLAIMS {
            let oldest = self.0.keys().copied().min_by_key(|one| one.run);
            oldest.map(|one| self.0.remove(&one));
        }
    }

    /// Its key is gone: its successors have settled, or it left in order.
    pub fn gone(&mut self, one: Incarnation) {
        if let Some(claimed) = self.0.get_mut(&one) {
            claimed.open = false;
        }
    }

    /// What is known of one; `lives`: its key says that it owns its calls.
    #[must_use]
    pub fn of(&self, one: Incarnation, lives: bool) -> Fate {
        match self.0.get(&one) {
            Some(Claimed { open: true, .. }) => Fate::Claimed,
            Some(Claimed { stale, open: false }) => Fate::Gone { whole: !stale },
            None if lives => Fate::Lives,
            None => Fate::Gone { whole: false },
        }
    }
}

/// Who was asked for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight {
    /// Somebody knows it.
    pub known: bool,
    /// All instances that live have answered.
    pub living: bool,
    /// All members have, those that are down included.
    pub all: bool,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing yet.
    Wait,
    /// The same placement is sent again.
    Repeat,
    /// Another placement is made.
    Anew,
    /// It was never placed.
    Never,
}

/// What control does with an attempt that was accepted at this wall time.
#[must_use]
pub fn next(placement: &Placement, fate: Fate, sight: Sight, now_ms: u64, accepted_ms: u64) -> Next {
    if sight.known {
        return Next::Wait;
    }
    match fate {
        Fate::Lives if now_ms <= placement.not_after_ms => Next::Repeat,
        Fate::Lives if sight.living && now_ms > placement.not_after_ms.saturating_add(millis(SKEW)) => {
            Next::Never
        }
        Fate::Gone { whole: true } if sight.living => {
            if now_ms <= accepted_ms.saturating_add(millis(LATEST)) { Next::Anew } else { Next::Never }
        }
        // Who came down in order may have its result and be asked later; of a copy that was not whole nobody knows.
        Fate::Gone { .. } if sight.all => Next::Never,
        Fate::Lives | Fate::Claimed | Fate::Gone { .. } => Next::Wait,
    }
}
