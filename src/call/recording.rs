//! A take: what a callee says to a `record` question, from the prompt to the file that keeps it.
//!
//! ```text
//! Prompting ─ prompt over, or a key ─► Running ─ key, hang-up ─► Storing ─► Heard::Recorded │ Silence
//!                     Record ─► media  │  └─ silence, maximum, nothing said ──────┘
//!                                      └─ the process died ─► Recovering ─► Heard::Recorded(Gap) │ ask again
//! ```
//! The media engine listens and cuts off, a store writes; here stands what must survive. A recording has its number
//! before it begins, so that a restart finds what was stored of it, and a later take never writes over it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::message::{Output, PlayId};
use super::result::Fault;
use super::step::Step;
use super::talk::{Act, Playing};
use crate::id::Digest;
use crate::interview::{Heard, KeyPress, Prompt, Recorded, RecordingEnd, Sound, Take};
use crate::time::Timestamp;

/// A recording of which nothing is heard for so long beyond its greatest length was lost by the media engine.
const RECORDING_LOST: Duration = Duration::from_secs(10);
/// How long a store may take to make a file of a take, while the callee hears silence. A sound disk needs a few
/// hundredths of a second.
const STORE_WAIT: Duration = Duration::from_secs(5);

/// Number of a recording within its call; only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecordingId(pub u32);

/// What the media engine has to record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// Names it from now on.
    pub recording: RecordingId,
    /// Id of the question.
    pub item: String,
    /// Which take of it, from 0.
    pub take: u8,
    /// Whether a tone says when to speak.
    pub beep: bool,
    /// The longest recording.
    pub max: Duration,
    /// Silence that ends it.
    pub silence_end: Option<Duration>,
    /// Silence from the beginning that means that nothing is said.
    pub no_input: Duration,
}

/// How a recording is to be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// What was said is kept.
    Keep(RecordingEnd),
    /// Nobody wants it.
    Discard,
}

/// What came of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is a file, and durable.
    Kept(Kept),
    /// Nothing was said.
    Nothing,
    /// It could not be stored.
    Failed {
        /// What went wrong, for a person.
        why: String,
        /// How much of it was stored, in milliseconds.
        saved_ms: u32,
    },
}

/// A recording that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Name of the file, without its directory.
    pub file: String,
    /// How long it plays, in milliseconds.
    pub duration_ms: u32,
    /// SHA-256 of the file.
    pub digest: Digest,
    /// Why it is over.
    pub ended_by: RecordingEnd,
}

/// One take, as results hold it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordingResult {
    /// Id of the question.
    pub question: String,
    /// Which take of it, from 0.
    pub take: u8,
    /// Name of the WAV file, in the directory of the recordings; `null` if there is none (yet).
    pub file: Option<String>,
    /// How long it plays, in milliseconds.
    pub duration_ms: u32,
    /// SHA-256 of the file.
    pub digest: Option<Digest>,
    /// Why it is over.
    pub ended_by: RecordingEnd,
    /// Why it could not be stored.
    pub fault: Option<String>,
}

/// Why a call is over that still has a recording to store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Leaving {
    /// The callee hung up.
    Callee,
    /// Somebody asked for it.
    Asked,
    /// The call had its greatest length.
    TooLong,
    /// The network's tone says that the callee hung up.
    Tone,
    /// Nothing came from the peer any more.
    GivenUp(Fault),
    /// The peer never acknowledged our 200.
    Unacked,
    /// Signalling broke.
    Broken,
}

impl Leaving {
    /// Whether the dialog is over, so that nobody hears us.
    pub(super) const fn is_gone(self) -> bool {
        matches!(self, Self::Callee | Self::Unacked | Self::Broken)
    }
}

/// A take that is being made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Taking {
    item: String,
    take: Take,
    phase: Phase,
    /// The call is over as soon as the take is stored.
    leaving: Option<Leaving>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    Prompting(Playing),
    Running {
        recording: RecordingId,
        lost_at: Timestamp,
    },
    /// The callee has finished; the file is being made.
    Storing {
        recording: RecordingId,
        until: Timestamp,
    },
    /// After a restart, or a hold: what is left of it?
    Recovering {
        recording: RecordingId,
        until: Timestamp,
    },
}

impl Taking {
    /// A take whose prompt plays.
    pub(super) const fn prompting(item: String, take: Take, playing: Playing) -> Self {
        Self { item, take, phase: Phase::Prompting(playing), leaving: None }
    }

    /// A take that begins at once, because there is nothing to be said before.
    pub(super) fn running(
        now: Timestamp,
        item: String,
        take: Take,
        recording: RecordingId,
        acts: &mut Vec<Act>,
    ) -> Self {
        let mut taking =
            Self { item, take, phase: Phase::Running { recording, lost_at: now }, leaving: None };
        taking.begin(now, recording, acts);
        taking
    }

    /// The prompt that plays.
    pub(super) const fn playing(&self) -> Option<Playing> {
        match self.phase {
            Phase::Prompting(playing) => Some(playing),
            Phase::Running { .. } | Phase::Storing { .. } | Phase::Recovering { .. } => None,
        }
    }

    /// The recording that is being made, if it has begun.
    pub(super) const fn recording(&self) -> Option<RecordingId> {
        match self.phase {
            Phase::Prompting(_) => None,
            Phase::Running { recording, .. }
            | Phase::Storing { recording, .. }
            | Phase::Recovering { recording, .. } => Some(recording),
        }
    }

    /// Whether nobody is there any more.
    pub(super) const fn leaving(&self) -> Option<Leaving> {
        self.leaving
    }

    /// The prompt is over: the callee speaks.
    pub(super) fn begin(&mut self, now: Timestamp, recording: RecordingId, acts: &mut Vec<Act>) {
        let Take { number: take, max, silence_end, no_input, beep, .. } = self.take;
        acts.push(Act::Tell(Step::Recording { item: self.item.clone() }));
        let item = self.item.clone();
        let order = Recording { recording, item, take, beep, max, silence_end, no_input };
        acts.push(Act::Do(Output::Record(Box::new(order))));
        let lost_at = now + no_input + max + silence_end.unwrap_or_default() + RECORDING_LOST;
        self.phase = Phase::Running { recording, lost_at };
    }

    /// A key was pressed. `next` numbers a recording that begins with it.
    pub(super) fn pressed(
        &mut self,
        now: Timestamp,
        press: KeyPress,
        next: RecordingId,
        acts: &mut Vec<Act>,
    ) {
        if self.leaving.is_some() {
            return;
        }
        let is_late = self.take.late_term_char.take() == Some(press.key);
        if is_late && self.playing().is_some() && !self.take.answers.contains(&press.key) {
            return;
        }
        match (self.phase, self.meant(press)) {
            (Phase::Prompting(_), _) if !self.take.barge_in => {}
            (Phase::Prompting(_), Some(heard)) => acts.push(Act::Heard(heard)),
            (Phase::Prompting(playing), None) => {
                acts.push(Act::StopPlay(playing.play));
                self.begin(now, next, acts);
            }
            (Phase::Running { recording, .. }, Some(heard)) => {
                acts.push(Act::Do(Output::StopRecord { recording, stop: Stop::Discard }));
                acts.push(Act::Heard(heard));
            }
            (Phase::Running { recording, .. }, None) => {
                if self.take.term_chars.contains(&press.key) {
                    self.store(now, recording, RecordingEnd::TermChar, acts);
                }
            }
            (Phase::Storing { .. } | Phase::Recovering { .. }, _) => {}
        }
    }

    /// What a key says to the flow controller, if it does not end the take.
    fn meant(&self, press: KeyPress) -> Option<Heard> {
        if self.take.answers.contains(&press.key) {
            return Some(Heard::Keys(vec![press]));
        }
        let mut commands = self.take.commands.iter().filter(|(key, _)| *key == press.key);
        commands.next().map(|(_, command)| Heard::Command(*command, press))
    }

    fn store(&mut self, now: Timestamp, recording: RecordingId, end: RecordingEnd, acts: &mut Vec<Act>) {
        acts.push(Act::Do(Output::StopRecord { recording, stop: Stop::Keep(end) }));
        self.phase = Phase::Storing { recording, until: now + STORE_WAIT };
    }

    /// The call is over: what was said until now is stored first. Says whether there is anything to wait for.
    pub(super) fn leave(&mut self, now: Timestamp, leaving: Leaving, acts: &mut Vec<Act>) -> bool {
        match self.phase {
            Phase::Prompting(_) => return false,
            Phase::Running { recording, .. } => self.store(now, recording, RecordingEnd::HangUp, acts),
            Phase::Storing { .. } | Phase::Recovering { .. } => {}
        }
        // Who has gone is gone, whatever we wanted besides.
        let gone = self.leaving.is_some_and(|before| before.is_gone() || !leaving.is_gone());
        self.leaving = if gone { self.leaving } else { Some(leaving) };
        true
    }

    /// The callee holds the call. What was said until now is kept, and the question will be asked again. False if
    /// nothing is said yet.
    pub(super) fn hold(&mut self, now: Timestamp, acts: &mut Vec<Act>) -> bool {
        match self.phase {
            Phase::Prompting(_) => return false,
            Phase::Running { recording, .. } => {
                self.store(now, recording, RecordingEnd::Gap, acts);
                self.phase = Phase::Recovering { recording, until: now + STORE_WAIT };
            }
            Phase::Storing { .. } | Phase::Recovering { .. } => {}
        }
        true
    }

    /// The record was read back: what was stored of the recording is asked for.
    pub(super) fn restart(&mut self, now: Timestamp, acts: &mut Vec<Act>) {
        if let Some(recording) = self.recording() {
            acts.push(Act::Do(Output::KeepRecording {
                recording,
                item: self.item.clone(),
                take: self.take.number,
            }));
            self.phase = Phase::Recovering { recording, until: now + STORE_WAIT };
        }
    }

    /// It is known what came of a recording. The take is over then, and this says so.
    pub(super) fn taken(&mut self, recording: RecordingId, taken: Taken, acts: &mut Vec<Act>) -> bool {
        if self.recording() != Some(recording) {
            return false; // of a recording that was given up
        }
        if let (Phase::Running { .. }, Taken::Failed { .. }) = (self.phase, &taken) {
            acts.push(Act::Do(Output::StopRecord { recording, stop: Stop::Discard }));
        }
        let recovered = matches!(self.phase, Phase::Recovering { .. });
        let heard = self.heard(taken, recovered, acts);
        acts.push(match (heard, self.leaving) {
            (heard, Some(leaving)) => Act::Left(heard, leaving),
            (Some(heard), None) => Act::Heard(heard),
            (None, None) => Act::Again,
        });
        true
    }

    /// What the flow controller is told of it; nothing, if the take is to be asked for as if for the first time.
    fn heard(&self, taken: Taken, recovered: bool, acts: &mut Vec<Act>) -> Option<Heard> {
        let (question, take) = (self.item.clone(), self.take.number);
        let result = match taken {
            Taken::Kept(Kept { file, duration_ms, digest, ended_by }) => {
                let ended_by = match (recovered, self.leaving) {
                    (true, None) => RecordingEnd::Gap,
                    (true, Some(_)) => RecordingEnd::HangUp, // it was being stored when the process died, or the callee held
                    (false, _) => ended_by,
                };
                let (file, digest, fault) = (Some(file), Some(digest), None);
                RecordingResult { question, take, file, duration_ms, digest, ended_by, fault }
            }
            Taken::Failed { why, saved_ms } => RecordingResult {
                question,
                take,
                file: None,
                duration_ms: saved_ms,
                digest: None,
                ended_by: RecordingEnd::Fault,
                fault: Some(why),
            },
            Taken::Nothing if recovered => return None,
            Taken::Nothing => {
                acts.push(Act::Tell(Step::Silent { item: self.item.clone() }));
                return Some(Heard::Silence);
            }
        };
        let (duration_ms, ended_by) = (result.duration_ms, result.ended_by);
        acts.push(Act::Tell(Step::Recorded { item: self.item.clone(), duration_ms, ended_by }));
        acts.push(Act::Recorded(result));
        Some(Heard::Recorded(Recorded { take, duration_ms, ended_by }))
    }

    /// When something has to happen without any input.
    pub(super) const fn poll_timeout(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Prompting(_) => None, // the prompt's own
            Phase::Running { lost_at, .. } => Some(lost_at),
            Phase::Storing { until, .. } | Phase::Recovering { until, .. } => Some(until),
        }
    }

    /// `poll_timeout` may have passed. Says whether the take is over.
    pub(super) fn timed_out(&mut self, now: Timestamp, acts: &mut Vec<Act>) -> bool {
        if self.poll_timeout().is_none_or(|at| at > now) {
            return false;
        }
        match self.phase {
            Phase::Prompting(_) => false,
            Phase::Running { .. } => {
                self.restart(now, acts);
                false
            }
            Phase::Storing { recording, .. } | Phase::Recovering { recording, .. } => {
                let why = format!("it was not stored within {} s", STORE_WAIT.as_secs());
                self.taken(recording, Taken::Failed { why, saved_ms: 0 }, acts)
            }
        }
    }
}

/// A take that a prompt plays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Played {
    /// Id of the question.
    pub item: String,
    /// Which take.
    pub take: u8,
    /// Name of its file, without its directory.
    pub file: String,
}

/// The files of the takes that a prompt plays: of several with one number, the last.
pub(super) fn played(prompt: &Prompt, recordings: &[RecordingResult]) -> Vec<Played> {
    let of = |part: &Sound| match part {
        Sound::Say(_) => None,
        Sound::Recording { item, take } => {
            let mine = |kept: &&RecordingResult| kept.question == *item && kept.take == *take;
            let file = recordings.iter().rev().find(mine)?.file.clone()?;
            Some(Played { item: item.clone(), take: *take, file })
        }
    };
    prompt.0.iter().filter_map(of).collect()
}

/// Names a play that is a recorder's own; see [`Recording::beep`].
pub(crate) const BEEP: PlayId = PlayId(u32::MAX);

#[cfg(test)]
mod tests;
