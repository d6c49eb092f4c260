//! From the first beat that is missed to the claim: who is absent, who asks, and what is voted.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::claim::{Round, Stage};
use super::super::message::{Ask, Holding, Message, Verdict, Vote};
use super::super::registry::{ClaimResult, Ownership, Role};
use super::super::terms::LONGEST;
use super::super::watch::Heard;
use super::super::{Incarnation, Standing, Terms};
use super::{BEAT, Member, Output, TURN};
use crate::id::NodeId;
use crate::time::Timestamp;

impl Member {
    /// Another member asks whether somebody is absent. The stream is sealed before what it holds is told.
    pub(super) fn asked(&mut self, now: Timestamp, ask: Ask) {
        let asked = (ask.from, ask.round);
        if ask.target == self.me {
            return;
        }
        match self.watch.verdict(now, ask.target, self.promise_of(ask.target)) {
            Verdict::Present if !ask.seals => self.vote(now, ask.target, asked, Holding::Open),
            Verdict::Present => {
                self.watch.seal(now, ask.target);
                self.outputs.push_back(Output::Seal { target: ask.target, asked });
            }
            Verdict::Absent(_) => self.outputs.push_back(Output::Seal { target: ask.target, asked }),
        }
    }

    /// A stream is sealed here: who asked is told what is held of it.
    pub(super) fn sealed(
        &mut self,
        now: Timestamp,
        target: Incarnation,
        asked: (Incarnation, u64),
        held: Option<u64>,
    ) {
        let is_mirror =
            self.role == Role::Instance && self.watch.of(target).is_none_or(|heard| heard.mirrored);
        let holding = match held {
            Some(number) => Holding::Through(number),
            None if is_mirror => Holding::Part,
            None => Holding::Nothing,
        };
        self.vote(now, target, asked, holding);
    }

    pub(super) fn vote(
        &mut self,
        now: Timestamp,
        target: Incarnation,
        (asker, round): (Incarnation, u64),
        holding: Holding,
    ) {
        let verdict = self.watch.verdict(now, target, self.promise_of(target));
        let vote = Vote {
            from: self.me,
            round,
            target,
            verdict,
            holding,
            heard: self.watch.of(target).and_then(Heard::of_stream),
            since: self.first,
            standing: self.voice.standing(),
            usage: self.usage,
        };
        if asker != self.me {
            self.send(asker.node, Message::Vote(vote));
        } else if let Some(round) = self.rounds.get_mut(&target) {
            round.vote(now, vote);
        }
    }

    /// How long promises to an incarnation last, as far as is known.
    pub(super) fn promise_of(&self, one: Incarnation) -> Duration {
        match self.registry.key(one).map(|key| &key.ownership) {
            Some(Ownership::Alive(terms)) => terms.promise,
            Some(Ownership::Claimed(_)) => self.terms.promise,
            // A voter that has not read the key does not know what a run of it before this one has promised.
            None => LONGEST,
        }
    }

    /// Who is or will be absent, from when, with the revision and terms of its key.
    pub(super) fn suspects(&self) -> impl Iterator<Item = (Incarnation, Timestamp, u64, &Terms)> {
        let others = self.registry.alive().filter(|(one, _, terms)| {
            one.node != self.me.node && !terms.voters.is_none() && !self.rounds.contains_key(one)
        });
        others.filter_map(|(one, revision, terms)| {
            let from = self.watch.absent_from(one)?;
            Some((one, from, revision, terms))
        })
    }

    pub(super) fn suspect(&mut self, now: Timestamp) {
        if self.fenced {
            return;
        }
        let wait = TURN * self.rank(now);
        let due: Vec<_> = self
            .suspects()
            .filter(|(_, from, ..)| now >= *from + wait)
            .map(|(one, _, revision, terms)| (one, revision, terms.clone()))
            .collect();
        for (target, revision, terms) in due {
            self.round += 1;
            self.rounds.insert(target, Round::new(now, target, revision, terms, self.round));
            self.ask(now, target, self.round);
        }
    }

    /// How many members are more at hand to ask than this one: speakers before others, then by name.
    pub(super) fn rank(&self, now: Timestamp) -> u32 {
        let speaks = self.voice.standing() == Standing::Speaking;
        let is_before = |(node, (one, _)): (&NodeId, &(Incarnation, Role))| {
            let Some(heard) = self.watch.of(*one) else { return false };
            if self.watch.absent_from(*one).is_none_or(|from| from <= now) {
                return false;
            }
            let other = heard.standing == Standing::Speaking;
            if other == speaks { *node < self.me.node } else { other }
        };
        let others = self.registry.others(self.me.node);
        let before = others.iter().filter(|other| is_before(*other)).count();
        u32::try_from(before).unwrap_or(u32::MAX)
    }

    pub(super) fn ask(&mut self, now: Timestamp, target: Incarnation, round: u64) {
        let ask = Ask { from: self.me, round, target, seals: false };
        for to in self.others() {
            if to != target.node {
                self.send(to, Message::Ask(ask));
            }
        }
        self.asked(now, ask);
    }

    /// A majority has found somebody absent: mirrors that still take its saves are told.
    fn tell_to_seal(&mut self, now: Timestamp, target: Incarnation, mirrors: &BTreeSet<NodeId>) {
        let Some(round) = self.rounds.get_mut(&target) else { return };
        let number = round.number;
        for to in round.whom_to_seal(now, mirrors) {
            let ask = Ask { from: self.me, round: number, target, seals: true };
            if to == self.me.node { self.asked(now, ask) } else { self.send(to, Message::Ask(ask)) }
        }
    }

    /// Goes on with the questions that are open.
    pub(super) fn pursue(&mut self, now: Timestamp) {
        let targets: Vec<Incarnation> = self.rounds.keys().copied().collect();
        for target in targets {
            let Some(round) = self.rounds.get(&target) else { continue };
            let Stage::Asking = round.stage else { continue };
            let is_alive = self.registry.alive().any(|(one, ..)| one == target);
            let is_back = self.watch.absent_from(target).is_some_and(|from| now < from);
            if !is_alive || (is_back && !round.is_decided()) {
                self.rounds.remove(&target);
                continue;
            }
            let mirrors = self.mirrors_of(target);
            self.tell_to_seal(now, target, &mirrors);
            let Some(round) = self.rounds.get(&target) else { continue };
            let claim = round.claim(now, self.me, &mirrors);
            let is_fruitless = round.is_fruitless(now, BEAT);
            let Some(round) = self.rounds.get_mut(&target) else { continue };
            if let Some(transaction) = claim {
                round.stage = Stage::Claiming(transaction.clone());
                self.outputs.push_back(Output::Claim(transaction));
            } else if is_fruitless {
                self.round += 1;
                round.ask_again(now, self.round);
                self.ask(now, target, self.round);
            }
        }
    }

    /// The nodes that may hold the stream of an incarnation. One that was claimed just now may be the only one that held its
    /// last saves: the owner may have died before it heard of that.
    pub(super) fn mirrors_of(&self, target: Incarnation) -> BTreeSet<NodeId> {
        let others = self.registry.others(self.me.node).into_iter();
        let others = others.filter(|(_, (_, role))| *role == Role::Instance).map(|(node, _)| node);
        let me = (self.role == Role::Instance).then_some(self.me.node);
        let all = others.chain(self.registry.claimed_instances()).filter(|node| *node != target.node);
        all.chain(me).collect()
    }

    pub(super) fn claimed(
        &mut self,
        now: Timestamp,
        target: Incarnation,
        asked: (Incarnation, u64),
        result: &ClaimResult,
    ) {
        if target == self.me {
            // Both keys are read before anything is done by them.
            self.rejoining = false;
            self.outputs.push_back(Output::Read(target));
            return;
        }
        let Some(round) = self.rounds.get_mut(&target) else { return };
        let Stage::Claiming(transaction) = round.stage.clone() else { return };
        if asked != (transaction.claim.by, transaction.claim.round) {
            return; // a late answer to another one, of other successors (members' seed 69295); this one's comes yet
        }
        match result {
            ClaimResult::Won { revision } => {
                self.learn_claim(now, target, *revision, transaction.claim);
            }
            ClaimResult::Lost | ClaimResult::Unknown => {
                round.stage = Stage::Reading;
                self.outputs.push_back(Output::Read(target));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{Claim, Heir, Key, Transaction, Voters};
    use super::super::Input;
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn one(name: &str) -> Incarnation {
        Incarnation { node: name.parse().unwrap(), run: 1 }
    }

    /// It had asked before it went on as its next incarnation, and asked anew: the first claim was written, with other
    /// successors than the second names.
    #[test]
    fn a_late_answer_to_an_earlier_claim_says_nothing_of_the_one_under_way() {
        let voters = Voters::new(["a", "b", "c"].map(|name| name.parse().unwrap())).unwrap();
        let terms = Terms::new(voters, Duration::from_millis(250)).unwrap();
        let alive = |name: &str, revision| Key {
            incarnation: one(name),
            revision,
            role: Role::Instance,
            ownership: Ownership::Alive(terms.clone()),
        };
        let claim = |round, heirs: &[&str]| {
            let heirs = heirs.iter().map(|name| Heir { member: one(name), free: 1 }).collect();
            let claim = Claim { by: one("c"), round, heirs, through: 4, stale: false };
            Transaction { target: one("a"), revision: 7, claim }
        };
        let (first, second) = (claim(1, &["b"]), claim(2, &["b", "c"]));
        let mut c = Member::new(NOW, &alive("c", 8), terms.clone());
        c.handle(NOW, Input::Key(alive("a", 7)));
        let mut round = Round::new(NOW, one("a"), 7, terms.clone(), 2);
        round.stage = Stage::Claiming(second.clone());
        c.rounds.insert(one("a"), round);
        c.handle(NOW, Input::claimed(&first, ClaimResult::Won { revision: 19 }));
        assert_eq!(c.registry.claims().count(), 0, "who succeeds is not known yet");
        c.handle(NOW, Input::claimed(&second, ClaimResult::Lost));
        let outputs = std::iter::from_fn(|| c.poll_output());
        assert!(outputs.into_iter().any(|output| output == Output::Read(one("a"))), "the key says it");
    }
}
