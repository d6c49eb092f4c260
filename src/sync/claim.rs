//! One claimant's questions about one incarnation, until its key is claimed or it turns out to be there.
//!
//! ```text
//!  Asking ── a majority was absent when it was asked, all mirrors answered (or T) ──► Claiming ── lost answer ──► Reading
//! ```
//! A vote counts only if the voter's promise had run out *before the question was put*: then all the promises of the
//! majority were out at one moment, so that the owner had a gap at that moment and is silent for ever. (Votes that are
//! given one after another would not show that: each voter may have missed the owner for a while of its own.)

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::message::{Verdict, Vote};
use super::registry::{Claim, Transaction};
use super::{Heir, Incarnation, Standing, Terms};
use crate::id::NodeId;
use crate::time::Timestamp;

/// Clocks may drift by 5 % either way: what a voter's clock took for the time of a question's way may be 11 % more.
const DRIFT: u32 = 12;

/// How far a claim is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Votes come in.
    Asking,
    /// The engine is asked.
    Claiming(Transaction),
    /// Whether it was written is read.
    Reading,
}

/// A claimant's work on one incarnation.
#[derive(Clone, Debug)]
pub(super) struct Round {
    pub(super) target: Incarnation,
    /// The key as it was read.
    revision: u64,
    terms: Terms,
    /// The question's number.
    pub(super) number: u64,
    pub(super) asked: Timestamp,
    votes: BTreeMap<NodeId, Vote>,
    /// Voters whose promise was out when the question was put.
    absent: BTreeSet<NodeId>,
    /// Since when a majority is among them.
    decided: Option<Timestamp>,
    pub(super) stage: Stage,
}

impl Round {
    pub(super) fn new(now: Timestamp, target: Incarnation, revision: u64, terms: Terms, number: u64) -> Self {
        Self {
            target,
            revision,
            terms,
            number,
            asked: now,
            votes: BTreeMap::new(),
            absent: BTreeSet::new(),
            decided: None,
            stage: Stage::Asking,
        }
    }

    /// Asks anew: nothing of the last question counts.
    pub(super) fn ask_again(&mut self, now: Timestamp, number: u64) {
        (self.number, self.asked, self.decided) = (number, now, None);
        self.votes.clear();
        self.absent.clear();
    }

    /// A vote came.
    pub(super) fn vote(&mut self, now: Timestamp, vote: Vote) {
        let is_mine = vote.round == self.number && vote.target == self.target;
        if !is_mine || self.stage != Stage::Asking || self.votes.contains_key(&vote.from.node) {
            return;
        }
        let was_absent = match vote.verdict {
            Verdict::Absent(since) => since >= now.since(self.asked) * DRIFT / 10,
            Verdict::Present => false,
        };
        if was_absent && self.terms.voters.lists(vote.from.node) {
            self.absent.insert(vote.from.node);
        }
        self.votes.insert(vote.from.node, vote);
        if self.absent.len() >= self.terms.voters.majority() && !self.terms.voters.is_none() {
            self.decided.get_or_insert(now);
        }
    }

    /// Whether a majority confirmed the absence.
    pub(super) const fn is_decided(&self) -> bool {
        self.decided.is_some()
    }

    /// When mirrors that have not answered are waited for no longer.
    pub(super) fn waits_until(&self) -> Option<Timestamp> {
        self.decided.map(|at| at + self.terms.promise)
    }

    /// The claim, when the majority and every mirror (or those that answered in T) have told what they hold.
    /// `None`: not yet, or nobody can go on with the calls.
    pub(super) fn claim(
        &self,
        now: Timestamp,
        me: Incarnation,
        mirrors: &BTreeSet<NodeId>,
    ) -> Option<Transaction> {
        let is_late = now >= self.waits_until()?;
        let is_missing = mirrors.iter().any(|mirror| !self.votes.contains_key(mirror));
        if is_missing && !is_late {
            return None;
        }
        let speaking =
            |vote: &&Vote| vote.standing == Standing::Speaking && mirrors.contains(&vote.from.node);
        let heirs: Vec<Heir> = self
            .votes
            .values()
            .filter(speaking)
            .map(|vote| Heir { member: vote.from, free: vote.usage.free() })
            .collect();
        // The successors pull what they lack from each other: one complete copy must be among them.
        let through = self.votes.values().filter(speaking).filter_map(|vote| vote.held).max();
        let heard = self.votes.values().map(|vote| vote.heard.max(vote.held.unwrap_or(0))).max()?;
        let through = match through {
            Some(through) => through,
            None if heard == 0 => 0,
            None => return None,
        };
        if heirs.is_empty() {
            return None;
        }
        let stale = is_missing || heard > through;
        let claim = Claim { by: me, round: self.number, heirs, through, stale };
        Some(Transaction { target: self.target, revision: self.revision, claim })
    }

    /// When it is to be looked at again.
    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        (self.stage == Stage::Asking).then(|| self.waits_until()).flatten()
    }

    /// Whether it is time to ask again: nothing was decided, or nobody could take over.
    pub(super) fn is_fruitless(&self, now: Timestamp, patience: Duration) -> bool {
        let since = self.waits_until().unwrap_or(self.asked);
        self.stage == Stage::Asking && now >= since + patience
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Usage, Voters};
    use super::*;

    const T: Duration = Duration::from_millis(250);

    fn node(name: &str) -> NodeId {
        name.parse().unwrap()
    }

    fn one(name: &str) -> Incarnation {
        Incarnation { node: node(name), run: 1 }
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    fn round() -> Round {
        let voters = Voters::new(["a", "b", "c"].map(node)).unwrap();
        Round::new(at(0), one("a"), 7, Terms::new(voters, T).unwrap(), 1)
    }

    fn vote(from: &str, absent_ms: Option<u64>, held: u64) -> Vote {
        let absent = |ms| Verdict::Absent(Duration::from_millis(ms));
        Vote {
            from: one(from),
            round: 1,
            target: one("a"),
            verdict: absent_ms.map_or(Verdict::Present, absent),
            held: Some(held),
            heard: held,
            standing: Standing::Speaking,
            usage: Usage { limit: 10, ..Usage::NONE },
        }
    }

    fn mirrors(names: &[&str]) -> BTreeSet<NodeId> {
        names.iter().map(|name| node(name)).collect()
    }

    #[test]
    fn a_majority_and_every_mirror_make_a_claim() {
        let mut round = round();
        let all = mirrors(&["b", "c"]);
        round.vote(at(0), vote("b", Some(5), 8));
        assert_eq!(round.claim(at(1), one("b"), &all), None);
        round.vote(at(2), vote("c", Some(9), 9));
        let transaction = round.claim(at(2), one("b"), &all).expect("both agree");
        let claim = &transaction.claim;
        assert_eq!((transaction.revision, claim.through, claim.stale), (7, 9, false));
        assert_eq!(claim.heirs.iter().map(|heir| heir.member).collect::<Vec<_>>(), [one("b"), one("c")]);
    }

    /// b missed a for a moment and c missed a for another; a had a majority all the time.
    #[test]
    fn a_promise_that_ran_out_on_the_way_of_the_question_does_not_count() {
        let mut round = round();
        round.vote(at(0), vote("b", Some(5), 8));
        round.vote(at(40), vote("c", Some(30), 8));
        assert!(!round.is_decided(), "it may have held when b's had run out");
        round.ask_again(at(50), 2);
        round.vote(at(50), Vote { round: 2, ..vote("b", Some(55), 8) });
        round.vote(at(51), vote("c", Some(100), 8));
        assert!(!round.is_decided(), "an answer to the first question");
        round.vote(at(90), Vote { round: 2, ..vote("c", Some(48), 8) });
        assert!(round.is_decided());
    }

    #[test]
    fn a_mirror_that_does_not_answer_is_waited_for_and_makes_the_calls_stale() {
        let mut round = round();
        let all = mirrors(&["b", "c", "d"]);
        round.vote(at(0), vote("b", Some(5), 8));
        round.vote(at(2), vote("c", Some(9), 8));
        assert_eq!(round.claim(at(251), one("b"), &all), None);
        let claim = round.claim(at(252), one("b"), &all).unwrap().claim;
        assert!(claim.stale);
    }

    #[test]
    fn what_was_only_heard_of_makes_the_calls_stale() {
        let mut round = round();
        round.vote(at(0), vote("b", Some(5), 8));
        round
            .vote(at(2), Vote { heard: 9, held: None, standing: Standing::Waiting, ..vote("c", Some(9), 0) });
        let claim = round.claim(at(2), one("b"), &mirrors(&["b", "c"])).unwrap().claim;
        assert_eq!((claim.through, claim.stale), (8, true));
        assert_eq!(claim.heirs.len(), 1, "who may not speak is no successor");
    }

    #[test]
    fn without_a_copy_or_without_a_speaker_nobody_claims() {
        let all = mirrors(&["b", "c"]);
        for change in [
            |vote: Vote| Vote { held: None, ..vote },
            |vote: Vote| Vote { standing: Standing::Silent, ..vote },
        ] {
            let mut round = round();
            round.vote(at(0), change(vote("b", Some(5), 8)));
            round.vote(at(2), change(vote("c", Some(9), 8)));
            assert!(round.is_decided());
            assert_eq!(round.claim(at(300), one("b"), &all), None);
            assert!(round.is_fruitless(at(302), Duration::from_millis(50)));
        }
    }

    #[test]
    fn who_is_no_voter_decides_nothing() {
        let mut round = round();
        for name in ["d", "e", "b"] {
            round.vote(at(0), vote(name, Some(5), 8));
        }
        assert!(!round.is_decided());
        round.vote(at(1), vote("c", None, 8));
        assert!(!round.is_decided(), "c hears it");
    }
}
