//! The thread on which a member lives: datagrams, its clock, and what follows from both.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token, Waker};
use tokio::sync::mpsc::{self, error::TrySendError};

use super::errands::Errand;
use super::status::{Board, Other};
use super::terms::{Known, Saying, names};
use super::{Look, Parts};
use crate::engine::Own;
use crate::id::NodeId;
use crate::node::clock::boottime;
use crate::peers::{Guard, MAX_DATAGRAM_BYTES, Table};
use crate::sync::{ClaimResult, Input, Key, Member, Message, Output, Ownership, Role, Standing, Terms};
use crate::time::Timestamp;

/// Inputs that wait for the thread: it takes them many times a second.
const INPUTS: usize = 4_096;
/// Datagrams that are read before anything else is looked at.
const AT_ONCE: usize = 512;
/// The thread looks around at least this often, to end when it is told to.
const LONGEST: Duration = Duration::from_millis(100);
const SOCKET: Token = Token(0);
const WAKE: Token = Token(1);

/// The way to the member.
#[derive(Clone, Debug)]
pub(super) struct Inputs {
    sender: Sender<Input>,
    waker: Arc<Waker>,
}

impl Inputs {
    pub(super) fn give(&self, input: Input) {
        // Who finds it ended is about to end too.
        drop(self.sender.send(input));
        self.wake();
    }

    pub(super) fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            tracing::warn!(%error, "the member's thread cannot be woken; it looks by itself");
        }
    }
}

/// What the thread begins with.
pub(super) struct Begin {
    pub(super) key: Key,
    /// When the key was asked for, or before.
    pub(super) asked: Timestamp,
    pub(super) known: Known,
    pub(super) guard: Guard,
    pub(super) table: Table,
    pub(super) own: Own,
    pub(super) parts: Parts,
    pub(super) errands: mpsc::Sender<Errand>,
    pub(super) board: Arc<Board>,
    pub(super) stopping: Arc<AtomicBool>,
}

/// The thread.
pub(super) struct Thread {
    begin: Begin,
    member: Member,
    socket: UdpSocket,
    poll: Poll,
    inputs: Receiver<Input>,
    /// Errands that found no room; they keep their order.
    unsent: VecDeque<Errand>,
    /// Whether the node turned when it was looked at last.
    turns: bool,
    standing: Standing,
    controls: Option<u64>,
    /// Whether this incarnation was ever allowed to send.
    has_spoken: bool,
    /// Whether it or one before it was, so that it may have calls; until others have them.
    spoke: bool,
    /// What holds for it.
    terms: Terms,
    saying: Saying,
}

impl Thread {
    pub(super) fn new(begin: Begin, socket: std::net::UdpSocket) -> io::Result<(Self, Inputs)> {
        socket.set_nonblocking(true)?;
        let mut socket = UdpSocket::from_std(socket);
        let poll = Poll::new()?;
        poll.registry().register(&mut socket, SOCKET, Interest::READABLE)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        let (sender, inputs) = crossbeam_channel::bounded(INPUTS);
        let member = Member::new(begin.asked, &begin.key, begin.known.holding());
        let terms = begin.known.holding();
        let thread = Self {
            begin,
            member,
            socket,
            poll,
            inputs,
            unsent: VecDeque::new(),
            turns: true,
            standing: Standing::Waiting,
            controls: None,
            has_spoken: false,
            spoke: false,
            terms,
            saying: Saying::default(),
        };
        Ok((thread, Inputs { sender, waker }))
    }

    /// Runs on a thread of its own, until it is told to stop.
    pub(super) fn spawn(self) -> io::Result<JoinHandle<()>> {
        std::thread::Builder::new().name("member".to_owned()).spawn(|| self.run())
    }

    fn run(mut self) {
        let mut events = Events::with_capacity(8);
        let mut bytes = vec![0; MAX_DATAGRAM_BYTES + 1];
        let mut is_more = false;
        while !self.begin.stopping.load(SeqCst) {
            let until = self.member.poll_timeout().since(boottime());
            let wait = if is_more { Duration::ZERO } else { until.min(LONGEST) };
            if let Err(error) = self.poll.poll(&mut events, Some(wait))
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "the member's socket cannot be waited for");
                break;
            }
            is_more = self.read(&mut bytes);
            while let Ok(input) = self.inputs.try_recv() {
                self.handle(input);
            }
            if boottime() >= self.member.poll_timeout() {
                self.look();
                self.handle(Input::TimedOut);
            }
            self.errand(None);
        }
        // Nothing more is promised by anybody: whoever still speaks does so no longer than that.
    }

    /// Takes what has come; whether there may be more.
    fn read(&mut self, bytes: &mut [u8]) -> bool {
        for _ in 0..AT_ONCE {
            match self.socket.recv(bytes) {
                Ok(count) => {
                    let run = self.member.incarnation().run;
                    let datagram = bytes.get(..count).unwrap_or_default();
                    if let Ok(opened) = self.begin.guard.open(run, datagram) {
                        self.handle(Input::Heard(opened.message));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                // What the kernel says of a datagram of ours that found nobody.
                Err(_) => {}
            }
        }
        true
    }

    fn look(&mut self) {
        let Look { usage, hangs } = (self.begin.parts.look)();
        match hangs {
            None if !self.turns => tracing::info!("the node turns again: this member beats on"),
            Some((part, since)) if self.turns => {
                let since_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
                tracing::error!(
                    part,
                    since_ms,
                    "the node's threads hang: this member beats no more until they turn"
                );
            }
            None | Some(_) => {}
        }
        self.turns = hangs.is_none();
        self.begin.guard.admit(self.begin.known.listed());
        let wanted = self.begin.known.wanted();
        self.adopt(&wanted);
        self.handle(Input::Usage(usage));
        self.handle(Input::Saved(self.begin.parts.mirrors.saved()));
        let durable = self.begin.parts.mirrors.look();
        let others: BTreeMap<NodeId, Terms> =
            self.member.terms_of_others().map(|(node, terms)| (node, terms.clone())).collect();
        self.saying.look(boottime(), &self.terms, &wanted, &others);
        let listed = self.begin.known.listed();
        let mut status = self.begin.board.write();
        status.terms_of_others = others;
        status.answered = self.member.is_answered_by_voters(boottime());
        (status.terms, status.wanted) = (Some(self.terms.clone()), Some(wanted));
        status.usage = Some(usage);
        status.mirrors_lacking = durable.degraded;
        status.records = self.begin.table.len();
        status.refused.clone_from(self.begin.guard.refused());
        status.others.clear();
        let others = self.member.others_there(boottime());
        status.others.extend(others.map(|(incarnation, role, usage)| Other { incarnation, role, usage }));
        let own = self.member.incarnation().node;
        let is_there =
            |node: &NodeId| *node == own || status.others.iter().any(|other| other.incarnation.node == *node);
        status.absent = listed.into_iter().filter(|node| !is_there(node)).collect();
    }

    /// Again and again: a change that is under way is done before the next one is taken in. A shorter promise comes to count
    /// when nothing that a connection was given is tried for longer.
    fn adopt(&mut self, wanted: &Terms) {
        let right = &self.begin.parts.right;
        right.promises_last(wanted.promise.min(self.member.promise()));
        if right.is_within(wanted.promise) {
            self.handle(Input::Adopt(wanted.clone()));
        }
    }

    fn handle(&mut self, input: Input) {
        self.member.handle(boottime(), input);
        while let Some(output) = self.member.poll_output() {
            self.carry_out(output);
        }
        let (standing, own) = (self.member.standing(), self.member.incarnation());
        let has_terms = *self.member.terms() == self.terms;
        if !has_terms {
            self.terms = self.member.terms().clone();
            self.begin.known.hold(self.terms.clone());
            self.begin.parts.mirrors.promises_last(self.terms.promise);
            let Terms { voters, promise } = &self.terms;
            tracing::info!(incarnation = %own, voters = names(voters), ?promise, "these vote on this member now, for so long");
        }
        if standing != self.standing {
            tracing::info!(incarnation = %own, ?standing, "standing");
        }
        if standing != self.standing || !has_terms {
            self.standing = standing;
            let ownership = Ownership::Alive(self.terms.clone());
            let key = Key { incarnation: own, revision: 0, role: self.begin.key.role, ownership };
            self.begin.own.is((standing == Standing::Speaking).then_some(key));
        }
        let (seat, controls) = (self.member.seat(), self.member.controls());
        if controls != self.controls {
            self.controls = controls;
            match controls {
                Some(epoch) => {
                    tracing::info!(incarnation = %own, epoch, "this instance is control: it places the cluster's calls")
                }
                None => tracing::info!(incarnation = %own, "this instance is not control any more"),
            }
        }
        let mut status = self.begin.board.write();
        (status.standing, status.incarnation) = (Some(standing), Some(own));
        (status.seat, status.controls) = (seat, controls);
        status.moves = self.member.is_moving();
        status.open_claims.clear();
        status.open_claims.extend(self.member.open_claims());
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Send { to, message } => self.send(to, message),
            Output::SpeakUntil(until) => {
                self.has_spoken |= self.begin.parts.right.speak_until(until);
                self.spoke |= self.has_spoken;
            }
            Output::SpeakAlways => {
                self.has_spoken |= self.begin.parts.right.speak_always();
                self.spoke |= self.has_spoken;
            }
            // It is told to lay them down, next.
            Output::BeSilent if self.member.hands_over() => self.has_spoken = false,
            // Who has not spoken yet has nothing to drop.
            Output::BeSilent if self.has_spoken => {
                self.has_spoken = false;
                self.errand(Some(Errand::Silence));
            }
            Output::BeSilent => {}
            Output::LayDown => {
                // Before there is no call left: whoever waits for that waits for this, too.
                self.begin.board.write().moves = true;
                self.errand(Some(Errand::LayDown { of: self.member.incarnation() }));
            }
            Output::Seal { target, asked } => {
                let is_witness = self.begin.key.role == Role::Witness;
                let held = if is_witness { None } else { self.begin.table.seal(target) };
                self.member.handle(boottime(), Input::Sealed { target, asked, held });
            }
            Output::Unseal(target) => self.begin.table.unseal(target),
            Output::Known(number) => drop(self.begin.parts.mirrors.known(number)),
            Output::Claim(transaction) => self.errand(Some(Errand::Claim(transaction))),
            Output::Read(one) => self.errand(Some(Errand::Read(one))),
            Output::Rejoin(transaction) => self.errand(Some(Errand::Rejoin(transaction))),
            Output::Change { target, revision, terms } => {
                self.errand(Some(Errand::Change { target, revision, terms }));
            }
            Output::Release { target, revision, gone } => {
                self.errand(Some(Errand::Release { target, revision, gone }));
            }
            Output::TakeOver(inheritance) => {
                let (by, lived) = (self.member.incarnation(), self.member.lived(inheritance.of));
                self.errand(Some(Errand::TakeOver { by, inheritance, lived }));
            }
            Output::TakeSeat(taking) => self.errand(Some(Errand::TakeSeat(taking))),
            Output::Begin(next) => self.errand(Some(Errand::Begin(next))),
            Output::Fenced { by } => {
                let spoke = std::mem::take(&mut self.spoke);
                self.errand(Some(Errand::Fenced { by, spoke }));
            }
        }
    }

    fn send(&mut self, to: NodeId, message: Message) {
        if !self.turns && matches!(message, Message::Beat(_)) {
            return;
        }
        let Some(address) = self.begin.known.address(to) else { return };
        let sealed = self.begin.guard.seal(self.member.incarnation(), to, message);
        // A datagram that is lost here is as one that is lost on its way.
        drop(self.socket.send_to(&sealed, address));
    }

    /// Hands out what waits, and this behind it.
    fn errand(&mut self, errand: Option<Errand>) {
        self.unsent.extend(errand);
        while let Some(errand) = self.unsent.pop_front() {
            match self.begin.errands.try_send(errand) {
                Ok(()) => {}
                Err(TrySendError::Full(errand) | TrySendError::Closed(errand)) => {
                    self.wait(errand);
                    break;
                }
            }
        }
    }

    /// What found no room waits, unless it can be answered at once that it was not done.
    fn wait(&mut self, errand: Errand) {
        let answer = match &errand {
            Errand::Claim(transaction) | Errand::Rejoin(transaction) => {
                Some(Input::claimed(transaction, ClaimResult::Unknown))
            }
            Errand::Change { target, .. } => Some(Input::changed(*target, ClaimResult::Unknown)),
            Errand::Read(one) => Some(Input::Unread(*one)),
            // It is asked for again.
            Errand::Release { .. } | Errand::TakeSeat(_) => return,
            Errand::TakeOver { .. }
            | Errand::Begin(_)
            | Errand::Fenced { .. }
            | Errand::Silence
            | Errand::LayDown { .. } => None,
        };
        match answer {
            Some(input) => self.member.handle(boottime(), input),
            None => self.unsent.push_front(errand),
        }
    }
}
