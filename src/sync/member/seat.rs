//! Who is control: the one member that places the cluster's calls, and to whom the keys of requests belong.
//!
//! ```text
//!  nobody sits there, or somebody whose own key is claimed or deleted ─► TakeSeat (compare-and-set) ─► read: who does
//! ```
//! A seat is taken only over a holder whose key says no more that it owns its calls, and the engine compares that in the
//! same transaction. So whoever sat there before was silent first, by the promises that were given to it: no lease of the
//! engine's, and no clock, is trusted. The epoch of control is the revision that wrote the seat, and only grows.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::registry::{Ownership, Role};
use super::super::{Incarnation, Standing};
use super::{Member, Output};
use crate::time::Timestamp;

/// How often the seat is tried for.
const AGAIN: Duration = Duration::from_millis(500);

/// The seat of control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    /// Who sits there.
    pub holder: Incarnation,
    /// Since which of the engine's revisions.
    pub epoch: u64,
}

/// A try for the seat: written if it is as it was seen, its holder owns no calls any more, and who asks does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taking {
    /// Who asks.
    pub by: Incarnation,
    /// The seat as it was seen.
    pub seen: Option<Seat>,
}

/// What a member knows of the seat.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sitting {
    seat: Option<Seat>,
    asked: Option<Timestamp>,
}

impl Member {
    /// Who is control, as the engine told last.
    #[must_use]
    pub const fn seat(&self) -> Option<Seat> {
        self.sitting.seat
    }

    /// The epoch under which this member is control; `None`: it is not, or may not speak.
    #[must_use]
    pub fn controls(&self) -> Option<u64> {
        let seat = self.sitting.seat?;
        let is_mine = seat.holder == self.me && self.standing() == Standing::Speaking;
        is_mine.then_some(seat.epoch)
    }

    /// What the engine says of the seat. One that was restored from a backup may have none.
    pub(super) fn learn_seat(&mut self, seat: Option<Seat>) {
        let is_older = |known: Seat| seat.is_some_and(|seat| seat.epoch < known.epoch);
        if !self.sitting.seat.is_some_and(is_older) {
            self.sitting.seat = seat;
        }
    }

    /// Tries for the seat, if it is free and this member may have it.
    pub(super) fn try_for_seat(&mut self, now: Timestamp) {
        let may_sit = self.role == Role::Instance
            && self.standing() == Standing::Speaking
            && !self.terms.voters.is_none()
            && !self.usage.drains;
        let is_due = self.sitting.asked.is_none_or(|asked| now.since(asked) >= AGAIN);
        if !(may_sit && is_due && self.is_seat_free()) {
            return;
        }
        self.sitting.asked = Some(now);
        self.outputs.push_back(Output::TakeSeat(Taking { by: self.me, seen: self.sitting.seat }));
    }

    /// Whether nobody sits there who could still be control, as far as the engine has told.
    fn is_seat_free(&self) -> bool {
        let Some(Seat { holder, epoch }) = self.sitting.seat else { return true };
        let is_alive =
            self.registry.key(holder).is_some_and(|key| matches!(key.ownership, Ownership::Alive(_)));
        !is_alive && self.registry.current() >= epoch
    }
}
