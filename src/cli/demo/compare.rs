//! Compares each result with what its respondent was to do and what it swears to have done.

use std::collections::BTreeMap;
use std::fmt;

use super::people::{Person, disposition_of};
use crate::call::{CallResult, EndedBy};
use crate::callee::testimony::{End, Testimony};
use crate::interview::Status;
use crate::outcome::Disposition;
use crate::questionnaire::{Kind, Questionnaire};

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
        let end = question.and_then(|question| question.answers.end());
        end.and_then(|end| keys.strip_suffix(end.as_char())).unwrap_or(keys).to_owned()
    }
}

/// The responses that are replies.
pub(super) fn answered(result: &CallResult) -> impl Iterator<Item = &crate::interview::Response> {
    result.responses.iter().filter(|response| response.status == Status::Answered)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callee::ear::Label;
    use crate::callee::testimony::{Entry, Event};
    use crate::cli::demo::people::{self, Persona};
    use crate::cli::demo::shipped;
    use crate::time::Timestamp;

    /// Someone who answers everything, a result as it should be, and the telephone's testimony.
    fn all_well() -> (Questionnaire, Person, CallResult, Testimony) {
        let (questionnaire, _) = Questionnaire::load("satisfaction.xml", shipped::QUESTIONNAIRE).unwrap();
        let people = people::gather(&questionnaire, &BTreeMap::new(), 8, 1, Timestamp::EPOCH);
        let person = people.into_iter().find(|person| person.persona == Persona::Complete).unwrap();
        let keyed = |question: &String| {
            let turn = person.party.turn_at_question(question).unwrap();
            person.party.turns[turn].tries.last().unwrap().clone()
        };
        let mut testimony =
            Testimony::new(Timestamp::EPOCH, String::new(), person.number.clone(), String::new());
        let mut responses = Vec::new();
        for (question, value) in &person.expected.replies {
            let keys = keyed(question);
            let entry = Entry { question: Some(question.clone()), nth: 1, keys: keys.clone() };
            testimony.events.push((Timestamp::EPOCH, Event::Keying(entry)));
            let digits = keys.trim_end_matches('#').chars().map(|digit| {
                serde_json::json!({"digit": digit.to_string(), "method": "rfc4733",
                    "at": "2026-11-23T08:22:56.605Z", "duration_ms": 120})
            });
            responses.push(serde_json::json!({"question": question, "status": "answered", "value": value,
                "digits": digits.collect::<Vec<_>>(), "places": [], "asked": 1, "asked_at": null, "at": null,
                "no_input": 0, "no_match": 0}));
        }
        let (item, part, language) = ("done".to_owned(), "prompt".to_owned(), "en".to_owned());
        let prompt = Label { item, part, language, asks: false };
        testimony.events.push((Timestamp::EPOCH, Event::Began { prompt, frame: 0 }));
        testimony.answered_at = Some(Timestamp::EPOCH);
        testimony.end = End::CallerHungUp;
        let result = serde_json::json!({"call_id": "9qbtzk2fgmsy3ctx", "attempt_id": "m1375jcwnpc6p164",
            "case_id": null, "to": person.number, "trunk": "crowd", "disposition": "complete", "aapor": "1.1",
            "sip_status": 200, "cause": null, "ended_by": "caller",
            "fault": null, "answered_by": "person", "tones": [], "media": null, "started_at": "2026-11-23T08:22:40.830Z",
            "ringing_at": null, "answered_at": "2026-11-23T08:22:41.164Z", "ended_at": "2026-11-23T08:23:03.709Z",
            "questionnaire": {"id": "satisfaction", "version": "1", "digest": questionnaire.digest()},
            "language": "en", "seed": 7, "quotas": [], "transfer": null, "computed": {}, "responses": responses,
            "recordings": []});
        (questionnaire, person, serde_json::from_value(result).unwrap(), testimony)
    }

    fn differences(change: impl Fn(&mut CallResult, &mut Testimony)) -> Vec<String> {
        let (questionnaire, person, mut result, mut testimony) = all_well();
        change(&mut result, &mut testimony);
        let found = compare(&questionnaire, &person, &[&result], &[&testimony]);
        found.into_iter().map(|difference| difference.what).collect()
    }

    #[test]
    fn nothing_differs_when_all_is_well() {
        assert_eq!(differences(|_, _| {}), Vec::<String>::new());
    }

    #[test]
    fn a_lost_an_altered_and_an_invented_reply_are_found() {
        let lost = differences(|result, _| drop(result.responses.remove(0)));
        assert!(lost.iter().any(|what| what.contains("is missing")), "{lost:?}");
        let altered = differences(|result, _| {
            result.responses[0].value = Some(crate::interview::Value::Text("other".to_owned()));
        });
        assert!(altered.iter().any(|what| what.contains("other was kept, not")), "{altered:?}");
        let invented = differences(|result, _| {
            let mut reply = result.responses[0].clone();
            reply.question = "invented".to_owned();
            result.responses.push(reply);
        });
        assert!(invented.iter().any(|what| what.contains("nothing should have been")), "{invented:?}");
        assert!(invented.iter().any(|what| what.contains("no key was pressed")), "{invented:?}");
    }

    #[test]
    fn digits_that_were_not_pressed_are_found() {
        let found = differences(|result, _| {
            let twice = result.responses[0].digits[0];
            result.responses[0].digits.push(twice);
        });
        assert!(found.iter().any(|what| what.contains("were kept, and")), "{found:?}");
    }

    #[test]
    fn another_outcome_end_or_closing_is_found() {
        let outcome = differences(|result, _| result.disposition = Disposition::Partial);
        assert_eq!(outcome[0], "ended as partial, not complete");
        assert!(outcome.iter().any(|what| what.contains("the words of `done` were heard")), "{outcome:?}");
        let end = differences(|_, testimony| testimony.end = End::HungUp);
        assert!(end[0].contains("the respondent says: HungUp"), "{end:?}");
        assert_eq!(differences(|result, _| result.answered_at = None).len(), 1);
    }

    #[test]
    fn a_call_without_result_or_telephone_and_a_second_call_are_found() {
        let (questionnaire, person, result, testimony) = all_well();
        let what = |results: &[&CallResult], heard: &[&Testimony]| {
            compare(&questionnaire, &person, results, heard).pop().map(|difference| difference.what).unwrap()
        };
        assert_eq!(what(&[], &[&testimony]), "there is no result");
        assert_eq!(what(&[&result], &[]), "the telephone never rang");
        assert_eq!(what(&[&result], &[&testimony, &testimony]), "the telephone was called 2 times");
    }
}
