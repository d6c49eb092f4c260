//! An instance as a member of its cluster: what happens to its membership, carried out on its node.
//!
//! ```text
//! Silence ───► Node::silence                  its calls may be others' from now on
//! Fenced ────► they are: the board says so
//! LayDown ───► Node::lay_down                 it drains: they are to be the others'
//! Began ─────► Node::begin_anew               as another incarnation, without calls
//! TakeOver ──► of its own former incarnation: Node::regain, from the journal, at the same addresses
//!              of another's: Node::take_over, from the mirrors' records            ─► saved ─► settled
//! ```
//! A journal may hold records of several incarnations of this instance. Each names its ownership, which only grows: those
//! from the incarnation on that went on at home are its own; what is older fell to others.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, OnceLock, Weak};

use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;

use super::choosing::Choice;
use super::desk::{Place, desk};
use super::home::Home;
use super::keeper::Telling;
use super::looking::Looking;
use super::sharing::Sharing;
use super::{Instance, StartError, recover};
use crate::call::{Call, Progress};
use crate::cluster::{Cluster, Event, Inherited, Parts, Renewal, TakeOver, View};
use crate::id::{CallId, Digest, Epoch, NodeId, Revision};
use crate::node::clock::boottime;
use crate::node::{self, Earlier, Node, NodeConfig, Regained, Right};
use crate::peers::{Desk, Others, Stock};
use crate::settings;
use crate::store::journal::{Mirrors, SavedCall};
use crate::store::records::Accepted;
use crate::sync::Incarnation;
use crate::time::Timestamp;

/// A membership that has begun; nothing happens to it before [`run`](Self::run).
pub(super) struct Membership {
    cluster: Cluster,
    events: mpsc::Receiver<Event>,
    right: Right,
    place: Place,
    me: NodeId,
    acks: usize,
    has_control: bool,
    journal: PathBuf,
    /// What the journal held at the start, until it is known whose it is, and when the process before lived last.
    found: Option<(Vec<Earlier>, Option<Timestamp>)>,
    /// When this incarnation fell silent, by the node's clock.
    silent: Option<Timestamp>,
}

/// What an instance knows of its membership.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) view: View,
    /// The desks of the others.
    pub(super) others: Others,
    pub(super) choice: Choice,
    /// What all members are to have alike.
    pub(super) sharing: Sharing,
    /// The way to change members, voters and T.
    pub(super) renewal: Renewal,
    /// How many others keep what depends on being kept.
    pub(super) acks: usize,
    /// Whether there are voters, so that somebody is control.
    pub(super) has_control: bool,
    wishes: mpsc::Sender<Wish>,
}

/// What an instance wants of its membership.
#[derive(Debug)]
pub(super) enum Wish {
    /// Its calls are to go on at the others.
    HandOver,
    /// Its end.
    Leave {
        /// Others are to go on with what it has.
        has_calls: bool,
        /// Who waits for it.
        left: oneshot::Sender<()>,
    },
}

impl Membership {
    /// Begins: waits for the engine for as long as it takes. The lock of the journal in `journal` is held.
    pub(super) async fn begin(
        settings: &settings::Cluster,
        mirrors: Mirrors,
        journal: PathBuf,
        stock: Stock,
    ) -> Result<Self, StartError> {
        let (right, place) = (Right::of_member(settings.promise), Arc::new(OnceLock::new()));
        let mut looking = Looking::at(Arc::clone(&place));
        let look = Box::new(move || looking.look());
        let desk = Desk { stock: Some(stock), ..desk(&place) };
        let parts = Parts { right: right.clone(), mirrors, look, desk, dir: journal.clone() };
        let (cluster, events) = Cluster::start(settings, parts).await?;
        let (me, acks, has_control) = (settings.name, settings.mirror.acks, !settings.voters().is_none());
        Ok(Self { cluster, events, right, place, me, acks, has_control, journal, found: None, silent: None })
    }

    /// The node is this member's: it may send what the membership allows, and goes on with what the journal held when it
    /// is known whose that is. `alive` is when the process before lived last.
    pub(super) fn holds(&mut self, config: &mut NodeConfig, earlier: Vec<Earlier>, alive: Option<Timestamp>) {
        config.right = self.right.clone();
        config.epoch = Epoch(self.cluster.status().incarnation.map_or(0, |own| own.run));
        config.left = earlier.iter().map(|one| one.call_id).collect();
        self.found = Some((earlier, alive));
    }

    /// Goes on until it is told to leave, or the instance is gone.
    pub(super) fn run(self, instance: &Arc<Instance>, wishes: mpsc::Receiver<Wish>, unplaced: Vec<Accepted>) {
        self.place.get_or_init(|| Arc::downgrade(instance));
        Home::new(self.cluster.others(), self.journal.clone(), unplaced).run(instance);
        instance.follow_the_cluster();
        tokio::spawn(self.live(Arc::downgrade(instance), wishes));
    }

    async fn live(mut self, instance: Weak<Instance>, mut wishes: mpsc::Receiver<Wish>) {
        let (tell, mut settled) = mpsc::unbounded_channel(); // one for each takeover
        loop {
            tokio::select! {
                event = self.events.recv() => {
                    let (Some(event), Some(instance)) = (event, instance.upgrade()) else { return };
                    self.happened(&instance, event, &tell).await;
                }
                Some(of) = settled.recv() => self.cluster.settled(of),
                wish = wishes.recv() => match wish {
                    Some(Wish::HandOver) => self.cluster.hand_over(),
                    Some(Wish::Leave { has_calls, left }) => {
                        self.cluster.end(has_calls).await;
                        drop(left);
                        return;
                    }
                    None => return,
                },
            }
        }
    }

    async fn happened(
        &mut self,
        instance: &Arc<Instance>,
        event: Event,
        settled: &mpsc::UnboundedSender<Incarnation>,
    ) {
        let node = Arc::clone(&instance.node);
        match event {
            Event::Silence => {
                (self.silent, self.found) = (Some(instance.clock.now()), None);
                instance.board.all_elsewhere(instance.clock.now());
                on(node, Node::silence).await;
            }
            // Its calls were dropped when it fell silent; who has not spoken yet has none.
            Event::Fenced { done, .. } => {
                self.silent.get_or_insert_with(|| instance.clock.now());
                self.found = None;
                on(node, Node::silence).await;
                drop(done);
            }
            Event::LayDown { done } => {
                (self.silent, self.found) = (Some(instance.clock.now()), None);
                instance.board.all_elsewhere(instance.clock.now());
                on(node, Node::lay_down).await;
                drop(done);
            }
            Event::Began { incarnation, done } => {
                on(node, move |node| node.begin_anew(Epoch(incarnation.run))).await;
                drop(done);
            }
            Event::TakeOver(taken) => self.take_over(instance, *taken, settled).await,
        }
    }

    async fn take_over(
        &mut self,
        instance: &Arc<Instance>,
        taken: TakeOver,
        settled: &mpsc::UnboundedSender<Incarnation>,
    ) {
        let TakeOver { inheritance, records, stale, lived } = taken;
        let of = inheritance.of;
        let at_home = inheritance.sources.iter().filter(|one| inheritance.is_at_home(self.me, **one));
        let own = match at_home.map(|one| one.run).min() {
            Some(first) => Some(self.own(Epoch(first)..Epoch(inheritance.epoch)).await),
            None => None,
        };
        // What it had taken over others keep as it was before.
        let known: BTreeMap<CallId, (Epoch, Revision)> =
            own.iter().flat_map(|(calls, _)| calls).map(|one| (one.call_id, one.saved)).collect();
        let is_wanted = |record: &Inherited| {
            known.get(&record.saved.call_id).is_none_or(|known| *known < record.saved.version())
        };
        let records: Vec<Inherited> = records.into_iter().filter(is_wanted).collect();
        let shares = Shares::of(1 + usize::from(own.is_some()), of, settled.clone());
        let epoch = Epoch(inheritance.epoch);
        if let Some((calls, alive)) = own {
            instance.goes_on_with(calls.iter()).await;
            let settled = shares.one();
            let regained = Regained { epoch, alive, calls, settled };
            on(Arc::clone(&instance.node), move |node| node.regain(regained)).await;
        }
        if stale {
            tracing::warn!(%of, "nobody had a whole copy of its calls: they go on from what there is");
        }
        let calls = spawn_blocking(move || read(records)).await.unwrap_or_default();
        instance.goes_on_with(calls.iter().map(|one| &one.earlier)).await;
        let rows = instance.rows(calls.iter().map(|one| &one.earlier)).await;
        let lost_for = lived.map(|lived| boottime().since(lived));
        let inheritance = node::Inheritance { epoch, lost_for, calls, settled: shares.one() };
        on(Arc::clone(&instance.node), move |node| node.take_over(inheritance)).await;
        if let Err(error) = instance.records.inherit(rows).await {
            tracing::warn!(%error, "calls of another instance go on, and do not show before their results are kept");
        }
    }

    /// The calls of this instance's own incarnations of these ownerships, and when they were carried last.
    async fn own(&mut self, of: Range<Epoch>) -> (Vec<Earlier>, Option<Timestamp>) {
        let (calls, alive) = match self.found.take() {
            Some(found) => found,
            None => {
                let saved = recover::journalled(&self.journal).await.unwrap_or_default();
                let calls = spawn_blocking(move || Earlier::read(saved)).await.unwrap_or_default();
                (calls, self.silent)
            }
        };
        (calls.into_iter().filter(|call| of.contains(&call.saved.0)).collect(), alive)
    }
}

/// A takeover in parts: it is settled when all are.
struct Shares {
    of: Incarnation,
    left: Arc<AtomicUsize>,
    settled: mpsc::UnboundedSender<Incarnation>,
}

impl Shares {
    fn of(count: usize, of: Incarnation, settled: mpsc::UnboundedSender<Incarnation>) -> Self {
        Self { of, left: Arc::new(AtomicUsize::new(count)), settled }
    }

    /// To be called when one part is settled.
    fn one(&self) -> node::OnSettled {
        let (of, left, settled) = (self.of, Arc::clone(&self.left), self.settled.clone());
        Box::new(move |_| {
            if left.fetch_sub(1, SeqCst) == 1 {
                settled.send(of).unwrap_or_default(); // a membership that has ended needs no answer
            }
        })
    }
}

fn read(records: Vec<Inherited>) -> Vec<node::Inherited> {
    let known: Vec<(u32, bool)> = records.iter().map(|record| (record.claims, record.stale)).collect();
    let saved = records.into_iter().map(|record| SavedCall::from(record.saved));
    let calls = Earlier::read(saved.collect()).into_iter().zip(known);
    calls.map(|(earlier, (claims, stale))| node::Inherited { earlier, claims, stale }).collect()
}

impl Instance {
    /// These calls go on here: what they ask is loaded, and they show.
    pub(super) async fn goes_on_with(&self, calls: impl Iterator<Item = &Earlier> + Clone) {
        let now = self.clock.now();
        for Earlier { call_id, call, .. } in calls.clone() {
            self.board.found(*call_id, call.as_ref().map_or(Progress::Dialling, Call::progress), now);
        }
        let needed = calls.filter_map(|one| one.call.as_ref().ok()).map(Call::questionnaire).collect();
        self.have(&needed).await;
    }

    /// Loads what calls are pinned to and this instance does not ask itself, or any more.
    async fn have(&self, needed: &BTreeSet<Digest>) {
        let missing = self.library.read().await.lacks(needed);
        if missing.is_empty() {
            return;
        }
        self.fetch_soon(&missing).await;
        let shelf = Arc::clone(&self.shelf);
        let loaded = spawn_blocking(move || shelf.editions(&missing)).await.unwrap_or_default();
        let mut library = self.library.write().await;
        library.older.extend(loaded.into_iter().map(|one| (one.digest(), one)));
        let (settings, assets) = (library.settings.clone(), library.assets());
        on(Arc::clone(&self.node), move |node| {
            if let Err(error) = node.renew(settings, assets) {
                tracing::error!(%error, "editions of other instances' calls cannot be used; those calls will be ended");
            }
        })
        .await;
    }

    /// The calls of another instance as they stand in these records.
    async fn rows(&self, calls: impl Iterator<Item = &Earlier>) -> Vec<Accepted> {
        let library = self.library.read().await;
        let row = |call: &Call| {
            let digest = call.questionnaire();
            let known = library.edition(&digest.to_string());
            Accepted {
                call_id: call.id(),
                attempt_id: call.attempt(),
                to: call.to().to_owned(),
                trunk: call.trunk().to_owned(),
                questionnaire: known.map(|it| it.id().to_owned()).unwrap_or_default(),
                digest,
                case: None,
                request: "{}".to_owned(),
                key: None,
                accepted_at: self.clock.now(),
            }
        };
        calls.filter_map(|one| one.call.as_ref().ok()).map(row).collect()
    }
}

/// Does something with the node that may wait for its threads.
async fn on(node: Arc<Node>, what: impl FnOnce(&Node) + Send + 'static) {
    // A panic in there is told by the panic itself.
    drop(spawn_blocking(move || what(&node)).await);
}

impl Member {
    pub(super) fn of(membership: &Membership) -> (Self, mpsc::Receiver<Wish>) {
        let (wishes, asked) = mpsc::channel(1);
        let (view, others) = (membership.cluster.view(), membership.cluster.others());
        let (name, choice) = (membership.me.to_string(), Choice::default());
        let sharing = Sharing::new(membership.me, membership.cluster.shared());
        let Membership { acks, has_control, .. } = *membership;
        let renewal = membership.cluster.renewal();
        (Self { name, view, others, choice, sharing, renewal, acks, has_control, wishes }, asked)
    }

    /// Whom results are told; `None`: nobody is control, and who accepted a call asks for its result.
    pub(super) fn telling(&self) -> Option<Telling> {
        let (view, others, acks) = (self.view.clone(), self.others.clone(), self.acks);
        self.has_control.then_some(Telling { view, others, acks })
    }

    /// Has the others go on with all its calls, if they can; to be asked for again until it is so.
    pub(super) fn hand_over(&self) {
        drop(self.wishes.try_send(Wish::HandOver)); // one that waits is enough
    }

    /// Leaves the cluster. With calls the others take them over, as after a death.
    pub(super) async fn leave(&self, has_calls: bool) {
        let (left, done) = oneshot::channel();
        if self.wishes.send(Wish::Leave { has_calls, left }).await.is_ok() {
            drop(done.await); // done when it is dropped
        }
    }
}
