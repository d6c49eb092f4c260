//! What is going on: how far each open call is, and counts since the start.
//!
//! ```text
//! accepted ─► dialling ─► ringing ─► talking ─► ending ─► (kept: it is off the board)
//!      └───────────┴────────────┴───────────┴─► elsewhere ─► (its result is fetched, or it goes on here)
//! ```
//! Soft: it follows the steps that the node tells, of which some may be missing under load.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::recover::accepted_at;
use crate::call::{CallResult, Progress, Step};
use crate::id::CallId;
use crate::outcome::Disposition;
use crate::store::records::Kept;
use crate::time::Timestamp;

/// Trunks and SIP statuses that are counted apart: settings bound the first, SIP the second.
const MAX_ATTEMPTS: usize = 10_000;

/// How far an open call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is written down; nothing has left yet. Perhaps what it says is being spoken.
    Accepted,
    /// Its INVITE is out.
    Dialling,
    /// The callee's phone rings, or the network plays something.
    Ringing,
    /// It was answered.
    Talking,
    /// Its outcome is known, and about to be kept.
    Ending,
    /// Another instance may go on with it; its result is fetched.
    Elsewhere,
}

impl State {
    /// Every state, in the order in which a call goes through them.
    pub const ALL: [Self; 6] =
        [Self::Accepted, Self::Dialling, Self::Ringing, Self::Talking, Self::Ending, Self::Elsewhere];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Dialling => "dialling",
            Self::Ringing => "ringing",
            Self::Talking => "talking",
            Self::Ending => "ending",
            Self::Elsewhere => "elsewhere",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl From<Progress> for State {
    fn from(progress: Progress) -> Self {
        match progress {
            Progress::Dialling => Self::Dialling,
            Progress::Ringing => Self::Ringing,
            Progress::Talking => Self::Talking,
            Progress::Ending => Self::Ending,
        }
    }
}

/// An open call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// How far it is.
    pub state: State,
    /// Since when, as far as this process knows.
    pub since: Timestamp,
    /// The question that was asked last.
    pub item: Option<String>,
}

impl Open {
    /// Of a call that another instance has.
    pub(super) fn elsewhere(kept: &Kept) -> Self {
        let since = accepted_at(kept).unwrap_or_default();
        Self { state: State::Elsewhere, since, item: None }
    }
}

/// What happened since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Calls that were accepted.
    pub accepted: u64,
    /// Requests that were refused for want of room, or because the instance takes no calls.
    pub refused: u64,
    /// Results that were kept, by outcome.
    pub ended: BTreeMap<Disposition, u64>,
    /// Attempts that are over, by trunk and final SIP status; none where none came.
    pub attempts: BTreeMap<(String, Option<u16>), u64>,
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Board {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    open: BTreeMap<CallId, Open>,
    /// Those elsewhere of which the journal here may hold a record: they were carried here before.
    left: BTreeSet<CallId>,
    tally: Tally,
}

impl Board {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call was written down.
    pub(super) fn accepted(&self, call: CallId, now: Timestamp) {
        let mut inner = self.inner();
        let before = inner.open.insert(call, Open { state: State::Accepted, since: now, item: None });
        // One that control has placed with itself is one call.
        inner.tally.accepted += u64::from(before.is_none());
    }

    /// It is to be placed here after all.
    pub(super) fn here(&self, call: CallId, now: Timestamp) {
        if let Some(open) = self.inner().open.get_mut(&call) {
            (open.state, open.since) = (State::Accepted, now);
        }
    }

    /// A call of an earlier process goes on here.
    pub(super) fn found(&self, call: CallId, progress: Progress, now: Timestamp) {
        let mut inner = self.inner();
        inner.left.remove(&call);
        inner.open.insert(call, Open { state: progress.into(), since: now, item: None });
    }

    /// Others may go on with these.
    pub(super) fn elsewhere(&self, calls: impl IntoIterator<Item = CallId>, now: Timestamp) {
        let mut inner = self.inner();
        for call in calls {
            inner.open.insert(call, Open { state: State::Elsewhere, since: now, item: None });
        }
    }

    /// Others may go on with these, which an earlier process carried.
    pub(super) fn left(&self, calls: impl IntoIterator<Item = CallId>, now: Timestamp) {
        let calls: Vec<CallId> = calls.into_iter().collect();
        self.inner().left.extend(calls.iter().copied());
        self.elsewhere(calls, now);
    }

    /// Others may go on with all that there are.
    pub(super) fn all_elsewhere(&self, now: Timestamp) {
        let Inner { open, left, .. } = &mut *self.inner();
        for (call, open) in open.iter_mut().filter(|(_, open)| open.state != State::Elsewhere) {
            (open.state, open.since) = (State::Elsewhere, now);
            left.insert(*call);
        }
    }

    /// The calls that others may go on with, for how long they have been, and whether the journal here may hold a record.
    pub(super) fn those_elsewhere(&self, now: Timestamp) -> BTreeMap<CallId, (Duration, bool)> {
        let inner = self.inner();
        let elsewhere = inner.open.iter().filter(|(_, open)| open.state == State::Elsewhere);
        elsewhere.map(|(call, open)| (*call, (now.since(open.since), inner.left.contains(call)))).collect()
    }

    /// Whether another instance has this open call.
    pub(super) fn is_elsewhere(&self, call: CallId) -> bool {
        self.inner().open.get(&call).is_some_and(|open| open.state == State::Elsewhere)
    }

    /// A call was written down and not placed after all.
    pub(super) fn withdrawn(&self, call: CallId) {
        let mut inner = self.inner();
        inner.open.remove(&call);
        inner.tally.accepted = inner.tally.accepted.saturating_sub(1);
    }

    /// A request was refused.
    pub(super) fn refused(&self) {
        self.inner().tally.refused += 1;
    }

    /// Something happened in a call.
    pub(super) fn step(&self, call: CallId, step: Step, now: Timestamp) {
        let state = match &step {
            Step::Dialling { .. } => State::Dialling,
            Step::Progress { .. } => State::Ringing,
            Step::Answered { .. } | Step::Asked { .. } => State::Talking,
            Step::Ended { .. } => State::Ending,
            Step::Withdrawn { .. }
            | Step::Refused { .. }
            | Step::NextTrunk { .. }
            | Step::Dialled { .. }
            | Step::Said { .. }
            | Step::Unsaid
            | Step::Held
            | Step::Resumed
            | Step::TakenOver
            | Step::NotFollowed { .. }
            | Step::Key { .. }
            | Step::Entered { .. }
            | Step::Recording { .. }
            | Step::Recorded { .. }
            | Step::Silent { .. }
            | Step::ToneHeard { .. } => return,
        };
        // Of one that is off the board nothing is kept: its result is.
        let mut inner = self.inner();
        let Some(open) = inner.open.get_mut(&call) else { return };
        if let Step::Asked { item, .. } = step {
            open.item = Some(item);
        }
        if open.state < state {
            (open.state, open.since) = (state, now);
        }
    }

    /// The result of a call is kept.
    pub(super) fn kept(&self, result: &CallResult, first: bool) {
        let mut inner = self.inner();
        inner.open.remove(&result.call_id);
        inner.left.remove(&result.call_id);
        if !first {
            return;
        }
        *inner.tally.ended.entry(result.disposition).or_default() += 1;
        // Each trunk by which the callee was tried: one that fails is not hidden by the next, which does not.
        let dialled = result.tries.iter().filter(|tried| tried.was_dialled());
        let tries = dialled.map(|tried| (tried.trunk.clone(), tried.sip_status));
        let only = result.tries.is_empty().then(|| (result.trunk.clone(), result.sip_status));
        for key in tries.chain(only) {
            inner.tally.tried(key);
        }
    }

    /// How far a call is, if it is open.
    pub(super) fn open(&self, call: CallId) -> Option<Open> {
        self.inner().open.get(&call).cloned()
    }

    /// How many open calls are how far.
    pub(super) fn states(&self) -> BTreeMap<State, u64> {
        let mut states: BTreeMap<State, u64> = State::ALL.iter().map(|state| (*state, 0)).collect();
        for open in self.inner().open.values() {
            *states.entry(open.state).or_default() += 1;
        }
        states
    }

    /// What happened since the start.
    pub(super) fn tally(&self) -> Tally {
        self.inner().tally.clone()
    }
}

impl Tally {
    /// Counts what came of a trunk.
    fn tried(&mut self, key: (String, Option<u16>)) {
        if self.attempts.len() < MAX_ATTEMPTS || self.attempts.contains_key(&key) {
            *self.attempts.entry(key).or_default() += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Mint;

    #[test]
    fn a_call_goes_forward_only() {
        let board = Board::default();
        let call = CallId::mint(&mut Mint::seeded(1));
        let at = Timestamp::from_millis;
        board.accepted(call, at(1));
        board.step(call, Step::Dialling { to: "1".into() }, at(2));
        board.step(call, Step::Answered { codec: "PCMU" }, at(3));
        board.step(call, Step::Progress { status: 180 }, at(4));
        board.step(call, Step::Asked { item: "age".into(), text: String::new() }, at(5));
        let open = board.open(call).unwrap();
        assert_eq!((open.state, open.since, open.item.as_deref()), (State::Talking, at(3), Some("age")));
        assert_eq!(board.states()[&State::Talking], 1);
        board.withdrawn(call);
        board.step(call, Step::Dialling { to: "1".into() }, at(6));
        assert_eq!((board.open(call), board.tally().accepted), (None, 0));
    }

    #[test]
    fn only_what_was_carried_here_may_have_left_a_record() {
        let (board, mut mint, at) = (Board::default(), Mint::seeded(1), Timestamp::from_millis);
        let [given, carried, earlier, regained] = [(); 4].map(|()| CallId::mint(&mut mint));
        board.accepted(given, at(1));
        board.elsewhere([given], at(2));
        board.accepted(carried, at(1));
        board.left([earlier, regained], at(1));
        board.found(regained, Progress::Talking, at(3));
        board.all_elsewhere(at(4));
        let left: Vec<bool> = [given, carried, earlier, regained]
            .iter()
            .map(|call| board.those_elsewhere(at(5))[call].1)
            .collect();
        assert_eq!(left, [false, true, true, true]);
        assert_eq!(board.those_elsewhere(at(5))[&given].0, Duration::from_millis(3));
    }
}
