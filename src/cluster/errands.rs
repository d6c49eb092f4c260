//! What a member wants of the engine, of its peers and of the instance, carried out on the runtime.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep};

use super::member::Inputs;
use super::status::Board;
use super::terms::Known;
use super::{Done, Event, gather};
use crate::engine::{self, Engine, Index};
use crate::id::NodeId;
use crate::node::clock::boottime;
use crate::peers::{Identity, Link, Table};
use crate::store::journal::{Mirrors, Snapshot};
use crate::sync::{
    ClaimResult, Incarnation, Inheritance, Input, Key, Ownership, Role, Taking, Terms, Transaction,
};
use crate::time::Timestamp;

/// From one try to register to the next.
const RETRY: Duration = Duration::from_millis(500);
/// How long an incarnation that was found absent before it spoke waits at most for a majority to answer.
const LONELY: Duration = Duration::from_secs(10);
/// How often it is said that a try has failed.
const SAY: u32 = 20;
/// How long the others may take to hold all that was saved of calls that are given away, and how often it is looked: what
/// they do not hold was never acted upon, and is asked again.
const HELD: Duration = Duration::from_millis(100);
const LOOK: Duration = Duration::from_millis(2);

/// What a member wants done.
#[derive(Debug)]
pub(super) enum Errand {
    Claim(Transaction),
    Rejoin(Transaction),
    Read(Incarnation),
    Change { target: Incarnation, revision: u64, terms: Terms },
    Release { target: Incarnation, revision: u64, gone: Vec<Incarnation> },
    TakeOver { by: Incarnation, inheritance: Inheritance, lived: Option<Timestamp> },
    TakeSeat(Taking),
    Begin(Incarnation),
    Fenced { by: Option<Incarnation>, spoke: bool },
    Silence,
    LayDown { of: Incarnation },
}

/// What holds for a member as long as its process lives.
#[derive(Clone, Debug)]
pub(super) struct Constants {
    pub(super) node: NodeId,
    pub(super) role: Role,
    pub(super) known: Known,
    pub(super) acks: usize,
    pub(super) copies: Option<usize>,
    pub(super) identity: Arc<Identity>,
    pub(super) engine: Engine,
    pub(super) table: Table,
    /// Where it is remembered how far the engine was.
    pub(super) seen: PathBuf,
}

impl Constants {
    /// Registers a new incarnation, for as long as it takes; when its key was asked for, and the key.
    pub(super) async fn register(&self) -> (Timestamp, Key) {
        // A member that was never here had its journal elsewhere.
        let is_new = self.role == Role::Instance && !self.seen.exists();
        for attempt in 0_u32.. {
            let asked = boottime();
            let registered = async {
                let one = self.engine.ticket(self.node).await?;
                self.engine.register(one, self.role, &self.known.holding(), is_new).await
            };
            match registered.await {
                Ok(key) => {
                    self.remember();
                    tracing::info!(incarnation = %key.incarnation, "registered");
                    return (asked, key);
                }
                Err(error) if attempt % SAY == 0 => {
                    tracing::warn!(%error, "this instance waits for the engine to register; it sends nothing until then");
                }
                Err(_) => {}
            }
            sleep(RETRY).await;
        }
        unreachable!("it is tried for ever")
    }

    /// Remembers how far the engine was, so that a restored backup is noticed after a restart, too.
    pub(super) fn remember(&self) {
        let new = self.seen.with_extension("new");
        let written = std::fs::write(&new, format!("{}\n", self.engine.seen()));
        if let Err(error) = written.and_then(|()| std::fs::rename(&new, &self.seen)) {
            tracing::warn!(%error, file = %self.seen.display(), "it is not remembered how far the engine was");
        }
    }
}

/// The task that runs a member's errands.
pub(super) struct Errands {
    pub(super) constants: Constants,
    pub(super) inputs: Inputs,
    pub(super) mirrors: Mirrors,
    pub(super) me: watch::Sender<Option<Incarnation>>,
    pub(super) events: mpsc::Sender<Event>,
    /// What all members are to have alike, as the engine told it last; absent: it has not told anything yet.
    pub(super) index: watch::Sender<Option<Option<Index>>>,
    pub(super) board: Arc<Board>,
    pub(super) roles: BTreeMap<Incarnation, Role>,
    /// To whom, where it is, and the task.
    pub(super) links: BTreeMap<NodeId, (SocketAddr, AbortHandle)>,
    /// Its calls were laid down for the others to have them.
    pub(super) laid_down: bool,
    pub(super) running: JoinSet<()>,
}

impl Errands {
    /// Runs them until the member ends, or nobody listens to its events.
    pub(super) async fn run(
        mut self,
        mut errands: mpsc::Receiver<Errand>,
        mut told: mpsc::Receiver<engine::Event>,
    ) {
        loop {
            tokio::select! {
                errand = errands.recv() => match errand {
                    Some(errand) => self.carry_out(errand).await,
                    None => return,
                },
                event = told.recv() => match event {
                    Some(event) => self.learn(event),
                    None => return,
                },
                Some(_) = self.running.join_next() => {}
            }
        }
    }

    async fn carry_out(&mut self, errand: Errand) {
        let (constants, inputs) = (self.constants.clone(), self.inputs.clone());
        match errand {
            Errand::Claim(transaction) => {
                let role = self.roles.get(&transaction.target).copied().unwrap_or(Role::Instance);
                self.running.spawn(async move {
                    let result = constants.engine.claim(&transaction, role).await;
                    say(&transaction, &result);
                    inputs.give(Input::claimed(&transaction, result));
                });
            }
            Errand::Rejoin(transaction) => {
                self.running.spawn(async move {
                    let Constants { engine, role, known, .. } = &constants;
                    let result = engine.rejoin(&transaction, *role, &known.holding()).await;
                    say(&transaction, &result);
                    inputs.give(Input::claimed(&transaction, result));
                });
            }
            Errand::Read(one) => {
                self.running.spawn(async move {
                    inputs.give(match constants.engine.read(one).await {
                        Ok(Some(key)) => Input::Key(key),
                        Ok(None) => Input::KeyGone(one),
                        Err(_) => Input::Unread(one),
                    });
                });
            }
            Errand::Change { target, revision, terms } => {
                self.running.spawn(async move {
                    let result = constants.engine.change(target, revision, constants.role, &terms).await;
                    inputs.give(Input::changed(target, result));
                });
            }
            Errand::Release { target, revision, gone } => {
                self.running.spawn(async move {
                    if let Err(error) = constants.engine.release(target, revision, &gone).await {
                        tracing::info!(%target, %error, "a key that nobody needs is not deleted yet");
                    }
                });
            }
            Errand::TakeSeat(taking) => {
                // Whatever came of it is told by the watch, too.
                self.running.spawn(async move {
                    if let Ok(Some(seat)) = constants.engine.take_seat(&taking).await {
                        inputs.give(Input::Seat(Some(seat)));
                    }
                });
            }
            Errand::TakeOver { by, inheritance, lived } => self.take_over(by, inheritance, lived),
            Errand::Begin(next) => self.begin(next).await,
            Errand::Fenced { by, spoke } => self.fenced(by, spoke),
            Errand::Silence => self.tell(Event::Silence).await,
            Errand::LayDown { of } => self.lay_down(of),
        }
    }

    async fn tell(&self, event: Event) {
        if self.events.send(event).await.is_err() {
            tracing::warn!("nobody listens to what happens to this member");
        }
    }

    fn take_over(&mut self, by: Incarnation, inheritance: Inheritance, lived: Option<Timestamp>) {
        let (constants, me, events) = (self.constants.clone(), self.me.subscribe(), self.events.clone());
        self.running.spawn(async move {
            let taken = gather::gather(&constants, by, inheritance, lived).await;
            if *me.borrow() == Some(by) {
                tracing::warn!(
                    of = %taken.inheritance.of,
                    epoch = taken.inheritance.epoch,
                    calls = taken.records.len(),
                    stale = taken.stale,
                    "this instance goes on with another incarnation's calls"
                );
                drop(events.send(Event::TakeOver(Box::new(taken))).await);
            }
        });
    }

    /// Has the instance drop its calls; then their records are one more copy, and nothing that was sent depends on more
    /// than what is told to be durable.
    fn lay_down(&mut self, of: Incarnation) {
        self.laid_down = true;
        let (table, inputs) = (self.constants.table.clone(), self.inputs.clone());
        let (events, mirrors) = (self.events.clone(), self.mirrors.clone());
        self.running.spawn(async move {
            let (done, over) = Done::new();
            drop(events.send(Event::LayDown { done }).await);
            drop(over.await); // done when it is dropped
            let durable = held(&mirrors).await;
            let Snapshot { as_of, calls } = mirrors.snapshot();
            let count = calls.len();
            let kept = table.keep(of, as_of, calls);
            let through = durable.filter(|_| kept.is_ok());
            tracing::info!(
                calls = count,
                through,
                ?kept,
                "this instance's calls are laid down for the others"
            );
            inputs.give(Input::LaidDown { of, through });
        });
    }

    async fn begin(&mut self, next: Incarnation) {
        self.laid_down = false;
        self.me.send_replace(None);
        let (done, over) = Done::new();
        self.tell(Event::Began { incarnation: next, done }).await;
        drop(over.await); // done when it is dropped
        self.mirrors.begin(self.constants.acks, self.constants.known.holding().promise);
        self.constants.remember();
        self.me.send_replace(Some(next));
        tracing::info!(incarnation = %next, "this instance goes on as another incarnation");
    }

    fn fenced(&mut self, by: Option<Incarnation>, spoke: bool) {
        let (constants, inputs, events) = (self.constants.clone(), self.inputs.clone(), self.events.clone());
        let (claimer, board) = (by.map(|by| by.to_string()), Arc::clone(&self.board));
        if std::mem::take(&mut self.laid_down) {
            tracing::info!(by = claimer, "the others have this instance's calls");
        } else if spoke {
            tracing::error!(
                by = claimer,
                "others have this instance's calls: it drops them, and begins anew"
            );
        } else {
            tracing::info!(
                by = claimer,
                "others did not hear this instance before it might send anything: it begins anew"
            );
        }
        self.running.spawn(async move {
            let (done, over) = Done::new();
            drop(events.send(Event::Fenced { by, done }).await);
            drop(over.await); // done when it is dropped
            if !spoke {
                lonely(&board).await;
                inputs.give(Input::Registers(boottime()));
            }
            let (_, key) = constants.register().await;
            inputs.give(Input::Key(key));
        });
    }

    // ── what the engine tells ──

    fn learn(&mut self, event: engine::Event) {
        match event {
            engine::Event::Key(key) => {
                self.roles.insert(key.incarnation, key.role);
                if let Ownership::Claimed(claim) = &key.ownership {
                    self.board.write().fates.claimed(key.incarnation, claim.stale);
                }
                if matches!(key.ownership, Ownership::Alive(_)) {
                    self.link();
                }
                self.inputs.give(Input::Key(key));
            }
            engine::Event::Gone(one) => {
                self.roles.remove(&one);
                let mut status = self.board.write();
                status.unreadable.remove(&one);
                status.fates.gone(one);
                drop(status);
                self.constants.table.forget(one);
                self.inputs.give(Input::KeyGone(one));
            }
            engine::Event::Seat(seat) => self.inputs.give(Input::Seat(seat)),
            engine::Event::Current(revision) => {
                self.inputs.give(Input::Current(revision));
                // The settings may name others than before.
                self.link();
            }
            engine::Event::Away(why) => {
                tracing::error!(why, "the engine is away: calls go on, and nobody's are taken over");
                self.board.write().engine_away = Some(why);
            }
            engine::Event::There => {
                if self.board.write().engine_away.take().is_some() {
                    tracing::info!("the engine is back");
                }
            }
            engine::Event::Unreadable(one, error) => {
                tracing::error!(%error, "a key of the cluster cannot be read");
                self.board.write().unreadable.insert(one, error.to_string());
            }
            engine::Event::Index(index) => drop(self.index.send_replace(Some(index))),
            engine::Event::UnreadableIndex(error) => {
                tracing::error!(%error, "what all members are to have alike cannot be read: this one stays as it is");
            }
        }
    }

    /// Links to those that mirror this member's saves: the next `copies` instances by name, round and round.
    fn link(&mut self) {
        let Constants { node, role, copies, known, .. } = &self.constants;
        if *role == Role::Witness {
            return;
        }
        let youngest: BTreeMap<NodeId, Role> =
            self.roles.iter().map(|(one, role)| (one.node, *role)).collect();
        // Whom the settings do not name any more is one as long as it lives.
        let listed = known.listed();
        let others = known
            .addresses()
            .into_keys()
            .filter(|other| other != node && (listed.contains(other) || youngest.contains_key(other)));
        let (before, after): (Vec<NodeId>, Vec<NodeId>) = others.partition(|other| other < node);
        let ring = after.into_iter().chain(before);
        let mirrors = ring.filter(|other| youngest.get(other) != Some(&Role::Witness));
        let kept: BTreeSet<NodeId> = mirrors.take(copies.unwrap_or(usize::MAX)).collect();
        let wanted: BTreeSet<NodeId> =
            kept.iter().filter(|other| youngest.get(other) == Some(&Role::Instance)).copied().collect();
        if copies.is_some() {
            self.inputs.give(Input::Mirrors(kept));
        }
        self.links.retain(|to, (address, link)| {
            let stays = wanted.contains(to) && known.address(*to) == Some(*address);
            if !stays {
                link.abort();
            }
            stays
        });
        for to in wanted {
            let Some(address) = known.address(to).filter(|_| !self.links.contains_key(&to)) else { continue };
            let link = Link {
                to,
                address,
                identity: Arc::clone(&self.constants.identity),
                mirrors: self.mirrors.clone(),
                me: self.me.subscribe(),
            };
            self.links.insert(to, (address, self.running.spawn(link.run())));
        }
    }
}

/// How far the stream is durable, when the others have had their time; `None`: they hold less than they should.
async fn held(mirrors: &Mirrors) -> Option<u64> {
    let begun = Instant::now();
    loop {
        let durable = mirrors.look();
        if durable.through >= mirrors.saved() || begun.elapsed() >= HELD {
            return (!durable.degraded).then_some(durable.through);
        }
        sleep(LOOK).await;
    }
}

/// Whom no majority answers would be found absent again at once, and again: it waits for one, but not for ever.
async fn lonely(board: &Board) {
    let until = Instant::now() + LONELY;
    while !board.write().answered && Instant::now() < until {
        sleep(RETRY / 5).await;
    }
}

fn say(transaction: &Transaction, result: &ClaimResult) {
    let Transaction { target, claim, .. } = transaction;
    let heirs = claim.heirs.len();
    tracing::info!(%target, by = %claim.by, heirs, stale = claim.stale, ?result, "a claim");
}
