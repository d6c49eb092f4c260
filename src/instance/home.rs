//! Calls that others carry: their results come home, and what nobody has is settled.
//!
//! ```text
//!  elsewhere ─ each second ─► all others: ── a result ─────────► kept here; its record leaves the journal
//!                                         ── somebody has it ──► (how far it is)
//!                                         ── nobody of all ────► twice in a row: with a record it goes on here, as one of
//!                                                                which a newer may have existed; without, it was never placed
//! ```
//! Where there is control, it alone concludes that a call was never placed, or places it again (`sync::next`). Whoever
//! becomes control asks all who live for the calls that are open with them, before it concludes anything.
//!
//! Nobody can be missed: each member says "copied" of what it only mirrors, and forgets that when all of a claim's calls
//! have their new owners, who know them. While one member does not answer, nothing is concluded but for calls of a node
//! that is dead, of whose calls nothing can be missing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::desk::now_ms;
use super::membership::Member;
use super::{Instance, recover};
use crate::call::CallResult;
use crate::cluster::Status;
use crate::id::{CallId, Epoch, NodeId};
use crate::node::{Earlier, Inheritance, Inherited};
use crate::peers::{Known, MOST_ASKED, Others, PAGE, Question, Reply};
use crate::store::records::{Accepted, Kept, Row};
use crate::sync::{Incarnation, Next, Sight, Standing, Start, next};

/// How often the others are asked.
const AGAIN: Duration = Duration::from_secs(1);
/// How long a start indication may be on its way, and who took it over be silent about it: nothing is concluded sooner.
const SETTLES: Duration = Duration::from_secs(20);
/// How long others may take to tell of their open calls.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often results are asked for of calls that are followed by who is control, in rounds; and how old such a call is.
const SWEEP: u32 = 30;
const OLD: Duration = Duration::from_secs(60);

/// Asks the others for as long as the instance lives.
pub(super) struct Home {
    others: Others,
    journal: PathBuf,
    /// Accepted by an earlier process, and in no journal.
    unplaced: BTreeMap<CallId, Accepted>,
    /// Of which nobody knew anything when they were asked last.
    unknown: BTreeSet<CallId>,
    /// As control: its epoch, and those who have told of their open calls.
    office: Option<(u64, BTreeSet<Incarnation>)>,
    rounds: u32,
}

impl Home {
    pub(super) fn new(others: Others, journal: PathBuf, unplaced: Vec<Accepted>) -> Self {
        let unplaced = unplaced.into_iter().map(|accepted| (accepted.call_id, accepted)).collect();
        Self { others, journal, unplaced, unknown: BTreeSet::new(), office: None, rounds: 0 }
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
        let Some(member) = &instance.member else { return };
        let epoch = self.take_office(instance, member).await;
        // As of before anybody is asked: who has settled by then has the calls.
        let status = member.view.status();
        let elsewhere = instance.board.those_elsewhere(instance.clock.now());
        self.unknown.retain(|call| elsewhere.contains_key(call));
        let calls: Vec<CallId> = elsewhere.keys().copied().collect();
        let mut over = Vec::new();
        for calls in calls.chunks(MOST_ASKED) {
            let (known, silent) = self.others.find(calls).await;
            let told: BTreeSet<CallId> = known.iter().map(|(_, one)| one.call).collect();
            over.extend(known.into_iter().filter_map(|(_, one)| self.result(instance, one)));
            for call in calls {
                let (since, was_here) = elsewhere.get(call).copied().unwrap_or_default();
                if told.contains(call) {
                    self.unknown.remove(call);
                } else if let (Some(epoch), false) = (epoch, was_here) {
                    self.decide(instance, (epoch, &status), *call, &silent).await;
                } else if !silent.is_empty() || since < SETTLES {
                    self.unknown.remove(call);
                } else if !self.unknown.insert(*call) {
                    self.unknown.remove(call);
                    self.settle(instance, *call, epoch.is_some() || !member.has_control).await;
                }
            }
        }
        // Of what was given to others at once the journal knows nothing.
        over.retain(|call| elsewhere.get(call).is_some_and(|(_, left)| *left));
        if !over.is_empty() {
            self.disown(instance, &over).await;
        }
        self.rounds += 1;
        if self.rounds.is_multiple_of(SWEEP) && member.has_control {
            self.sweep(instance).await;
        }
    }

    /// As control, under which epoch: if all who live have told of their open calls.
    async fn take_office(&mut self, instance: &Instance, member: &Member) -> Option<u64> {
        let status = member.view.status();
        let epoch = status.controls?;
        let living: BTreeSet<Incarnation> = status.living().map(|other| other.incarnation).collect();
        let office = Some((epoch, living.clone()));
        if self.office == office {
            return Some(epoch);
        }
        for one in &living {
            let mut after = 0;
            loop {
                let reply = self.others.ask(one.node, &Question::Open { after }, PATIENCE).await;
                let Ok(Reply::Calls(calls)) = reply else { return None };
                let is_last = calls.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
                after = calls.last().map_or(after, |told| told.kept.number);
                for told in calls {
                    instance.adopt_row(told.kept).await;
                }
                if is_last {
                    break;
                }
            }
        }
        let own = instance.records.open_calls().await.ok()?;
        own.iter().for_each(|kept| instance.follow(kept.call_id));
        self.office = office;
        Some(epoch)
    }

    /// What control does with a call of which nobody who answered knows anything.
    async fn decide(
        &mut self,
        instance: &Arc<Instance>,
        (epoch, status): (u64, &Status),
        call: CallId,
        silent: &BTreeSet<NodeId>,
    ) {
        let Ok(Some(kept)) = instance.records.call(call).await else { return };
        let Some(Member { acks, view, .. }) = &instance.member else { return };
        let living = status.living().all(|other| !silent.contains(&other.incarnation.node));
        // In this order: the mirrored record of a call that is taken over goes when the call is here.
        let known = instance.is_starting(call) || view.mirrors(call) || !instance.board.is_elsewhere(call);
        let sight = Sight { known, living, all: silent.is_empty() };
        let Some((row, accepted_ms)) = placed(kept) else {
            // It was never sent: another control's call has its key, or its own died before it was stored.
            if sight.all && !sight.known && !self.unknown.insert(call) {
                self.settle(instance, call, true).await;
            }
            return;
        };
        let placement = row.assigned.placement;
        let todo = next(&placement, status.fate(placement.to), sight, now_ms(), accepted_ms);
        if todo == Next::Never {
            tracing::warn!(%call, to = %placement.to, "nobody knows of this call, and it is too late: not attempted");
            return instance.never_placed(&row.accepted).await;
        }
        if let Some(start) = Start::again(epoch, *acks, &placement, todo) {
            let instance = Arc::clone(instance);
            tokio::spawn(async move { instance.place_again(epoch, start, row).await });
        }
    }

    /// Results that this instance missed when they were told: of calls that it does not follow.
    async fn sweep(&mut self, instance: &Instance) {
        let Ok(open) = instance.records.open_calls().await else { return };
        let now = instance.clock.now();
        let is_old = |kept: &Kept| recover::accepted_at(kept).is_some_and(|at| now.since(at) > OLD);
        let old = open.iter().filter(|kept| instance.board.open(kept.call_id).is_none() && is_old(kept));
        let calls: Vec<CallId> = old.map(|kept| kept.call_id).collect();
        for calls in calls.chunks(MOST_ASKED) {
            let (known, _) = self.others.find(calls).await;
            for (_, one) in known {
                self.result(instance, one);
            }
        }
    }

    /// Keeps a result that came home.
    fn result(&mut self, instance: &Instance, known: Known) -> Option<CallId> {
        let text = known.result?;
        match serde_json::from_str::<CallResult>(&text) {
            Ok(result) => {
                self.unplaced.remove(&known.call);
                instance.keeper.keep(result);
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

    /// Nobody has this call. `concludes`: whether it is for this instance to say that it was never placed.
    async fn settle(&mut self, instance: &Arc<Instance>, call: CallId, concludes: bool) {
        let Some(status) = instance.cluster() else { return };
        let (Some(own), Some(Standing::Speaking)) = (status.incarnation, status.standing) else { return };
        if concludes && let Some(accepted) = self.unplaced.remove(&call) {
            tracing::warn!(%call, "accepted by an earlier process and never placed: not attempted");
            return instance.never_placed(&accepted).await;
        }
        // A journal that cannot be read proves nothing.
        let Some(saved) = recover::journalled(&self.journal).await else { return };
        let records = Earlier::read(saved.into_iter().filter(|one| one.call_id == call).collect());
        if records.is_empty() {
            let Some(accepted) = instance.accepted(call).await.filter(|_| concludes) else { return };
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

/// A call that control has placed, and when it was accepted, in ms since 1970.
fn placed(kept: Kept) -> Option<(Row, u64)> {
    let (assigned, key) = (kept.assigned?, kept.key.clone());
    let accepted = Accepted { key, ..recover::accepted(kept)? };
    let accepted_ms = accepted.accepted_at.as_micros() / 1_000;
    Some((Row { accepted, assigned }, accepted_ms))
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
        self.keeper.keep_own(recover::never_placed(accepted, questionnaire, self.clock.now()), None);
    }
}
