//! From a claim that was won to the last call that has its new owner.
//!
//! ```text
//!  claim ── Word, until answered ──► successors ── TakeOver ─► saved under their names ── Settled ──► Release
//! ```

use std::collections::{BTreeMap, BTreeSet};

use super::super::Incarnation;
use super::super::message::{Message, Settled, Word};
use super::super::registry::{Claim, Key, Ownership, Role};
use super::{Inheritance, Member, Output};
use crate::time::Timestamp;

/// Most claims that are remembered as taken over.
const MOST: usize = 4_096;

/// What a member has to do with claims.
#[derive(Clone, Debug, Default)]
pub(super) struct Successions {
    /// Those that named it, and whether all of what they gave is saved. Kept when the key is gone: a word may be late.
    inherited: BTreeMap<Incarnation, bool>,
    /// Those that it has to see carried out.
    carried: BTreeMap<Incarnation, Carried>,
}

#[derive(Clone, Debug)]
struct Carried {
    settled: BTreeSet<Incarnation>,
    /// The engine was asked to delete the key.
    released: bool,
    /// When the others are told again.
    next: Timestamp,
}

impl Successions {
    pub(super) fn gone(&mut self, one: Incarnation) {
        self.carried.remove(&one);
        if self.inherited.len() > MOST {
            self.inherited.pop_first();
        }
    }

    pub(super) fn poll_timeout(&self) -> impl Iterator<Item = Timestamp> + '_ {
        self.carried.values().map(|carried| carried.next)
    }
}

impl Member {
    /// A word came: the claim is as good as read.
    pub(super) fn word(&mut self, now: Timestamp, word: Word) {
        let Word { from, target, revision, claim } = word;
        let is_settled = self.successions.inherited.get(&target) == Some(&true);
        if is_settled {
            let settled = Settled { from: self.me, target };
            self.send(from.node, Message::Settled(settled));
        } else {
            self.learn_claim(now, target, revision, claim);
        }
    }

    /// Takes in a claim that was written, as if its key had been read.
    pub(super) fn learn_claim(&mut self, now: Timestamp, target: Incarnation, revision: u64, claim: Claim) {
        let role = self.registry.key(target).map_or(Role::Instance, |key| key.role);
        let ownership = Ownership::Claimed(claim);
        self.learn(now, Key { incarnation: target, revision, role, ownership });
    }

    /// A successor has saved all that a claim gave it.
    pub(super) fn settled(&mut self, settled: Settled) {
        let Settled { from, target } = settled;
        if from == self.me {
            self.successions.inherited.insert(target, true);
        }
        let Some(Ownership::Claimed(claim)) = self.registry.key(target).map(|key| &key.ownership) else {
            return;
        };
        match self.registry.answers_for(claim.by) {
            Some(one) if one == self.me => {
                if let Some(carried) = self.successions.carried.get_mut(&target) {
                    carried.settled.insert(from);
                }
            }
            Some(one) if from == self.me => self.send(one.node, Message::Settled(settled)),
            Some(_) | None => {}
        }
    }

    /// Takes over what claims give to this member, and sees to it that others do.
    pub(super) fn carry_out(&mut self, now: Timestamp) {
        if self.fenced {
            return;
        }
        let claims: Vec<(Incarnation, u64, Claim)> =
            self.registry.claims().map(|(of, revision, claim)| (of, revision, claim.clone())).collect();
        for (target, revision, claim) in &claims {
            let names_me = claim.names(self.me);
            if names_me && !self.successions.inherited.contains_key(target) {
                self.successions.inherited.insert(*target, false);
                let named = claims.iter().filter(|(of, _, earlier)| of != target && earlier.names(*target));
                let earlier = named.map(|(of, _, earlier)| (*of, earlier.clone())).collect();
                self.outputs.push_back(Output::TakeOver(Inheritance {
                    of: *target,
                    epoch: *revision,
                    claim: claim.clone(),
                    earlier,
                }));
            }
            if self.registry.answers_for(claim.by) == Some(self.me) {
                self.carry(now, *target, *revision, claim);
            } else {
                self.successions.carried.remove(target);
            }
        }
    }

    /// Tells the successors that have not settled; when all have, the key is no more needed.
    fn carry(&mut self, now: Timestamp, target: Incarnation, revision: u64, claim: &Claim) {
        let promise = self.terms.promise;
        let own = self.successions.inherited.get(&target) == Some(&true);
        let carried = self.successions.carried.entry(target);
        let carried = carried.or_insert(Carried { settled: BTreeSet::new(), released: false, next: now });
        if own {
            carried.settled.insert(self.me);
        }
        let settled = &carried.settled;
        let open: Vec<Incarnation> =
            self.registry.there(claim).filter(|heir| !settled.contains(heir)).collect();
        if open.is_empty() && !carried.released {
            carried.released = true;
            let heirs = claim.heirs.iter().map(|heir| heir.member);
            let gone = heirs.filter(|heir| !carried.settled.contains(heir)).collect();
            self.outputs.push_back(Output::Release { target, revision, gone });
        }
        if now < carried.next {
            return;
        }
        // Told again until it is known to be done.
        carried.released = false;
        carried.next = now + promise;
        for heir in open {
            if heir != self.me {
                let word = Word { from: self.me, target, revision, claim: claim.clone() };
                self.send(heir.node, Message::Word(word));
            }
        }
    }
}
