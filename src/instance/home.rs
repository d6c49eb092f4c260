//! Calls that this instance accepted and others carry: their results come home, and what nobody has is settled here.
//!
//! ```text
//!  elsewhere ─ each second ─► all others: ── a result ─────────► kept here; its record leaves the journal
//!                                         ── somebody has it ──► (how far it is)
//!                                         ── nobody of all ────► twice in a row: with a record it goes on here, as one of
//!                                                                which a newer may have existed; without, it was never placed
//! ```
//! Nobody can be missed: each member says "copied" of what it only mirrors, and forgets that when all of a claim's calls
//! have their new owners, who know them. While one member does not answer, nothing is concluded.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::{Instance, recover};
use crate::call::CallResult;
use crate::id::{CallId, Epoch};
use crate::node::{Earlier, Inheritance, Inherited};
use crate::peers::{Known, MOST_ASKED, Others};
use crate::store::records::Accepted;
use crate::sync::Standing;

/// How often the others are asked.
const AGAIN: Duration = Duration::from_secs(1);
/// How long a start indication may be on its way, and who took it over be silent about it: nothing is concluded sooner.
const SETTLES: Duration = Duration::from_secs(20);

/// Asks the others for as long as the instance lives.
pub(super) struct Home {
    others: Others,
    journal: PathBuf,
    /// Accepted by an earlier process, and in no journal.
    unplaced: BTreeMap<CallId, Accepted>,
    /// Of which nobody knew anything when they were asked last.
    unknown: BTreeSet<CallId>,
}

impl Home {
    pub(super) fn new(others: Others, journal: PathBuf, unplaced: Vec<Accepted>) -> Self {
        let unplaced = unplaced.into_iter().map(|accepted| (accepted.call_id, accepted)).collect();
        Self { others, journal, unplaced, unknown: BTreeSet::new() }
    }

    /// Begins.
    pub(super) fn run(mut self, instance: &Arc<Instance>) {
        let instance = Arc::downgrade(instance);
        tokio::spawn(async move {
            loop {
                sleep(AGAIN).await;
                let Some(instance) = Weak::upgrade(&instance) else { return };
                self.look(&instance).await;
            }
        });
    }

    async fn look(&mut self, instance: &Arc<Instance>) {
        let elsewhere = instance.board.those_elsewhere(instance.clock.now());
        self.unknown.retain(|call| elsewhere.contains_key(call));
        let calls: Vec<CallId> = elsewhere.keys().copied().collect();
        let mut over = Vec::new();
        for calls in calls.chunks(MOST_ASKED) {
            let (known, all) = self.others.find(calls).await;
            let told: BTreeSet<CallId> = known.iter().map(|(_, one)| one.call).collect();
            over.extend(known.into_iter().filter_map(|(_, one)| self.result(instance, one)));
            for call in calls {
                let is_long = elsewhere.get(call).is_some_and(|(since, _)| *since >= SETTLES);
                if !all || told.contains(call) || !is_long {
                    self.unknown.remove(call);
                } else if !self.unknown.insert(*call) {
                    self.unknown.remove(call);
                    self.settle(instance, *call).await;
                }
            }
        }
        // Of what was given to others at once the journal knows nothing.
        over.retain(|call| elsewhere.get(call).is_some_and(|(_, left)| *left));
        if !over.is_empty() {
            self.disown(instance, &over).await;
        }
    }

    /// Keeps a result that came home.
    fn result(&mut self, instance: &Instance, known: Known) -> Option<CallId> {
        let text = known.result?;
        match serde_json::from_str::<CallResult>(&text) {
            Ok(result) => {
                self.unplaced.remove(&known.call);
                instance.keeper.keep(result, None);
                Some(known.call)
            }
            Err(error) => {
                tracing::error!(call = %known.call, %error, "the result of a call cannot be read; is another instance newer?");
                None
            }
        }
    }

    /// Deletes the records of calls whose results are kept.
    async fn disown(&self, instance: &Instance, calls: &[CallId]) {
        let saved = recover::journalled(&self.journal).await.unwrap_or_default();
        for one in saved.into_iter().filter(|one| calls.contains(&one.call_id)) {
            instance.node.disown(one.call_id, (one.epoch, one.revision));
        }
    }

    /// Nobody has this call.
    async fn settle(&mut self, instance: &Arc<Instance>, call: CallId) {
        let Some(status) = instance.cluster() else { return };
        let (Some(own), Some(Standing::Speaking)) = (status.incarnation, status.standing) else { return };
        if let Some(accepted) = self.unplaced.remove(&call) {
            tracing::warn!(%call, "accepted by an earlier process and never placed: not attempted");
            return instance.never_placed(&accepted).await;
        }
        // A journal that cannot be read proves nothing.
        let Some(saved) = recover::journalled(&self.journal).await else { return };
        let records = Earlier::read(saved.into_iter().filter(|one| one.call_id == call).collect());
        if records.is_empty() {
            let Some(accepted) = instance.accepted(call).await else { return };
            tracing::warn!(%call, "the instance that was to place it knows nothing of it: not attempted");
            return instance.never_placed(&accepted).await;
        }
        tracing::warn!(%call, "no other instance has this call: it goes on here from its record in the journal");
        instance.goes_on_with(records.iter()).await;
        let calls =
            records.into_iter().map(|earlier| Inherited { earlier, claims: 1, stale: true }).collect();
        let inheritance =
            Inheritance { epoch: Epoch(own.run), lost_for: None, calls, settled: Box::new(|_| {}) };
        let node = Arc::clone(&instance.node);
        drop(spawn_blocking(move || node.take_over(inheritance)).await); // a panic in there is told by itself
    }
}

impl Instance {
    /// A call that is open in the records, as it was accepted.
    async fn accepted(&self, call: CallId) -> Option<Accepted> {
        let kept = self.records.call(call).await.ok().flatten()?;
        recover::accepted(kept)
    }

    /// Ends a call that was accepted and never placed.
    pub(super) async fn never_placed(&self, accepted: &Accepted) {
        let library = self.library.read().await;
        let digest = accepted.digest.to_string();
        let questionnaire = library.edition(&digest).map(Arc::as_ref);
        self.keeper.keep(recover::never_placed(accepted, questionnaire, self.clock.now()), None);
    }
}
