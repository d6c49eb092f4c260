//! The flow controller: select, collect, process. Pure.
//!
//! ```text
//!            ┌──────────────── next item ◄───────────────┐
//!            ▼                                           │
//! select: which item is next ──► Say │ Ask │ End         │
//!                                      │                 │
//! collect: Collector gathers keys ─────┘                 │
//!            ▼                                           │
//! process: filled │ no_match │ no_input │ command ───────┘
//! ```
//! An [`Interview`] is a plain value: it goes on wherever its record is read, on the questionnaire
//! whose digest it names.

mod appointment;
mod begin;
mod calendar;
mod collector;
mod dates;
mod facts;
mod grammar;
mod instruction;
mod listen;
mod part;
mod process;
mod quota;
pub mod rehearsal;
mod response;
mod say;
mod select;
mod trail;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use crate::questionnaire::{Command, Key, Outcome, Prompt, Sound, Utterance, Value};
pub use begin::{BeginError, check_field};
pub(crate) use collector::ROW;
pub use collector::{Collector, Verdict};
pub use instruction::{
    Collect, Days, Grammar, Heard, Instruction, KeyPress, Method, Recorded, RecordingEnd, Several, Take,
    Times, TypeAhead,
};
pub use response::{QuotaAsked, Response, Status};

use part::{Draft, Part};

use crate::id::Digest;
use crate::questionnaire::{Answers, Item, Kind, Questionnaire};
use crate::time::Timestamp;
use trail::Trail;

/// Instructions of one interview, beyond ten for each item: a callee who goes round in a loop ends here.
const MIN_STEPS: usize = 300;
/// Instructions of one interview for each item of its questionnaire.
const STEPS_PER_ITEM: usize = 10;

/// One interview: where it stands and what it has heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interview {
    digest: Digest,
    /// What the order of items and options is drawn from.
    seed: u32,
    language: String,
    /// The callee's time zone (IANA).
    time_zone: String,
    /// When it began; today is the day of then.
    began_at: Timestamp,
    fields: BTreeMap<String, String>,
    stage: Stage,
    /// What was entered of the open question, and does not count yet.
    draft: Draft,
    /// What became of the questions that were asked, by index of the item.
    records: BTreeMap<u16, Record>,
    /// The quotas that were asked about, by index, and whether they were full.
    quotas: BTreeMap<u16, bool>,
    /// Instructions so far.
    steps: u32,
    /// See [`Collect::late_term_char`].
    late_term_char: Option<Key>,
    /// The way so far, for the back key.
    trail: Trail,
}

/// Where an interview stands; items by index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    /// Before the first item.
    Ready,
    /// A statement is said.
    Saying(u16),
    /// A question is open.
    Asking(Asking),
    /// A question is given up; the prompt of the rung that leads away is said.
    GivingUp(Asking),
    /// Whether there is room is being asked, before this item.
    AskingQuota { before: u16 },
    /// It is over. `item` is the end that was reached; none if the callee left.
    Ended { item: Option<u16>, outcome: Outcome },
}

/// An open question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Asking {
    item: u16,
    /// Which part of it.
    part: Part,
    turn: Turn,
    no_input: u8,
    no_match: u8,
    repeats: u8,
    /// How often the callee wanted to enter it anew.
    rejected: u8,
}

/// Why a question is asked this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Turn {
    /// It is its turn, or the callee wants to hear it again.
    Plain,
    /// Silence came.
    NoInput,
    /// Keys came that are no answer.
    NoMatch,
    /// The callee wants more time; the question is not said again.
    MoreTime,
}

/// What became of a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    status: Status,
    value: Option<Value>,
    digits: Vec<KeyPress>,
    asked: u32,
    asked_at: Timestamp,
    at: Option<Timestamp>,
    no_input: u32,
    no_match: u32,
    /// The recording that is the reply.
    recorded: Option<Recorded>,
    /// Takes that were recorded.
    takes: u8,
}

impl Interview {
    /// Takes in what was heard, and says what to do next. The first thing heard is [`Heard::Begin`].
    ///
    /// Never fails: what does not fit where the interview stands changes nothing, and the current
    /// instruction is given again.
    pub fn next(&mut self, questionnaire: &Questionnaire, now: Timestamp, heard: Heard) -> Instruction {
        if questionnaire.digest() == self.digest {
            self.process(questionnaire, now, heard);
        }
        self.again(questionnaire)
    }

    /// The current instruction anew, after a restart or a takeover: the same question is asked again.
    #[must_use]
    pub fn again(&self, questionnaire: &Questionnaire) -> Instruction {
        if questionnaire.digest() == self.digest {
            self.instruction(questionnaire)
        } else {
            Self::over(Outcome::Technical)
        }
    }

    /// A key that belongs to a reply was released after the reply was taken: notes how long it was held.
    /// Says whether it belongs to one.
    pub fn released(&mut self, key: Key, pressed_at: Timestamp, duration_ms: u32) -> bool {
        KeyPress::release(&mut self.draft.digits, key, pressed_at, duration_ms)
            || self
                .records
                .values_mut()
                .any(|record| KeyPress::release(&mut record.digits, key, pressed_at, duration_ms))
    }

    /// The end key of the last entry, if the entry was complete without it: whoever presses it now means
    /// that entry, so it should cut no statement short. (A [`Collector`] drops it by itself.)
    #[must_use]
    pub const fn late_term_char(&self) -> Option<Key> {
        self.late_term_char
    }

    /// The callee left. Settles [`Interview::ending`], unless an end was reached before. A question that
    /// was open stays not reached: an unfinished entry is no reply. What was recorded is one.
    pub fn hung_up(&mut self, questionnaire: &Questionnaire, now: Timestamp) {
        if let Stage::Asking(asking) = self.stage {
            if matches!(asking.part, Part::Review { .. }) {
                self.keep(now, asking);
            }
            self.close(asking, now, Status::NotReached);
        }
        if self.ending().is_none() {
            let outcome = self.settle(questionnaire, Outcome::BreakOff);
            self.stage = Stage::Ended { item: None, outcome };
        }
    }

    /// Digest of the questionnaire it is pinned to.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The language it goes on in.
    #[must_use]
    pub fn language(&self) -> &str {
        &self.language
    }

    /// Id of the question that is open.
    #[must_use]
    pub fn question<'q>(&self, questionnaire: &'q Questionnaire) -> Option<&'q str> {
        let Stage::Asking(Asking { item, .. }) = self.stage else { return None };
        questionnaire.items().get(usize::from(item)).map(|item| item.id.as_str())
    }

    /// How it ended, if it has.
    #[must_use]
    pub const fn ending(&self) -> Option<Outcome> {
        match self.stage {
            Stage::Ended { outcome, .. } => Some(outcome),
            Stage::Ready
            | Stage::Saying(_)
            | Stage::Asking(_)
            | Stage::GivingUp(_)
            | Stage::AskingQuota { .. } => None,
        }
    }

    /// Whom the callee is to be handed to, if it ended so.
    #[must_use]
    pub fn transfer<'q>(&self, questionnaire: &'q Questionnaire) -> Option<&'q str> {
        let Stage::Ended { item: Some(item), outcome: Outcome::Transfer } = self.stage else { return None };
        let Kind::End(end) = &questionnaire.items().get(usize::from(item))?.kind else { return None };
        end.transfer.as_deref()
    }

    /// What became of each question, in document order.
    #[must_use]
    pub fn responses(&self, questionnaire: &Questionnaire) -> Vec<Response> {
        let items = questionnaire.items().iter().zip(0_u16..);
        let questions = items.filter(|(item, _)| item.question().is_some());
        let passed = self.passed(questionnaire);
        questions
            .map(|(item, index)| {
                self.response(questionnaire, &item.id, index, passed.contains(&usize::from(index)))
            })
            .collect()
    }

    /// Whether any question has a reply but in which language to go on: who leaves before has agreed to nothing.
    #[must_use]
    pub fn has_consent(&self, questionnaire: &Questionnaire) -> bool {
        let asks = |item: &u16| questionnaire.items().get(usize::from(*item)).and_then(Item::question);
        let counts = |item: &u16| asks(item).is_some_and(|it| !matches!(it.answers, Answers::Language(_)));
        self.records.iter().any(|(item, record)| record.status == Status::Answered && counts(item))
    }

    /// What the order of items and options is drawn from: the same seed, the same order.
    #[must_use]
    pub const fn seed(&self) -> u32 {
        self.seed
    }
}
