//! Who knows what really happened, and holds it against what must never happen.

use std::collections::{BTreeMap, BTreeSet};

use super::World;
use super::copies::{Record, Version};
use crate::id::{CallId, Epoch, Revision};
use crate::sync::{Claim, Incarnation};

/// What really happened to a call.
#[derive(Clone, Debug)]
pub(super) struct Truth {
    /// Replies upon which something was sent, in their order.
    acted: Vec<u32>,
    pub(super) ended: bool,
    pub(super) owner: Incarnation,
    version: Version,
}

#[derive(Debug, Default)]
pub(in crate::sync::tests) struct Judge {
    pub(super) calls: BTreeMap<CallId, Truth>,
    /// All claims that were ever written.
    pub(super) claims: BTreeMap<Incarnation, Claim>,
    /// Whose calls a successor has reported as taken from a copy that was not whole.
    pub(super) reported: BTreeSet<Incarnation>,
    pub(in crate::sync::tests) wrong: Option<String>,
    /// What happened, and how often.
    pub(in crate::sync::tests) cover: BTreeMap<&'static str, u64>,
}

impl Judge {
    pub(super) fn hit(&mut self, what: &'static str) {
        *self.cover.entry(what).or_default() += 1;
    }

    pub(in crate::sync::tests) fn count(&self, what: &str) -> u64 {
        self.cover.get(what).copied().unwrap_or(0)
    }

    pub(super) fn find(&mut self, wrong: String) {
        self.wrong.get_or_insert(wrong);
    }

    /// Something that depends on a record is sent.
    pub(super) fn acts(
        &mut self,
        call: CallId,
        owner: Incarnation,
        version: Version,
        record: &Record,
        strict: bool,
    ) {
        let truth = self.calls.entry(call).or_insert_with(|| Truth {
            acted: Vec::new(),
            ended: false,
            owner,
            version: (Epoch(0), Revision(0)),
        });
        let before = truth.clone();
        truth.acted.clone_from(&record.replies);
        truth.ended |= record.ended;
        (truth.owner, truth.version) = (owner, version);
        if version <= before.version {
            let was = before.version;
            self.find(format!("{call}: {owner} acts by {version:?} after {was:?}"));
        }
        let lost = before.acted.iter().filter(|reply| !record.replies.contains(reply)).count();
        let is_altered = lost > 0 || !record.replies.starts_with(&before.acted);
        let is_back = before.ended && !record.ended;
        if !(is_altered || is_back) {
            return;
        }
        let what =
            if is_back { "goes on after its end" } else { "goes on without replies that were acted upon" };
        if record.stale && !strict {
            self.hit("stale loss");
        } else {
            let (was, is) = (&before.acted, &record.replies);
            self.find(format!("{call} {what}, at {owner}, stale: {}: {was:?} and now {is:?}", record.stale));
        }
    }

    /// Whether it was said that calls of this owner may be lost.
    pub(super) fn is_reported(&self, owner: Incarnation) -> bool {
        let is_stale = |one: &Incarnation| self.claims.get(one).is_some_and(|claim| claim.stale);
        self.successors(owner).iter().any(|one| self.reported.contains(one) || is_stale(one))
    }

    /// Who may have got a call of this owner by claims, itself included.
    pub(super) fn successors(&self, owner: Incarnation) -> BTreeSet<Incarnation> {
        let mut seen = BTreeSet::new();
        let mut open = vec![owner];
        while let Some(one) = open.pop() {
            if seen.insert(one) {
                let heirs = self.claims.get(&one).map(|claim| claim.heirs.iter().map(|heir| heir.member));
                open.extend(heirs.into_iter().flatten());
            }
        }
        seen
    }
}

impl World {
    /// Whether an owner's calls wait for a process to come back, its own or that of a successor who died before it had
    /// settled: nobody else has a whole copy of them.
    fn waits_for_journal(&self, owner: Incarnation) -> bool {
        let is_dead =
            |one: &Incarnation| self.nodes.iter().any(|node| node.id == one.node && node.process.is_none());
        let is_held = |one: &Incarnation| {
            let mut tables = self.nodes.iter().filter_map(|node| node.process.as_ref());
            tables.any(|process| process.table.copy(*one).held.is_some())
        };
        let waits = |one: &Incarnation| is_dead(one) && self.engine.is_alive(*one) && !is_held(one);
        self.judge.successors(owner).iter().any(waits)
    }

    /// Whether a call is known to be lost, or nobody goes on with it who is there: more than one thing went wrong.
    pub(super) fn may_be_lost(&self, call: CallId) -> bool {
        let Some(truth) = self.judge.calls.get(&call).filter(|_| !self.scenario.strict) else { return false };
        self.judge.is_reported(truth.owner) || self.waits_for_journal(truth.owner)
    }

    /// At the end each call has one sender, or has ended, or was said to be lost.
    pub(crate) fn judge_end(&mut self) {
        if self.judge.wrong.is_some() {
            return;
        }
        let mut senders: BTreeMap<CallId, usize> = BTreeMap::new();
        for node in 0..self.nodes.len() {
            self.speaks_for(node).into_iter().for_each(|call| *senders.entry(call).or_default() += 1);
        }
        for (call, truth) in self.judge.calls.clone() {
            let count = senders.get(&call).copied().unwrap_or(0);
            if truth.ended || count == 1 {
                continue;
            }
            if count == 0 && self.may_be_lost(call) {
                let is_reported = self.judge.is_reported(truth.owner);
                self.judge.hit(if is_reported { "reported lost" } else { "waits for its journal" });
            } else {
                let wrong = format!("{call} of {} has {count} senders at the end", truth.owner);
                self.judge.find(wrong);
            }
        }
        self.judge_requests();
    }
}
