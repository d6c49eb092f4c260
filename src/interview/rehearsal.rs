//! An interview without a telephone: a line of keys, speech, silence, or hanging up; the clock jumps.
//!
//! ```text
//! hello      Hello, this is Westgate Telecom.
//! consent    Press 1 to begin, 2 to be called later.
//! > 1
//! done       Thank you. [complete]
//! ```
//! `baton try`, the golden interviews and the examples of docs/questionnaire.md all run on it.

pub mod script;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::{
    BeginError, Collector, Heard, Instruction, Interview, Key, KeyPress, Method, Outcome, Prompt, Recorded,
    RecordingEnd, Take, TypeAhead, Verdict,
};
use crate::questionnaire::Questionnaire;
use crate::time::Timestamp;

/// Time in which one character is said.
const PER_CHARACTER: Duration = Duration::from_millis(60);
/// Time from one key to the next.
const BETWEEN_KEYS: Duration = Duration::from_millis(400);
/// Time until a person who has heard a question presses the first key.
const REACTION: Duration = Duration::from_secs(1);
/// How long each key is held, in milliseconds.
const HELD_MS: u32 = 100;
/// How long somebody speaks who does not say.
const SPOKEN: Duration = Duration::from_secs(5);
/// Width of the column with the items' names.
const NAME_WIDTH: usize = 10;

/// What a person does when asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Presses these keys, one after the other.
    Keys(Vec<Key>),
    /// Speaks for so long, and then presses a key, hangs up, or falls silent.
    Speech(Duration, AfterSpeech),
    /// Does nothing until the wait is over.
    Silence,
    /// Hangs up.
    HangUp,
}

/// What a person does who has spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterSpeech {
    /// Falls silent.
    Silence,
    /// Presses a key.
    Key(Key),
    /// Hangs up.
    HangUp,
}

impl Act {
    /// A line of a script: keys, `speak 8s`, nothing for silence, `h` to hang up. Behind `speak 8s` may
    /// stand a key that is pressed then, or `h`. White space between keys does not count.
    #[must_use]
    pub fn read(line: &str) -> Option<Self> {
        if let Some(speech) = line.trim().strip_prefix("speak") {
            return Self::read_speech(speech);
        }
        let mut words = line.chars().filter(|c| !c.is_whitespace()).peekable();
        match line.trim() {
            "h" => Some(Self::HangUp),
            "" | "(silence)" => Some(Self::Silence),
            _ if words.peek().is_some() => words.map(Key::new).collect::<Option<Vec<Key>>>().map(Self::Keys),
            _ => None,
        }
    }

    /// What stands behind `speak`: ` 8s`, ` 8s #`, ` 8s h`.
    fn read_speech(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace().peekable();
        let spoken = words.next_if(|word| word.ends_with('s'));
        let length = match spoken {
            Some(seconds) => Duration::from_secs(seconds.strip_suffix('s')?.parse().ok()?),
            None => SPOKEN,
        };
        let after = match words.next() {
            None => AfterSpeech::Silence,
            Some("h") => AfterSpeech::HangUp,
            Some(key) if key.len() == 1 => AfterSpeech::Key(Key::new(key.chars().next()?)?),
            Some(_) => return None,
        };
        words.next().is_none().then_some(Self::Speech(length, after))
    }
}

/// What is known before a rehearsal.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    /// The contact's fields.
    pub fields: BTreeMap<String, String>,
    /// What orders are drawn from.
    pub seed: u32,
    /// Quotas that are full; all others have room.
    pub full: BTreeSet<String>,
}

/// An interview that is being rehearsed.
#[derive(Clone, Debug)]
pub struct Rehearsal<'q> {
    questionnaire: &'q Questionnaire,
    interview: Interview,
    full: BTreeSet<String>,
    /// What is open; none when the interview is over.
    open: Option<Open>,
    now: Timestamp,
    pending: VecDeque<Key>,
    lines: Vec<String>,
    instructions: usize,
}

/// What the callee is listened to for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Open {
    /// An entry that is being gathered.
    Entry(Box<Collector>),
    /// A recording.
    Recording(Take),
}

impl<'q> Rehearsal<'q> {
    /// Begins an interview and runs it to the first question.
    ///
    /// # Errors
    /// If the fields are not those that the questionnaire needs.
    pub fn begin(
        questionnaire: &'q Questionnaire,
        scene: &Scene,
        now: Timestamp,
    ) -> Result<Self, BeginError> {
        let interview = Interview::begin(questionnaire, &scene.fields, scene.seed)?;
        let mut rehearsal = Self {
            questionnaire,
            interview,
            full: scene.full.clone(),
            open: None,
            now,
            pending: VecDeque::new(),
            lines: Vec::new(),
            instructions: 0,
        };
        rehearsal.hear(Heard::Begin);
        Ok(rehearsal)
    }

    /// Whether the callee is recorded next.
    #[must_use]
    pub const fn is_recording(&self) -> bool {
        matches!(self.open, Some(Open::Recording(_)))
    }

    /// Whether the interview is over.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.open.is_none()
    }

    /// The interview as it stands.
    #[must_use]
    pub const fn interview(&self) -> &Interview {
        &self.interview
    }

    /// Instructions followed so far.
    #[must_use]
    pub const fn instructions(&self) -> usize {
        self.instructions
    }

    /// What was said since this was asked last, a line each.
    pub fn lines(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    /// The person does something. Keys that the open question does not take go to what comes next, as on
    /// a telephone.
    pub fn act(&mut self, act: Act) {
        match act {
            Act::HangUp => self.hang_up(),
            Act::Silence => self.wait(),
            Act::Speech(length, after) => match self.open.take() {
                Some(Open::Recording(take)) => self.speak(&take, length, after),
                open => {
                    // Nobody listens to what is said at other questions.
                    self.open = open;
                    self.wait();
                    if after == AfterSpeech::HangUp && !self.is_over() {
                        self.hang_up();
                    }
                }
            },
            Act::Keys(keys) => {
                self.now = self.now + REACTION;
                if let Some(Open::Entry(collector)) = &mut self.open {
                    collector.prompt_ended(self.now);
                }
                self.pending.extend(keys);
                self.press_pending();
                if matches!(&self.open, Some(Open::Entry(collector)) if collector.heard_any()) {
                    self.wait();
                }
            }
        }
    }

    fn hang_up(&mut self) {
        self.interview.hung_up(self.questionnaire, self.now);
        self.open = None;
        let outcome = self.interview.ending().unwrap_or(Outcome::BreakOff);
        self.lines.push(format!("(hung up) [{}]", outcome.as_str()));
    }

    /// Lets the open deadline pass.
    fn wait(&mut self) {
        match &mut self.open {
            Some(Open::Entry(collector)) => {
                collector.prompt_ended(self.now);
                self.now = collector.poll_timeout().unwrap_or(self.now);
                let verdict = collector.timeout(self.now);
                self.take(verdict);
            }
            Some(Open::Recording(take)) => {
                self.now = self.now + take.no_input;
                self.hear(Heard::Silence);
            }
            None => {}
        }
    }

    /// The callee speaks for so long.
    fn speak(&mut self, take: &Take, length: Duration, after: AfterSpeech) {
        if let AfterSpeech::Key(key) = after {
            let (at, press) =
                (self.now + length, |at| KeyPress { key, method: Method::Typed, at, duration_ms: None });
            let heard = at_recording(take, press(at)).filter(|heard| *heard != Heard::Silence);
            if let Some(heard) = heard {
                self.now = at;
                self.hear(heard);
                self.interview.released(key, at, HELD_MS);
                return;
            }
        }
        let ends = |key: Key| take.term_chars.contains(&key);
        let (length, ended_by) = match after {
            _ if length >= take.max => (take.max, RecordingEnd::Max),
            AfterSpeech::HangUp => (length, RecordingEnd::HangUp),
            AfterSpeech::Key(key) if ends(key) => (length, RecordingEnd::TermChar),
            AfterSpeech::Key(_) | AfterSpeech::Silence if take.silence_end.is_some() => {
                (length, RecordingEnd::Silence)
            }
            // Silence is recorded until there is no more room.
            AfterSpeech::Key(_) | AfterSpeech::Silence => (take.max, RecordingEnd::Max),
        };
        self.now = self.now + length;
        let duration_ms = u32::try_from(length.as_millis()).unwrap_or(u32::MAX);
        self.hear(Heard::Recorded(Recorded { take: take.number, duration_ms, ended_by }));
        if ended_by == RecordingEnd::HangUp {
            self.lines.clear();
            self.hang_up();
        }
    }

    fn press_pending(&mut self) {
        while let Some(open) = &mut self.open {
            let Some(key) = self.pending.pop_front() else { break };
            self.now = self.now + BETWEEN_KEYS;
            let press = KeyPress { key, method: Method::Typed, at: self.now, duration_ms: None };
            match open {
                Open::Entry(collector) => {
                    let verdict = collector.press(self.now, press);
                    collector.released(key, self.now, HELD_MS);
                    self.take(verdict);
                }
                Open::Recording(take) => {
                    let heard = at_recording(take, press);
                    if let Some(heard) = heard {
                        self.hear(heard);
                    }
                }
            }
            self.interview.released(key, press.at, HELD_MS);
        }
        self.pending.clear();
    }

    fn take(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Waiting | Verdict::Ignored => {}
            Verdict::Keys(keys) => self.hear(Heard::Keys(keys)),
            Verdict::Ended(keys) => self.hear(Heard::Ended(keys)),
            Verdict::Silence => self.hear(Heard::Silence),
            Verdict::Command(command, press) => self.hear(Heard::Command(command, press)),
        }
    }

    /// Tells the interview, and follows its instructions to the next question or the end.
    fn hear(&mut self, mut heard: Heard) {
        loop {
            self.instructions += 1;
            match self.interview.next(self.questionnaire, self.now, heard) {
                Instruction::Say { item, prompt, barge_in, type_ahead } => {
                    self.say(&item, &prompt, None);
                    self.pass(&prompt, type_ahead.keeps(barge_in));
                    heard = Heard::Said;
                }
                Instruction::Ask { item, prompt, collect } => {
                    self.say(&item, &prompt, None);
                    let asked_at = self.now;
                    self.pass(&prompt, collect.barge_in || collect.type_ahead == TypeAhead::Kept);
                    let mut collector = Collector::new(asked_at, &collect);
                    if !collect.barge_in && !self.pending.is_empty() {
                        self.now = self.now + length(&prompt);
                        collector.prompt_ended(self.now);
                    }
                    self.open = Some(Open::Entry(Box::new(collector)));
                    return;
                }
                Instruction::Record { item, prompt, take } => {
                    self.say(&item, &prompt, None);
                    self.pass(&prompt, take.barge_in);
                    self.open = Some(Open::Recording(take));
                    return;
                }
                Instruction::AskQuota { quotas } => {
                    let full = |quota: &String| self.full.contains(quota);
                    for quota in &quotas {
                        let room = if full(quota) { "full" } else { "room" };
                        self.lines.push(format!("(quota {quota}: {room})"));
                    }
                    heard = Heard::Quota { full: quotas.into_iter().filter(full).collect() };
                }
                Instruction::End { item, prompt, outcome, .. } => {
                    self.say(&item, &prompt, Some(outcome));
                    self.open = None;
                    return;
                }
            }
        }
    }

    /// The time of a prompt passes, unless keys are being pressed that cut it short; keys that were pressed
    /// ahead are lost where they do not count.
    fn pass(&mut self, prompt: &Prompt, keeps_keys: bool) {
        if !keeps_keys {
            self.pending.clear();
        }
        if self.pending.is_empty() {
            self.now = self.now + length(prompt);
        }
    }

    fn say(&mut self, item: &str, prompt: &Prompt, outcome: Option<Outcome>) {
        let text = Some(prompt.text()).filter(|text| !text.is_empty());
        let ending = outcome.map(|outcome| format!("[{}]", outcome.as_str()));
        let words: Vec<String> = text.into_iter().chain(ending).collect();
        self.lines.push(format!("{item:NAME_WIDTH$} {}", words.join(" ")));
    }
}

/// The time in which a prompt is said.
fn length(prompt: &Prompt) -> Duration {
    let characters = u32::try_from(prompt.text().chars().count()).unwrap_or(u32::MAX);
    PER_CHARACTER.saturating_mul(characters)
}

/// What a key means before a word is said: an answer in place of a recording, a command, or that there is
/// nothing to say. Other keys mean nothing.
fn at_recording(take: &Take, press: KeyPress) -> Option<Heard> {
    let command = take.commands.iter().find(|(key, _)| *key == press.key);
    match command {
        Some((_, command)) => Some(Heard::Command(*command, press)),
        None if take.answers.contains(&press.key) => Some(Heard::Keys(vec![press])),
        None => take.term_chars.contains(&press.key).then_some(Heard::Silence),
    }
}

#[cfg(test)]
mod tests;
