//! A shard: one loop that owns many calls.
//!
//! ```text
//! wait for an input, an acknowledgement or a deadline
//!   ─► for each: Call::handle ─► outputs, behind the save that they depend on
//!   ─► one append for all saves of this turn
//!   ─► what is free to go: SIP in one batch, commands to media threads, events
//! ```
//! A shard never waits for a peer, a media thread's sockets or a disk. When the journal fails it stops: nothing may
//! be sent that is not saved, and whatever the journal holds is there for the next start.

mod delivery;
mod ending;
mod gap;
mod hands;
mod held;
mod live;
mod parking;
mod saves;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, select};

use super::Reserved;
use super::clock::Clock;
use super::media::{End, MediaEvent, Told, Untaken, Why};
use super::transport::{Arrived, Mail, Otherwise};
use crate::call::{Assets, Call, Input, Output, RecordingId, Start, Taken};
use crate::id::{CallId, Epoch, Revision};
use crate::settings::Trunk;
use crate::sip::{Message, StatusCode};
use crate::store::journal::{Ack, AppendError};
use crate::time::Timestamp;

pub(crate) use gap::{Inherit, Resumed};
pub(crate) use hands::{Hands, HandsParts};
use held::Held;
use live::Live;
pub(crate) use saves::Saves;

/// Posts that wait for a shard; who finds it full refuses, drops a datagram, or waits (a media thread keeps its
/// events).
pub(crate) const INBOX: usize = 8_192;
/// Posts of one turn: enough to make a group of saves worth its write, few enough that timers are not late.
const TURN: usize = 256;
/// How long the loop sleeps at most: by this it is known when the process was stopped.
const IDLE: Duration = Duration::from_millis(250);
/// How soon results that found no room are offered again.
const RETRY: Duration = Duration::from_millis(20);
/// Calls of other instances whose messages are not denied; those of many more are.
const MOST_ELSEWHERE: usize = 65_536;
/// Outputs of one call that may wait for the journal before what comes from its peer is dropped: the peer sends again.
const MAX_PARKED: usize = 256;

/// Why a call was not placed that was stopped while it was held.
const STOPPED: &str = "it was stopped before it was placed";

/// What comes into a shard.
#[derive(Debug)]
pub(crate) enum Post {
    /// A call to place.
    Place {
        /// It.
        call: Box<Call>,
        /// What was taken for it.
        reserved: Reserved,
    },
    /// A call of the process before, to go on with.
    Resume(Box<Resumed>),
    /// A call of another instance, to go on with when its turn has come.
    TakeOver(Box<Inherit>),
    /// Calls of which nobody knows yet whose they are, or that are others': what comes for them is not denied.
    Left(Vec<CallId>),
    /// The record of a call that is another's now, as it was saved here last.
    Disown {
        /// Which call.
        call: CallId,
        /// Under what its record was saved here.
        saved: (Epoch, Revision),
    },
    /// A call to place as soon as it is ready.
    Hold {
        /// What it is made of.
        start: Box<Start>,
        /// What was taken for it.
        reserved: Reserved,
    },
    /// What a held call says is spoken, or why it cannot be.
    Ready {
        /// Which call.
        call: CallId,
        /// Whether it is, and why not.
        spoken: Result<(), String>,
    },
    /// What came in for calls of this shard, and what did not leave.
    Sip(Mail),
    /// What media threads tell.
    Media(Vec<MediaEvent>),
    /// Somebody wants this call ended.
    HangUp(CallId),
    /// Somebody wants all calls ended.
    HangUpAll,
    /// The result of this call is kept elsewhere.
    Stored(CallId),
    /// Other questionnaires and trunks hold from now on; those that its calls use are among them.
    Renew {
        /// Questionnaires and credentials.
        assets: Arc<Assets>,
        /// The trunks.
        trunks: Arc<BTreeMap<String, Trunk>>,
    },
    /// It is known what came of a recording.
    Taken {
        /// Whose.
        call: CallId,
        /// Which.
        recording: RecordingId,
        /// What came of it.
        taken: Taken,
    },
    /// The right to send has ended: drop every call.
    Silence {
        /// Tell it, with how many calls the whole node had.
        tell: Option<usize>,
        /// Dropped when it is done.
        done: Option<Sender<()>>,
    },
    /// End the loop.
    Stop,
}

/// One shard. Lives on its own thread.
pub(crate) struct Shard {
    clock: Clock,
    assets: Arc<Assets>,
    trunks: Arc<BTreeMap<String, Trunk>>,
    inbox: Receiver<Post>,
    acks: Receiver<Ack>,
    calls: BTreeMap<CallId, Live>,
    held: BTreeMap<CallId, Held>,
    /// When those of them leave that only wait for their trunk's `cps`.
    paced: BTreeSet<(Timestamp, CallId)>,
    /// Calls of other instances, until their turn.
    inherited: BTreeMap<(Timestamp, CallId), Box<Inherit>>,
    /// Calls that may be others'.
    elsewhere: BTreeSet<CallId>,
    /// Whether something could be sent in the last turn.
    spoke: bool,
    timers: BTreeSet<(Timestamp, CallId)>,
    saves: Saves,
    hands: Hands,
    stopping: bool,
}

impl Shard {
    /// A shard without calls.
    pub(crate) fn new(
        clock: Clock,
        assets: Arc<Assets>,
        trunks: Arc<BTreeMap<String, Trunk>>,
        inbox: Receiver<Post>,
        acks: Receiver<Ack>,
        saves: Saves,
        hands: Hands,
    ) -> Self {
        let (calls, held, timers, paced, inherited, elsewhere) = <_>::default();
        Self {
            clock,
            assets,
            trunks,
            inbox,
            acks,
            calls,
            held,
            paced,
            inherited,
            elsewhere,
            spoke: true,
            timers,
            saves,
            hands,
            stopping: false,
        }
    }

    /// Runs until it is told to stop or the journal fails.
    pub(crate) fn run(mut self) {
        while !self.stopping {
            if let Err(error) = self.turn() {
                self.fail(&error);
            }
        }
        self.end();
    }

    /// One turn of the loop.
    fn turn(&mut self) -> Result<(), AppendError> {
        let wait = self.wait();
        select! {
            recv(self.acks) -> ack => {
                self.look_back(wait);
                self.acknowledged(ack.map_err(|_| AppendError::Closed)?)?;
            }
            recv(self.inbox) -> post => {
                self.look_back(wait);
                self.take(post.unwrap_or(Post::Stop));
            }
            default(wait) => self.look_back(wait),
        }
        while let Ok(ack) = self.acks.try_recv() {
            self.acknowledged(ack)?;
        }
        for _ in 1..TURN {
            let Ok(post) = self.inbox.try_recv() else { break };
            self.take(post);
        }
        self.take_over_due();
        self.speak_again();
        self.fire();
        self.saves.append()?;
        self.flush();
        self.hands.turn.turned(self.clock.now());
        Ok(())
    }

    fn wait(&self) -> Duration {
        let most = if self.hands.delivery.is_waiting() { RETRY } else { IDLE };
        let due =
            Timestamp::earliest(self.timers.first().map(|one| one.0), self.paced.first().map(|one| one.0));
        let turn = self.inherited.first_key_value().map(|((at, _), _)| *at);
        let due = Timestamp::earliest(due, turn).map(|at| self.clock.until(at));
        due.map_or(most, |due| due.min(most))
    }

    fn take(&mut self, post: Post) {
        match post {
            Post::Place { call, reserved } => {
                let id = call.id();
                self.calls.insert(id, Live::new(*call, reserved));
                self.tell(id, Input::Started);
            }
            Post::Resume(resumed) => self.resume(*resumed),
            Post::TakeOver(inherit) => {
                self.inherited.insert((inherit.at, inherit.call.id()), inherit);
            }
            Post::Left(calls) => self.left(calls),
            Post::Disown { call, saved: (epoch, revision) } => {
                if !self.calls.contains_key(&call) {
                    self.saves.delete(call, epoch, revision);
                }
            }
            Post::Hold { start, reserved } => {
                self.held.insert(start.call_id, Held { start, reserved });
            }
            Post::Ready { call, spoken: Ok(()) } => self.pace(call),
            Post::Ready { call, spoken } => self.let_go(call, spoken),
            Post::Sip(Mail { arrived, undelivered, weight }) => {
                drop(weight);
                for (call, through) in undelivered {
                    self.tell(call, Input::TransportFailed { through });
                }
                for one in arrived {
                    self.arrived(one);
                }
            }
            Post::Media(events) => {
                for event in events {
                    self.media(event);
                }
            }
            Post::HangUp(call) => {
                self.let_go(call, Err(STOPPED.to_owned()));
                self.tell(call, Input::HangUpAsked);
            }
            Post::HangUpAll => {
                let held: Vec<CallId> = self.held.keys().copied().collect();
                held.into_iter().for_each(|call| self.let_go(call, Err(STOPPED.to_owned())));
                let calls: Vec<CallId> = self.calls.keys().copied().collect();
                for call in calls {
                    self.tell(call, Input::HangUpAsked);
                }
            }
            Post::Stored(call) => {
                if let Some(live) = self.calls.get_mut(&call) {
                    live.ending.stored = true;
                    self.forget_if_done(call);
                }
            }
            Post::Renew { assets, trunks } => (self.assets, self.trunks) = (assets, trunks),
            Post::Taken { call, recording, taken } => {
                self.hands.note_taken(call, &taken);
                self.tell(call, Input::Taken { recording, taken });
            }
            Post::Silence { tell, done } => {
                self.silence(tell);
                drop(done);
            }
            Post::Stop => self.stopping = true,
        }
    }

    fn arrived(&mut self, arrived: Arrived) {
        let Arrived { owner, message, from, otherwise } = arrived;
        let Some(live) = self.calls.get(&owner) else {
            if self.elsewhere.contains(&owner) {
                // To deny it would end the dialog (RFC 3261 §12.2.1.2) that another instance goes on with.
                return self.hands.fault("sip", "elsewhere", format_args!("call {owner} may be another's"));
            }
            return match otherwise {
                Otherwise::Answer => self.hands.answer_stray(&message, from),
                Otherwise::Drop => {
                    self.hands.fault("sip", "stranger", format_args!("from {from}, which no trunk names"));
                }
            };
        };
        if live.parking.len() > MAX_PARKED {
            return self.hands.fault("sip", "parked", format_args!("call {owner} waits for the journal"));
        }
        // A call may outlive its trunk's place in the settings; then there is nothing to hold it to.
        let (number, name) = live.call.trunk_of(&message);
        if let Some(trunk) = self.trunks.get(name) {
            if !trunk.may_speak_from(from.address.ip()) {
                let detail = format_args!("call {owner}: {from} is no source of trunk {name}");
                return self.hands.fault("sip", "foreign", detail);
            }
            if let Message::Request(request) = message.as_ref()
                && !trunk.may_request(request.method())
            {
                let detail = format_args!("call {owner}: {} is not allowed to its trunk", request.method());
                self.hands.fault("sip", "request", detail);
                return self.hands.refuse(live.way(number), request, from, StatusCode::FORBIDDEN);
            }
        }
        self.tell(owner, Input::Received { message, from });
    }

    fn media(&mut self, event: MediaEvent) {
        let MediaEvent { call, told } = event;
        match told {
            Told::Key(key) => self.tell(call, Input::Key(key)),
            Told::ToneKey { digit, phase, at } => self.tell(call, Input::ToneKey { digit, phase, at }),
            Told::Signal(signal) => self.tell(call, Input::Signal(signal)),
            Told::Silent { times } => self.tell(call, Input::MediaSilent { times }),
            Told::PlayEnded { play, end } => {
                if end == End::Missing {
                    self.hands.fault(
                        "prompt",
                        "missing",
                        format_args!("call {call}: a prompt was not heard"),
                    );
                    return self.tell(call, Input::PromptFailed { play });
                }
                self.tell(call, Input::PromptEnded { play });
            }
            Told::Untaken(Untaken { recording, why }) => {
                let taken = match why {
                    Why::Nothing => Taken::Nothing,
                    Why::Stuck { saved_ms } => {
                        self.hands.fault(
                            "recording",
                            "stuck",
                            format_args!("call {call}: the disk is too slow"),
                        );
                        Taken::Failed { why: "the disk is too slow".to_owned(), saved_ms }
                    }
                };
                self.tell(call, Input::Taken { recording, taken });
            }
            Told::Latched(to) => {
                if let Some(live) = self.calls.get(&call) {
                    live.latched(to);
                }
            }
            Told::Closed(statistics) => {
                let report = statistics.report.clone();
                if let Some(live) = self.calls.get_mut(&call) {
                    live.media_closed(*statistics);
                }
                if let Some(report) = report {
                    self.tell(call, Input::MediaClosed(Box::new(report)));
                }
            }
        }
    }

    /// Tells a call a fact and carries out what it may do at once.
    fn tell(&mut self, id: CallId, input: Input) {
        let Some(live) = self.calls.get_mut(&id) else { return };
        let span = live.span.clone();
        let _entered = span.enter();
        let now = self.clock.now();
        for closed in self.hands.closed(&live.call, now) {
            live.call.handle(now, closed, &self.assets);
        }
        live.call.handle(now, input, &self.assets);
        while let Some(output) = live.call.poll_output() {
            let Output::Save(record) = output else {
                live.parking.push(output);
                continue;
            };
            live.saved = (record.epoch, record.revision);
            match self.saves.save(&record) {
                Ok(batch) => live.parking.save(batch),
                Err(error) => {
                    tracing::error!(%error, "the call cannot be saved and is dropped; please report this");
                    return self.abandon(id);
                }
            }
        }
        let due = live.call.poll_timeout();
        if due != live.due {
            if let Some(before) = std::mem::replace(&mut live.due, due) {
                self.timers.remove(&(before, id));
            }
            self.timers.extend(due.map(|at| (at, id)));
        }
        self.release(id);
    }

    /// The right to send has just begun: what waited for it goes.
    fn speak_again(&mut self) {
        let speaks = self.hands.right.holds();
        if speaks && !self.spoke {
            let calls: Vec<CallId> = self.calls.keys().copied().collect();
            calls.into_iter().for_each(|call| self.release(call));
        }
        self.spoke = speaks;
    }

    /// Carries out what waits for nothing any more.
    fn release(&mut self, id: CallId) {
        let Some(live) = self.calls.get_mut(&id) else { return };
        if !self.hands.right.holds() {
            return; // what is parked stays there until the call is dropped
        }
        while let Some(output) = live.parking.pop() {
            self.hands.carry_out(live, output);
        }
        if let Some(full) = live.reserved.take() {
            return self.tell(id, Input::QuotaAnswered { full });
        }
        self.forget_if_done(id);
    }

    /// A group of saves is durable: what waited for it goes.
    fn acknowledged(&mut self, ack: Ack) -> Result<(), AppendError> {
        let (batch, calls) = self.saves.answered(ack)?;
        for id in calls {
            if let Some(live) = self.calls.get_mut(&id) {
                if let Some(countdown) = live.inherited.take() {
                    countdown.taken();
                }
                live.parking.durable(batch);
                let span = live.span.clone();
                span.in_scope(|| self.release(id));
            }
        }
        Ok(())
    }

    /// Tells each call whose deadline has passed; at most once a turn, so that none can hold up the others.
    fn fire(&mut self) {
        let now = self.clock.now();
        let due: Vec<CallId> =
            self.timers.iter().take_while(|(at, _)| *at <= now).map(|(_, call)| *call).collect();
        for call in due {
            self.tell(call, Input::TimedOut);
        }
        self.let_paced_go(now);
    }

    fn flush(&mut self) {
        let mut failed = Vec::new();
        self.hands.outbox.flush(|call| failed.push(call));
        for (call, through) in failed {
            self.tell(call, Input::TransportFailed { through });
        }
        self.hands.delivery.flush();
    }

    fn forget_if_done(&mut self, id: CallId) {
        if let Some(live) = self.calls.get(&id)
            && live.is_done()
        {
            let (epoch, revision) = live.saved;
            self.saves.delete(id, epoch, revision);
            self.remove(id);
        }
    }
}
