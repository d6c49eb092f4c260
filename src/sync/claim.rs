//! One claimant's questions about one incarnation, until its key is claimed or it turns out to be there.
//!
//! ```text
//!  Asking ── a majority found it absent ──► mirrors are told to seal ── all hold still (or T) ──► Claiming ──► Reading
//! ```
//! A vote counts only if the voter's promise had run out *before the question was put*: then all the promises of the
//! majority were out at one moment, so that the owner had a gap at that moment and is silent for ever. (Votes that are
//! given one after another would not show that: each voter may have missed the owner for a while of its own.)

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::message::{Holding, Verdict, Vote};
use super::registry::{Claim, Transaction};
use super::{Heir, Incarnation, Standing, Terms};
use crate::id::NodeId;
use crate::time::Timestamp;

/// Clocks may drift by 5 % either way: what a voter's clock took for the time of a question's way may be 11 % more.
const DRIFT: u32 = 12;
/// How often mirrors are told to seal that have not.
const AGAIN: Duration = Duration::from_millis(50);
/// Where nobody holds a whole copy (the whole cluster has restarted), the owner's own journal has so long to come back.
const JOURNAL: Duration = Duration::from_secs(30);

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
    /// When mirrors that have not sealed are told again.
    told: Timestamp,
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
            told: now,
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
        let is_known = self.is_sealed(vote.from.node);
        if !is_mine || self.stage != Stage::Asking || is_known {
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

    /// Whether a member has said what it holds, and takes no more.
    fn is_sealed(&self, node: NodeId) -> bool {
        self.votes.get(&node).is_some_and(|vote| vote.holding != Holding::Open)
    }

    /// Whom to tell now that a majority has decided, and that no more saves are to be taken.
    pub(super) fn whom_to_seal(&mut self, now: Timestamp, mirrors: &BTreeSet<NodeId>) -> Vec<NodeId> {
        if self.decided.is_none() || now < self.told || self.stage != Stage::Asking {
            return Vec::new();
        }
        self.told = now + AGAIN;
        mirrors.iter().filter(|mirror| !self.is_sealed(**mirror)).copied().collect()
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
        let is_missing = mirrors.iter().any(|mirror| !self.is_sealed(*mirror));
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
        if heirs.is_empty() {
            return None;
        }
        // The successors pull what they lack from each other: one whole copy must be among them.
        let held = |vote: &Vote| match vote.holding {
            Holding::Through(number) => Some(number),
            Holding::Open | Holding::Part | Holding::Nothing => None,
        };
        let through = self.votes.values().filter(speaking).filter_map(held).max();
        let heard = self.votes.values().filter_map(|vote| vote.heard.max(held(vote))).max();
        let all_know =
            self.absent.iter().all(|voter| self.votes.get(voter).is_some_and(|vote| self.knows(vote)));
        let (through, is_lost) = match (through, heard) {
            (Some(through), _) => (through, false),
            // Whom a majority would have heard if it had ever spoken has sent nothing.
            (None, None | Some(0)) if all_know && !is_missing => (0, false),
            (None, _) if self.is_given_up(me) => (0, true),
            (None, _) => return None,
        };
        let lacks = |vote: &Vote| vote.holding == Holding::Part && mirrors.contains(&vote.from.node);
        let stale = is_missing
            || is_lost
            || !all_know
            || heard > Some(through)
            || (through > 0 && self.votes.values().any(lacks));
        let claim = Claim { by: me, round: self.number, heirs, through, stale };
        Some(Transaction { target: self.target, revision: self.revision, claim })
    }

    /// Whether a voter knows all that was told to it: one that has restarted knows nothing of what the one before it heard.
    fn knows(&self, vote: &Vote) -> bool {
        vote.heard.is_some() || vote.since <= self.target.run
    }

    /// Whether its own journal has not come back for so long that it is waited for no more.
    fn is_given_up(&self, me: Incarnation) -> bool {
        let own = self.votes.get(&me.node).map(|vote| vote.verdict);
        matches!(own, Some(Verdict::Absent(since)) if since >= JOURNAL)
    }

    /// When it is to be looked at again.
    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        let until = (self.stage == Stage::Asking).then(|| self.waits_until()).flatten();
        until.map(|until| until.min(self.told))
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
            holding: Holding::Through(held),
            heard: Some(held),
            since: 1,
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
        round.vote(
            at(2),
            Vote {
                heard: Some(9),
                holding: Holding::Nothing,
                standing: Standing::Waiting,
                ..vote("c", Some(9), 0)
            },
        );
        let claim = round.claim(at(2), one("b"), &mirrors(&["b", "c"])).unwrap().claim;
        assert_eq!((claim.through, claim.stale), (8, true));
        assert_eq!(claim.heirs.len(), 1, "who may not speak is no successor");
    }

    #[test]
    fn without_a_copy_or_without_a_speaker_nobody_claims() {
        let all = mirrors(&["b", "c"]);
        for change in [
            |vote: Vote| Vote { holding: Holding::Nothing, ..vote },
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

    /// d still hears a: its promise is younger than those of the voters. It alone may have acknowledged a's last save.
    #[test]
    fn a_mirror_that_still_hears_the_owner_is_told_whom_to_seal() {
        let mut round = round();
        let all = mirrors(&["b", "c", "d"]);
        for (name, number) in [("b", 8), ("c", 8)] {
            assert_eq!(round.whom_to_seal(at(0), &all), Vec::<NodeId>::new(), "nothing is decided");
            round.vote(at(0), vote(name, Some(5), number));
        }
        round.vote(at(1), Vote { holding: Holding::Open, ..vote("d", None, 9) });
        assert_eq!(round.claim(at(2), one("b"), &all), None, "it may hold more");
        assert_eq!(round.whom_to_seal(at(2), &all), [node("d")]);
        assert_eq!(round.whom_to_seal(at(3), &all), Vec::<NodeId>::new(), "it was told just now");
        assert_eq!(round.whom_to_seal(at(52), &all), [node("d")], "and again");
        round.vote(at(53), vote("d", None, 9));
        let claim = round.claim(at(53), one("b"), &all).expect("all hold still").claim;
        assert_eq!((claim.through, claim.stale), (9, false));
    }

    #[test]
    fn a_mirror_that_restarted_and_a_voter_that_never_heard_the_owner_make_the_calls_stale() {
        let all = mirrors(&["b", "c"]);
        for change in [
            |vote: Vote| Vote { holding: Holding::Part, ..vote },
            |vote: Vote| Vote { heard: None, since: 2, ..vote },
        ] {
            let mut round = round();
            round.vote(at(0), vote("b", Some(5), 8));
            round.vote(at(2), change(vote("c", Some(9), 8)));
            assert!(round.claim(at(2), one("b"), &all).unwrap().claim.stale);
        }
        let mut round = round();
        round.vote(at(0), vote("b", Some(5), 8));
        round.vote(at(2), Vote { holding: Holding::Nothing, ..vote("c", Some(9), 8) });
        assert!(!round.claim(at(2), one("b"), &all).unwrap().claim.stale, "c is no mirror of this stream");
    }

    /// All have restarted: nobody holds anything, and the owner's own process may yet come with its journal.
    #[test]
    fn where_nobody_has_a_copy_the_owners_journal_has_thirty_seconds() {
        let all = mirrors(&["b", "c"]);
        for (absent_ms, is_claimed) in [(29_999, false), (30_000, true)] {
            let mut round = round();
            for name in ["b", "c"] {
                let lost =
                    Vote { heard: None, since: 2, holding: Holding::Part, ..vote(name, Some(absent_ms), 0) };
                round.vote(at(2), lost);
            }
            let claim = round.claim(at(2), one("b"), &all).map(|transaction| transaction.claim);
            assert_eq!(claim.map(|claim| (claim.through, claim.stale)), is_claimed.then_some((0, true)));
        }
    }

    /// Nobody heard it save anything, and would have.
    #[test]
    fn who_has_sent_nothing_is_claimed_at_once() {
        let claim = |since: u64, heard| {
            let mut round = Round { target: Incarnation { run: 5, ..one("a") }, ..round() };
            for name in ["b", "c"] {
                let vote = Vote { heard, holding: Holding::Part, ..vote(name, Some(9), 0) };
                round.vote(at(2), Vote { target: round.target, since, ..vote });
            }
            round.claim(at(2), one("b"), &mirrors(&["b", "c"])).map(|claimed| claimed.claim)
        };
        let whole = |claim: Option<Claim>| claim.map(|claim| (claim.through, claim.stale));
        assert_eq!(whole(claim(9, Some(0))), Some((0, false)));
        assert_eq!(whole(claim(3, None)), Some((0, false)), "they were there before it was");
        assert_eq!(claim(9, None), None, "it may have spoken to those before them");
        assert_eq!(claim(3, Some(1)), None, "it has saved something that nobody holds");
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
