//! Results that are as they should be, and each way in which they may differ.

use std::collections::BTreeMap;

use super::*;
use crate::callee::ear::Label;
use crate::cli::demo::people::{self, Persona};
use crate::cli::demo::shipped;
use crate::time::Timestamp;

/// Someone who answers everything, a result as it should be, and the telephone's testimony.
fn all_well() -> (Questionnaire, Person, CallResult, Testimony) {
    let (questionnaire, _) = Questionnaire::load("satisfaction.xml", shipped::QUESTIONNAIRE).unwrap();
    let people = people::gather(&questionnaire, &BTreeMap::new(), 9, 1, Timestamp::EPOCH);
    let person = people.into_iter().find(|person| person.persona == Persona::Complete).unwrap();
    let keyed = |question: &String| {
        let turn = person.party.turn_at(question, Part::Prompt, None).unwrap();
        person.party.turns[turn].tries.last().unwrap().clone()
    };
    let mut testimony = Testimony::new(Timestamp::EPOCH, String::new(), person.number.clone(), String::new());
    let mut responses = Vec::new();
    for (question, expected) in &person.expected[0].replies {
        let mut digits = Vec::new();
        let mut value = None;
        if let Some(Meant::Reply(meant)) = &expected.meant {
            let keys = keyed(question);
            digits.extend(keys.trim_end_matches('#').chars().map(|digit| {
                serde_json::json!({"digit": digit.to_string(), "method": "rfc4733",
                    "at": "2026-11-23T08:22:56.605Z", "duration_ms": 120})
            }));
            value = Some(meant.clone());
            let question = Some(question.clone());
            let entry = Entry { question, part: Part::Prompt, of: None, nth: 1, keys };
            testimony.events.push((Timestamp::EPOCH, Event::Keying(entry)));
        }
        responses.push(serde_json::json!({"question": question, "status": expected.status, "value": value,
            "digits": digits, "places": [], "asked": 1, "asked_at": null, "at": null,
            "no_input": 0, "no_match": 0}));
    }
    let prompt = Label { item: "done".to_owned(), ..Label::default() };
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

fn compared(
    questionnaire: &Questionnaire,
    person: &Person,
    results: &[&CallResult],
    heard: &[&Testimony],
) -> Vec<String> {
    let samples = |_: &str| Ok(Vec::new());
    let found = compare(Evidence { questionnaire, samples: &samples }, person, results, heard);
    found.differences.into_iter().map(|difference| difference.what).collect()
}

fn differences(change: impl Fn(&mut CallResult, &mut Testimony)) -> Vec<String> {
    let (questionnaire, person, mut result, mut testimony) = all_well();
    change(&mut result, &mut testimony);
    compared(&questionnaire, &person, &[&result], &[&testimony])
}

/// The first reply.
fn reply(result: &mut CallResult) -> &mut Response {
    result.responses.iter_mut().find(|it| it.status == Status::Answered).unwrap()
}

#[test]
fn nothing_differs_when_all_is_well() {
    assert_eq!(differences(|_, _| {}), Vec::<String>::new());
}

#[test]
fn a_lost_an_altered_and_an_invented_reply_are_found() {
    let lost = differences(|result, _| drop(result.responses.remove(0)));
    assert!(lost.iter().any(|what| what.contains("nothing is known of it")), "{lost:?}");
    let skipped = differences(|result, _| reply(result).status = Status::Skipped);
    assert!(skipped.iter().any(|what| what.contains("is missing")), "{skipped:?}");
    let altered = differences(|result, _| reply(result).value = Some(Value::Text("other".to_owned())));
    assert!(altered.iter().any(|what| what.contains("other was kept, not")), "{altered:?}");
    let invented = differences(|result, _| {
        let mut reply = reply(result).clone();
        reply.question = "invented".to_owned();
        result.responses.push(reply);
    });
    assert!(invented.iter().any(|what| what.contains("nothing should have been")), "{invented:?}");
    assert!(invented.iter().any(|what| what.contains("no key was pressed")), "{invented:?}");
}

#[test]
fn digits_that_were_not_pressed_are_found() {
    let found = differences(|result, _| {
        let digits = &mut reply(result).digits;
        digits.push(digits[0]);
    });
    assert!(found.iter().any(|what| what.contains("were kept, and")), "{found:?}");
}

#[test]
fn a_wrong_key_before_an_offer_was_heard_is_no_part_of_the_reply() {
    let found = differences(|result, testimony| {
        let question = Some(reply(result).question.clone());
        let first = |event: &&(Timestamp, Event)| matches!(&event.1, Event::Keying(entry) if entry.question == question);
        let (at, event) = testimony.events.iter().find(first).unwrap().clone();
        let Event::Keying(mut wrong) = event else { unreachable!() };
        wrong.keys = "7".to_owned();
        wrong.of = Some("an offer".to_owned());
        testimony.events.insert(0, (at, Event::Keying(wrong)));
    });
    assert_eq!(found, Vec::<String>::new());
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
        compared(&questionnaire, &person, results, heard).pop().unwrap()
    };
    assert_eq!(what(&[], &[&testimony]), "there is no result");
    assert_eq!(what(&[&result], &[]), "the telephone never rang");
    assert_eq!(what(&[&result], &[&testimony, &testimony]), "the telephone was called 2 times");
}

#[test]
fn an_option_that_stood_elsewhere_and_words_that_nobody_knows_are_found() {
    let found = differences(|result, testimony| {
        let reply = reply(result);
        reply.places = vec![2];
        let (item, option) = (reply.question.clone(), Some(text(reply.value.as_ref())));
        let prompt = Label { item, part: Part::Offer, option, ..Label::default() };
        testimony.events.insert(0, (Timestamp::EPOCH, Event::Began { prompt, frame: 0 }));
    });
    assert!(found.iter().any(|what| what.ends_with("was heard at place 1, not 2")), "{found:?}");
    let found = differences(|_, testimony| testimony.events.push((Timestamp::EPOCH, Event::Talk)));
    assert_eq!(found, ["words were heard 1 times that nobody should have said"]);
}

#[test]
fn an_overrun_quota_and_one_that_turns_away_too_early_are_found() {
    let xml = "<questionnaire id='q' version='1' languages='en' xmlns='urn:baton:questionnaire:1'>\
        <quota id='few' max='2' when=\"a = 'yes'\" full='enough'/>\
        <yes-no id='a'><say>A?</say></yes-no><yes-no id='b'><say>B?</say></yes-no>\
        <end id='done' outcome='complete'/><end id='enough' outcome='quota-full'/></questionnaire>";
    let (questionnaire, _) = Questionnaire::load("q.xml", xml.as_bytes()).unwrap();
    let quotas = std::collections::BTreeSet::from(["few".to_owned()]);
    let disposition = Some(Disposition::Complete);
    let let_in = Expected { quotas: quotas.clone(), disposition, ..Expected::default() };
    let away = Expected { quotas, full: Some("few".to_owned()), ..Expected::default() };
    let found = |came: &[&Expected]| {
        let found = of_quotas(&questionnaire, came);
        found.into_iter().map(|difference| difference.what).collect::<Vec<_>>()
    };
    assert_eq!(found(&[&let_in, &away, &let_in, &away]), Vec::<String>::new());
    assert_eq!(found(&[&let_in; 3]), ["3 were let in and were complete, and 2 were wanted"]);
    assert_eq!(found(&[&let_in, &away]), ["1 were turned away, and only 1 of 2 let in"]);
}
