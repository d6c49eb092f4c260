//! Compares each result with what its respondent was to do and what it swears to have done.

use std::fmt;

use super::answers::Meant;
use super::people::{Expectation, Expected, Person, disposition_of};
use super::voice;
use crate::call::{CallResult, EndedBy};
use crate::callee::ear::Part;
use crate::callee::script::Place;
use crate::callee::testimony::{End, Entry, Event, Testimony};
use crate::interview::{Response, Status};
use crate::outcome::Disposition;
use crate::questionnaire::{Answers, Kind, Questionnaire, Value};
use crate::sdp::Codec;

/// What a difference means for whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Loss {
    /// The call is not what the person had: it is gone, came twice, or ended otherwise.
    Call,
    /// A reply that was given is not there.
    Response,
    /// A reply is there that was not given so.
    Altered,
    /// Something else was not as it should be.
    Manner,
}

/// A result that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(super) struct Difference {
    /// Who was called.
    pub(super) to: String,
    /// What kind of person it is.
    pub(super) persona: String,
    /// What differs.
    pub(super) what: String,
    /// What that means.
    pub(super) loss: Loss,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.to, self.persona, self.what)
    }
}

/// What a comparison needs besides results and testimonies.
#[derive(Clone, Copy)]
pub(super) struct Evidence<'a> {
    pub(super) questionnaire: &'a Questionnaire,
    /// The samples of a recording, by the name of its file.
    pub(super) samples: &'a dyn Fn(&str) -> std::io::Result<Vec<i16>>,
}

/// What one person's call came to.
#[derive(Debug)]
pub(super) struct Compared<'p> {
    pub(super) differences: Vec<Difference>,
    /// What should have come of it, of all that might.
    pub(super) expected: Option<&'p Expected>,
}

/// All differences of one person's call.
pub(super) fn compare<'p>(
    evidence: Evidence<'_>,
    person: &'p Person,
    results: &[&CallResult],
    testimonies: &[&Testimony],
) -> Compared<'p> {
    let judged = person.expected.iter().map(|expected| {
        let mut judge = Judge { evidence, person, expected, differences: Vec::new() };
        judge.against_all(results, testimonies);
        (expected, judge.differences)
    });
    let judged: Vec<_> = judged.collect();
    // Whether there was room for somebody is known from the words at the end.
    let last = testimonies.first().and_then(|heard| heard.prompts().last()).map(|prompt| &prompt.item);
    let as_heard = |expected: &Expected| expected.end.as_ref() == last;
    let heard = judged.iter().any(|(expected, _)| as_heard(expected));
    let likely = judged.into_iter().filter(|(expected, _)| !heard || as_heard(expected));
    let best = likely.min_by_key(|(_, differences)| differences.len());
    let (expected, differences) = best.map_or((None, Vec::new()), |(expected, it)| (Some(expected), it));
    Compared { differences, expected }
}

/// Quotas that were overrun, or that turned somebody away while there was room.
pub(super) fn of_quotas(questionnaire: &Questionnaire, came: &[&Expected]) -> Vec<Difference> {
    let mut differences = Vec::new();
    for quota in questionnaire.quotas() {
        let max = usize::try_from(quota.max).unwrap_or(usize::MAX);
        let turned_away = came.iter().filter(|it| it.full.as_ref() == Some(&quota.id)).count();
        let let_in = || came.iter().filter(|it| it.full.is_none() && it.quotas.contains(&quota.id));
        let complete = let_in().filter(|it| it.disposition == Some(Disposition::Complete)).count();
        let mut say = |what: String| {
            let (to, persona) = (format!("quota {}", quota.id), "all of them".to_owned());
            differences.push(Difference { to, persona, what, loss: Loss::Manner });
        };
        if complete > max {
            say(format!("{complete} were let in and were complete, and {max} were wanted"));
        }
        if turned_away > 0 && let_in().count() < max {
            say(format!("{turned_away} were turned away, and only {} of {max} let in", let_in().count()));
        }
    }
    differences
}

struct Judge<'a> {
    evidence: Evidence<'a>,
    person: &'a Person,
    expected: &'a Expected,
    differences: Vec<Difference>,
}

impl Judge<'_> {
    fn say(&mut self, loss: Loss, what: String) {
        let to = self.person.number.clone();
        self.differences.push(Difference { to, persona: self.person.persona.to_string(), what, loss });
    }

    fn against_all(&mut self, results: &[&CallResult], testimonies: &[&Testimony]) {
        match results {
            [result] => {
                self.against_plan(result);
                match testimonies {
                    [testimony] => self.against_testimony(result, testimony),
                    [] => self.say(Loss::Call, "the telephone never rang".to_owned()),
                    more => self.say(Loss::Call, format!("the telephone was called {} times", more.len())),
                }
            }
            [] => self.say(Loss::Call, "there is no result".to_owned()),
            more => self.say(Loss::Call, format!("there are {} results", more.len())),
        }
    }

    /// What the person had in mind: the disposition, and what becomes of each question.
    fn against_plan(&mut self, result: &CallResult) {
        match self.expected.disposition {
            Some(disposition) if disposition == result.disposition => {}
            Some(disposition) => {
                self.say(Loss::Call, format!("ended as {}, not {disposition}", result.disposition))
            }
            None => {
                self.say(Loss::Call, format!("ended as {}, and no end was to be seen", result.disposition))
            }
        }
        for (question, expected) in &self.expected.replies {
            match result.responses.iter().find(|response| response.question == *question) {
                Some(response) => self.against_mind(question, response, expected),
                None => self.say(Loss::Response, format!("{question}: nothing is known of it")),
            }
        }
        for response in answered(result) {
            if !self.expected.replies.contains_key(&response.question) {
                let value = text(response.value.as_ref());
                self.say(
                    Loss::Altered,
                    format!("{}: {value} was kept, and nothing should have been", response.question),
                );
            }
        }
    }

    fn against_mind(&mut self, question: &str, response: &Response, expected: &Expectation) {
        let Expectation { status, meant } = expected;
        let value = text(response.value.as_ref());
        match (response.status, status, meant) {
            (Status::Answered, Status::Answered, Some(Meant::Reply(meant))) => {
                if response.value.as_ref() != Some(meant) {
                    self.say(Loss::Altered, format!("{question}: {value} was kept, not {meant}"));
                }
            }
            (Status::Answered, Status::Answered, Some(Meant::Voice)) => {} // to be listened to
            (Status::Answered, Status::Answered, _) => {
                self.say(Loss::Altered, format!("{question}: {value} was kept, and nobody meant that"));
            }
            (kept, wanted, _) if kept == *wanted => {}
            (_, Status::Answered, meant) => {
                let meant = match meant {
                    Some(Meant::Reply(value)) => value.to_string(),
                    Some(Meant::Voice | Meant::Refused | Meant::DontKnow) | None => "a recording".to_owned(),
                };
                self.say(Loss::Response, format!("{question}: the reply {meant} is missing"));
            }
            (Status::Answered, _, _) => {
                self.say(
                    Loss::Altered,
                    format!("{question}: {value} was kept, and nothing should have been"),
                );
            }
            (kept, wanted, _) => {
                self.say(Loss::Altered, format!("{question}: it is {kept:?}, not {wanted:?}"))
            }
        }
    }

    /// What the respondent heard and did.
    fn against_testimony(&mut self, result: &CallResult, testimony: &Testimony) {
        self.compare_end(result, testimony);
        self.compare_closing(result, testimony);
        self.compare_words(testimony);
        for reply in answered(result) {
            self.compare_digits(reply, testimony);
            self.compare_places(reply, testimony);
            if matches!(self.answers(&reply.question), Some(Answers::Record(_))) {
                self.compare_voice(reply, result, testimony);
            }
        }
    }

    /// The keys that were kept are those that were pressed last, part by part.
    fn compare_digits(&mut self, reply: &Response, testimony: &Testimony) {
        let question = &reply.question;
        let entries = testimony.entries().filter(|entry| entry.question.as_ref() == Some(question));
        let mut parts: Vec<&Entry> = Vec::new();
        let mut any = testimony.said(question) > 0;
        for entry in entries {
            any = true;
            if matches!(entry.part, Part::Prompt | Part::Option | Part::Time | Part::HalfDay) {
                // An offer that was heard before it is no part of its own.
                let same = |part: &&Entry| part.part == Part::Prompt || part.of == entry.of;
                parts.retain(|part| part.part != entry.part || !same(part));
                parts.push(entry);
            }
        }
        if !any {
            return self.say(Loss::Altered, format!("{question}: a reply was kept, and no key was pressed"));
        }
        if reply.recording.is_some() {
            return; // a key that ends a recording is no part of the reply
        }
        let kept: String = reply.digits.iter().map(|press| press.key.as_char()).collect();
        let meant: String = parts.iter().map(|entry| self.without_end_key(question, entry)).collect();
        if kept != meant {
            self.say(Loss::Altered, format!("{question}: the digits {kept} were kept, and {meant} keyed"));
        }
    }

    /// Each option that was chosen stood where it was heard.
    fn compare_places(&mut self, reply: &Response, testimony: &Testimony) {
        let mut heard: Vec<&str> = Vec::new();
        for label in testimony.prompts().filter(|label| label.item == reply.question) {
            match (&label.option, label.part) {
                (_, Part::Prompt) => heard.clear(),
                (Some(option), _) if !heard.contains(&option.as_str()) => heard.push(option),
                (_, _) => {}
            }
        }
        let values = match &reply.value {
            Some(Value::Set(values)) => values.clone(),
            value => vec![text(value.as_ref())],
        };
        for (value, place) in values.iter().zip(&reply.places) {
            let here = heard.iter().position(|option| option == value).map(|place| place + 1);
            if here.is_some_and(|here| here != usize::from(*place)) {
                let here = here.unwrap_or_default();
                self.say(
                    Loss::Altered,
                    format!("{}: {value} was heard at place {here}, not {place}", reply.question),
                );
            }
        }
    }

    /// A recording holds what was said.
    fn compare_voice(&mut self, reply: &Response, result: &CallResult, testimony: &Testimony) {
        let question = &reply.question;
        let take = reply.recording.map_or(0, |recorded| recorded.take);
        let kept = result.recordings.iter().find(|kept| kept.question == *question && kept.take == take);
        let Some(file) = kept.and_then(|kept| kept.file.as_ref()) else {
            return self.say(Loss::Response, format!("{question}: there is no recording of take {take}"));
        };
        let here = Place::Question(question.clone());
        let turns = self.person.party.turns.iter();
        let said = turns.filter(|turn| turn.at == here).find_map(|turn| turn.says.as_ref());
        let samples = match (self.evidence.samples)(file) {
            Ok(samples) => samples,
            Err(error) => {
                return self.say(Loss::Response, format!("{question}: {file} cannot be read: {error}"));
            }
        };
        let codec = if testimony.codec() == Some(Codec::Pcma.name()) { Codec::Pcma } else { Codec::Pcmu };
        if !said.is_some_and(|said| voice::holds(&samples, &said.samples, codec)) {
            self.say(Loss::Altered, format!("{question}: {file} does not hold what was said"));
        }
    }

    /// Nothing was said but what this person knows, or said itself.
    fn compare_words(&mut self, testimony: &Testimony) {
        let listens =
            self.person.party.turns.iter().any(|turn| {
                matches!(turn.at, Place::Part { part: Part::Review, .. }) && turn.tries.len() > 1
            });
        let strange = testimony.events.iter().filter(|(_, event)| *event == Event::Talk).count();
        if strange > 0 && !listens {
            self.say(Loss::Manner, format!("words were heard {strange} times that nobody should have said"));
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
            self.say(
                Loss::Call,
                format!("ended by {by:?} as {}, and the respondent says: {end:?}", result.disposition),
            );
        }
        if testimony.answered_at.is_some() != result.answered_at.is_some() {
            self.say(
                Loss::Call,
                "one side says that the call was answered, and the other that it was not".to_owned(),
            );
        }
    }

    /// The closing words that were heard are those of this outcome.
    fn compare_closing(&mut self, result: &CallResult, testimony: &Testimony) {
        let questionnaire = self.evidence.questionnaire;
        let last = testimony.prompts().last().and_then(|prompt| questionnaire.item(&prompt.item));
        if let Some(item) = last
            && let Kind::End(end) = &item.kind
            && disposition_of(end.outcome) != result.disposition
        {
            let what = format!("ended as {}, and the words of `{}` were heard", result.disposition, item.id);
            self.say(Loss::Call, what);
        }
    }

    fn without_end_key<'k>(&self, question: &str, entry: &'k Entry) -> &'k str {
        let takes_end = matches!(entry.part, Part::Prompt | Part::Time);
        let end = self.answers(question).and_then(Answers::end).filter(|_| takes_end);
        end.and_then(|end| entry.keys.strip_suffix(end.as_char())).unwrap_or(&entry.keys)
    }

    fn answers(&self, question: &str) -> Option<&Answers> {
        let question = self.evidence.questionnaire.item(question).and_then(|item| item.question());
        question.map(|question| &question.answers)
    }
}

fn text(value: Option<&Value>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}

/// The responses that are replies.
fn answered(result: &CallResult) -> impl Iterator<Item = &Response> {
    result.responses.iter().filter(|response| response.status == Status::Answered)
}

#[cfg(test)]
mod tests;
