//! Gathers the keys of one entry.

use serde::{Deserialize, Serialize};

use super::instruction::{Collect, Grammar, KeyPress};
use crate::questionnaire::{Command, Key, NumberRange};
use crate::time::Timestamp;

/// What a key or a deadline led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The entry goes on.
    Waiting,
    /// The entry is complete; whether it is an answer, the interview says.
    Keys(Vec<KeyPress>),
    /// No key came in time.
    Silence,
    /// A command.
    Command(Command, KeyPress),
    /// The key does not count: it came during a prompt that cannot be cut short, or it ended an entry
    /// that was complete before.
    Ignored,
}

/// Gathers one entry: made when a question is asked, gone when it has given a verdict.
///
/// ```text
///  prompt plays ── key ──► entry ── last possible key, or end key ──► Keys
///       │                    │ └── inter_digit without a key ───────► Keys
///  prompt ended              └──── command key ─────────────────────► Command
///       └── no_input without a key ─────────────────────────────────► Silence
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collector {
    collect: Collect,
    entry: Vec<KeyPress>,
    prompt: Playing,
    deadline: Option<Timestamp>,
    spent: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Playing {
    Yes,
    Ended,
}

impl Collector {
    /// Begins when the prompt begins.
    #[must_use]
    pub fn new(collect: &Collect) -> Self {
        Self {
            collect: collect.clone(),
            entry: Vec::new(),
            prompt: Playing::Yes,
            deadline: None,
            spent: false,
        }
    }

    /// A key was pressed.
    pub fn press(&mut self, now: Timestamp, press: KeyPress) -> Verdict {
        if self.prompt == Playing::Yes && !self.collect.barge_in {
            return Verdict::Ignored;
        }
        let first = !std::mem::replace(&mut self.spent, true);
        if first
            && self.collect.late_term_char == Some(press.key)
            && !self.collect.grammar.begins(&[press.key])
        {
            return Verdict::Ignored;
        }
        if let Some((_, command)) = self.collect.commands.iter().find(|(key, _)| *key == press.key) {
            return self.done(Verdict::Command(*command, press));
        }
        if self.collect.term_char == Some(press.key) {
            return if self.entry.is_empty() { Verdict::Ignored } else { self.complete() };
        }
        self.entry.push(press);
        if self.collect.grammar.can_grow(&self.keys()) {
            self.deadline = Some(now + self.collect.inter_digit);
            Verdict::Waiting
        } else {
            self.complete()
        }
    }

    /// A key was released: how long it was held.
    pub fn released(&mut self, key: Key, pressed_at: Timestamp, duration_ms: u32) {
        KeyPress::release(&mut self.entry, key, pressed_at, duration_ms);
    }

    /// The prompt ended, or was cut short: from now on silence counts.
    pub fn prompt_ended(&mut self, now: Timestamp) {
        if self.prompt == Playing::Yes {
            self.prompt = Playing::Ended;
            if self.entry.is_empty() {
                self.deadline = Some(now + self.collect.no_input);
            }
        }
    }

    /// A deadline passed.
    pub fn timeout(&mut self, now: Timestamp) -> Verdict {
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return Verdict::Waiting;
        }
        if self.entry.is_empty() { self.done(Verdict::Silence) } else { self.complete() }
    }

    /// When [`Collector::timeout`] wants to be called.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<Timestamp> {
        self.deadline
    }

    /// Drops an unfinished entry: keys were lost in a gap, and a shortened number is a wrong answer.
    pub fn discard(&mut self) {
        self.entry.clear();
        self.deadline = None;
        self.prompt = Playing::Yes;
    }

    /// Whether a key of an entry has come: time to stop the prompt.
    #[must_use]
    pub const fn heard_any(&self) -> bool {
        !self.entry.is_empty()
    }

    fn keys(&self) -> Vec<Key> {
        self.entry.iter().map(|press| press.key).collect()
    }

    fn complete(&mut self) -> Verdict {
        let entry = std::mem::take(&mut self.entry);
        self.done(Verdict::Keys(entry))
    }

    const fn done(&mut self, verdict: Verdict) -> Verdict {
        self.deadline = None;
        verdict
    }
}

impl KeyPress {
    /// Notes in `presses` how long a key was held; says whether it was among them.
    pub(super) fn release(presses: &mut [Self], key: Key, pressed_at: Timestamp, duration_ms: u32) -> bool {
        let press = presses.iter_mut().rev().find(|press| press.key == key && press.at == pressed_at);
        press.map(|press| press.duration_ms = Some(duration_ms)).is_some()
    }
}

impl Grammar {
    /// Whether some answer begins with these keys.
    #[must_use]
    pub fn begins(&self, keys: &[Key]) -> bool {
        self.accepts(keys) || self.extends(keys)
    }

    /// Whether these keys are an answer.
    #[must_use]
    pub fn accepts(&self, keys: &[Key]) -> bool {
        match self {
            Self::Choice(answers) => answers.iter().any(|answer| spells(answer, keys)),
            Self::Number(range) => range.value(keys).is_some(),
        }
    }

    /// Most keys of an answer.
    #[must_use]
    pub fn max_digits(&self) -> usize {
        match self {
            Self::Choice(answers) => answers.iter().map(|answer| answer.chars().count()).max().unwrap_or(1),
            Self::Number(range) => usize::from(range.max_digits),
        }
    }

    /// Whether to wait for a further key. What is an answer waits only if a longer answer is possible;
    /// what can no longer become one waits for the keys that its author is still pressing.
    pub(super) fn can_grow(&self, keys: &[Key]) -> bool {
        keys.len() < self.max_digits() && (self.extends(keys) || !self.accepts(keys))
    }

    /// Whether some longer answer begins with these keys.
    fn extends(&self, keys: &[Key]) -> bool {
        match self {
            Self::Choice(answers) => answers
                .iter()
                .any(|answer| answer.chars().count() > keys.len() && spells_prefix(answer, keys)),
            Self::Number(range) => range.extends(keys),
        }
    }
}

fn spells(answer: &str, keys: &[Key]) -> bool {
    answer.chars().eq(keys.iter().map(|key| key.as_char()))
}

fn spells_prefix(answer: &str, keys: &[Key]) -> bool {
    answer.chars().take(keys.len()).eq(keys.iter().map(|key| key.as_char()))
}

impl NumberRange {
    /// The number that these keys are, if it may be answered.
    #[must_use]
    pub fn value(&self, keys: &[Key]) -> Option<u64> {
        let long_enough = keys.len() >= usize::from(self.min_digits.max(1));
        let value = digits(keys).filter(|_| long_enough && keys.len() <= usize::from(self.max_digits))?;
        (self.min..=self.max).contains(&value).then_some(value)
    }

    /// Whether a longer entry that begins with these keys may be answered.
    ///
    /// After `v` and `k` further digits lie the numbers `v·10^k ..= v·10^k + 10^k - 1`.
    fn extends(&self, keys: &[Key]) -> bool {
        let Some(value) = digits(keys) else { return false };
        let (have, max) = (keys.len(), usize::from(self.max_digits));
        (1..=max.saturating_sub(have)).filter(|more| have + more >= usize::from(self.min_digits)).any(
            |more| {
                let power = u32::try_from(more).ok().and_then(|more| 10_u64.checked_pow(more));
                let Some(power) = power else { return false };
                let low = value.saturating_mul(power);
                low <= self.max && low.saturating_add(power - 1) >= self.min
            },
        )
    }
}

/// The number that these keys spell.
fn digits(keys: &[Key]) -> Option<u64> {
    keys.iter().try_fold(0_u64, |value, key| value.checked_mul(10)?.checked_add(u64::from(key.digit()?)))
}

#[cfg(test)]
mod tests;
