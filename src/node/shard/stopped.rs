//! A process that was stopped and goes on: its calls are told first of all.

use std::time::Duration;

use super::Shard;
use crate::call::Input;
use crate::id::CallId;

impl Shard {
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
