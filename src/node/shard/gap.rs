//! A gap: a process died before this one, or this one was stopped. Its calls are told first of all.

use std::time::Duration;

use super::live::Live;
use super::{Resumed, Shard};
use crate::call::Input;
use crate::id::CallId;

impl Shard {
    /// Goes on with a call of the process before. Without its ports nothing would be heard: it is ended in order.
    pub(super) fn resume(&mut self, resumed: Resumed) {
        let Resumed { call, saved, alive, ways, ports } = resumed;
        let id = call.id();
        if let Some((digest, quotas)) = call.kept_quotas(&self.assets) {
            self.hands.quotas.keep(id, digest, &quotas);
        }
        let (ports, input) = match ports.transpose() {
            Ok(ports) => (ports, Input::Restored { alive }),
            Err(error) => {
                self.hands.fault("rtp", "ports-lost", format_args!("call {id}: {error}"));
                (None, Input::PortsLost)
            }
        };
        let channel = self.hands.budgets.occupied(call.trunk());
        self.calls.insert(id, Live::resumed(call, saved, ways, ports, channel));
        self.tell(id, input);
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
