//! Who knows what really happened, and holds it against what must never happen.

use std::collections::{BTreeMap, BTreeSet};

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
