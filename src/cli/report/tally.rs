//! Counts over results: outcomes, and what was answered to each question.

use std::collections::BTreeMap;

use serde::Serialize;

use super::csv::word;
use crate::call::CallResult;
use crate::interview::{Status, Value};
use crate::outcome::Disposition;
use crate::questionnaire::{Answers, Questionnaire, Scale};

/// A question with so few possible numbers counts each of them, also those that nobody gave.
const FEW: u64 = 11;

/// How many calls ended so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(in crate::cli) struct OutcomeCount {
    pub(in crate::cli) disposition: Disposition,
    /// AAPOR code.
    pub(in crate::cli) aapor: &'static str,
    pub(in crate::cli) calls: usize,
}

/// The outcomes that occurred, in the order of their AAPOR codes.
pub(in crate::cli) fn outcomes(results: &[CallResult]) -> Vec<OutcomeCount> {
    let count = |disposition| results.iter().filter(|result| result.disposition == disposition).count();
    let counts = Disposition::ALL.into_iter().map(|disposition| OutcomeCount {
        disposition,
        aapor: disposition.aapor(),
        calls: count(disposition),
    });
    counts.filter(|outcome| outcome.calls > 0).collect()
}

/// What was answered to one question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(in crate::cli) struct QuestionCount {
    pub(in crate::cli) question: String,
    /// Calls by what became of the question; calls that were never answered are not counted.
    pub(in crate::cli) statuses: BTreeMap<&'static str, usize>,
    /// Replies by value, in the order of the questionnaire or of the numbers.
    pub(in crate::cli) values: Vec<ValueCount>,
    #[serde(skip)]
    pub(in crate::cli) numbers: Vec<u64>,
    /// The question as it is asked, for people.
    #[serde(skip)]
    pub(in crate::cli) text: String,
}

/// How often a value was the reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(in crate::cli) struct ValueCount {
    pub(in crate::cli) value: String,
    pub(in crate::cli) replies: usize,
}

/// The questions, in the order of the questionnaire.
pub(in crate::cli) fn questions(questionnaire: &Questionnaire, results: &[CallResult]) -> Vec<QuestionCount> {
    let count = |(id, question): (&str, &crate::questionnaire::Question)| {
        let reached = results.iter().filter(|result| result.answered_at.is_some());
        let responses = reached.flat_map(|result| &result.responses);
        let responses: Vec<_> = responses.filter(|response| response.question == id).collect();
        let mut statuses = BTreeMap::new();
        for response in &responses {
            *statuses.entry(word(response.status)).or_default() += 1;
        }
        let replies = responses.iter().filter(|response| response.status == Status::Answered);
        let values: Vec<&Value> = replies.filter_map(|response| response.value.as_ref()).collect();
        let numbers = numbers(&values);
        let all = possible(&question.answers).unwrap_or_else(|| distinct(&values));
        let replies = |value: &String| values.iter().filter(|reply| is_in(value, reply)).count();
        let values = all.into_iter().map(|value| ValueCount { replies: replies(&value), value }).collect();
        let text = question.say.first().and_then(|say| say.plain()).map(|utterance| utterance.text);
        QuestionCount { question: id.to_owned(), statuses, values, numbers, text: text.unwrap_or_default() }
    };
    questionnaire.questions().map(count).collect()
}

/// The values that can be replied, where they are few.
fn possible(answers: &Answers) -> Option<Vec<String>> {
    match answers {
        Answers::Choice(options) | Answers::Language(options) => {
            Some(options.iter().map(|option| option.value.to_string()).collect())
        }
        Answers::Multi(multi) => Some(multi.options.iter().map(|option| option.value.clone()).collect()),
        Answers::Number(range) | Answers::Scale(Scale { range, .. }) if range.max - range.min < FEW => {
            Some((range.min..=range.max).map(|number| range.number(number).to_string()).collect())
        }
        // What is told apart only by listening, and whom to call again when, is not counted.
        Answers::Record(_) | Answers::Appointment(_) => Some(Vec::new()),
        Answers::Number(_) | Answers::Scale(_) | Answers::Digits(_) | Answers::Date(_) | Answers::Time(_) => {
            None
        }
    }
}

/// Whether a reply has this value, or has it among others.
fn is_in(value: &str, reply: &Value) -> bool {
    match reply {
        Value::Set(values) => values.iter().any(|one| one == value),
        Value::Number(_) | Value::Text(_) => reply.to_string() == value,
    }
}

/// The whole numbers, which a picture shows in classes.
fn numbers(values: &[&Value]) -> Vec<u64> {
    let number = |value: &&Value| match value {
        Value::Number(number) => number.whole(),
        Value::Text(_) | Value::Set(_) => None,
    };
    let mut numbers: Vec<u64> = values.iter().filter_map(number).collect();
    numbers.sort_unstable();
    numbers
}

fn distinct(values: &[&Value]) -> Vec<String> {
    let mut distinct = values.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    distinct.into_iter().map(ToString::to_string).collect()
}
