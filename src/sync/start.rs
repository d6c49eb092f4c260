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

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Incarnation;
use crate::id::{CallId, NodeId};

/// How long a start indication is good for.
const GOOD_FOR: Duration = Duration::from_secs(10);
/// How far wall clocks may be apart, and how long an indication may be worked at.
const SKEW: Duration = Duration::from_secs(10);
/// A call is placed anew no later than so long after it was accepted: the hour at which the person may be called may be
/// over, and whoever asked has given up.
const LATEST: Duration = Duration::from_secs(60);
/// Claimed incarnations that are remembered.
const CLAIMS: usize = 256;

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
    /// Whether it takes the place of another one of the same attempt.
    #[must_use]
    pub const fn succeeds(&self, other: &Self) -> bool {
        self.epoch > other.epoch || self.epoch == other.epoch && self.number >= other.number
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

// ── at the node ──

/// Why a node places nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// Somebody else is control since.
    #[error("another member is control since")]
    Superseded,
    /// It went to another run of this member.
    #[error("another incarnation was meant")]
    Another,
    /// It was refused, and may have been placed elsewhere since.
    #[error("it was refused before")]
    Before,
    /// It is void.
    #[error("it came too late")]
    Late,
}

/// Which start indications a node takes.
#[derive(Clone, Debug, Default)]
pub struct Admission {
    /// The highest epoch of control that was heard of.
    epoch: u64,
    /// What was refused, until when each is remembered.
    refused: BTreeMap<CallId, u64>,
}

impl Admission {
    /// Whether who speaks under this epoch is still control, as far as is known here.
    pub fn hears(&mut self, epoch: u64) -> bool {
        let is_control = epoch >= self.epoch;
        self.epoch = self.epoch.max(epoch);
        is_control
    }

    /// Whether a call that is not here yet is to be placed, on the word of who is control under `epoch`.
    ///
    /// # Errors
    /// Why not.
    pub fn admit(
        &mut self,
        now_ms: u64,
        me: Incarnation,
        call: CallId,
        epoch: u64,
        placement: &Placement,
    ) -> Result<(), NotAdmitted> {
        if !self.hears(epoch) {
            return Err(NotAdmitted::Superseded);
        }
        if placement.to != me {
            return Err(NotAdmitted::Another);
        }
        if self.refused.contains_key(&call) {
            return Err(NotAdmitted::Before);
        }
        if now_ms > placement.not_after_ms {
            return Err(NotAdmitted::Late);
        }
        Ok(())
    }

    /// It is not placed here, and will not be.
    pub fn refuse(&mut self, now_ms: u64, call: CallId, until_ms: u64) {
        self.refused.retain(|_, until| *until >= now_ms);
        self.refused.insert(call, until_ms);
    }
}

// ── at control ──

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
                let not_after_ms = now_ms.saturating_add(millis(GOOD_FOR));
                Stage::Storing(Placement { epoch: self.epoch, number: self.number, to, not_after_ms })
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

// ── an attempt of which nobody is known to carry it ──

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Mint;

    fn one(name: &str, run: u64) -> Incarnation {
        Incarnation { node: name.parse().unwrap(), run }
    }

    fn call(seed: u64) -> CallId {
        CallId::mint(&mut Mint::seeded(seed))
    }

    const PLACEMENT_MS: u64 = 10_000;

    fn placement(epoch: u64, number: u32) -> Placement {
        Placement { epoch, number, to: one("b", 5), not_after_ms: PLACEMENT_MS }
    }

    #[test]
    fn a_refusal_is_remembered_until_it_is_too_late_anyway() {
        let (mut admission, me) = (Admission::default(), one("b", 5));
        let [first, second] = [1, 2].map(call);
        admission.refuse(1_000, first, PLACEMENT_MS);
        let ask = |admission: &mut Admission, now, call| admission.admit(now, me, call, 3, &placement(3, 1));
        assert_eq!(ask(&mut admission, 2_000, first), Err(NotAdmitted::Before));
        assert_eq!(ask(&mut admission, 2_000, second), Ok(()));
        admission.refuse(PLACEMENT_MS + 1, second, 2 * PLACEMENT_MS);
        assert_eq!(ask(&mut admission, PLACEMENT_MS + 1, first), Err(NotAdmitted::Late));
    }

    #[test]
    fn who_was_control_before_is_not_listened_to() {
        let (mut admission, me) = (Admission::default(), one("b", 5));
        assert_eq!(admission.admit(0, me, call(1), 7, &placement(3, 1)), Ok(()), "a successor repeats it");
        assert_eq!(admission.admit(0, me, call(1), 3, &placement(3, 1)), Err(NotAdmitted::Superseded));
        assert_eq!(admission.admit(0, one("b", 9), call(1), 7, &placement(7, 1)), Err(NotAdmitted::Another));
    }

    #[test]
    fn nothing_is_sent_before_it_is_stored_by_enough() {
        let mut start = Start::new(3, 1, true);
        assert_eq!(start.step(), Step::Look);
        start.looked(Looked::Nobody);
        start.picked(0, Some(one("b", 5)));
        let Step::Store(first) = start.step() else { panic!("{start:?}") };
        assert_eq!(first, Placement { not_after_ms: 10_000, ..placement(3, 1) });
        start.kept(Kept::By(0));
        assert_eq!(start.step(), Step::Withdraw, "nobody else keeps it");
        start.withdrew(true);
        assert_eq!(start.step(), Step::Over(Outcome::NotNow));
    }

    #[test]
    fn a_refused_one_goes_to_the_next_and_what_all_refuse_is_withdrawn() {
        let mut start = Start::new(3, 1, false);
        start.picked(0, Some(one("b", 5)));
        start.kept(Kept::By(1));
        start.said(Said::Refused);
        assert_eq!((start.step(), start.refused().len()), (Step::Pick, 1));
        start.picked(0, Some(one("c", 6)));
        let Step::Store(second) = start.step() else { panic!("{start:?}") };
        assert!(second.number == 2 && second.succeeds(&placement(3, 1)));
        start.kept(Kept::By(2));
        start.said(Said::Refused);
        start.picked(0, None);
        assert_eq!(start.step(), Step::Withdraw);
        let mut remembered = start.clone();
        start.withdrew(true);
        assert_eq!(start.step(), Step::Over(Outcome::Refused));
        remembered.withdrew(false);
        assert_eq!(remembered.step(), Step::Over(Outcome::Open), "somebody would tell a successor of it");
    }

    #[test]
    fn a_node_that_is_not_reached_by_a_repeat_may_have_the_call() {
        let mut first = Start::new(3, 1, false);
        first.picked(0, Some(one("b", 5)));
        first.kept(Kept::By(1));
        first.said(Said::Unreached);
        assert_eq!(first.step(), Step::Pick, "it was told for the first time");
        let mut repeat = Start::again(4, 1, &placement(3, 1), Next::Repeat).unwrap();
        repeat.said(Said::Unreached);
        assert_eq!(repeat.step(), Step::Over(Outcome::Open));
        let mut repeat = Start::again(4, 1, &placement(3, 1), Next::Repeat).unwrap();
        repeat.said(Said::Refused);
        assert_eq!(repeat.step(), Step::Pick);
    }

    #[test]
    fn who_did_not_answer_may_know_the_key() {
        let known = call(1);
        assert_eq!(Looked::of([Some(None), Some(None)]), Looked::Nobody);
        assert_eq!(Looked::of([Some(None), None]), Looked::Unsure);
        assert_eq!(Looked::of([None, Some(Some((known, 3)))]), Looked::Known(known));
        let later = call(2);
        assert_eq!(Looked::of([Some(Some((later, 4))), Some(Some((known, 3)))]), Looked::Known(later));
        assert_eq!(Looked::of([]), Looked::Nobody, "alone");
    }

    #[test]
    fn what_was_claimed_is_remembered_when_its_key_is_gone() {
        let mut fates = Fates::default();
        let (dead, left) = (one("a", 1), one("b", 2));
        assert_eq!(fates.of(dead, true), Fate::Lives);
        fates.claimed(dead, false);
        assert_eq!(fates.of(dead, false), Fate::Claimed);
        fates.gone(dead);
        fates.gone(left);
        assert_eq!(fates.of(dead, false), Fate::Gone { whole: true });
        assert_eq!(
            fates.of(left, false),
            Fate::Gone { whole: false },
            "who left in order may have its result"
        );
        (10..10 + CLAIMS as u64).for_each(|run| fates.claimed(one("c", run), true));
        assert_eq!(fates.of(dead, false), Fate::Gone { whole: false }, "it is long ago");
    }

    #[test]
    fn another_placement_only_when_the_node_is_dead_and_nothing_of_it_can_be_missing() {
        let nobody = Sight { known: false, living: true, all: false };
        let next = |fate, sight, now| next(&placement(3, 1), fate, sight, now, 0);
        assert_eq!(next(Fate::Lives, nobody, 9_000), Next::Repeat);
        assert_eq!(next(Fate::Lives, nobody, 15_000), Next::Wait, "it may be at it");
        assert_eq!(next(Fate::Lives, nobody, 20_001), Next::Never);
        assert_eq!(next(Fate::Claimed, nobody, 9_000), Next::Wait, "a successor may be about to tell of it");
        assert_eq!(next(Fate::Gone { whole: true }, nobody, 9_000), Next::Anew);
        assert_eq!(next(Fate::Gone { whole: true }, nobody, 60_001), Next::Never);
        let some = Sight { living: false, ..nobody };
        assert_eq!(next(Fate::Gone { whole: true }, some, 9_000), Next::Wait);
        assert_eq!(next(Fate::Gone { whole: false }, nobody, 90_000), Next::Wait, "it may have dialled");
        let all = Sight { all: true, ..nobody };
        assert_eq!(next(Fate::Gone { whole: false }, all, 9_000), Next::Never);
        assert_eq!(next(Fate::Gone { whole: true }, Sight { known: true, ..all }, 9_000), Next::Wait);
    }
}
