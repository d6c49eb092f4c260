//! What an interview found out, question by question.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::instruction::{KeyPress, Recorded};
use super::{Interview, Record, Stage};
use crate::questionnaire::{Answers, Kind, Outcome, Questionnaire, Value};
use crate::time::Timestamp;

/// What became of one question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// Its id.
    pub question: String,
    /// What became of it.
    pub status: Status,
    /// The reply, if there is one.
    pub value: Option<Value>,
    /// The keys that were the reply.
    pub digits: Vec<KeyPress>,
    /// At which place each option that was chosen was heard, from 1; empty where there are no options.
    pub places: Vec<u8>,
    /// The recording that is the reply; `value` is its name.
    pub recording: Option<Recorded>,
    /// How often it was asked.
    pub asked: u32,
    /// When it was asked first.
    #[serde(with = "crate::time::rfc3339::option")]
    pub asked_at: Option<Timestamp>,
    /// When it was answered, refused, given up, or left by hanging up.
    #[serde(with = "crate::time::rfc3339::option")]
    pub at: Option<Timestamp>,
    /// How often silence followed it.
    pub no_input: u32,
    /// How often keys followed it that were no answer.
    pub no_match: u32,
}

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// There is a reply.
    Answered,
    /// Its `ask-if` was false, or a `go` passed it by.
    Skipped,
    /// The callee refused it, or opted out at it.
    Refused,
    /// The callee does not know.
    DontKnow,
    /// Given up after silence.
    NoInput,
    /// Given up after keys that were no answer.
    NoMatch,
    /// The callee went back and took another way, on which it was not asked; `value` is what was said before.
    Superseded,
    /// The interview ended before it was answered. If `asked` is not 0, it ended right here.
    NotReached,
}

/// What was said about one quota.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaAsked {
    /// Its name.
    pub quota: String,
    /// Whether it was full; if not, a place was kept.
    pub full: bool,
    /// Whether its condition was still true of the callee at the end (an answer may have been changed).
    pub applies: bool,
}

impl Interview {
    /// The items that were passed by: all before the last one that was asked, in the order of this case.
    pub(super) fn passed(&self, questionnaire: &Questionnaire) -> BTreeSet<usize> {
        let mut sequence = questionnaire.sequence(self.seed);
        let asked = |item: &usize| {
            let record = u16::try_from(*item).ok().and_then(|item| self.records.get(&item));
            record.is_some_and(|record| record.status != Status::Superseded)
        };
        if !self.went_through(questionnaire) {
            sequence.truncate(sequence.iter().rposition(asked).unwrap_or(0));
        }
        sequence.into_iter().collect()
    }

    /// What became of the question at this index.
    pub(super) fn response(
        &self,
        questionnaire: &Questionnaire,
        id: &str,
        index: u16,
        passed: bool,
    ) -> Response {
        let record = self.records.get(&index);
        let status = match record {
            Some(record) => record.status,
            None if passed => Status::Skipped,
            None => Status::NotReached,
        };
        Response {
            question: id.to_owned(),
            status,
            value: record.and_then(|record| record.value.clone()),
            places: record.map(|record| self.places(questionnaire, index, record)).unwrap_or_default(),
            digits: record.map(|record| record.digits.clone()).unwrap_or_default(),
            recording: record.and_then(|record| record.recorded),
            asked: record.map_or(0, |record| record.asked),
            asked_at: record.map(|record| record.asked_at),
            at: record.and_then(|record| record.at),
            no_input: record.map_or(0, |record| record.no_input),
            no_match: record.map_or(0, |record| record.no_match),
        }
    }

    /// Where the options that were chosen stood in the order of this case.
    fn places(&self, questionnaire: &Questionnaire, index: u16, record: &Record) -> Vec<u8> {
        let item = questionnaire.items().get(usize::from(index));
        let Some(question) = item.and_then(|item| item.question()) else { return Vec::new() };
        let answers = self.answers(questionnaire, index, question);
        let place = |place: Option<usize>| u8::try_from(place? + 1).ok();
        match (answers.as_ref(), &record.value) {
            (Answers::Choice(choices) | Answers::Language(choices), Some(value)) => {
                place(choices.iter().position(|choice| choice.value == *value)).into_iter().collect()
            }
            (Answers::Multi(multi), Some(Value::Set(values))) => {
                let of = |value: &String| place(multi.options.iter().position(|o| o.value == *value));
                values.iter().filter_map(of).collect()
            }
            (_, _) => Vec::new(),
        }
    }

    /// Whether the interview reached an end that calls it complete: what was not asked was passed by.
    fn went_through(&self, questionnaire: &Questionnaire) -> bool {
        let Stage::Ended { item: Some(item), outcome: Outcome::Complete } = self.stage else { return false };
        let end = questionnaire.items().get(usize::from(item)).map(|item| &item.kind);
        matches!(end, Some(Kind::End(end)) if end.outcome == Outcome::Complete)
    }
}
