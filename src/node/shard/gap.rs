//! A gap: a process died before this one, or this one was stopped. Its calls are told first of all.

use std::sync::Arc;
use std::time::Duration;

use super::Shard;
use super::live::Live;
use crate::call::{Call, Input, TakenOver};
use crate::id::{CallId, Epoch, Revision};
use crate::node::Ways;
use crate::node::inherit::Countdown;
use crate::node::ports::{PortError, PortPair};
use crate::time::Timestamp;

/// A call of the process before.
#[derive(Debug)]
pub(crate) struct Resumed {
    /// As it was saved last.
    pub(crate) call: Call,
    /// Under what that was.
    pub(crate) saved: (Epoch, Revision),
    /// When the process before is known to have lived last.
    pub(crate) alive: Option<Timestamp>,
    /// The local addresses that its trunks are called from.
    pub(crate) ways: Ways,
    /// Its ports, bound again; `None`: it needs none.
    pub(crate) ports: Option<Result<PortPair, PortError>>,
    /// The ownership under which it goes on, and who is told when it is saved; `None`: the same as before.
    pub(crate) regained: Option<(Epoch, Arc<Countdown>)>,
}

/// A call of another instance.
#[derive(Debug)]
pub(crate) struct Inherit {
    /// As it was saved last.
    pub(crate) call: Call,
    /// Under what that was.
    pub(crate) saved: (Epoch, Revision),
    /// How it falls to this one.
    pub(crate) taken: TakenOver,
    /// The local addresses that its trunks are called from.
    pub(crate) ways: Ways,
    /// Its ports; `None`: it needs none, or there was none.
    pub(crate) ports: Option<PortPair>,
    /// Its turn.
    pub(crate) at: Timestamp,
    /// Is told when it is saved here.
    pub(crate) countdown: Arc<Countdown>,
}

impl Shard {
    /// Goes on with a call of the process before. Without its ports nothing would be heard: it is ended in order.
    pub(super) fn resume(&mut self, resumed: Resumed) {
        let Resumed { call, saved, alive, ways, ports, regained } = resumed;
        let id = call.id();
        let (epoch, countdown) = regained.unzip();
        if self.calls.contains_key(&id) {
            self.hands.fault("takeover", "older", format_args!("call {id} goes on here already"));
            self.drop_held();
            return countdown.into_iter().for_each(|countdown| countdown.refused());
        }
        self.elsewhere.remove(&id);
        if let Some((digest, quotas)) = call.kept_quotas(&self.assets) {
            self.hands.quotas.keep(id, digest, &quotas);
        }
        let (ports, input) = match ports.transpose() {
            Ok(ports) => (ports, Input::Restored { alive, epoch }),
            Err(error) => {
                self.hands.fault("rtp", "ports-lost", format_args!("call {id}: {error}"));
                (None, Input::PortsLost)
            }
        };
        let channel = self.hands.budgets.occupied(call.trunk());
        let mut live = Live::resumed(call, saved, ways, ports, channel);
        live.inherited = countdown;
        self.calls.insert(id, live);
        self.tell(id, input);
    }

    /// Goes on with the calls of other instances whose turn has come.
    pub(super) fn take_over_due(&mut self) {
        let now = self.clock.now();
        while let Some(first) = self.inherited.first_entry().filter(|first| first.key().0 <= now) {
            let inherit = first.remove();
            self.take_over(*inherit);
        }
    }

    fn take_over(&mut self, inherit: Inherit) {
        let Inherit { call, saved, taken, ways, ports, countdown, .. } = inherit;
        let id = call.id();
        if self.calls.get(&id).is_some_and(|live| live.saved.0 >= taken.epoch) {
            self.hands.fault("takeover", "older", format_args!("call {id} is here, of a later ownership"));
            self.drop_held();
            return countdown.refused();
        }
        self.abandon(id); // of an ownership that has ended
        self.elsewhere.remove(&id);
        if let Some((digest, quotas)) = call.kept_quotas(&self.assets) {
            self.hands.quotas.keep(id, digest, &quotas);
        }
        let channel = self.hands.budgets.occupied(call.trunk());
        let mut live = Live::resumed(call, saved, ways, ports, channel);
        live.inherited = Some(countdown);
        self.calls.insert(id, live);
        self.tell(id, Input::TakenOver(Box::new(taken)));
    }

    /// Was the process stopped while this waited? Its calls are told before anything that came meanwhile.
    pub(super) fn look_back(&mut self, waited: Duration) {
        let now = self.clock.now();
        let Some(since) = self.hands.turn.stalled(now, waited) else { return };
        let calls: Vec<CallId> = self.calls.keys().copied().collect();
        if !calls.is_empty() {
            let stopped_ms = now.since(since).as_millis();
            tracing::warn!(
                stopped_ms,
                calls = calls.len(),
                "this process was stopped; open questions are asked again"
            );
        }
        for call in calls {
            self.tell(call, Input::Stalled { since });
        }
    }
}
