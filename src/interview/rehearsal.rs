//! An interview without a telephone: a line of keys, silence, or hanging up; the clock jumps.
//!
//! ```text
//! hello      Hello, this is Westgate Telecom.
//! consent    Press 1 to begin, 2 to be called later.
//! > 1
//! done       Thank you. [complete]
//! ```
//! `baton try`, the golden interviews and the examples of docs/questionnaire.md all run on it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::{
    BeginError, Collector, Heard, Instruction, Interview, Key, KeyPress, Method, Outcome, Prompt, TypeAhead,
    Verdict,
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
/// Width of the column with the items' names.
const NAME_WIDTH: usize = 10;

/// What a person does when asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Presses these keys, one after the other.
    Keys(Vec<Key>),
    /// Does nothing until the wait is over.
    Silence,
    /// Hangs up.
    HangUp,
}

impl Act {
    /// A line of a script: keys, nothing for silence, `h` to hang up. White space does not count.
    #[must_use]
    pub fn read(line: &str) -> Option<Self> {
        let mut words = line.chars().filter(|c| !c.is_whitespace()).peekable();
        match line.trim() {
            "h" => Some(Self::HangUp),
            "" | "(silence)" => Some(Self::Silence),
            _ if words.peek().is_some() => words.map(Key::new).collect::<Option<Vec<Key>>>().map(Self::Keys),
            _ => None,
        }
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
    /// What is open: the entry that is being gathered. None when the interview is over.
    collector: Option<Collector>,
    now: Timestamp,
    pending: VecDeque<Key>,
    lines: Vec<String>,
    instructions: usize,
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
            collector: None,
            now,
            pending: VecDeque::new(),
            lines: Vec::new(),
            instructions: 0,
        };
        rehearsal.hear(Heard::Begin);
        Ok(rehearsal)
    }

    /// Whether the interview is over.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.collector.is_none()
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
            Act::HangUp => {
                self.interview.hung_up(self.questionnaire, self.now);
                self.collector = None;
                let outcome = self.interview.ending().unwrap_or(Outcome::BreakOff);
                self.lines.push(format!("(hung up) [{}]", outcome.as_str()));
            }
            Act::Silence => self.wait(),
            Act::Keys(keys) => {
                self.now = self.now + REACTION;
                if let Some(collector) = &mut self.collector {
                    collector.prompt_ended(self.now);
                }
                self.pending.extend(keys);
                self.press_pending();
                if self.collector.as_ref().is_some_and(Collector::heard_any) {
                    self.wait();
                }
            }
        }
    }

    /// Lets the open deadline pass.
    fn wait(&mut self) {
        let Some(collector) = &mut self.collector else { return };
        collector.prompt_ended(self.now);
        self.now = collector.poll_timeout().unwrap_or(self.now);
        let verdict = collector.timeout(self.now);
        self.take(verdict);
    }

    fn press_pending(&mut self) {
        while let (Some(collector), Some(key)) = (&mut self.collector, self.pending.pop_front()) {
            self.now = self.now + BETWEEN_KEYS;
            let press = KeyPress { key, method: Method::Typed, at: self.now, duration_ms: None };
            let verdict = collector.press(self.now, press);
            collector.released(key, self.now, HELD_MS);
            let at = self.now;
            self.take(verdict);
            self.interview.released(key, at, HELD_MS);
        }
        self.pending.clear();
    }

    fn take(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Waiting | Verdict::Ignored => {}
            Verdict::Keys(keys) => self.hear(Heard::Keys(keys)),
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
                    self.pass(&prompt, barge_in || type_ahead);
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
                    self.collector = Some(collector);
                    return;
                }
                Instruction::Record { item, prompt, .. } => {
                    self.say(&item, &prompt, None);
                    heard = Heard::Silence;
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
                    self.collector = None;
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

#[cfg(test)]
mod tests;
