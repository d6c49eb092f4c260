//! The talking part of a call: carries out one instruction of the interview and says what came of it.
//!
//! ```text
//!              Instruction                    Heard
//! interview ───────────────► Talk: prompt, ──────────► interview ──► …
//!                            keys, silence
//! ```
//! This is the node's half of the flow link: nothing here knows what a question means.

mod act;
mod activity;
mod again;
mod ahead;
mod entry;
mod hold;
mod parting;
mod takes;

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::dialplan::PostDial;
use crate::interview::{
    Collect, Collector, Heard, Instruction, KeyPress, Method, Outcome, Prompt, TypeAhead, Verdict,
};
use crate::questionnaire::Key;
use crate::rtp::{Anchor, Digit, EventKey};
use crate::sdp::Negotiated;
use crate::time::Timestamp;

use super::keys::{Press, Presses};
use super::message::{Ears, MediaPlan, Output, PlayId};
use super::recording::Taking;
use super::step::Step;
pub(super) use act::Act;
pub use activity::Activity;
use entry::{conclude, key, press};

/// A prompt that has not ended after this long will not: the media engine lost it. Longer than the
/// longest prompt that is accepted (5 minutes).
const PROMPT_LOST: Duration = Duration::from_secs(6 * 60);

/// How long the callee waits in silence to hear whether a quota has room. Without an answer there is: nobody is
/// sent away because of a count that is late.
const QUOTA_WAIT: Duration = Duration::from_secs(2);
/// A key of which nothing was heard for so long seems lost to whoever pressed it.
const LATE: Duration = Duration::from_millis(300);

/// A call that was answered, while it talks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Talk {
    pub(super) negotiated: Negotiated,
    pub(super) anchor: Anchor,
    /// The longest call: then it is ended.
    pub(super) until: Timestamp,
    pub(super) ears: Ears,
    /// The presses that counted last: each counts once, by however many methods it is told.
    presses: Presses,
    /// Whether any press has counted: then somebody listens, and no machine.
    pub(super) has_pressed: bool,
    /// Keys that went down by then were pressed at a question that was not being heard.
    listening_since: Timestamp,
    plays: u32,
    /// Recordings that were begun: the number of the next.
    recordings: u32,
    doing: Doing,
    /// How much of the next prompt was heard before a restart.
    #[serde(skip)]
    heard: Duration,
    /// Keys that were pressed ahead: they belong to the next questions. A restart loses them with the rest of
    /// an unfinished entry, and the callee hears the question.
    #[serde(skip)]
    carried: VecDeque<KeyPress>,
    /// When a gap ended, or the last key came of a row that was begun before it, unless an entry was begun since. Soft:
    /// a restart is a gap itself.
    #[serde(skip)]
    row: Option<Timestamp>,
}

/// What is going on right now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Doing {
    /// Nothing yet, or nothing any more.
    Nothing,
    /// Sending keys behind a switchboard: nobody listens yet.
    Dialling {
        playing: Playing,
    },
    Saying {
        playing: Playing,
        barge_in: bool,
        keeps_keys: bool,
    },
    Asking {
        item: String,
        /// `None` once the prompt has ended.
        playing: Option<Playing>,
        collector: Box<Collector>,
    },
    /// What the callee says is being recorded, or is going to be.
    Recording(Box<Taking>),
    /// Whether quotas have room is being asked.
    Reserving {
        until: Timestamp,
    },
    Parting {
        playing: Playing,
        outcome: Outcome,
    },
    /// The last frame has left, and is on its way to the callee's ear.
    PlayingOut {
        until: Timestamp,
        outcome: Outcome,
    },
    /// The callee holds the call; the open instruction is carried out again when they are back.
    OnHold {
        since: Timestamp,
        /// How much of its prompt was heard by then.
        heard: Duration,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Playing {
    pub(super) play: PlayId,
    lost_at: Timestamp,
}

impl Playing {
    /// When its first frame left, or would have if it was heard from its beginning.
    fn began(self) -> Timestamp {
        self.lost_at - PROMPT_LOST
    }
}

impl Talk {
    pub(super) fn new(negotiated: Negotiated, anchor: Anchor, ears: Ears, until: Timestamp) -> Self {
        Self {
            negotiated,
            anchor,
            until,
            ears,
            presses: Presses::default(),
            has_pressed: false,
            listening_since: anchor.t0,
            plays: 0,
            recordings: 0,
            doing: Doing::Nothing,
            heard: Duration::ZERO,
            carried: VecDeque::new(),
            row: None,
        }
    }

    /// Goes on under new terms: the same stream. What is not sent under hold is no loss to the peer, so its numbers
    /// go on where they stopped; the anchor meanwhile is where the hold began.
    pub(super) fn renegotiated(&mut self, now: Timestamp, negotiated: Negotiated, ears: Ears) -> Output {
        match [&self.negotiated, &negotiated].map(|terms| terms.direction.sends()) {
            [true, false] => self.anchor = self.anchor.resume(Some(now), now),
            [false, true] => self.anchor = self.anchor.resume(Some(self.anchor.t0), now),
            [true, true] | [false, false] => {}
        }
        (self.negotiated, self.ears) = (negotiated, ears);
        self.media()
    }

    /// The stream as it should be.
    pub(super) fn media(&self) -> Output {
        let plan = MediaPlan { negotiated: self.negotiated.clone(), anchor: self.anchor, ears: self.ears };
        Output::OpenMedia(Box::new(plan))
    }

    /// Sends these keys first; `Heard::Begin` follows.
    pub(super) fn dial(&mut self, now: Timestamp, keys: PostDial, acts: &mut Vec<Act>) {
        acts.push(Act::Tell(Step::Dialled { keys: keys.to_string() }));
        let playing = self.next_play(now);
        acts.push(Act::Do(Output::Press { play: playing.play, keys }));
        self.doing = Doing::Dialling { playing };
    }

    /// Whether the keys behind a switchboard are still being sent.
    pub(super) const fn is_dialling(&self) -> bool {
        matches!(self.doing, Doing::Dialling { .. })
    }

    /// Begins to carry out an instruction; a prompt that still plays is cut.
    pub(super) fn follow(&mut self, now: Timestamp, instruction: Instruction, acts: &mut Vec<Act>) {
        if let Some(playing) = self.playing() {
            acts.push(Act::StopPlay(playing.play));
        }
        self.doing = Doing::Nothing;
        if self.waits(now, &instruction) {
            return;
        }
        match instruction {
            Instruction::Say { item, prompt, barge_in, type_ahead } => {
                self.say(now, item, prompt, (barge_in, type_ahead), acts);
            }
            Instruction::Ask { item, prompt, collect } => self.ask(now, item, prompt, &collect, acts),
            Instruction::Record { item, prompt, take } => self.record(now, item, prompt, take, acts),
            Instruction::AskQuota { quotas } => {
                self.doing = Doing::Reserving { until: now + QUOTA_WAIT };
                acts.push(Act::ReserveQuota(quotas));
            }
            Instruction::End { item, prompt, outcome, .. } => {
                self.say_goodbye(now, item, prompt, outcome, acts)
            }
        }
    }

    fn say(
        &mut self,
        now: Timestamp,
        item: String,
        prompt: Prompt,
        (barge_in, type_ahead): (bool, TypeAhead),
        acts: &mut Vec<Act>,
    ) {
        if !type_ahead.keeps(barge_in) {
            self.carried.clear();
        }
        if barge_in && !self.carried.is_empty() {
            return acts.push(Act::Heard(Heard::Said));
        }
        acts.push(Act::Tell(Step::Said { item, text: prompt.text() }));
        match self.play(now, prompt, acts) {
            Some(playing) => {
                let keeps_keys = type_ahead == TypeAhead::Kept;
                self.doing = Doing::Saying { playing, barge_in, keeps_keys };
            }
            None => acts.push(Act::Heard(Heard::Said)),
        }
    }

    fn ask(&mut self, now: Timestamp, item: String, prompt: Prompt, collect: &Collect, acts: &mut Vec<Act>) {
        acts.push(Act::Tell(Step::Asked { item: item.clone(), text: prompt.text() }));
        let playing = self.play(now, prompt, acts);
        let mut collector = Collector::new(now, collect);
        if collect.type_ahead == TypeAhead::Dropped {
            self.carried.clear();
        }
        if playing.is_none() {
            collector.prompt_ended(now);
        }
        if let Some(since) = self.row {
            collector.distrust(since);
        }
        let waits = playing.is_some() && collector.keeps_keys();
        self.doing = Doing::Asking { item, playing, collector: Box::new(collector) };
        if !waits {
            self.take_carried(now, acts);
        }
    }

    /// A key went up.
    pub(super) fn key_released(
        &mut self,
        now: Timestamp,
        (digit, method): (Digit, Method),
        event: Option<EventKey>,
        duration_ms: u32,
        acts: &mut Vec<Act>,
    ) {
        let Some(pressed_at) = self.presses.released(now, digit, method, event) else { return };
        let key = key(digit);
        KeyPress::release(self.carried.make_contiguous(), key, pressed_at, duration_ms);
        if let Doing::Asking { collector, .. } = &mut self.doing {
            collector.released(key, pressed_at, duration_ms);
        }
        acts.push(Act::Released { key, pressed_at, duration_ms });
    }

    /// The last frame of a prompt has left.
    pub(super) fn prompt_ended(&mut self, now: Timestamp, play: PlayId, acts: &mut Vec<Act>) {
        if self.playing().is_some_and(|playing| playing.play == play) {
            self.prompt_over(now, acts);
        }
    }

    /// A prompt was not heard. Who cannot be told what is asked is not asked: the interview decides how it ends.
    pub(super) fn prompt_failed(&mut self, play: PlayId, acts: &mut Vec<Act>) {
        if self.playing().is_none_or(|playing| playing.play != play) {
            return;
        }
        acts.push(Act::Tell(Step::Unsaid));
        let doing = std::mem::replace(&mut self.doing, Doing::Nothing);
        acts.push(match doing {
            Doing::Parting { outcome, .. } => Act::HangUp(outcome),
            Doing::Dialling { .. } => Act::Heard(Heard::Begin),
            Doing::Nothing
            | Doing::Saying { .. }
            | Doing::Asking { .. }
            | Doing::Recording(_)
            | Doing::Reserving { .. }
            | Doing::PlayingOut { .. }
            | Doing::OnHold { .. } => Act::Heard(Heard::Unsaid),
        });
    }

    /// The next time at which something has to happen without any input.
    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        // Under hold nothing plays, and keys that are being sent wait.
        let lost_at = self.playing().filter(|_| !self.is_held()).map(|playing| playing.lost_at);
        let collector = match &self.doing {
            Doing::Asking { collector, .. } => collector.poll_timeout(),
            Doing::Recording(taking) => taking.poll_timeout(),
            Doing::Reserving { until } | Doing::PlayingOut { until, .. } => Some(*until),
            Doing::Nothing
            | Doing::Dialling { .. }
            | Doing::Saying { .. }
            | Doing::Parting { .. }
            | Doing::OnHold { .. } => None,
        };
        let until = Some(self.until).filter(|_| self.leaving().is_none());
        Timestamp::earliest(until, Timestamp::earliest(lost_at, collector))
    }

    /// The longest conversation is over, and not only for a take to be stored.
    pub(super) fn is_too_long(&self, now: Timestamp) -> bool {
        self.until <= now && self.leaving().is_none()
    }

    /// It was said which quotas are full; an answer that came too late changes nothing.
    pub(super) fn quota_answered(&mut self, full: Vec<String>, acts: &mut Vec<Act>) {
        if let Doing::Reserving { .. } = self.doing {
            self.doing = Doing::Nothing;
            acts.push(Act::Heard(Heard::Quota { full }));
        }
    }

    /// `poll_timeout` has passed.
    pub(super) fn timed_out(&mut self, now: Timestamp, acts: &mut Vec<Act>) {
        if !self.is_held() && self.playing().is_some_and(|playing| playing.lost_at <= now) {
            self.prompt_over(now, acts);
        }
        if let Doing::PlayingOut { until, outcome } = self.doing
            && until <= now
        {
            self.doing = Doing::Nothing;
            acts.push(Act::HangUp(outcome));
        }
        if let Doing::Reserving { until } = self.doing
            && until <= now
        {
            self.quota_answered(Vec::new(), acts);
        }
        if let Doing::Recording(taking) = &mut self.doing
            && taking.timed_out(now, acts)
        {
            self.doing = Doing::Nothing;
        }
        if let Doing::Asking { item, collector, .. } = &mut self.doing
            && collector.poll_timeout().is_some_and(|at| at <= now)
        {
            let verdict = collector.timeout(now);
            conclude(item, verdict, acts);
        }
    }

    /// A key went down. `late_end` is the end key of the entry before, if that was complete without it: who presses
    /// it now means that entry, and cuts nothing short.
    pub(super) fn key_pressed(
        &mut self,
        now: Timestamp,
        pressed: &Press,
        late_end: Option<Key>,
        acts: &mut Vec<Act>,
    ) {
        if !self.presses.counts(now, pressed) || pressed.at <= self.listening_since {
            return;
        }
        if let Doing::OnHold { .. } = self.doing {
            // Meant for whoever is on the callee's other line, or for us by somebody who knows of no hold.
            self.row = Some(now);
            return;
        }
        self.has_pressed = true;
        acts.push(Act::Tell(Step::Key { digit: pressed.digit.as_char() }));
        let press = press(pressed);
        if !self.is_listening() && self.is_rest_of_row(now) {
            return;
        }
        match &self.doing {
            Doing::Nothing
            | Doing::Dialling { .. }
            | Doing::Parting { .. }
            | Doing::PlayingOut { .. }
            | Doing::OnHold { .. } => {}
            // The wait is ours: whoever goes on pressing need not press again.
            Doing::Reserving { .. } => self.carry(press),
            Doing::Saying { .. } if late_end == Some(press.key) => {}
            Doing::Saying { playing, barge_in: true, .. } => {
                acts.push(Act::StopPlay(playing.play));
                self.doing = Doing::Nothing;
                self.carry(press);
                acts.push(Act::Heard(Heard::Said));
            }
            Doing::Saying { keeps_keys: true, .. } => self.carry(press),
            Doing::Saying { .. } => {}
            Doing::Asking { playing: Some(_), collector, .. } if collector.keeps_keys() => self.carry(press),
            Doing::Asking { .. } => {
                let (before, is_late) = (acts.len(), now.since(press.at) > LATE);
                self.gather(now, press, acts);
                // Who had to wait for what their key led to may have pressed it again: no answer to the next question.
                if is_late && acts.iter().skip(before).any(|act| matches!(act, Act::Heard(_))) {
                    self.distrust(now);
                }
            }
            Doing::Recording(_) => self.pressed_at_take(now, press, acts),
        }
    }

    /// Adds a key to the open entry; the first one that counts cuts the prompt short.
    pub(super) fn gather(&mut self, now: Timestamp, press: KeyPress, acts: &mut Vec<Act>) {
        let Doing::Asking { item, playing, collector } = &mut self.doing else { return };
        let verdict = collector.press(now, press);
        if verdict == Verdict::Ignored {
            return;
        }
        self.row = None;
        if let Some(playing) = playing.take() {
            acts.push(Act::StopPlay(playing.play));
            collector.prompt_ended(now);
        }
        conclude(item, verdict, acts);
    }

    fn prompt_over(&mut self, now: Timestamp, acts: &mut Vec<Act>) {
        match &mut self.doing {
            Doing::Nothing | Doing::Reserving { .. } | Doing::PlayingOut { .. } | Doing::OnHold { .. } => {}
            Doing::Dialling { .. } => {
                self.doing = Doing::Nothing;
                acts.push(Act::Heard(Heard::Begin));
            }
            Doing::Saying { .. } => {
                self.doing = Doing::Nothing;
                acts.push(Act::Heard(Heard::Said));
            }
            Doing::Asking { playing, collector, .. } => {
                *playing = None;
                collector.prompt_ended(now);
                self.take_carried(now, acts);
            }
            Doing::Recording(_) => {
                let next = self.next_recording();
                if let Doing::Recording(taking) = &mut self.doing {
                    taking.begin(now, next, acts);
                }
            }
            Doing::Parting { outcome, .. } => {
                let outcome = *outcome;
                self.play_out(now, outcome);
            }
        }
    }

    /// Plays a prompt; `None` if there is nothing to say.
    fn play(&mut self, now: Timestamp, prompt: Prompt, acts: &mut Vec<Act>) -> Option<Playing> {
        if prompt.0.is_empty() {
            return None;
        }
        let heard = std::mem::take(&mut self.heard);
        let mut playing = self.next_play(now);
        playing.lost_at = playing.lost_at - heard;
        acts.push(Act::Play(playing.play, prompt, heard));
        Some(playing)
    }

    fn next_play(&mut self, now: Timestamp) -> Playing {
        let play = PlayId(self.plays);
        self.plays += 1;
        Playing { play, lost_at: now + PROMPT_LOST }
    }

    const fn playing(&self) -> Option<Playing> {
        match &self.doing {
            Doing::Nothing | Doing::Reserving { .. } | Doing::PlayingOut { .. } | Doing::OnHold { .. } => {
                None
            }
            Doing::Dialling { playing } | Doing::Saying { playing, .. } | Doing::Parting { playing, .. } => {
                Some(*playing)
            }
            Doing::Asking { playing, .. } => *playing,
            Doing::Recording(taking) => taking.playing(),
        }
    }
}
