//! What can change while a member lives: who the members are, where each is reached, who votes, and T.
//!
//! ```text
//! settings, read anew ─► Renewal ─► Known ─► thread "member": beats to the new ones ─► majorities by both lists ─► its key
//!                           │         ▲                                                                              │
//!                           │         └──────────────────────── what holds ◄──────────────────────────── read ───────┘
//!                           └─► links, desks, files
//! ```
//! A shorter T is first what SIP connections are bound to ([`Right`](crate::node::Right)); a longer one is it last.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use crate::id::NodeId;
use crate::peers::{Identity, Others, Roll};
use crate::settings;
use crate::sync::{Terms, Voters};
use crate::time::Timestamp;

/// How long other voters may be waited for before that is said.
const PENDING: Duration = Duration::from_secs(10);
/// How long members may go by other terms before that is said: who looks after them changes one after another.
const DIFFER: Duration = Duration::from_secs(30);

/// What is known of members and terms. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Known(Arc<RwLock<State>>);

#[derive(Debug)]
struct State {
    /// Where each member is reached; also whom the settings do not name any more: it votes as long as a key says so.
    addresses: BTreeMap<NodeId, SocketAddr>,
    /// Whom the settings name.
    listed: BTreeSet<NodeId>,
    /// What holds for this member.
    holding: Terms,
    /// What is to hold.
    wanted: Terms,
}

impl Known {
    fn new(settings: &settings::Cluster) -> Self {
        let (addresses, terms) = (settings.members.clone(), settings.terms());
        let listed = addresses.keys().copied().collect();
        Self(Arc::new(RwLock::new(State { addresses, listed, holding: terms.clone(), wanted: terms })))
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn address(&self, member: NodeId) -> Option<SocketAddr> {
        self.read().addresses.get(&member).copied()
    }

    pub(super) fn addresses(&self) -> BTreeMap<NodeId, SocketAddr> {
        self.read().addresses.clone()
    }

    pub(super) fn listed(&self) -> BTreeSet<NodeId> {
        self.read().listed.clone()
    }

    pub(super) fn holding(&self) -> Terms {
        self.read().holding.clone()
    }

    pub(super) fn wanted(&self) -> Terms {
        self.read().wanted.clone()
    }

    /// These terms hold, as its key says.
    pub(super) fn hold(&self, terms: Terms) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).holding = terms;
    }

    fn renew(&self, members: &BTreeMap<NodeId, SocketAddr>, terms: Terms) {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        state.listed = members.keys().copied().collect();
        state.addresses.extend(members);
        state.wanted.promise = terms.promise;
        // Whether anybody votes decides what this process is from its start on.
        if terms.voters.is_none() == state.wanted.voters.is_none() {
            state.wanted.voters = terms.voters;
        }
    }
}

/// The way to change a living membership. It outlives it.
#[derive(Clone, Debug)]
pub struct Renewal {
    me: NodeId,
    pub(super) known: Known,
    others: Others,
    roll: Roll,
    identity: Arc<Identity>,
}

impl Renewal {
    pub(super) fn new(
        settings: &settings::Cluster,
        others: Others,
        roll: Roll,
        identity: Arc<Identity>,
    ) -> Self {
        Self { me: settings.name, known: Known::new(settings), others, roll, identity }
    }

    /// Takes members, voters and T from these settings. Further members are heard from now on; other voters hold as soon as
    /// a majority of them answers and the member's key says so, and so does another T. What else has changed is not taken
    /// ([`settings::Cluster::after_restart`]).
    pub fn renew(&self, written: &settings::Cluster) {
        let others = written.members.iter().filter(|(member, _)| **member != self.me);
        let others = others.map(|(member, address)| (*member, *address));
        if let Err(status) = self.others.renew(&self.identity, others) {
            let why = status.message();
            tracing::error!(why, "the links to other members stay as they were");
            return;
        }
        self.roll.admit(written.members.keys().copied());
        self.known.renew(&written.members, written.terms());
    }
}

/// What is said, once, of terms that do not come to hold, and of members that go by other ones.
#[derive(Debug, Default)]
pub(super) struct Saying {
    pending: Lasting,
    differ: Lasting,
}

impl Saying {
    pub(super) fn look(
        &mut self,
        now: Timestamp,
        own: &Terms,
        wanted: &Terms,
        others: &BTreeMap<NodeId, Terms>,
    ) {
        if self.pending.lasts(now, own != wanted, PENDING) {
            tracing::warn!(
                voters = names(&wanted.voters),
                promise = ?wanted.promise,
                "other voters, or another promise, are to hold for this member, and no majority answers to that: those before \
                 hold. Do the voters run, do their settings name this member, and is etcd there?"
            );
        }
        let differ = || others.iter().filter(|(_, terms)| *terms != wanted);
        if self.differ.lasts(now, differ().next().is_some(), DIFFER) {
            let differ: Vec<&str> = differ().map(|(member, _)| member.as_str()).collect();
            tracing::warn!(
                members = differ.join(", "),
                "other members go by other voters, or another promise, than this one's settings say: give all the same \
                 [cluster] voters and promise"
            );
        }
    }
}

/// Something that is to be said when it has lasted.
#[derive(Debug, Default)]
struct Lasting {
    since: Option<Timestamp>,
    is_said: bool,
}

impl Lasting {
    /// Whether it has been so for so long now; once.
    fn lasts(&mut self, now: Timestamp, is_so: bool, long: Duration) -> bool {
        if !is_so {
            *self = Self::default();
            return false;
        }
        let is_due = now.since(*self.since.get_or_insert(now)) >= long && !self.is_said;
        self.is_said |= is_due;
        is_due
    }
}

/// Voters as they are said.
pub(super) fn names(voters: &Voters) -> String {
    voters.iter().map(|voter| voter.to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lasts_is_said_once_and_again_when_it_comes_again() {
        let at = |seconds| Timestamp::EPOCH + Duration::from_secs(seconds);
        let mut lasting = Lasting::default();
        let told: Vec<u64> =
            (0..20).filter(|n| lasting.lasts(at(*n), *n != 7, Duration::from_secs(3))).collect();
        assert_eq!(told, [3, 11]);
    }
}
