//! What a shard does with the outputs of its calls.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender;
use tokio::sync::mpsc;

use super::Post;
use super::delivery::Delivery;
use super::live::{Live, Media};
use crate::call::{Call, Input, MediaPlan, Output, Play, Recording, Step, Taken};
use crate::id::CallId;
use crate::interview::RecordingEnd;
use crate::node::budgets::Budgets;
use crate::node::clock::Clock;
use crate::node::closed::Closed;
use crate::node::event::Event;
use crate::node::faults::Faults;
use crate::node::load::Load;
use crate::node::media::{Command, Engine, Opening};
use crate::node::quotas::Quotas;
use crate::node::render::{Errand, Order as Prompted, Renderer};
use crate::node::right::Right;
use crate::node::transport::{self, ANSWERS_A_SECOND, Budget, Outbox};
use crate::node::turns::TurnOf;
use crate::sip::{Hop, Message, Request, StatusCode, stray};
use crate::store::recordings::{Order, Recordings, Take};
use crate::time::Timestamp;

/// The ways out of a shard.
pub(crate) struct Hands {
    shard: usize,
    clock: Clock,
    engine: Arc<Engine>,
    renderer: Arc<Renderer>,
    pub(super) recordings: Arc<Recordings>,
    pub(super) outbox: Outbox,
    answers: Budget,
    pub(super) delivery: Delivery,
    server: String,
    pub(super) load: Arc<Load>,
    faults: Arc<Faults>,
    pub(super) quotas: Arc<Quotas>,
    closed: Arc<Closed>,
    pub(super) budgets: Arc<Budgets>,
    pub(super) right: Right,
    pub(super) turn: TurnOf,
}

/// For so long a trunk without room counts as closed: a call is told anew before each input.
const FULL: Duration = Duration::from_millis(1);

/// What [`Hands`] are made of; unlike them, it can be sent to the shard's thread.
pub(crate) struct HandsParts {
    /// The shard's number: the media engine's outlet.
    pub(crate) shard: usize,
    /// The process clock.
    pub(crate) clock: Clock,
    /// The media threads.
    pub(crate) engine: Arc<Engine>,
    /// Who renders prompts that are not ready.
    pub(crate) renderer: Arc<Renderer>,
    /// What sends SIP.
    pub(crate) senders: transport::Senders,
    /// Who keeps what callees say.
    pub(crate) recordings: Arc<Recordings>,
    /// Where events go.
    pub(crate) events: mpsc::Sender<Event>,
    /// The shard's own inbox, for receipts.
    pub(crate) inbox: Sender<Post>,
    /// Server header of answers to strays.
    pub(crate) server: String,
    /// Counts of calls.
    pub(crate) load: Arc<Load>,
    /// Counters.
    pub(crate) faults: Arc<Faults>,
    /// Places in quotas.
    pub(crate) quotas: Arc<Quotas>,
    /// Trunks that asked for quiet.
    pub(crate) closed: Arc<Closed>,
    /// What trunks have room for.
    pub(crate) budgets: Arc<Budgets>,
    /// Whether anything may leave.
    pub(crate) right: Right,
    /// Where it says that it turns.
    pub(crate) turn: TurnOf,
}

impl Hands {
    /// On the thread that will use them.
    pub(crate) fn new(parts: HandsParts) -> Self {
        let HandsParts { shard, clock, engine, renderer, senders, events, .. } = parts;
        let HandsParts { inbox, server, load, faults, quotas, closed, budgets, recordings, .. } = parts;
        let HandsParts { right, turn, .. } = parts;
        let delivery = Delivery::new(events, inbox, Arc::clone(&load), clock, Arc::clone(&faults));
        Self {
            shard,
            clock,
            engine,
            renderer,
            recordings,
            outbox: senders.open(),
            answers: Budget::new(clock.now(), ANSWERS_A_SECOND),
            delivery,
            server,
            load,
            faults,
            quotas,
            closed,
            budgets,
            right,
            turn,
        }
    }

    /// Which trunks that this call may still try have asked another one for quiet, or have no room.
    pub(super) fn closed(&self, call: &Call, now: Timestamp) -> Vec<Input> {
        let closed = call.next_trunks().filter_map(|trunk| {
            let full = || (!self.budgets.has_room(trunk, now)).then_some(FULL);
            let left = self.closed.left(trunk, now).or_else(full)?;
            Some(Input::TrunkClosed { trunk: trunk.to_owned(), until: now + left })
        });
        closed.collect()
    }

    /// The call goes on through another trunk, and has its channel there.
    fn moves(&self, live: &mut Live, trunk: &str) {
        let channel = self.budgets.occupied(trunk);
        channel.slot(self.clock.now());
        live.channel = Some(channel);
    }

    /// Does what the call asks for. Everything that it depends on is durable.
    pub(super) fn carry_out(&mut self, live: &mut Live, output: Output) {
        match output {
            // Saves are not parked, they park.
            Output::Save(_) => {}
            Output::Send { through, message } => {
                self.outbox.put((live.call.id(), through), live.way(through), message);
            }
            Output::CloseTrunk { trunk, until } => self.closed.close(trunk, until, self.clock.now()),
            Output::OpenMedia(plan) => self.open_media(live, plan),
            Output::Play(play) => self.play(live, play),
            Output::Press { play, keys } => {
                if let Media::Open { thread } = live.media {
                    self.command(thread, Command::Press { call: live.call.id(), play, keys });
                }
            }
            Output::StopPlay(play) => {
                if let Media::Open { thread } = live.media {
                    self.command(thread, Command::Stop { call: live.call.id(), play });
                }
            }
            Output::Record(recording) => self.record(live, recording),
            Output::StopRecord { recording, stop } => {
                if let Media::Open { thread } = live.media {
                    let call = live.call.id();
                    self.command(thread, Command::StopRecording { call, recording, stop });
                }
            }
            Output::KeepRecording { recording, item, take: number } => {
                let take = Take { call: live.call.id(), item, number, recording };
                self.keep_recording(take);
            }
            Output::CloseMedia => self.close_media(live),
            // Without room they are spoken when they are needed.
            Output::Prepare { texts, questionnaire } => {
                let texts = self.renderer.missing(texts, questionnaire);
                if !texts.is_empty() && !self.renderer.prepare(Errand { texts, questionnaire, held: None }) {
                    self.fault("prompt", "errands-full", "too many texts wait to be spoken ahead");
                }
            }
            Output::ReserveQuota { questionnaire, quotas } => {
                live.reserved = Some(self.quotas.reserve(live.call.id(), questionnaire, &quotas));
            }
            Output::Tell(step) => {
                if let Step::NotFollowed { .. } = step {
                    self.fault("sip", "emergency", format_args!("call {}: {step}", live.call.id()));
                }
                if let Step::NextTrunk { trunk } = &step {
                    self.moves(live, trunk);
                }
                self.delivery.step(live.call.id(), step);
            }
            Output::Ended(result) => {
                // A call that was never answered still has its ports.
                self.close_media(live);
                let first = !live.ending.told;
                let of = result.questionnaire.digest;
                self.quotas.ended(live.call.id(), of, result.disposition, &result.quotas);
                live.channel = None;
                live.ended(result.disposition, result.ended_at.since(result.started_at));
                self.delivery.result(live.call.id(), live.saved.0, result);
                if first {
                    self.load.ended();
                }
            }
            Output::Forget => live.ending.forgotten = true,
        }
    }

    fn open_media(&self, live: &mut Live, plan: Box<MediaPlan>) {
        let call = live.call.id();
        live.media = match std::mem::replace(&mut live.media, Media::Closed) {
            Media::Bound(ports) => {
                let thread = self.engine.least_loaded();
                let opening = Opening { call, shard: self.shard, ports, plan: *plan };
                self.command(thread, Command::Open(Box::new(opening)));
                Media::Open { thread }
            }
            Media::Open { thread } => {
                self.command(thread, Command::Retune { call, plan });
                Media::Open { thread }
            }
            ended @ (Media::Closing | Media::Closed) => ended,
        };
    }

    fn record(&self, live: &Live, recording: Box<Recording>) {
        let Media::Open { thread } = live.media else { return };
        let call = live.call.id();
        self.recordings.hold(call);
        let take = Take {
            call,
            item: recording.item.clone(),
            number: recording.take,
            recording: recording.recording,
        };
        self.command(thread, Command::Record { call, recording, take: Arc::new(take) });
    }

    /// Counts a recording that could not be stored.
    pub(super) fn note_taken(&self, call: CallId, taken: &Taken) {
        if let Taken::Failed { why, .. } = taken {
            self.fault("recording", "unstored", format_args!("call {call}: {why}"));
        }
    }

    /// Has a file made of what an earlier process stored. If the store has no room now the call goes on without it;
    /// the file is made later.
    fn keep_recording(&self, take: Take) {
        let call = take.call;
        self.recordings.hold(call);
        let order = Order::Finish { take: Arc::new(take), keep_samples: None, ended_by: RecordingEnd::Gap };
        if self.recordings.sink().offer(order).is_err() {
            self.fault("recording", "queue-full", format_args!("call {call}: too many recordings wait"));
        }
    }

    fn play(&self, live: &Live, play: Play) {
        let Media::Open { thread } = live.media else { return };
        let call = live.call.id();
        let Play { play, prompt, from, questionnaire, played } = play;
        let skip = usize::try_from(from.as_millis() / 20).unwrap_or(usize::MAX);
        let clips = self.renderer.ready(&prompt, questionnaire);
        let awaited = clips.is_none();
        self.command(thread, Command::Play { call, play, clips, skip });
        let at = self.clock.now();
        if awaited
            && let Err(order) =
                self.renderer.order(Prompted { call, thread, play, prompt, questionnaire, played, at })
        {
            self.fault(
                "prompt",
                "queue-full",
                format_args!("call {call}: too many prompts wait to be spoken"),
            );
            self.command(order.thread, Command::Rendered { call, play: order.play, clips: None });
        }
    }

    /// Ends the stream, or gives back ports that never had one.
    pub(super) fn close_media(&self, live: &mut Live) {
        live.media = match std::mem::replace(&mut live.media, Media::Closed) {
            Media::Bound(_) | Media::Closed => Media::Closed,
            Media::Open { thread } => {
                self.command(thread, Command::Close { call: live.call.id() });
                Media::Closing
            }
            Media::Closing => Media::Closing,
        };
    }

    fn command(&self, thread: usize, command: Command) {
        if !self.engine.send(thread, command) && self.load.fail() {
            tracing::error!(
                thread,
                "a media thread is gone: its calls are silent, and no more are taken. Restart"
            );
        }
    }

    /// The stateless answer to a message of a call that is not here (any more).
    pub(super) fn answer_stray(&mut self, message: &Message, from: Hop) {
        if self.answers.take(self.clock.now()) {
            self.outbox.answer_stray(message, from, &self.server);
        } else {
            self.fault("sip", "answers", format_args!("{from} asks for more answers than are given"));
        }
    }

    /// Refuses a request that the trunk may not send.
    pub(super) fn refuse(&mut self, way: usize, request: &Request, from: Hop, status: StatusCode) {
        if let Some(reply) = stray::refuse(request, from, &self.server, status) {
            self.outbox.answer(way, reply);
        }
    }

    /// Counts a fault.
    pub(super) fn fault(&self, kind: &'static str, reason: &'static str, detail: impl fmt::Display) {
        self.faults.count(self.clock.now(), kind, reason, detail);
    }
}
