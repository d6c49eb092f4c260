//! What goes wrong outside of calls, counted by reason and logged without flooding.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::time::Timestamp;

/// One log line for a reason in this time, however often it happens.
const QUIET: Duration = Duration::from_secs(10);
/// Reasons that are told apart; they are words of the code, so that this is never reached.
const MAX_REASONS: usize = 256;

/// Counters of faults: malformed datagrams, strangers, prompts that could not be rendered.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    counts: Mutex<BTreeMap<(&'static str, &'static str), Tally>>,
}

#[derive(Debug, Default)]
struct Tally {
    count: u64,
    unlogged: u64,
    logged_at: Option<Timestamp>,
}

impl Faults {
    /// Counts one fault of `kind` (`sip`, `rtp`, ..) for this reason; `detail` says more where it is logged.
    pub(crate) fn count(
        &self,
        now: Timestamp,
        kind: &'static str,
        reason: &'static str,
        detail: impl fmt::Display,
    ) {
        let unlogged = {
            let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
            if counts.len() >= MAX_REASONS && !counts.contains_key(&(kind, reason)) {
                return;
            }
            let tally = counts.entry((kind, reason)).or_default();
            tally.count += 1;
            if tally.logged_at.is_some_and(|at| now.since(at) < QUIET) {
                tally.unlogged += 1;
                return;
            }
            tally.logged_at = Some(now);
            std::mem::take(&mut tally.unlogged)
        };
        tracing::warn!(kind, reason, unlogged, "{detail}");
    }

    /// All counts so far.
    pub(crate) fn snapshot(&self) -> Vec<FaultCount> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts
            .iter()
            .map(|(&(kind, reason), tally)| FaultCount { kind, reason, count: tally.count })
            .collect()
    }
}

/// How often something went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultCount {
    /// Where: `sip`, `rtp`, `rtcp`, `prompt`, `journal`, `events`.
    pub kind: &'static str,
    /// What, as a stable word.
    pub reason: &'static str,
    /// How often since the node began.
    pub count: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_counted_and_logged_once_in_a_while() {
        let faults = Faults::default();
        for second in 0..25 {
            faults.count(Timestamp::from_millis(second * 1_000), "sip", "start-line", "from 192.0.2.1");
        }
        faults.count(Timestamp::EPOCH, "rtp", "short", "");
        assert_eq!(
            faults.snapshot(),
            [
                FaultCount { kind: "rtp", reason: "short", count: 1 },
                FaultCount { kind: "sip", reason: "start-line", count: 25 },
            ]
        );
        let counts = faults.counts.lock().unwrap();
        assert_eq!(counts[&("sip", "start-line")].unlogged, 4, "logged at 0, 10 and 20 s");
    }
}
