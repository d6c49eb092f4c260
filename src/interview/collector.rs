//! Gathers the keys of one entry.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::instruction::{Collect, KeyPress, TypeAhead};
use crate::questionnaire::{Command, Key};
use crate::time::Timestamp;

/// Nobody answers a question this soon after it began: who does has pressed ahead. Each further key within
/// this time belongs to the same row of keys.
const AHEAD: Duration = Duration::from_millis(500);
/// Who presses a row of keys takes no longer for the next one, when nobody can tell where the row began.
pub(crate) const ROW: Duration = Duration::from_secs(2);

/// Between the keys of an entry lies less than so many times the longest pause in it so far.
const PACE: u32 = 2;

/// What a key or a deadline led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The entry goes on.
    Waiting,
    /// The entry is complete; whether it is an answer, the interview says.
    Keys(Vec<KeyPress>),
    /// The same, ended by its term char.
    Ended(Vec<KeyPress>),
    /// No key came in time.
    Silence,
    /// A command.
    Command(Command, KeyPress),
    /// The key does not count: it came during a prompt that cannot be cut short, it was pressed ahead
    /// where that does not count, or it ended an entry that was complete before.
    Ignored,
}

/// Gathers one entry: made when a question is asked, gone when it has given a verdict.
///
/// ```text
///  prompt plays ── key ──► entry ── last possible key ──────────────► Keys
///       │                    │ ├── end key ─────────────────────────► Ended
///       │                    │ ├── inter_digit without a key ───────► Keys
///       │                    │ └── complete before the last possible
///       │                    │     key: term_timeout without a key ─► Keys
///  prompt ended              └──── command key ─────────────────────► Command
///       └── no_input without a key ─────────────────────────────────► Silence
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collector {
    collect: Collect,
    entry: Vec<KeyPress>,
    prompt: Playing,
    deadline: Option<Timestamp>,
    /// Keys that are not meant for this entry.
    ahead: Option<Ahead>,
    spent: bool,
}

/// A row of keys that was begun before the question was asked: it lasts as long as each comes soon after the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Ahead {
    until: Timestamp,
    pause: Duration,
    /// It was begun at another process: silence counts from its end.
    elsewhere: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Playing {
    Yes,
    Ended,
}

impl Ahead {
    fn of(now: Timestamp, pause: Duration) -> Self {
        Self { until: now + pause, pause, elsewhere: false }
    }
}

impl Collector {
    /// Begins when the prompt begins.
    #[must_use]
    pub fn new(now: Timestamp, collect: &Collect) -> Self {
        Self {
            collect: collect.clone(),
            entry: Vec::new(),
            prompt: Playing::Yes,
            deadline: None,
            ahead: (collect.type_ahead == TypeAhead::Dropped).then(|| Ahead::of(now, AHEAD)),
            spent: false,
        }
    }

    /// A key was pressed.
    pub fn press(&mut self, now: Timestamp, press: KeyPress) -> Verdict {
        if self.prompt == Playing::Yes && !self.collect.barge_in {
            return Verdict::Ignored;
        }
        if let Some(ahead) = self.ahead.take_if(|ahead| now < ahead.until) {
            self.ahead = Some(Ahead { until: now + ahead.pause, ..ahead });
            self.deadline = self.deadline.map(|_| self.silence(now));
            return Verdict::Ignored;
        }
        self.ahead = None;
        let first = !std::mem::replace(&mut self.spent, true);
        if first && self.collect.late_term_char == Some(press.key) && !self.collect.begins(&[press.key]) {
            return Verdict::Ignored;
        }
        if let Some((_, command)) = self.collect.commands.iter().find(|(key, _)| *key == press.key) {
            return self.done(Verdict::Command(*command, press));
        }
        if self.collect.term_char == Some(press.key) {
            let nothing = self.entry.is_empty() && !self.collect.accepts(&[]);
            if nothing {
                return Verdict::Ignored;
            }
            let entry = std::mem::take(&mut self.entry);
            return self.done(Verdict::Ended(entry));
        }
        self.entry.push(press);
        let keys = self.keys();
        let wait = if self.collect.can_grow(&keys) {
            self.collect.inter_digit
        } else if self.collect.is_early(&keys) {
            self.term_timeout()
        } else {
            Duration::ZERO
        };
        if wait.is_zero() {
            return self.complete();
        }
        self.deadline = Some(now + wait);
        Verdict::Waiting
    }

    /// How long a further key is waited for that would be too much: longer for those who key slowly.
    fn term_timeout(&self) -> Duration {
        let Collect { term_timeout, inter_digit, .. } = self.collect;
        let pauses = self.entry.windows(2).map(|pair| pair[1].at.since(pair[0].at));
        let pace = pauses.max().unwrap_or_default().saturating_mul(PACE);
        if term_timeout.is_zero() { term_timeout } else { term_timeout.max(pace).min(inter_digit) }
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
                self.deadline = Some(self.silence(now));
            }
        }
    }

    /// When silence from now on is no input: not while somebody presses keys that are not meant for this entry.
    fn silence(&self, now: Timestamp) -> Timestamp {
        let row = self.ahead.filter(|ahead| ahead.elsewhere);
        row.map_or(now, |row| now.max(row.until)) + self.collect.no_input
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
        self.ahead = None;
        self.deadline = None;
        self.prompt = Playing::Yes;
    }

    /// Whether keys that come while the prompt plays are kept until it has ended.
    #[must_use]
    pub fn keeps_keys(&self) -> bool {
        !self.collect.barge_in && self.collect.type_ahead == TypeAhead::Kept
    }

    /// There was a gap until `since`, or a key then of a row that was begun before it: keys that come soon after belong
    /// to that row, and would be a wrong answer without its first ones. Where an entry may have several keys, the next
    /// of that row may take its time.
    pub fn distrust(&mut self, since: Timestamp) {
        let pause =
            if self.collect.max_keys() > 1 { self.collect.inter_digit.clamp(AHEAD, ROW) } else { AHEAD };
        self.ahead = Some(Ahead { elsewhere: true, ..Ahead::of(since, pause) });
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
    pub(crate) fn release(presses: &mut [Self], key: Key, pressed_at: Timestamp, duration_ms: u32) -> bool {
        let press = presses.iter_mut().rev().find(|press| press.key == key && press.at == pressed_at);
        press.map(|press| press.duration_ms = Some(duration_ms)).is_some()
    }
}

#[cfg(test)]
mod tests;
