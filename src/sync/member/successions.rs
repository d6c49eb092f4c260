//! From a claim that was won to the last call that has its new owner.
//!
//! ```text
//!  claim ── Word, until answered ──► successors ── TakeOver ─► saved under their names ── Settled ──► Release
//! ```
//! A successor acts by a word at once, but settles only when the engine has told it all that was written before the
//! claim: an earlier claim may have given something to whom it succeeds, and would be lost with that one's key.

use std::collections::{BTreeMap, BTreeSet};

use super::super::message::{Message, Settled, Word};
use super::super::registry::{Claim, Key, Ownership, Role};
use super::super::{Incarnation, Inheritance};
use super::{Member, Output};
use crate::id::Epoch;
use crate::time::Timestamp;

/// Most claims that are remembered as taken over.
const MOST: usize = 4_096;

/// What a member has to do with claims.
#[derive(Clone, Debug, Default)]
pub(super) struct Successions {
    /// Those that named it. Kept when the key is gone: a word may be late.
    inherited: BTreeMap<Incarnation, Inherited>,
    /// Those that it has to see carried out.
    carried: BTreeMap<Incarnation, Carried>,
}

/// What a claim gave to this member.
#[derive(Clone, Debug, Default)]
struct Inherited {
    /// Whose streams were asked for.
    sources: BTreeSet<Incarnation>,
    /// How often [`Output::TakeOver`] was said and not answered yet.
    open: u32,
    /// All of it is saved, and there is no more.
    settled: bool,
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

    fn has_settled(&self, target: Incarnation) -> bool {
        self.inherited.get(&target).is_some_and(|inherited| inherited.settled)
    }

    pub(super) fn poll_timeout(&self) -> impl Iterator<Item = Timestamp> + '_ {
        self.carried.values().map(|carried| carried.next)
    }
}

impl Member {
    /// Whether a claim gave something to this member that is not all saved under its name.
    pub(super) fn inherits(&self) -> bool {
        let mut named = self.registry.claims().filter(|(_, _, claim)| claim.names(self.me));
        named.any(|(of, ..)| !self.successions.has_settled(of))
    }

    /// Claims that are not carried out yet, by the epoch that each gives. The record of a call that goes on by one of them
    /// stays in its stream until then, ended or not: others may keep the call as the dead one's, and would go on with it.
    pub fn open_claims(&self) -> impl Iterator<Item = Epoch> + '_ {
        self.registry.claims().map(|(_, revision, _)| Epoch(revision))
    }

    /// A word came: the claim is as good as read.
    pub(super) fn word(&mut self, now: Timestamp, word: Word) {
        let Word { from, target, revision, claim } = word;
        if self.successions.has_settled(target) {
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

    /// All that was asked for of an incarnation so far is saved here.
    pub(super) fn saved_of(&mut self, target: Incarnation) {
        if let Some(inherited) = self.successions.inherited.get_mut(&target) {
            inherited.open = inherited.open.saturating_sub(1);
        }
    }

    /// A successor has saved all that a claim gave it.
    pub(super) fn settled(&mut self, settled: Settled) {
        let Settled { from, target } = settled;
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
        if self.fenced || self.hands_over() {
            return;
        }
        let claims: Vec<(Incarnation, u64, Claim)> =
            self.registry.claims().map(|(of, revision, claim)| (of, revision, claim.clone())).collect();
        for (target, revision, claim) in &claims {
            if claim.names(self.me) {
                self.inherit(*target, *revision, claim);
            }
            if self.registry.answers_for(claim.by) == Some(self.me) {
                self.carry(now, *target, *revision, claim);
            } else {
                self.successions.carried.remove(target);
            }
        }
    }

    /// Asks for what a claim gives to this member, and for more when more is known; settles when all is known and saved.
    fn inherit(&mut self, of: Incarnation, epoch: u64, claim: &Claim) {
        if self.successions.has_settled(of) {
            return;
        }
        // What claims were there before this one is known when it is read, and not when a word of it came: a call of one
        // that is over would be brought back by who has not heard of that either.
        let is_known = self.registry.current() >= epoch;
        let earlier = if is_known { self.registry.gave_to(of) } else { Vec::new() };
        let inherited = self.successions.inherited.entry(of).or_default();
        let all = earlier.iter().map(|(of, _)| *of).chain([of]);
        let sources: Vec<Incarnation> = all.filter(|one| inherited.sources.insert(*one)).collect();
        if !sources.is_empty() {
            inherited.open += 1;
            let claim = claim.clone();
            self.outputs.push_back(Output::TakeOver(Inheritance { of, epoch, claim, earlier, sources }));
        } else if inherited.open == 0 && is_known {
            inherited.settled = true;
            self.settled(Settled { from: self.me, target: of });
        }
    }

    /// Tells the successors that have not settled; when all have, the key is no more needed.
    fn carry(&mut self, now: Timestamp, target: Incarnation, revision: u64, claim: &Claim) {
        let promise = self.terms.promise;
        let own = self.successions.has_settled(target);
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
        // Told again until it is known to be done; a read that crossed the key's end may have brought it back here.
        if carried.released {
            self.reread.insert(target);
        }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::id::NodeId;
    use crate::sync::member::Input;
    use crate::sync::{Heir, Terms, Voters};

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn one(name: &str) -> Incarnation {
        Incarnation { node: name.parse().unwrap(), run: 1 }
    }

    fn claimed(of: &str, revision: u64, heir: &str) -> (Key, Claim) {
        let heirs = vec![Heir { member: one(heir), free: 1 }];
        let claim = Claim { by: one(heir), round: 1, heirs, through: 8, stale: false };
        let ownership = Ownership::Claimed(claim.clone());
        (Key { incarnation: one(of), revision, role: Role::Instance, ownership }, claim)
    }

    /// c, to which b's calls have fallen, by a word that came before anything else was heard of it. b had got a's.
    fn succeeds_b() -> Member {
        let voters = Voters::new(["a", "b", "c"].map(|name| name.parse::<NodeId>().unwrap())).unwrap();
        let terms = Terms::new(voters, Duration::from_millis(250)).unwrap();
        let ownership = Ownership::Alive(terms.clone());
        let key = Key { incarnation: one("c"), revision: 1, role: Role::Instance, ownership };
        let mut c = Member::new(NOW, &key, terms);
        c.handle(NOW, Input::Key(claimed("a", 10, "b").0));
        c.handle(NOW, Input::Current(10));
        let word = Word { from: one("b"), target: one("b"), revision: 30, claim: claimed("b", 30, "c").1 };
        c.handle(NOW, Input::Heard(Message::Word(word)));
        c
    }

    /// Of whose streams it is asked to go on with what.
    fn sources(member: &mut Member) -> Vec<Vec<Incarnation>> {
        let outputs = std::iter::from_fn(|| member.poll_output());
        let taken = outputs.filter_map(|output| {
            if let Output::TakeOver(inheritance) = output { Some(inheritance.sources) } else { None }
        });
        taken.collect()
    }

    #[test]
    fn what_was_given_to_who_is_succeeded_counts_when_all_before_that_claim_is_known() {
        let mut c = succeeds_b();
        assert_eq!(sources(&mut c), [[one("b")]], "its own calls at once");
        assert_eq!(c.open_claims().collect::<Vec<_>>(), [Epoch(10), Epoch(30)]);
        c.handle(NOW, Input::Current(30));
        assert_eq!(sources(&mut c), [[one("a")]]);
    }

    #[test]
    fn a_claim_that_was_over_before_is_not_inherited_by_who_had_not_heard_of_it() {
        let mut c = succeeds_b();
        assert_eq!(sources(&mut c), [[one("b")]]);
        c.handle(NOW, Input::KeyGone(one("a")));
        c.handle(NOW, Input::Current(30));
        assert!(sources(&mut c).is_empty(), "b had saved, and perhaps ended, all of a's");
        assert_eq!(c.open_claims().collect::<Vec<_>>(), [Epoch(30)]);
        // A read that crossed the key's end.
        c.handle(NOW, Input::Key(claimed("a", 10, "b").0));
        assert_eq!(c.open_claims().collect::<Vec<_>>(), [Epoch(30)], "it would look open for good");
    }
}
