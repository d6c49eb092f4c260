//! A start: how control places a call so that it is dialled once, whoever dies meanwhile.
//!
//! ```text
//!  control   Look ─► Pick ─► Store (here, and by as many others as mirror saves) ─► Send ─► placed
//!                     ▲                                                             │ refused
//!                     └─────────────────────────────────────────────────────────────┘
//!  its successor   an attempt of which nobody knows anything: the same placement again, or (its node is dead) a new one
//!  node      Admission: one control at a time, in time, and never what it refused before
//! ```
//! A placement is stored before it is sent. So who becomes control knows it, and repeats the same: a node that has the
//! call says so, and one that refused it refuses it again until the placement is void. Another one is made only after a
//! refusal, or when the node was claimed with whole copies of its calls and none of those who live knows of the attempt: a
//! node sends no INVITE before its record is mirrored, and deletes that only when others have its result.

mod admission;
mod fates;

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Incarnation;
use crate::id::{CallId, NodeId};

pub use admission::{Admission, NotAdmitted};
pub use fates::{Fate, Fates, Next, Sight, next};

/// How long a start indication is good for.
const GOOD_FOR: Duration = Duration::from_secs(10);

/// Where an attempt is placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// Under which control.
    pub epoch: u64,
    /// Which of its attempt's: the first is 1.
    pub number: u32,
    /// Who is to place it.
    pub to: Incarnation,
    /// Void after this, in ms since 1970.
    pub not_after_ms: u64,
}

impl Placement {
    /// One that is made now.
    #[must_use]
    pub fn new(epoch: u64, number: u32, to: Incarnation, now_ms: u64) -> Self {
        Self { epoch, number, to, not_after_ms: now_ms.saturating_add(millis(GOOD_FOR)) }
    }

    /// Whether it takes the place of another one of the same attempt.
    #[must_use]
    pub const fn succeeds(&self, other: &Self) -> bool {
        self.epoch > other.epoch || self.epoch == other.epoch && self.number >= other.number
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What is to be done next for a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Everybody who lives is to say whether a call of this key, or this call, is known.
    Look,
    /// A member is to be picked, none of those who refused.
    Pick,
    /// This placement is to be stored here, then by others.
    Store(Placement),
    /// The start indication is to be sent, if this member is still control.
    Send(Placement),
    /// All who stored it are to forget the call.
    Withdraw,
    /// That was it.
    Over(Outcome),
}

/// What became of a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is placed.
    Placed,
    /// It may be, or will be: whoever is control sees to that.
    Open,
    /// The same request was taken before, as this call.
    Known(CallId),
    /// Nobody takes it, and nobody will: nothing is left of it.
    Refused,
    /// Nothing was done: who lives has not answered, too few keep it, or another one is control.
    NotNow,
}

/// What those who live know of a key, or of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looked {
    /// It is this call's.
    Known(CallId),
    /// All of them have answered, and nobody knows it.
    Nobody,
    /// Somebody did not answer.
    Unsure,
}

impl Looked {
    /// What the answers say: of each who lives, the call with its epoch; `None`: no answer came.
    pub fn of(answers: impl IntoIterator<Item = Option<Option<(CallId, u64)>>>) -> Self {
        let (mut all, mut known) = (true, None);
        for answer in answers {
            match answer {
                Some(one) => known = known.max(one.map(|(call, epoch)| (epoch, call))),
                None => all = false,
            }
        }
        match known {
            Some((_, call)) => Self::Known(call),
            None if all => Self::Nobody,
            None => Self::Unsure,
        }
    }
}

/// How far a placement is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Here and by so many others.
    By(usize),
    /// Somebody knows another control.
    Superseded,
}

/// What a node said of a start indication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// It has the call.
    Placed,
    /// It has not, and will not.
    Refused,
    /// It was not told this time.
    Unreached,
    /// Nothing: it may have the call.
    Nothing,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Looking,
    Picking,
    Storing(Placement),
    Sending(Placement),
    /// Nobody takes it, or too few keep it: what is left of it goes.
    Withdrawing(Outcome),
    Over(Outcome),
}

/// The start of one call, at control.
#[derive(Clone, Debug)]
pub struct Start {
    epoch: u64,
    needed: usize,
    /// Placements that were made.
    number: u32,
    refused: BTreeSet<NodeId>,
    /// Whoever asked for it was told that it is accepted: it is not withdrawn.
    accepted: bool,
    /// The number of a placement that may have been sent before; 0: of none.
    repeats: u32,
    stage: Stage,
}

impl Start {
    /// Of a request that has just come, at control since `epoch`; `needed` others must keep its placement. `looks`: it may
    /// have come before.
    #[must_use]
    pub fn new(epoch: u64, needed: usize, looks: bool) -> Self {
        let stage = if looks { Stage::Looking } else { Stage::Picking };
        Self { epoch, needed, number: 0, refused: BTreeSet::new(), accepted: false, repeats: 0, stage }
    }

    /// Of an attempt that was placed before, and is to be placed anew or in the same way.
    #[must_use]
    pub fn again(epoch: u64, needed: usize, placement: &Placement, next: Next) -> Option<Self> {
        let stage = match next {
            Next::Repeat => Stage::Sending(*placement),
            Next::Anew => Stage::Picking,
            Next::Wait | Next::Never => return None,
        };
        let (number, refused) = (placement.number, BTreeSet::new());
        let repeats = if next == Next::Repeat { number } else { 0 };
        Some(Self { epoch, needed, number, refused, accepted: true, repeats, stage })
    }

    /// What is to be done.
    #[must_use]
    pub const fn step(&self) -> Step {
        match self.stage {
            Stage::Looking => Step::Look,
            Stage::Picking => Step::Pick,
            Stage::Storing(placement) => Step::Store(placement),
            Stage::Sending(placement) => Step::Send(placement),
            Stage::Withdrawing(_) => Step::Withdraw,
            Stage::Over(outcome) => Step::Over(outcome),
        }
    }

    /// Who refused it.
    #[must_use]
    pub const fn refused(&self) -> &BTreeSet<NodeId> {
        &self.refused
    }

    /// They have answered.
    pub fn looked(&mut self, looked: Looked) {
        self.stage = match looked {
            Looked::Known(call) => Stage::Over(Outcome::Known(call)),
            Looked::Nobody => Stage::Picking,
            Looked::Unsure => Stage::Over(Outcome::NotNow),
        };
    }

    /// This one was picked at this wall time, or there is nobody.
    pub fn picked(&mut self, now_ms: u64, to: Option<Incarnation>) {
        self.stage = match to {
            Some(to) => {
                self.number += 1;
                Stage::Storing(Placement::new(self.epoch, self.number, to, now_ms))
            }
            None if self.number == 0 || self.accepted => Stage::Over(Outcome::Refused),
            None => Stage::Withdrawing(Outcome::Refused),
        };
    }

    /// The placement is stored so far.
    pub fn kept(&mut self, kept: Kept) {
        let Stage::Storing(placement) = self.stage else { return };
        self.stage = match kept {
            Kept::By(count) if count >= self.needed => Stage::Sending(placement),
            // It was never sent; an earlier placement of the same attempt was refused, or its node is dead.
            Kept::By(_) | Kept::Superseded if self.accepted => Stage::Over(Outcome::Open),
            Kept::By(_) | Kept::Superseded => Stage::Withdrawing(Outcome::NotNow),
        };
    }

    /// It was not sent: another one is control. That one repeats it.
    pub fn gave_up(&mut self) {
        self.stage = Stage::Over(Outcome::Open);
    }

    /// The node said this of it.
    pub fn said(&mut self, said: Said) {
        let Stage::Sending(placement) = self.stage else { return };
        self.stage = match said {
            Said::Placed => Stage::Over(Outcome::Placed),
            Said::Nothing => Stage::Over(Outcome::Open),
            // Whoever sent it before may have been heard: only a refusal says that it was not placed.
            Said::Unreached if placement.number == self.repeats => Stage::Over(Outcome::Open),
            Said::Refused | Said::Unreached => {
                self.refused.insert(placement.to.node);
                Stage::Picking
            }
        };
    }

    /// Whether all who stored the call have forgotten it. Of one that somebody remembers a successor would know.
    pub fn withdrew(&mut self, all: bool) {
        let Stage::Withdrawing(outcome) = self.stage else { return };
        self.stage = Stage::Over(if all { outcome } else { Outcome::Open });
    }
}

#[cfg(test)]
mod tests;
