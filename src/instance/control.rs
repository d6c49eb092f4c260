//! This instance as control: it places the cluster's calls.
//!
//! ```text
//!  request ─► Start (sync) ── Look ──► who lives: is its key, or the call, known?
//!                          ── Pick ──► by usage, of those with the same initialisation data
//!                          ── Store ─► here, then with all who are heard
//!                          ── Send ──► the node that was picked, or this one
//! ```
//! `sync::Start` decides; this carries it out. Of what its predecessor left `home` has the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::choosing::may_come;
use super::desk::now_ms;
use super::membership::Member;
use super::{Instance, UNMIRRORED, recover};
use crate::cluster::Status;
use crate::id::{CallId, Digest, NodeId};
use crate::peers::{Begun, Declined, Indication, Question, Reply, Request, Told, Unasked};
use crate::store::records::{Acceptance, Accepted, Assigned, Kept as Known, RecordsError, Row, Stored};
use crate::sync::{Incarnation, Kept, Looked, Outcome, Placement, Said, Start, Step, Usage};

/// How long those who live have to say what they know: longer than one that is busy needs.
const LOOKING: Duration = Duration::from_secs(2);
/// How long they have to store something.
const STORING: Duration = Duration::from_secs(1);

/// How long who may turn out to have what is wanted is waited for, and how often it is looked: what members have they tell
/// by beats, 50 ms apart, so that just after a publication or a start nobody may seem to have it.
const COMING: Duration = Duration::from_millis(500);
const LOOK: Duration = Duration::from_millis(20);

/// A start that is being carried out.
struct Placing<'a> {
    member: &'a Member,
    epoch: u64,
    accepted: &'a Accepted,
    assets: Digest,
    /// Who may have stored it.
    stored: BTreeSet<NodeId>,
    /// Why nobody took it.
    why: Vec<String>,
    mistakes: Vec<(String, String)>,
    /// What a call that is known was asked for.
    known: Option<String>,
}

/// Calls whose starts are being carried out, so that nobody takes them for forgotten.
pub(super) type Starting = Mutex<BTreeSet<CallId>>;

/// One of them, for as long as it is.
struct Begins<'a>(&'a Instance, CallId);

impl<'a> Begins<'a> {
    fn of(instance: &'a Instance, call: CallId) -> Option<Self> {
        let is_new = instance.starts_now().insert(call);
        is_new.then(|| Self(instance, call))
    }
}

impl Drop for Begins<'_> {
    fn drop(&mut self) {
        self.0.starts_now().remove(&self.1);
    }
}

impl Instance {
    /// Places a call of the cluster, if this instance is control.
    pub(super) async fn place_as_control(
        self: &Arc<Self>,
        accepted: Accepted,
        assets: Digest,
        again: bool,
    ) -> Request {
        let Some(member) = &self.member else { return Request::NotNow("it is in no cluster".to_owned()) };
        // Requests with one key wait for each other, and so do those that are asked again.
        let turn = accepted.key.as_deref().unwrap_or(accepted.call_id.as_str());
        let _turn = self.turn(turn).lock().await;
        let Some(epoch) = member.view.status().controls else {
            return Request::NotNow("it is not control".to_owned());
        };
        match self.known_here(&accepted, again).await {
            Ok(Some(request)) => return request,
            Ok(None) => {}
            Err(error) => return of_records(&error),
        }
        if self.lacks_mirrors() {
            return Request::Busy(UNMIRRORED.to_owned());
        }
        let start = Start::new(epoch, member.acks, again || accepted.key.is_some());
        let Some(_begun) = Begins::of(self, accepted.call_id) else {
            return Request::NotNow("it is being placed".to_owned());
        };
        self.carry_out(member, epoch, start, &accepted, assets).await
    }

    fn starts_now(&self) -> MutexGuard<'_, BTreeSet<CallId>> {
        self.starting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a start of this call is being carried out.
    pub(super) fn is_starting(&self, call: CallId) -> bool {
        self.starts_now().contains(&call)
    }

    /// What these records know of the request.
    async fn known_here(&self, accepted: &Accepted, again: bool) -> Result<Option<Request>, RecordsError> {
        match self.known_by(accepted.key.as_deref(), &accepted.request).await? {
            Acceptance::New => {}
            Acceptance::Known(call) => return Ok(Some(Request::Known(call))),
            Acceptance::Conflict => return Ok(Some(Request::Conflict)),
        }
        let is_known = again && self.records.call(accepted.call_id).await?.is_some();
        Ok(is_known.then_some(Request::Known(accepted.call_id)))
    }

    /// Places a call that was placed before, and of which nobody knows anything.
    pub(super) async fn place_again(self: &Arc<Self>, epoch: u64, start: Start, row: Row) {
        let Some(member) = &self.member else { return };
        let Row { accepted, assigned } = row;
        let call = accepted.call_id;
        let Some(_begun) = Begins::of(self, call) else { return };
        tracing::warn!(%call, step = ?start.step(), "nobody knows of this call: control places it again");
        let request = self.carry_out(member, epoch, start, &accepted, assigned.assets).await;
        if let Request::Busy(why) = request {
            tracing::warn!(%call, why, "nobody takes it: not attempted");
            self.never_placed(&accepted).await;
        }
    }

    async fn carry_out(
        self: &Arc<Self>,
        member: &Member,
        epoch: u64,
        mut start: Start,
        accepted: &Accepted,
        assets: Digest,
    ) -> Request {
        let (stored, why, mistakes) = (BTreeSet::new(), Vec::new(), Vec::new());
        let mut placing = Placing { member, epoch, accepted, assets, stored, why, mistakes, known: None };
        loop {
            match start.step() {
                Step::Look => start.looked(self.look_for(&mut placing).await),
                Step::Pick => {
                    let to =
                        if placing.mistakes.is_empty() { placing.pick(start.refused()).await } else { None };
                    start.picked(now_ms(), to);
                }
                Step::Store(placement) => match self.store(&mut placing, placement).await {
                    Ok(kept) => start.kept(kept),
                    Err(error) => return of_records(&error),
                },
                Step::Send(placement) => {
                    if member.view.status().controls == Some(epoch) {
                        start.said(self.send(&mut placing, placement).await);
                    } else {
                        start.gave_up();
                    }
                }
                Step::Withdraw => start.withdrew(self.withdraw(&placing).await),
                Step::Over(outcome) => return placing.request(outcome),
            }
        }
    }

    /// Asks all who live for the key and the call.
    async fn look_for(&self, placing: &mut Placing<'_>) -> Looked {
        let accepted = placing.accepted;
        let question = Question::Calls { key: accepted.key.clone(), calls: vec![accepted.call_id] };
        let living = nodes(&placing.member.view.status(), false);
        let replies = placing.member.others.ask_all(living, &question, LOOKING).await;
        let mut rows: BTreeMap<CallId, Known> = BTreeMap::new();
        let answers: Vec<_> = replies
            .into_values()
            .map(|reply| match reply {
                Ok(Reply::Calls(calls)) => {
                    let epoch = |told: &Told| told.kept.assigned.map_or(0, |it| it.placement.epoch);
                    let best =
                        calls.iter().map(|told| (told.kept.call_id, epoch(told))).max_by_key(|it| it.1);
                    rows.extend(calls.into_iter().map(|told| (told.kept.call_id, told.kept)));
                    Some(best)
                }
                Ok(_) | Err(_) => None,
            })
            .collect();
        let looked = Looked::of(answers);
        if let Looked::Known(call) = looked
            && let Some(kept) = rows.remove(&call)
        {
            placing.known = Some(kept.request.clone());
            self.adopt_row(kept).await;
        }
        if looked == Looked::Unsure {
            placing.why.push("an instance that may know the key does not answer".to_owned());
        }
        looked
    }

    /// A call that another control has stored is known here from now on, and followed.
    pub(super) async fn adopt_row(&self, kept: Known) {
        let (call, is_over) = (kept.call_id, kept.disposition.is_some());
        let (assigned, key) = (kept.assigned, kept.key.clone());
        match self.records.call(call).await {
            Ok(Some(own)) if own.disposition.is_some() => return,
            Ok(Some(own)) if own.assigned == assigned => return self.follow(call),
            Ok(_) | Err(_) => {}
        }
        let Some(accepted) = recover::accepted(kept) else { return };
        let stored = match assigned {
            Some(assigned) if !is_over => {
                let accepted = Accepted { key, ..accepted.clone() };
                self.records.store(Row { accepted, assigned }).await
            }
            Some(_) | None => Ok(Stored::Superseded),
        };
        let known = match stored {
            Ok(Stored::Superseded) => self.records.inherit(vec![accepted]).await,
            Ok(Stored::Yes | Stored::Over) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = known {
            tracing::warn!(%call, %error, "a call of another control is not written down here yet");
        }
        self.follow(call);
    }

    /// What becomes of this call is asked for from now on.
    pub(super) fn follow(&self, call: CallId) {
        if self.board.open(call).is_none() {
            self.board.elsewhere([call], self.clock.now());
        }
    }

    async fn store(&self, placing: &mut Placing<'_>, placement: Placement) -> Result<Kept, RecordsError> {
        let accepted = placing.accepted.clone();
        let (call, now) = (accepted.call_id, self.clock.now());
        let row = Row { accepted, assigned: Assigned { placement, assets: placing.assets } };
        if self.records.store(row.clone()).await? != Stored::Yes {
            return Ok(Kept::Superseded);
        }
        self.board.accepted(call, now);
        self.board.elsewhere([call], now);
        let question = Question::Store { epoch: placing.epoch, row: Box::new(row) };
        let heard = nodes(&placing.member.view.status(), true);
        let replies = placing.member.others.ask_all(heard, &question, STORING).await;
        let mut count = 0;
        for (node, reply) in replies {
            match reply {
                Ok(Reply::Superseded | Reply::Over) => return Ok(Kept::Superseded),
                Ok(Reply::Done) => count += 1,
                Err(Unasked::Unreached(_)) => continue,
                Ok(_) | Err(Unasked::Unknown(_)) => {}
            }
            placing.stored.insert(node);
        }
        if count < placing.member.acks {
            placing.why.push(UNMIRRORED.to_owned());
        }
        Ok(Kept::By(count))
    }

    async fn send(self: &Arc<Self>, placing: &mut Placing<'_>, placement: Placement) -> Said {
        let Accepted { call_id: call, attempt_id: attempt, request, digest: edition, .. } =
            placing.accepted.clone();
        let epoch = placing.epoch;
        let indication = Indication { epoch, placement, call, attempt, request, edition };
        let begun = if placing.member.view.status().incarnation == Some(placement.to) {
            Arc::clone(self).begin(indication).await.map_or_else(Begun::Refused, |()| Begun::Placed)
        } else {
            placing.member.others.begin(indication).await
        };
        match begun {
            Begun::Placed => Said::Placed,
            Begun::Refused(Declined { why, mistakes }) => {
                tracing::info!(%call, to = %placement.to, why, "an instance refused a start; the next one is asked");
                placing.why.push(format!("{}: {why}", placement.to.node));
                placing.mistakes = mistakes;
                self.board.elsewhere([call], self.clock.now());
                Said::Refused
            }
            Begun::Unreached(why) => {
                tracing::info!(%call, to = %placement.to, why, "an instance was not told of a start");
                placing.why.push(format!("{}: {why}", placement.to.node));
                self.board.elsewhere([call], self.clock.now());
                Said::Unreached
            }
            Begun::Unknown(why) => {
                tracing::warn!(%call, to = %placement.to, why, "whether a call was placed is not known yet");
                Said::Nothing
            }
        }
    }

    /// Whether nobody remembers the call.
    async fn withdraw(&self, placing: &Placing<'_>) -> bool {
        let call = placing.accepted.call_id;
        let question = Question::Withdraw { epoch: placing.epoch, call };
        let replies = placing.member.others.ask_all(placing.stored.clone(), &question, STORING).await;
        let all = replies.values().all(|reply| matches!(reply, Ok(Reply::Done)));
        if !all || self.records.withdraw(call).await.is_err() {
            return false;
        }
        self.board.withdrawn(call);
        true
    }
}

impl Placing<'_> {
    /// Who is to place it: picked by usage, of all who have not refused it. While nobody can be, and somebody may turn out to
    /// have what is wanted, that is waited for.
    async fn pick(&self, refused: &BTreeSet<NodeId>) -> Option<Incarnation> {
        let until = Instant::now() + COMING;
        loop {
            let status = self.member.view.status();
            let own = [(status.incarnation?, status.usage)];
            let all = status.living().map(|other| (other.incarnation, other.usage)).chain(own);
            let all: BTreeMap<NodeId, (Incarnation, Option<Usage>)> = all
                .filter(|(one, _)| !refused.contains(&one.node))
                .map(|(one, usage)| (one.node, (one, usage)))
                .collect();
            let heard = all.iter().filter_map(|(node, (_, usage))| Some((*node, (*usage)?))).collect();
            if let Some(picked) = self.member.choice.pick(&heard, self.assets) {
                return all.get(&picked).map(|(one, _)| *one);
            }
            let may_one_come = all.values().any(|(_, usage)| may_come(*usage, self.assets));
            if !may_one_come || Instant::now() >= until {
                return None;
            }
            sleep(LOOK).await;
        }
    }

    fn request(self, outcome: Outcome) -> Request {
        match outcome {
            Outcome::Placed | Outcome::Open => Request::New(self.accepted.call_id),
            Outcome::Known(call) => match self.known {
                Some(request) if request == self.accepted.request => Request::Known(call),
                Some(_) | None => Request::Conflict,
            },
            Outcome::Refused if !self.mistakes.is_empty() => Request::Wrong(self.mistakes),
            Outcome::Refused => Request::Busy(busy(&self.why)),
            Outcome::NotNow if self.why.iter().any(|why| why == UNMIRRORED) => {
                Request::Busy(UNMIRRORED.to_owned())
            }
            Outcome::NotNow => Request::NotNow(self.why.join("; ")),
        }
    }
}

/// Why nobody took a call.
fn busy(why: &[String]) -> String {
    if why.is_empty() {
        return "no instance with the same questionnaires, dialplan and trunks has room for a call"
            .to_owned();
    }
    why.join("; ")
}

/// The other instances: all that own their calls, or those that are heard.
fn nodes(status: &Status, heard: bool) -> Vec<NodeId> {
    let living = status.living().filter(|other| !heard || other.usage.is_some());
    living.map(|other| other.incarnation.node).collect()
}

fn of_records(error: &RecordsError) -> Request {
    tracing::error!(%error, "control cannot use its records");
    Request::Busy("the records of the instance that is control cannot be used; its log says why".to_owned())
}
