//! One call: signalling, negotiated media and interview as one machine.
//!
//! ```text
//!  Input ──► handle ──┬─► sip::Session ── Event ──┐
//!                     │                           ├─► Output (Save first, then what depends on it)
//!                     └─► Talk ─ Heard ► Interview ┘
//! ```
//! `Call` is a plain value: write it down after any `handle`, read it back anywhere, tell it
//! [`Input::Restored`], and it goes on at the same question. `handle` cannot fail: what a peer does wrong
//! becomes a disposition.

mod assets;
mod early;
mod ending;
mod hearing;
mod info;
mod keys;
mod listening;
mod message;
mod phase;
mod record;
mod recording;
mod restored;
mod result;
mod signalling;
mod start;
mod step;
mod taken_over;
mod talk;
#[cfg(test)]
mod tests;
mod trunks;

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::dialplan::PostDial;
use crate::id::{AttemptId, CallId, CaseId, Digest, Epoch, Mint, Revision};
use crate::interview::{Heard, Interview, Utterance};
use crate::questionnaire::Questionnaire;
use crate::rtp::MediaReport;
use crate::sdp::LocalMedia;
use crate::sip::session::Session;
use crate::time::Timestamp;

pub use assets::Assets;
pub use hearing::ToneHeard;
pub use listening::{Listening, OnTone};
pub use message::{Ears, Input, MediaPlan, Output, Play, PlayId, Record};
pub use phase::{Phase, Progress};
pub use record::{FORMAT_VERSION, OLDEST_FORMAT, RecordError};
pub(crate) use recording::BEEP;
pub use recording::{Kept, Played, Recording, RecordingId, RecordingResult, Stop, Taken};
pub use result::{AnsweredBy, AskedQuestionnaire, CallResult, EndedBy, Fault};
pub use start::{Start, StartError};
pub use step::Step;
pub use taken_over::TakenOver;
pub use talk::Activity;
pub use trunks::{Terms, Tried, TryEnd, TryNumber};

use early::Early;
use ending::Verdict;
use taken_over::Takeovers;
use talk::{Act, Talk};
use trunks::Trunks;

/// A record longer than this is not one of ours: interview, two SIP messages and the talk fit several times.
pub const MAX_RECORD_BYTES: usize = 256 * 1024;

/// Values of replies that are still to come, with which a text is spoken ahead of its time.
const MOST_PREPARED: usize = 20;

/// One outbound call. See the room's page.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Call {
    subject: Subject,
    epoch: Epoch,
    revision: Revision,
    mint: Mint,
    /// Our side of the session description; its version only grows.
    local: LocalMedia,
    listening: Listening,
    /// Our last description: as long as its bytes stay, its version does (RFC 3264 §8).
    described: Digest,
    /// Keys that are sent after the answer, before the interview begins.
    post_dial: Option<PostDial>,
    /// The longest conversation, in seconds.
    longest_s: u32,
    session: Session,
    #[serde(default = "Trunks::unknown")]
    trunks: Trunks,
    interview: Interview,
    stage: Stage,
    times: Times,
    sip_status: Option<u16>,
    cause: Option<u8>,
    /// Tones of machines and of the network, as they were heard.
    tones: Vec<ToneHeard>,
    /// A key was counted: it is a person who answered.
    has_pressed: bool,
    fault: Option<Fault>,
    /// What is listened to before the answer.
    early: Option<Early>,
    /// A media thread has the stream, and has not said yet what passed over it.
    streaming: bool,
    media: Option<MediaReport>,
    /// How long a refusal asks us to wait.
    retry_after_s: Option<u32>,
    recordings: Vec<RecordingResult>,
    /// How often another instance went on with it.
    #[serde(default)]
    takeovers: Takeovers,
    /// What the last `handle` asks for; soft, because it is carried out or lost as a whole.
    #[serde(skip)]
    outputs: VecDeque<Output>,
}

/// Who is called, and about what. Never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Subject {
    call_id: CallId,
    attempt_id: AttemptId,
    case_id: Option<CaseId>,
    to: String,
    questionnaire: Digest,
}

/// How far the call is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Stage {
    /// Dialling or ringing.
    Calling,
    /// Answered, and the interview goes on.
    Talking(Box<Talk>),
    /// The outcome is known; a CANCEL or BYE of ours is on its way.
    Closing(Verdict),
    /// Signalling is over; the media thread has yet to say what passed.
    Settling {
        verdict: Verdict,
        /// Then the result is given out without it.
        until: Timestamp,
    },
    /// The result was given out; transactions may still owe the peer a repetition.
    Ended(Verdict),
}

/// When what happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Times {
    started: Timestamp,
    ringing: Option<Timestamp>,
    answered: Option<Timestamp>,
}

/// What one `handle` has asked for so far.
#[derive(Debug, Default)]
struct Turn {
    outputs: Vec<Output>,
    /// The record changed in a way that must be kept although nothing depends on it yet.
    changed: bool,
}

impl Call {
    /// The call's own id, which its Contact, Call-ID and branches carry.
    #[must_use]
    pub const fn id(&self) -> CallId {
        self.subject.call_id
    }

    /// The attempt that it is.
    #[must_use]
    pub const fn attempt(&self) -> AttemptId {
        self.subject.attempt_id
    }

    /// The trunk that it goes through.
    #[must_use]
    pub fn trunk(&self) -> &str {
        &self.trunks.current
    }

    /// Whom it calls, as given.
    #[must_use]
    pub fn to(&self) -> &str {
        &self.subject.to
    }

    /// The questionnaire that it is pinned to.
    #[must_use]
    pub const fn questionnaire(&self) -> Digest {
        self.subject.questionnaire
    }

    /// The texts with contact fields in them that the call may say: best spoken before it is started. Where replies
    /// stand beside the fields, each of their values, if they are `most` or fewer.
    #[must_use]
    pub fn known_texts(&self, assets: &Assets, most: usize) -> Vec<Utterance> {
        let questionnaire = assets.questionnaire(self.subject.questionnaire);
        questionnaire.map(|it| self.interview.known_texts(it, most)).unwrap_or_default()
    }

    /// Tells the call a fact, and lets it decide. `now` never goes back.
    pub fn handle(&mut self, now: Timestamp, input: Input, assets: &Assets) {
        let mut turn = Turn::default();
        let was_done = self.is_done();
        self.know(assets);
        match input {
            Input::Started => turn.tell(Step::Dialling { to: self.subject.to.clone() }),
            Input::Received { message, from } => self.received(now, (&message, from), assets, &mut turn),
            Input::Key(event) => self.event_key(now, &event, assets, &mut turn),
            Input::ToneKey { digit, phase, at } => {
                self.tone_key(now, (digit, at), phase, assets, &mut turn);
            }
            Input::Signal(tone) => self.signalled(now, tone, assets, &mut turn),
            Input::MediaSilent { times } => self.media_silent(now, times, assets, &mut turn),
            Input::MediaClosed(report) => self.media_closed(*report, assets, &mut turn),
            Input::PromptEnded { play } => {
                self.talk(now, assets, &mut turn, |talk, acts| talk.prompt_ended(now, play, acts));
            }
            Input::Taken { recording, taken } => {
                self.talk(now, assets, &mut turn, |talk, acts| talk.taken(recording, taken, acts));
            }
            Input::PromptFailed { play } => {
                self.talk(now, assets, &mut turn, |talk, acts| talk.prompt_failed(play, acts));
            }
            Input::QuotaAnswered { full } => {
                self.talk(now, assets, &mut turn, |talk, acts| talk.quota_answered(full, acts));
            }
            Input::Withdrawn { why } => self.withdraw(now, why, assets, &mut turn),
            Input::TrunkClosed { trunk, until } => self.trunk_closed(trunk, until),
            Input::TimedOut => self.timed_out(now, assets, &mut turn),
            Input::Restored { alive, epoch } => self.restored(now, (alive, epoch), assets, &mut turn),
            Input::TakenOver(taken) => self.taken_over(now, &taken, assets, &mut turn),
            Input::Stalled { since } => self.stalled(now, since, assets, &mut turn),
            Input::PortsLost => self.ports_lost(now, assets, &mut turn),
            Input::HangUpAsked => self.hang_up_asked(now, assets, &mut turn),
            Input::TransportFailed { through } => self.unsent(now, through),
        }
        self.follow_session(now, assets, &mut turn);
        self.follow_lingering(&mut turn);
        if !was_done && self.is_done() {
            turn.outputs.push(Output::Forget);
        }
        self.seal(turn);
    }

    /// The next thing to do; drain it after every `handle`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When `handle(TimedOut)` is due at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let talk = match &self.stage {
            Stage::Talking(talk) => talk.poll_timeout(),
            Stage::Settling { until, .. } => Some(*until),
            Stage::Calling | Stage::Closing(_) | Stage::Ended(_) => None,
        };
        let sessions = Timestamp::earliest(self.session.poll_timeout(), self.lingering_timeout());
        Timestamp::earliest(sessions, talk)
    }

    /// Orders what this turn asks for: the save, then SIP, then everything else as it came.
    fn seal(&mut self, turn: Turn) {
        let only_repeats =
            turn.outputs.iter().all(|output| matches!(output, Output::Send { message, .. } if message.again));
        if turn.changed || !only_repeats {
            self.revision.0 += 1;
            self.outputs.push_back(Output::Save(self.record()));
        }
        let (sends, others): (Vec<_>, Vec<_>) =
            turn.outputs.into_iter().partition(|output| matches!(output, Output::Send { .. }));
        self.outputs.extend(sends);
        self.outputs.extend(others);
    }

    fn timed_out(&mut self, now: Timestamp, assets: &Assets, turn: &mut Turn) {
        if self.session.poll_timeout().is_some_and(|at| at <= now) {
            self.session.timeout(now, &mut self.mint);
        }
        self.lingering_timed_out(now);
        let too_long = matches!(&self.stage, Stage::Talking(talk) if talk.is_too_long(now));
        if too_long {
            self.break_off(now, assets, turn);
        } else if matches!(self.stage, Stage::Settling { until, .. } if until <= now) {
            self.settle(assets, turn);
        } else {
            self.talk(now, assets, turn, |talk, acts| talk.timed_out(now, acts));
        }
    }

    /// Lets the talk act, and the interview answer, until both wait for the callee.
    fn talk(
        &mut self,
        now: Timestamp,
        assets: &Assets,
        turn: &mut Turn,
        first: impl FnOnce(&mut Talk, &mut Vec<Act>),
    ) {
        let Stage::Talking(talk) = &mut self.stage else { return };
        let Some(questionnaire) = assets.questionnaire(self.subject.questionnaire) else {
            return self.break_off(now, assets, turn);
        };
        let mut acts = Vec::new();
        first(talk, &mut acts);
        let (mut parted, mut left) = (None, None);
        let mut acts = VecDeque::from(acts);
        while let Some(act) = acts.pop_front() {
            turn.changed = true;
            match act {
                Act::Play(play, prompt, from) => turn.outputs.push(Output::Play(Play {
                    play,
                    from,
                    played: recording::played(&prompt, &self.recordings),
                    prompt,
                    questionnaire: self.subject.questionnaire,
                })),
                Act::Recorded(result) => self.recordings.push(result),
                Act::Left(heard, leaving) => {
                    if let Some(heard) = heard {
                        self.interview.next(questionnaire, now, heard);
                    }
                    left = Some(leaving);
                }
                Act::Again => {
                    let mut more = Vec::new();
                    talk.follow(now, self.interview.again(questionnaire), &mut more);
                    acts.extend(more);
                }
                Act::Do(output) => turn.outputs.push(output),
                Act::StopPlay(play) => turn.outputs.push(Output::StopPlay(play)),
                Act::ReserveQuota(quotas) => {
                    let questionnaire = self.subject.questionnaire;
                    turn.outputs.push(Output::ReserveQuota { questionnaire, quotas });
                }
                Act::Tell(step) => turn.tell(step),
                Act::Released { key, pressed_at, duration_ms } => {
                    self.interview.released(key, pressed_at, duration_ms);
                }
                Act::Heard(heard) => {
                    let open = self.interview.question(questionnaire).map(str::to_owned);
                    let instruction = self.interview.next(questionnaire, now, heard);
                    turn.prepare(&self.interview, questionnaire, open.as_deref());
                    let mut more = Vec::new();
                    talk.follow(now, instruction, &mut more);
                    acts.extend(more);
                }
                Act::HangUp(outcome) => parted = Some(outcome),
            }
        }
        if let Some(outcome) = parted {
            self.part(now, outcome, turn);
        }
        if let Some(leaving) = left {
            self.left(now, leaving, assets, turn);
        }
    }

    /// Begins the interview, behind a switchboard perhaps: the call was answered and both sides agree on the media.
    fn begin(&mut self, now: Timestamp, talk: Talk, assets: &Assets, turn: &mut Turn) {
        self.stage = Stage::Talking(Box::new(talk));
        let keys = self.post_dial.clone();
        self.talk(now, assets, turn, |talk, acts| match keys {
            Some(keys) => talk.dial(now, keys, acts),
            None => acts.push(Act::Heard(Heard::Begin)),
        });
    }
}

impl Turn {
    /// The question that was open may have its reply now: what will be said with it can be spoken meanwhile.
    fn prepare(&mut self, interview: &Interview, questionnaire: &Questionnaire, open: Option<&str>) {
        let Some(open) = open.filter(|open| interview.question(questionnaire) != Some(*open)) else { return };
        let texts = interview.settled_texts(questionnaire, open, MOST_PREPARED);
        if !texts.is_empty() {
            self.outputs.push(Output::Prepare { texts, questionnaire: questionnaire.digest() });
        }
    }

    fn tell(&mut self, step: Step) {
        self.outputs.push(Output::Tell(step));
    }
}
