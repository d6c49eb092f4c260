//! What the engine keeps for `sync`: one ownership key for each incarnation, and what is known of all of them here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Heir, Incarnation, Terms};
use crate::id::NodeId;

/// The ownership key of an incarnation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Whose.
    pub incarnation: Incarnation,
    /// The engine's revision that wrote it last.
    pub revision: u64,
    /// What the member is for.
    pub role: Role,
    /// What it says.
    pub ownership: Ownership,
}

/// What a member is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// It carries calls and mirrors those of others.
    Instance,
    /// It promises and votes, and hears how far streams are.
    Witness,
}

/// What an ownership key says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ownership {
    /// It owns its calls, under these terms.
    Alive(Terms),
    /// Its calls are others'.
    Claimed(Claim),
}

/// Who goes on with the calls of an incarnation. Its epoch is the revision that wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Who claimed.
    pub by: Incarnation,
    /// Which question of its won the majority; 0: none was put, because its owner gives its calls away, or is known to be
    /// dead.
    pub round: u64,
    /// The successors, by name.
    pub heirs: Vec<Heir>,
    /// The last number of its stream that counts.
    pub through: u64,
    /// Whether something newer may have existed.
    pub stale: bool,
}

impl Claim {
    /// Whether it is one of the successors.
    pub(super) fn names(&self, member: Incarnation) -> bool {
        self.heirs.iter().any(|heir| heir.member == member)
    }
}

/// A claim as the engine is asked for it: written if nothing of this has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Whose key.
    pub target: Incarnation,
    /// As of this revision.
    pub revision: u64,
    /// What to write. None of its heirs may be claimed.
    pub claim: Claim,
}

/// What came of a [`Transaction`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimResult {
    /// Written.
    Won {
        /// By this revision.
        revision: u64,
    },
    /// Something had changed.
    Lost,
    /// The answer was lost: it must be read.
    Unknown,
}

/// The keys that are known.
#[derive(Clone, Debug, Default)]
pub(super) struct Registry {
    keys: BTreeMap<Incarnation, Key>,
    /// All that the engine wrote up to this revision is known.
    current: u64,
}

impl Registry {
    /// Takes in what the engine says of a key; what is older than what is known is not taken. A late answer, or a member's
    /// late word, may tell of a key that is gone again: it would have been told, and is not there.
    pub(super) fn learn(&mut self, key: Key) -> bool {
        let known = self.keys.get(&key.incarnation);
        let is_old = known.map_or(key.revision <= self.current, |known| key.revision <= known.revision);
        if is_old {
            return false;
        }
        self.keys.insert(key.incarnation, key);
        true
    }

    /// All that was written up to this revision has been told.
    pub(super) fn is_current(&mut self, revision: u64) {
        self.current = self.current.max(revision);
    }

    pub(super) const fn current(&self) -> u64 {
        self.current
    }

    /// The claims that gave something to an incarnation, itself or over others, and were not carried out.
    pub(super) fn gave_to(&self, heir: Incarnation) -> Vec<(Incarnation, Claim)> {
        let mut found: BTreeMap<Incarnation, Claim> = BTreeMap::new();
        let mut open = vec![heir];
        while let Some(heir) = open.pop() {
            for (of, _, claim) in self.claims() {
                if claim.names(heir) && found.insert(of, claim.clone()).is_none() {
                    open.push(of);
                }
            }
        }
        found.into_iter().collect()
    }

    /// A key was deleted: all its calls have other owners.
    pub(super) fn forget(&mut self, incarnation: Incarnation) {
        self.keys.remove(&incarnation);
    }

    pub(super) fn key(&self, incarnation: Incarnation) -> Option<&Key> {
        self.keys.get(&incarnation)
    }

    /// The incarnations that are nobody else's, with the revision and terms of each.
    pub(super) fn alive(&self) -> impl Iterator<Item = (Incarnation, u64, &Terms)> {
        self.keys.values().filter_map(|key| match &key.ownership {
            Ownership::Alive(terms) => Some((key.incarnation, key.revision, terms)),
            Ownership::Claimed(_) => None,
        })
    }

    /// The claims that are not carried out yet, with the incarnation and revision of each.
    pub(super) fn claims(&self) -> impl Iterator<Item = (Incarnation, u64, &Claim)> {
        self.keys.values().filter_map(|key| match &key.ownership {
            Ownership::Claimed(claim) => Some((key.incarnation, key.revision, claim)),
            Ownership::Alive(_) => None,
        })
    }

    /// The youngest living incarnation of each node but one, and what it is for.
    pub(super) fn others(&self, me: NodeId) -> BTreeMap<NodeId, (Incarnation, Role)> {
        let alive = self.keys.values().filter(|key| matches!(key.ownership, Ownership::Alive(_)));
        let others = alive.filter(|key| key.incarnation.node != me);
        others.map(|key| (key.incarnation.node, (key.incarnation, key.role))).collect()
    }

    /// The nodes of instances whose claims are not carried out yet.
    pub(super) fn claimed_instances(&self) -> impl Iterator<Item = NodeId> {
        let claimed =
            |key: &&Key| matches!(key.ownership, Ownership::Claimed(_)) && key.role == Role::Instance;
        self.keys.values().filter(claimed).map(|key| key.incarnation.node)
    }

    /// Who has to see a claim of this incarnation's carried out: itself, or who claimed it, and so on; if nobody is left
    /// of them, the first that lives.
    pub(super) fn answers_for(&self, by: Incarnation) -> Option<Incarnation> {
        let mut one = by;
        for _ in 0..=self.keys.len() {
            match self.keys.get(&one).map(|key| &key.ownership) {
                Some(Ownership::Alive(_)) => return Some(one),
                Some(Ownership::Claimed(claim)) => one = claim.by,
                None => break,
            }
        }
        self.alive().next().map(|(first, ..)| first)
    }

    /// Which of a claim's successors have still to be heard: those whose own key is there.
    pub(super) fn there<'a>(&'a self, claim: &'a Claim) -> impl Iterator<Item = Incarnation> + 'a {
        claim.heirs.iter().map(|heir| heir.member).filter(|heir| self.keys.contains_key(heir))
    }

    /// As which incarnation a node goes on whose key was claimed: its youngest living one.
    pub(super) fn next_of(&self, one: Incarnation) -> Option<(Incarnation, &Terms)> {
        let later = self.alive().filter(|(next, ..)| next.node == one.node && next.run > one.run);
        later.last().map(|(next, _, terms)| (next, terms))
    }
}
