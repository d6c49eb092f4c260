//! Compares each result with what its respondent was to do and what it swears to have done.

use std::collections::BTreeMap;
use std::fmt;

use super::people::{Person, disposition_of};
use crate::call::{CallResult, EndedBy};
use crate::callee::testimony::{End, Testimony};
use crate::interview::Status;
use crate::outcome::Disposition;
use crate::questionnaire::{Answers, Kind, Questionnaire};

/// A result that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(super) struct Difference {
    /// Who was called.
    pub(super) to: String,
    /// What kind of person it is.
    pub(super) persona: String,
    /// What differs.
    pub(super) what: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.to, self.persona, self.what)
    }
}

/// All differences of one person's call.
pub(super) fn compare(
    questionnaire: &Questionnaire,
    person: &Person,
    results: &[&CallResult],
    testimonies: &[&Testimony],
) -> Vec<Difference> {
    let mut judge = Judge { questionnaire, person, differences: Vec::new() };
    match results {
        [result] => {
            judge.against_script(result);
            match testimonies {
                [testimony] => judge.against_testimony(result, testimony),
                [] => judge.say("the telephone never rang".to_owned()),
                more => judge.say(format!("the telephone was called {} times", more.len())),
            }
        }
        [] => judge.say("there is no result".to_owned()),
        more => judge.say(format!("there are {} results", more.len())),
    }
    judge.differences
}

struct Judge<'a> {
    questionnaire: &'a Questionnaire,
    person: &'a Person,
    differences: Vec<Difference>,
}

impl Judge<'_> {
    fn say(&mut self, what: String) {
        let to = self.person.number.clone();
        self.differences.push(Difference { to, persona: self.person.persona.to_string(), what });
    }

    /// What the script leads to: the disposition, each reply's value, none too many, none too few.
    fn against_script(&mut self, result: &CallResult) {
        let expected = &self.person.expected;
        if result.disposition != expected.disposition {
            self.say(format!("ended as {}, not {}", result.disposition, expected.disposition));
        }
        let replies: BTreeMap<&str, String> = answered(result)
            .map(|reply| (reply.question.as_str(), reply.value.as_ref().map(ToString::to_string)))
            .map(|(question, value)| (question, value.unwrap_or_default()))
            .collect();
        for (question, value) in &expected.replies {
            match replies.get(question.as_str()) {
                None => self.say(format!("{question}: the reply {value} is missing")),
                Some(kept) if kept != value => self.say(format!("{question}: {kept} was kept, not {value}")),
                Some(_) => {}
            }
        }
        for (question, value) in &replies {
            if !expected.replies.contains_key(*question) {
                self.say(format!("{question}: {value} was kept, and nothing should have been"));
            }
        }
    }

    /// What the respondent heard and keyed.
    fn against_testimony(&mut self, result: &CallResult, testimony: &Testimony) {
        self.compare_end(result, testimony);
        self.compare_closing(result, testimony);
        for reply in answered(result) {
            let keyed = testimony.entries().filter(|entry| entry.question.as_ref() == Some(&reply.question));
            let Some(keyed) = keyed.last() else {
                self.say(format!("{}: a reply was kept, and no key was pressed", reply.question));
                continue;
            };
            let kept: String = reply.digits.iter().map(|press| press.key.as_char()).collect();
            let meant = self.without_end_key(&reply.question, &keyed.keys);
            if kept != meant {
                self.say(format!("{}: the digits {kept} were kept, and {meant} keyed", reply.question));
            }
        }
    }

    /// Who ended the call, and when it was never a conversation.
    fn compare_end(&mut self, result: &CallResult, testimony: &Testimony) {
        let agrees = match testimony.end {
            End::Refused(status) => result.sip_status == Some(status),
            End::Cancelled => result.disposition == Disposition::NoAnswer,
            End::HungUp => result.ended_by == EndedBy::Callee,
            End::CallerHungUp => result.ended_by == EndedBy::Caller,
            End::Open => false,
        };
        if !agrees {
            let (by, end) = (result.ended_by, testimony.end);
            self.say(format!("ended by {by:?} as {}, and the respondent says: {end:?}", result.disposition));
        }
        if testimony.answered_at.is_some() != result.answered_at.is_some() {
            self.say("one side says that the call was answered, and the other that it was not".to_owned());
        }
    }

    /// The closing words that were heard are those of this outcome.
    fn compare_closing(&mut self, result: &CallResult, testimony: &Testimony) {
        let last = testimony.prompts().last().and_then(|prompt| self.questionnaire.item(&prompt.item));
        if let Some(item) = last
            && let Kind::End(end) = &item.kind
            && disposition_of(end.outcome) != result.disposition
        {
            let what = format!("ended as {}, and the words of `{}` were heard", result.disposition, item.id);
            self.say(what);
        }
    }

    fn without_end_key(&self, question: &str, keys: &str) -> String {
        let question = self.questionnaire.item(question).and_then(|item| item.question());
        let end = question.and_then(|question| match &question.answers {
            Answers::Number(range) => range.end,
            Answers::Choice(_) => None,
        });
        end.and_then(|end| keys.strip_suffix(end.as_char())).unwrap_or(keys).to_owned()
    }
}

/// The responses that are replies.
pub(super) fn answered(result: &CallResult) -> impl Iterator<Item = &crate::interview::Response> {
    result.responses.iter().filter(|response| response.status == Status::Answered)
}
