//! What a respondent's script leads to, worked out without a call: what the demo expects.
//!
//! The respondent is the one who will sit at the telephone, a [`Mind`]; the texts of the prompts take the place of
//! their sound.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::answers::Meant;
use crate::callee::ear::{Label, Part};
use crate::callee::lesson::{self, Line};
use crate::callee::mind::{Mind, Reply};
use crate::callee::script::Party;
use crate::interview::{
    Collect, Collector, Heard, Instruction, Interview, KeyPress, Method, Recorded, RecordingEnd, Response,
    Take, Verdict,
};
use crate::questionnaire::{Filling, Key, Outcome, Prompt, Questionnaire, Sound, Utterance};
use crate::time::Timestamp;

/// Steps after which a rehearsal is given up: no questionnaire asks so much.
const MAX_STEPS: usize = 1_000;
/// From one instruction to the next.
const STEP: Duration = Duration::from_secs(10);
/// How long a question has been said when the first key comes: nobody in the demo presses ahead.
const HEARD: Duration = Duration::from_secs(1);

/// How an interview with a scripted respondent goes.
#[derive(Clone, Debug, Default)]
pub(super) struct Rehearsal {
    /// How it ends; `None`: it does not, or cannot begin.
    pub(super) outcome: Option<Outcome>,
    /// The end whose words are heard last; none: the respondent hangs up.
    pub(super) end: Option<String>,
    /// What is asked, in order, each as often as it is asked.
    pub(super) asked: Vec<Asked>,
    /// What becomes of each question.
    pub(super) responses: Vec<Response>,
    /// The quotas that are asked about.
    pub(super) quotas: BTreeSet<String>,
    /// What this respondent alone hears: texts with its own replies in them.
    pub(super) own: Vec<Line>,
    /// Texts that it could not place.
    pub(super) strange: Vec<String>,
}

/// A part of a question that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) question: String,
    pub(super) part: Part,
    /// What the respondent does there; none: nothing.
    pub(super) turn: Option<usize>,
}

/// What is known before a rehearsal.
#[derive(Clone, Copy)]
pub(super) struct Stage<'a> {
    pub(super) questionnaire: &'a Questionnaire,
    /// What everybody knows to be said.
    pub(super) known: &'a Repertoire,
    /// The contact's.
    pub(super) fields: &'a BTreeMap<String, String>,
    /// What orders are drawn from.
    pub(super) seed: u32,
    /// When the call is: dates and appointments are those of then.
    pub(super) now: Timestamp,
}

/// What everybody knows to be said, by text.
#[derive(Debug, Default)]
pub(super) struct Repertoire(BTreeMap<Utterance, Vec<Label>>);

impl Repertoire {
    pub(super) fn new(lines: Vec<Line>) -> Self {
        let mut known: BTreeMap<Utterance, Vec<Label>> = BTreeMap::new();
        for (utterance, label) in lines {
            known.entry(utterance).or_default().push(label);
        }
        Self(known)
    }
}

/// Plays an interview with this respondent, who means this, while these quotas are full.
pub(super) fn rehearse(
    stage: Stage<'_>,
    party: &Party,
    meant: &[&BTreeMap<String, Meant>],
    full: &BTreeSet<String>,
) -> Rehearsal {
    let questionnaire = stage.questionnaire;
    let Ok(interview) = Interview::begin(questionnaire, stage.fields, stage.seed) else {
        return Rehearsal::default();
    };
    let mind = Mind::new(std::sync::Arc::new(party.clone()));
    let rehearsal = Rehearsal::default();
    let mut play = Play { stage, meant, interview, mind, now: stage.now, asks: false, rehearsal };
    let mut heard = Heard::Begin;
    for _ in 0..MAX_STEPS {
        play.now = play.now + STEP;
        let instruction = play.interview.next(questionnaire, play.now, heard);
        match play.follow(instruction, full) {
            Some(next) => heard = next,
            None => break,
        }
    }
    play.rehearsal.responses = play.interview.responses(questionnaire);
    play.rehearsal
}

struct Play<'a> {
    stage: Stage<'a>,
    meant: &'a [&'a BTreeMap<String, Meant>],
    interview: Interview,
    mind: Mind,
    now: Timestamp,
    /// What was heard last waits for an answer.
    asks: bool,
    rehearsal: Rehearsal,
}

impl Play<'_> {
    /// What comes of an instruction; none at the end.
    fn follow(&mut self, instruction: Instruction, full: &BTreeSet<String>) -> Option<Heard> {
        self.hear(instruction.item(), instruction.prompt());
        match instruction {
            Instruction::Say { .. } => Some(Heard::Said),
            Instruction::AskQuota { quotas } => {
                self.rehearsal.quotas.extend(quotas.iter().cloned());
                Some(Heard::Quota { full: quotas.into_iter().filter(|quota| full.contains(quota)).collect() })
            }
            Instruction::End { item, outcome, .. } => {
                self.rehearsal.outcome = Some(outcome);
                self.rehearsal.end = Some(item);
                None
            }
            Instruction::Ask { item, collect, .. } => {
                let Some(reply) = self.reply(item) else { return Some(Heard::Silence) };
                if reply.hang_up {
                    return self.hang_up();
                }
                Some(enter(self.now, &collect, &reply.keys))
            }
            Instruction::Record { item, take, .. } => {
                if take.beep {
                    self.asks = true;
                }
                let Some(reply) = self.reply(item) else { return Some(Heard::Silence) };
                if reply.hang_up {
                    return self.hang_up();
                }
                Some(speak(self.now, &take, &reply))
            }
        }
    }

    fn hang_up(&mut self) -> Option<Heard> {
        self.interview.hung_up(self.stage.questionnaire, self.now);
        self.rehearsal.outcome = self.interview.ending();
        None
    }

    /// What the respondent does now; nothing, if it has nothing to do at this question.
    fn reply(&mut self, question: String) -> Option<Reply> {
        let turn = self.mind.turn(self.asks);
        let part = self.mind.asked().0;
        self.rehearsal.asked.push(Asked { question: question.clone(), part, turn });
        let reply = self.mind.does(turn?, Some(question));
        (reply.hang_up || !reply.keys.is_empty() || reply.says.is_some()).then_some(reply)
    }

    fn hear(&mut self, item: &str, prompt: &Prompt) {
        for sound in &prompt.0 {
            let Sound::Say(utterance) = sound else { continue };
            let labels = self.stage.known.0.get(utterance);
            let known = labels.and_then(|labels| {
                let here = labels.iter().find(|label| label.item == item);
                here.or_else(|| labels.iter().find(|label| label.item.is_empty())).cloned()
            });
            match known.or_else(|| self.own(item, utterance)) {
                Some(label) => {
                    self.mind.hears(&label);
                    self.asks = label.asks;
                }
                None => self.rehearsal.strange.push(utterance.text.clone()),
            }
        }
    }

    /// What a text is that only this respondent knows.
    fn own(&mut self, item: &str, utterance: &Utterance) -> Option<Label> {
        let questionnaire = self.stage.questionnaire;
        let said = questionnaire.item(item)?;
        let find = |meant: &BTreeMap<String, Meant>| {
            let knows = |name: &str| Some(self.value(meant, name));
            let lines = lesson::lines_at(questionnaire, said, &knows);
            lines.into_iter().find(|(text, _)| text == utterance)
        };
        let line = self.meant.iter().find_map(|meant| find(meant))?;
        if !self.rehearsal.own.contains(&line) {
            self.rehearsal.own.push(line.clone());
        }
        Some(line.1)
    }

    /// What the respondent takes for the value of a name: what it means itself, once it has said so.
    fn value(&self, meant: &BTreeMap<String, Meant>, name: &str) -> Option<Filling<'_>> {
        let said = self.interview.piped(self.stage.questionnaire, name)?;
        match meant.get(name) {
            Some(Meant::Reply(value)) => Some(value.clone().into()),
            Some(Meant::Voice | Meant::Refused | Meant::DontKnow) | None => Some(said),
        }
    }
}

/// What comes of these keys.
fn enter(now: Timestamp, collect: &Collect, keys: &str) -> Heard {
    let mut collector = Collector::new(now, collect);
    let now = now + HEARD;
    collector.prompt_ended(now);
    for key in keys.chars().filter_map(Key::new) {
        if let Some(heard) = heard(collector.press(now, press(now, key))) {
            return heard;
        }
    }
    let deadline = collector.poll_timeout().unwrap_or(now);
    heard(collector.timeout(deadline)).unwrap_or(Heard::Silence)
}

fn heard(verdict: Verdict) -> Option<Heard> {
    match verdict {
        Verdict::Waiting | Verdict::Ignored => None,
        Verdict::Keys(keys) => Some(Heard::Keys(keys)),
        Verdict::Ended(keys) => Some(Heard::Ended(keys)),
        Verdict::Silence => Some(Heard::Silence),
        Verdict::Command(command, press) => Some(Heard::Command(command, press)),
    }
}

/// What comes of speech, and of the key after it.
fn speak(now: Timestamp, take: &Take, reply: &Reply) -> Heard {
    let key = reply.keys.chars().next().and_then(Key::new);
    if let Some(key) = key {
        if take.answers.contains(&key) {
            return Heard::Keys(vec![press(now, key)]);
        }
        if let Some((_, command)) = take.commands.iter().find(|(command, _)| *command == key) {
            return Heard::Command(*command, press(now, key));
        }
    }
    let Some(speech) = &reply.says else { return Heard::Silence };
    let ended_by = match (key, take.silence_end) {
        (Some(key), _) if take.term_chars.contains(&key) => RecordingEnd::TermChar,
        (_, Some(_)) => RecordingEnd::Silence,
        (_, None) => RecordingEnd::Max,
    };
    let duration_ms = u32::try_from(speech.duration().as_millis()).unwrap_or(u32::MAX);
    Heard::Recorded(Recorded { take: take.number, duration_ms, ended_by })
}

const fn press(at: Timestamp, key: Key) -> KeyPress {
    KeyPress { key, method: Method::Typed, at, duration_ms: None }
}
