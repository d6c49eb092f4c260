//! Other terms for a living member: another list of voters, another T.
//!
//! ```text
//!  Adopt ─► beats go to the new voters too ─► a majority by either list holds ─► Change, again until it is read ─► adopted
//! ```
//! From before the key is changed until it is read as changed, a majority by both lists is needed: whichever of them a
//! claimant goes by, it cannot find this member absent while it speaks. A change whose answer was lost may be done later,
//! so nothing ends that but to read the key. So it is with T: from before to after the shorter one counts, also for
//! promises that were asked for as longer ones.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::registry::{Key, Ownership};
use super::super::{Standing, Terms, Voters};
use super::{BEAT, Member, Output};
use crate::id::NodeId;
use crate::time::Timestamp;

/// How often a change is asked for that has not been read yet.
const AGAIN: Duration = Duration::from_millis(500);

/// Terms that are to hold.
#[derive(Clone, Debug)]
pub(super) struct Adoption {
    terms: Terms,
    /// When the engine is asked again; `None`: it has not been, and nothing has changed yet.
    asked_until: Option<Timestamp>,
}

impl Member {
    /// What holds for it: who votes, and T.
    #[must_use]
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// What holds for the other members that own their calls.
    pub fn terms_of_others(&self) -> impl Iterator<Item = (NodeId, &Terms)> {
        let youngest: BTreeMap<NodeId, &Terms> =
            self.registry.alive().map(|(one, _, terms)| (one.node, terms)).collect();
        youngest.into_iter().filter(|(node, _)| *node != self.me.node)
    }

    /// Whether a majority of those who vote on it answers it: without that it will not be promised anything.
    #[must_use]
    pub fn is_answered_by_voters(&self, now: Timestamp) -> bool {
        self.is_answered(now, &self.terms)
    }

    pub(super) fn is_answered(&self, now: Timestamp, terms: &Terms) -> bool {
        let answers = |voter: &NodeId| {
            *voter == self.me.node
                || self.answers.get(voter).is_some_and(|(_, came)| now.since(*came) <= BEAT * 2)
        };
        terms.voters.is_none() || terms.voters.iter().filter(answers).count() >= terms.voters.majority()
    }

    /// Takes in which terms are to hold. What the engine was asked for before that has to be read first.
    pub(super) fn adopt(&mut self, terms: Terms) {
        let is_under_way = self.adoption.as_ref().is_some_and(|adoption| adoption.asked_until.is_some());
        if !is_under_way {
            let is_new = terms != self.terms;
            self.adoption = is_new.then_some(Adoption { terms, asked_until: None });
        }
    }

    /// The voters that are to vote.
    pub(super) fn to_adopt(&self) -> Option<&Voters> {
        self.adoption.as_ref().map(|adoption| &adoption.terms.voters)
    }

    /// Its own key was read.
    pub(super) fn learn_terms(&mut self, now: Timestamp, terms: Terms) {
        if terms == self.terms {
            return;
        }
        self.voice.change(now, terms.clone(), false);
        self.terms = terms;
        self.adoption = None;
    }

    /// Goes on with what is to be adopted.
    pub(super) fn change_terms(&mut self, now: Timestamp) {
        let Some(adoption) = &mut self.adoption else { return };
        let Some(Key { revision, ownership: Ownership::Alive(_), .. }) = self.registry.key(self.me) else {
            return;
        };
        let is_due = match adoption.asked_until {
            // Who has no majority by the new list would be silent at once.
            None => {
                self.voice.standing() == Standing::Speaking && self.voice.would_hold(now, &adoption.terms)
            }
            Some(again) => now >= again && self.voice.standing() == Standing::Speaking,
        };
        if !is_due {
            return;
        }
        if adoption.asked_until.is_none() {
            self.voice.change(now, adoption.terms.clone(), true);
        }
        adoption.asked_until = Some(now + AGAIN);
        let terms = adoption.terms.clone();
        self.outputs.push_back(Output::Change { target: self.me, revision: *revision, terms });
    }
}
