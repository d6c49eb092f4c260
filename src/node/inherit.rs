//! Calls of another instance that fall to this one: they go on at this one's addresses.
//!
//! ```text
//! take_over ─► record ─► Call ─┬─ ports, bound at once ─► its shard ─ its turn ─► TakenOver ─► Save ─► re-INVITE, RTP
//!                              │                                                               └─ all durable: settled
//!                              └─ unreadable, older than what is here: refused, counted, logged
//! ```
//! The turns of one trunk come at its `takeover_cps`: a trunk that carried a thousand calls gets a thousand re-INVITEs.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::placing::seen;
use super::resume::Earlier;
use super::shard::{Inherit, Post};
use super::{Node, Ways, shard_of};
use crate::call::{Call, TakenOver};
use crate::id::{Epoch, Revision};
use crate::settings::Settings;
use crate::time::Timestamp;

/// What calls are taken over with.
pub struct Inheritance {
    /// Under which ownership they go on: the revision of the claim. Higher than that of any of their records.
    pub epoch: Epoch,
    /// How long ago their owner is known to have lived last.
    pub lost_for: Option<Duration>,
    /// Their last records.
    pub calls: Vec<Inherited>,
    /// Called once when every one of them is saved here, as durable as saves here are, or refused. Not called if this
    /// node can save nothing any more. It must not wait.
    pub settled: Box<dyn FnOnce(Settled) + Send>,
}

/// A call that falls to this instance.
#[derive(Debug)]
pub struct Inherited {
    /// Its last record that is known.
    pub earlier: Earlier,
    /// Claims in the chain since that was saved, this one included.
    pub claims: u32,
    /// A newer record may have existed.
    pub stale: bool,
}

/// What came of an inheritance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Calls that are saved here.
    pub taken: usize,
    /// Records that are no call, or older than what is here.
    pub refused: usize,
}

impl fmt::Debug for Inheritance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls = self.calls.len();
        f.debug_struct("Inheritance")
            .field("epoch", &self.epoch)
            .field("calls", &calls)
            .finish_non_exhaustive()
    }
}

/// Whom it is told.
pub type OnSettled = Box<dyn FnOnce(Settled) + Send>;

/// Counts the calls of an inheritance until all are settled.
pub(crate) struct Countdown {
    /// Calls that are not settled, and one for who still hands them out.
    left: AtomicUsize,
    refused: AtomicUsize,
    taken: AtomicUsize,
    settled: Mutex<Option<OnSettled>>,
}

impl fmt::Debug for Countdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Countdown").field("left", &self.left).finish_non_exhaustive()
    }
}

impl Countdown {
    pub(super) fn new(calls: usize, settled: OnSettled) -> Self {
        let (refused, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { left: AtomicUsize::new(calls + 1), refused, taken, settled: Mutex::new(Some(settled)) }
    }

    /// A call is saved here.
    pub(crate) fn taken(&self) {
        self.taken.fetch_add(1, SeqCst);
        self.one_less();
    }

    /// A call is not taken.
    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, SeqCst);
        self.one_less();
    }

    pub(super) fn one_less(&self) {
        if self.left.fetch_sub(1, SeqCst) > 1 {
            return;
        }
        let settled = self.settled.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(settled) = settled {
            let (taken, refused) = (self.taken.load(SeqCst), self.refused.load(SeqCst));
            tracing::info!(taken, refused, "calls are taken over and saved here");
            settled(Settled { taken, refused });
        }
    }
}

/// Gives each call of a trunk its turn.
struct Turns {
    begin: Timestamp,
    given: BTreeMap<String, u32>,
}

impl Turns {
    /// When the next call of this trunk may begin, of which so many a second do.
    fn next(&mut self, trunk: &str, cps: u32) -> Timestamp {
        let given = self.given.entry(trunk.to_owned()).or_default();
        let at = self.begin + Duration::from_secs(1).saturating_mul(*given) / cps.max(1);
        *given += 1;
        at
    }
}

impl Node {
    /// Goes on with calls of another instance, each from its last record and at this one's addresses: it is saved here
    /// under its new ownership, then its re-INVITE leaves and its RTP begins.
    pub fn take_over(&self, inheritance: Inheritance) {
        let Inheritance { epoch, lost_for, calls, settled } = inheritance;
        let now = self.clock.now();
        let alive = lost_for.map(|lost_for| now - lost_for);
        let settings = self.current().settings;
        tracing::warn!(calls = calls.len(), epoch = epoch.0, "taking over calls of another instance");
        let countdown = Arc::new(Countdown::new(calls.len(), settled));
        let mut turns = Turns { begin: now, given: BTreeMap::new() };
        for Inherited { earlier, claims, stale } in calls {
            let (call_id, saved) = (earlier.call_id, earlier.saved);
            let Some(call) = self.is_taken(earlier, epoch) else {
                countdown.refused();
                continue;
            };
            let cps = settings.trunks.get(call.trunk()).map_or(1_000, |trunk| trunk.takeover_cps);
            let at = turns.next(call.trunk(), cps);
            let one = (saved, claims, stale);
            let inherit = self.inherit(call, one, (epoch, alive, at), &settings, &countdown);
            self.load.resume();
            let shard = shard_of(call_id, self.shards.len());
            self.post(shard, Post::TakeOver(Box::new(inherit)));
        }
        countdown.one_less();
    }

    /// The call of a record that is to be taken over; `None`: it is not.
    fn is_taken(&self, earlier: Earlier, epoch: Epoch) -> Option<Call> {
        let Earlier { call_id, saved, call } = earlier;
        let refuse = |reason, detail: fmt::Arguments<'_>| {
            self.faults.count(self.clock.now(), "takeover", reason, detail);
            tracing::error!(call = %call_id, reason, "a call of another instance is not taken over: {detail}");
        };
        let call =
            call.inspect_err(|error| refuse("unreadable", format_args!("call {call_id}: {error}"))).ok()?;
        let here = self.journal.mirrors().and_then(|mirrors| mirrors.version(call_id));
        if epoch <= saved.0 || here.is_some_and(|here| here > saved) {
            refuse(
                "older",
                format_args!("call {call_id}: a newer record than that of epoch {} is here", saved.0.0),
            );
            return None;
        }
        Some(call)
    }

    /// What the shard needs to go on with a call.
    fn inherit(
        &self,
        call: Call,
        (saved, claims, stale): ((Epoch, Revision), u32, bool),
        (epoch, alive, at): (Epoch, Option<Timestamp>, Timestamp),
        settings: &Settings,
        countdown: &Arc<Countdown>,
    ) -> Inherit {
        let ways: Ways = call.trunks().map(|trunk| self.way_back(&call, trunk, settings)).collect();
        let sent_by: Vec<SocketAddr> =
            call.trunks().zip(&ways).map(|(trunk, &way)| self.seen_at(&call, trunk, way, settings)).collect();
        let number = usize::from(call.try_number().0);
        let mut ports = None;
        if call.is_talking() {
            let way = ways.get(number).or(ways.first()).copied().unwrap_or(0);
            let local = self.local_facing(way, call.first_hop().address);
            let trunk = settings.trunks.get(call.trunk());
            let (bound, address) = self.media(settings, trunk, way, local.ip());
            match self.ports.at(bound).bind() {
                Ok(pair) => ports = Some((SocketAddr::new(address, pair.lease.port()), pair)),
                Err(error) => {
                    let detail = format_args!("call {}: {error}", call.id());
                    self.faults.count(self.clock.now(), "rtp", "ports-lost", detail);
                }
            }
        }
        let (media, ports) = ports.unzip();
        let taken = TakenOver { epoch, claims, stale, alive, sent_by, media };
        Inherit { call, saved, taken, ways, ports, at, countdown: Arc::clone(countdown) }
    }

    /// Our address in Via and Contact, as the peer of a trunk sees it.
    fn seen_at(&self, call: &Call, trunk: &str, way: usize, settings: &Settings) -> SocketAddr {
        let trunk = settings.trunks.get(trunk);
        let peer = trunk.map_or(call.first_hop().address, |trunk| trunk.address);
        seen(trunk, self.local_facing(way, peer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calls_of_each_trunk_have_their_turns_at_its_own_pace() {
        let begin = Timestamp::from_millis(1_000);
        let mut turns = Turns { begin, given: BTreeMap::new() };
        let mut after = |trunk: &str, cps| turns.next(trunk, cps).since(begin).as_millis();
        assert_eq!([after("a", 100), after("a", 100), after("b", 4), after("a", 100)], [0, 10, 0, 20]);
        assert_eq!([after("b", 4), after("b", 4)], [250, 500]);
    }

    #[test]
    fn it_is_settled_once_when_all_are_and_says_how() {
        let (sender, told) = std::sync::mpsc::channel();
        let count = |calls| {
            Countdown::new(
                calls,
                Box::new({
                    let sender = sender.clone();
                    move |settled| sender.send(settled).unwrap()
                }),
            )
        };
        let none = count(0);
        none.one_less();
        assert_eq!(told.recv().unwrap(), Settled { taken: 0, refused: 0 });
        let two = count(2);
        two.refused();
        two.one_less();
        assert!(told.try_recv().is_err());
        two.taken();
        assert_eq!(told.try_recv().unwrap(), Settled { taken: 1, refused: 1 });
    }
}
