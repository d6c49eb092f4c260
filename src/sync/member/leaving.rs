//! Hand-over: a member that drains gives its calls to the others while it lives. Nobody has to miss it first.
//!
//! ```text
//!  HandOver ─► Read: the engine is there ─► silent for ever, LayDown ─► LaidDown ─► Claim on its own key ─► Read ─► Fenced
//!                                                                          └─ not held, not written ─► Rejoin: on at home
//! ```
//! It is its own claimant: that it is silent it knows without a vote, and how far its stream reaches, too. From then on
//! everything is as after a death. So whoever dies in the middle, and whatever is late or lost, the key alone says whose
//! the calls are; what was asked of the engine and is carried out late finds the key changed. Only, its own records count
//! as one more copy of its stream, so that one death loses nothing.

use std::time::Duration;

use super::super::registry::{Claim, Ownership, Role, Transaction};
use super::super::{Heir, Incarnation, Standing};
use super::{Member, Output};
use crate::time::Timestamp;

/// After a hand-over that came to nothing the next one is begun no sooner.
const AGAIN: Duration = Duration::from_secs(3);

/// How far a hand-over is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaving {
    /// None is wanted.
    No,
    /// Its key is read: with the engine away its calls end here.
    Looks,
    /// It is silent; nothing of its calls may be saved or sent any more.
    LaysDown,
    /// The engine is asked for the claim.
    Claims,
    /// One was begun, and whoever the key names goes on: others, or this member as its next incarnation.
    Begun(Timestamp),
}

impl Leaving {
    /// This member goes on as its next incarnation.
    pub(super) const fn begun(self, now: Timestamp) -> Self {
        match self {
            Self::No | Self::Looks => Self::No,
            Self::LaysDown | Self::Claims => Self::Begun(now),
            Self::Begun(at) => Self::Begun(at),
        }
    }
}

impl Member {
    /// Whether calls are on their way from this member by its own hand-over: until each is saved by who goes on with it, it
    /// is needed.
    #[must_use]
    pub fn is_moving(&self) -> bool {
        match self.leaving {
            Leaving::No | Leaving::Looks => false,
            Leaving::LaysDown | Leaving::Claims => true,
            Leaving::Begun(_) => {
                let gives = self.registry.claims().any(|(of, ..)| of.node == self.me.node);
                self.fenced || gives || self.voice.standing() == Standing::Silent || self.inherits()
            }
        }
    }

    /// Whether this member falls silent because it wants to.
    #[must_use]
    pub const fn hands_over(&self) -> bool {
        matches!(self.leaving, Leaving::LaysDown | Leaving::Claims)
    }

    /// Begins to give its calls to the others, if it may speak and they have room for all. Nothing is given while this
    /// member takes calls over: what it saves of them would come behind what the claim counts.
    pub(super) fn hand_over(&mut self, now: Timestamp) {
        let is_free = match self.leaving {
            Leaving::No => true,
            Leaving::Begun(at) => now.since(at) >= AGAIN && !self.is_moving(),
            Leaving::Looks | Leaving::LaysDown | Leaving::Claims => false,
        };
        let may = is_free
            && self.voice.standing() == Standing::Speaking
            && !self.terms.voters.is_none()
            && self.adoption.is_none()
            && !self.inherits();
        if may && !self.takers(now).is_empty() {
            self.leaving = Leaving::Looks;
            self.outputs.push_back(Output::Read(self.me));
        }
    }

    /// Who would go on with its calls: instances that may speak, have the same data, do not drain, and have room for all.
    fn takers(&self, now: Timestamp) -> Vec<Heir> {
        let speaks =
            |one: Incarnation| self.watch.of(one).is_some_and(|heard| heard.standing == Standing::Speaking);
        let others = self.others_there(now).filter_map(|(member, role, usage)| {
            let usage = usage.filter(|usage| usage.assets.is_some() && usage.assets == self.usage.assets)?;
            let takes = role == Role::Instance && speaks(member) && usage.free() > 0;
            takes.then_some(Heir { member, free: usage.free() })
        });
        let takers: Vec<Heir> = others.collect();
        let room: u64 = takers.iter().map(|heir| u64::from(heir.free)).sum();
        if room < u64::from(self.usage.calls) { Vec::new() } else { takers }
    }

    /// Its own key was read, or told, as it is now.
    pub(super) fn saw_own_key(&mut self, now: Timestamp, is_alive: bool) {
        match self.leaving {
            Leaving::Looks if is_alive && self.voice.standing() == Standing::Speaking => {
                self.leaving = Leaving::LaysDown;
                self.voice.silence();
                self.say_until();
                self.outputs.push_back(Output::LayDown);
            }
            Leaving::Looks => self.leaving = Leaving::No,
            // What was asked for may still be carried out. To go on at home compares the same revision: one of both is.
            Leaving::Claims => self.leaving = Leaving::Begun(now),
            Leaving::No | Leaving::LaysDown | Leaving::Begun(_) => {}
        }
    }

    /// Nothing of its calls can be sent any more, and nothing was sent by saves that others do not hold.
    pub(super) fn laid_down(&mut self, now: Timestamp, of: Incarnation, through: Option<u64>) {
        if self.leaving != Leaving::LaysDown || of != self.me {
            return;
        }
        self.leaving = Leaving::Begun(now);
        let takers = self.takers(now);
        let key = self.registry.key(self.me);
        let revision = key.filter(|key| matches!(key.ownership, Ownership::Alive(_))).map(|key| key.revision);
        // The first of them sees to it, as who claims after a death does.
        let first = takers.first().map(|first| first.member);
        if let (Some(through), Some(revision), Some(by)) = (through, revision, first) {
            let claim = Claim { by, round: 0, heirs: takers, through, stale: false };
            self.leaving = Leaving::Claims;
            self.outputs.push_back(Output::Claim(Transaction { target: self.me, revision, claim }));
        }
    }
}
