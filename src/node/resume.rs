//! How a node goes on with the calls of the process before it, at the same addresses and ports.
//!
//! ```text
//! journal ─► Earlier ─┬─ its pair of ports, bound again ─► its shard: Input::Restored
//!                     └─ they are another's now ─────────► its shard: Input::PortsLost
//! ```
//! People hear nothing until it is done, so the machine's cores share in it. Nothing is signalled for it: the peer need not notice. All this is done before the first message is read, so that
//! none finds its call missing.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Arc;

use super::inherit::{Countdown, OnSettled};
use super::placing::every_address;
use super::ports::{PortError, PortPair};
use super::shard::{Post, Resumed};
use super::{Node, Ways, shard_of};
use crate::call::{Call, RecordError};
use crate::id::{CallId, Epoch, Revision};
use crate::settings::Settings;
use crate::store::journal::SavedCall;
use crate::time::Timestamp;

/// A call of the process before, read back.
#[derive(Debug)]
pub struct Earlier {
    /// Which.
    pub call_id: CallId,
    /// Under what it was saved last.
    pub saved: (Epoch, Revision),
    /// As it was then, or why nobody knows.
    pub call: Result<Call, RecordError>,
}

impl Earlier {
    /// Reads records back, on several cores.
    #[must_use]
    pub fn read(saved: Vec<SavedCall>) -> Vec<Self> {
        let read = |SavedCall { call_id, epoch, revision, record }| Self {
            call_id,
            saved: (epoch, revision),
            call: Call::restore(&record),
        };
        shared(saved, |part| part.into_iter().map(read).collect::<Vec<_>>()).into_iter().flatten().collect()
    }
}

/// Fewer than these are not worth a thread.
const WORTH_A_THREAD: usize = 50;

/// Does something with all of them, a part on each core.
pub(super) fn shared<T: Send, R: Send>(mut all: Vec<T>, work: impl Fn(Vec<T>) -> R + Sync) -> Vec<R> {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let parts = cores.min(all.len() / WORTH_A_THREAD).max(1);
    let size = all.len().div_ceil(parts);
    let work = &work;
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..parts)
            .map(|_| {
                let part = all.split_off(all.len().saturating_sub(size));
                scope.spawn(move || work(part))
            })
            .collect();
        let mine = work(all);
        let theirs = others.into_iter().map(|other| other.join().expect("nothing of it panics"));
        std::iter::once(mine).chain(theirs).collect()
    })
}

/// The calls of this instance's own former incarnation: at the same addresses, under another ownership.
pub struct Regained {
    /// The revision of the claim.
    pub epoch: Epoch,
    /// When the former one is known to have lived last.
    pub alive: Option<Timestamp>,
    /// As the journal has them.
    pub calls: Vec<Earlier>,
    /// Called as that of [`Inheritance`](super::Inheritance).
    pub settled: OnSettled,
}

impl std::fmt::Debug for Regained {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let calls = self.calls.len();
        f.debug_struct("Regained").field("epoch", &self.epoch).field("calls", &calls).finish_non_exhaustive()
    }
}

/// As what calls go on.
struct As {
    alive: Option<Timestamp>,
    regained: Option<(Epoch, Arc<Countdown>)>,
}

impl Node {
    /// Goes on with the calls of this instance's former incarnation, each from its record in the journal: it is saved
    /// under its new ownership, then its stream goes on. Nothing is signalled.
    pub fn regain(&self, regained: Regained) {
        let Regained { epoch, alive, calls, settled } = regained;
        let countdown = Arc::new(Countdown::new(calls.len(), settled));
        self.go_on(calls, &As { alive, regained: Some((epoch, Arc::clone(&countdown))) });
        countdown.one_less();
    }

    /// Others may speak for these calls, or nobody knows yet who does: their messages are not denied.
    pub(super) fn leave(&self, calls: Vec<CallId>) {
        let mut by_shard: BTreeMap<usize, Vec<CallId>> = BTreeMap::new();
        for call in calls {
            by_shard.entry(shard_of(call, self.shards.len())).or_default().push(call);
        }
        by_shard.into_iter().for_each(|(shard, calls)| self.post(shard, Post::Left(calls)));
    }

    /// The record of a call that is known to be another instance's, or whose result is kept, is deleted here.
    pub fn disown(&self, call: CallId, saved: (Epoch, Revision)) {
        self.post(shard_of(call, self.shards.len()), Post::Disown { call, saved });
    }

    /// Hands each call to its shard; `alive` is when the process before is known to have lived last. A record that
    /// this build cannot read stays in the journal.
    pub(super) fn resume(&self, calls: Vec<Earlier>, alive: Option<Timestamp>) {
        self.go_on(calls, &As { alive, regained: None });
    }

    fn go_on(&self, calls: Vec<Earlier>, how: &As) {
        let settings = self.current().settings;
        let go_on = |calls: Vec<Earlier>| {
            let count = calls.len();
            let resumed =
                calls.into_iter().filter_map(|earlier| self.go_on_with(earlier, how, &settings)).count();
            (resumed, count - resumed)
        };
        let (resumed, unread) = shared(calls, go_on)
            .into_iter()
            .fold((0, 0), |(resumed, unread), (more, others)| (resumed + more, unread + others));
        if resumed + unread > 0 {
            tracing::info!(resumed, unread, "going on with the calls of the process before");
        }
    }

    /// Hands a call to its shard; `None` if nobody can read it.
    fn go_on_with(&self, earlier: Earlier, how: &As, settings: &Settings) -> Option<()> {
        let Earlier { call_id, saved, call } = earlier;
        let call = call
            .inspect_err(|error| {
                tracing::error!(call = %call_id, %error, "a call of the process before cannot be read");
                how.regained.iter().for_each(|(_, countdown)| countdown.refused());
            })
            .ok()?;
        let ways: Ways = call.trunks().map(|trunk| self.way_back(&call, trunk, settings)).collect();
        self.look_for_peer(&call, &ways, settings);
        let ports = call.needs_ports().then(|| self.ports_again(&call, &ways, settings));
        self.load.resume();
        let (alive, regained) = (how.alive, how.regained.clone());
        let resumed = Resumed { call, saved, alive, ways, ports, regained };
        self.post(shard_of(call_id, self.shards.len()), Post::Resume(Box::new(resumed)));
        Some(())
    }

    /// The local address that a trunk of a call is called from. One that is no longer in the settings is reached by
    /// the first that leads there.
    pub(super) fn way_back(&self, call: &Call, trunk: &str, settings: &Settings) -> usize {
        let trunk = settings.trunks.get(trunk);
        let way = trunk.and_then(|trunk| self.way(trunk).ok()).map(|(way, _)| way);
        way.or_else(|| self.transport.ways().toward(None, call.first_hop().address)).unwrap_or(0)
    }

    /// Says so if the peer will speak to an address at which nobody listens any more.
    fn look_for_peer(&self, call: &Call, ways: &Ways, settings: &Settings) {
        let through = call.trunks().zip(ways.iter()).find(|(trunk, _)| *trunk == call.trunk());
        let way = through.map_or(0, |(_, &way)| way);
        let (before, now) = (call.sent_by(), self.transport.ways().at(way).local);
        let advertised = settings.trunks.get(call.trunk()).is_some_and(|trunk| trunk.advertise.is_some());
        if before.port() != now.port() && !advertised {
            tracing::warn!(
                call = %call.id(), %before, %now,
                "the peer of this call sends to another address than we listen at; see [sip] listen"
            );
        }
    }

    /// Its ports, at the address that all its trunks reach us at, else at every one.
    fn ports_again(&self, call: &Call, ways: &Ways, settings: &Settings) -> Result<PortPair, PortError> {
        let peer = call.first_hop().address;
        let mut bound =
            ways.iter().map(|&way| self.media(settings, None, way, self.local_facing(way, peer).ip()).0);
        let first = bound.next().unwrap_or(peer.ip());
        let address = if bound.all(|other| other == first) { first } else { every_address(first) };
        self.ports.at(address).bind_at(call.rtp_port())
    }
}
