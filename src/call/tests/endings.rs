//! Every way a call ends, as its result and its trace tell it.

use std::time::Duration;

use super::person::{Person, Phone, Reaction::*, Room};
use super::world::{Crash, World};
use crate::call::EndedBy;
use crate::interview::{Response, Status};
use crate::outcome::Disposition;
use crate::sdp::Codec;

fn run(person: Person) -> World {
    World::new(person, Crash::Never).run()
}

pub(super) fn willing() -> Person {
    Person::picks_up().at("consent", &[Press("1")]).at("age", &[Press("42")]).at("well", &[Press("2")])
}

fn values(world: &World) -> Vec<(String, Option<String>)> {
    let responses = &world.result().responses;
    responses.iter().map(|r| (r.question.clone(), r.value.as_ref().map(ToString::to_string))).collect()
}

#[test]
fn a_whole_interview_is_complete() {
    let world = run(willing());
    let result = world.result();
    assert_eq!((result.disposition, result.aapor.as_str()), (Disposition::Complete, "1.1"));
    assert_eq!((result.sip_status, result.cause, result.ended_by), (Some(200), None, EndedBy::Caller));
    let replies = [("consent", "yes"), ("age", "42"), ("well", "no")];
    assert_eq!(values(&world), replies.map(|(q, v)| (q.to_owned(), Some(v.to_owned()))));
    let age = &result.responses[1];
    assert_eq!(age.digits.iter().map(|press| press.key.as_char()).collect::<String>(), "42");
    assert!(age.digits.iter().all(|press| press.duration_ms == Some(100)), "{:?}", age.digits);
    assert!(result.started_at < result.ringing_at.unwrap());
    assert!(result.ringing_at < result.answered_at && result.answered_at.unwrap() < result.ended_at);
    assert_eq!(world.sent_in_order, ["INVITE", "ACK", "BYE"]);
}

#[test]
fn a_third_digit_that_cannot_come_is_hardly_waited_for() {
    let waited = |keys| {
        let world = run(willing().at("age", &[Press(keys)]));
        let age = &world.result().responses[1];
        age.at.unwrap().since(age.digits.last().unwrap().at)
    };
    assert_eq!(waited("18"), Duration::from_secs(1), "no age above 110 begins with 18");
    assert_eq!(waited("108"), Duration::ZERO, "there is none of four digits");
    assert!(waited("18#") < Duration::from_secs(1));
}

#[test]
fn a_third_digit_that_comes_all_the_same_is_no_answer_to_the_next_question() {
    let world = run(willing().at("age", &[Press("421"), Press("42")]).at("well", &[Press("2")]));
    let [_, age, well] = world.result().responses.as_slice() else { panic!() };
    let value = |response: &Response| response.value.as_ref().map(ToString::to_string);
    assert_eq!((value(age).as_deref(), age.no_match, age.asked), (Some("42"), 1, 2));
    assert_eq!((value(well).as_deref(), well.asked), (Some("no"), 1));
}

#[test]
fn who_is_too_young_is_ineligible_and_later_questions_are_not_reached() {
    let world = run(willing().at("age", &[Press("7#")]));
    assert_eq!(world.result().disposition, Disposition::Ineligible);
    assert_ne!(world.result().responses[2].status, Status::Answered);
}

#[test]
fn a_wrong_key_is_asked_again_and_counted() {
    let world = run(willing().at("consent", &[Press("5"), Silent, Press("1")]));
    let consent = &world.result().responses[0];
    assert_eq!((consent.no_match, consent.no_input, consent.status), (1, 1, Status::Answered));
    assert_eq!(world.result().disposition, Disposition::Complete);
}

#[test]
fn who_stays_silent_is_a_break_off() {
    let world = run(Person::picks_up());
    assert_eq!(world.result().disposition, Disposition::BreakOff);
    assert_eq!(world.result().ended_by, EndedBy::Caller);
    assert_eq!(world.sent_in_order.last().map(String::as_str), Some("BYE"));
}

#[test]
fn the_opt_out_key_is_a_refusal() {
    let world = run(willing().at("consent", &[Interrupt("9")]));
    assert_eq!((world.result().disposition, world.result().aapor.as_str()), (Disposition::Refusal, "2.11"));
}

/// A person who hangs up, where that is to be a refusal as long as nothing is answered.
fn run_where_early_hang_ups_refuse(person: Person) -> Disposition {
    let mut world = World::new(person, Crash::Never);
    world.assets_mut().set_before_consent(Disposition::Refusal);
    world.run().result().disposition
}

#[test]
fn who_hangs_up_before_any_answer_refuses_where_the_settings_say_so() {
    let at_once = || Person::picks_up().at("consent", &[HangUp]);
    assert_eq!(run(at_once()).result().disposition, Disposition::BreakOff, "if they say nothing");
    assert_eq!(run_where_early_hang_ups_refuse(at_once()), Disposition::Refusal);
    assert_eq!(run_where_early_hang_ups_refuse(willing().at("age", &[HangUp])), Disposition::BreakOff);
    assert_eq!(run_where_early_hang_ups_refuse(Person::picks_up()), Disposition::BreakOff, "we hung up");
}

#[test]
fn a_refusal_means_what_the_settings_of_its_trunk_say() {
    let mut world = World::new(Person::new(Phone::Refuses(480)), Crash::Never);
    let statuses = std::collections::BTreeMap::from([(480, Disposition::TemporarilyOut)]);
    let own = crate::outcome::Overrides { statuses, ..Default::default() };
    world.assets_mut().insert_outcomes("other", crate::outcome::Overrides::default());
    world.assets_mut().insert_outcomes("test", own);
    let world = world.run();
    let result = world.result();
    assert_eq!((result.disposition, result.aapor.as_str()), (Disposition::TemporarilyOut, "4.33"));
}

#[test]
fn who_hangs_up_in_the_middle_breaks_off_and_keeps_what_was_said() {
    let world = run(willing().at("age", &[HangUp]));
    let result = world.result();
    assert_eq!((result.disposition, result.ended_by), (Disposition::BreakOff, EndedBy::Callee));
    assert_eq!(result.responses[0].status, Status::Answered);
    assert_eq!(result.responses[1].status, Status::NotReached);
    assert_eq!(world.sent_in_order, ["INVITE", "ACK", "200"]);
}

#[test]
fn refusals_on_the_wire_say_what_they_are() {
    for (status, disposition) in [
        (486, Disposition::Busy),
        (404, Disposition::NonWorking),
        (480, Disposition::NoAnswer),
        (603, Disposition::Refusal),
        (503, Disposition::TrunkFault),
    ] {
        let world = run(Person::new(Phone::Refuses(status)));
        assert_eq!(world.result().disposition, disposition);
        assert_eq!(world.result().sip_status, Some(status));
        assert_eq!(world.sent_in_order, ["INVITE", "ACK"]);
    }
}

#[test]
fn a_phone_that_only_rings_is_cancelled() {
    let world = run(Person::new(Phone::Rings));
    assert_eq!((world.result().disposition, world.result().sip_status), (Disposition::NoAnswer, Some(487)));
    assert_eq!(world.sent_in_order, ["INVITE", "CANCEL", "ACK"]);
    assert!(world.result().answered_at.is_none());
}

#[test]
fn an_answer_that_crosses_the_cancel_is_hung_up() {
    let rung = Duration::from_millis(20_005);
    let world = run(Person::new(Phone::PickedUp(rung)));
    assert_eq!(world.result().disposition, Disposition::NoAnswer);
    assert_eq!(world.sent_in_order, ["INVITE", "CANCEL", "ACK", "BYE"]);
}

#[test]
fn a_dead_trunk_is_a_trunk_fault() {
    let world = run(Person::new(Phone::Dead));
    let result = world.result();
    assert_eq!((result.disposition, result.sip_status), (Disposition::TrunkFault, None));
    assert_eq!(result.ended_by, EndedBy::Fault);
    assert_eq!(world.sent_in_order, ["INVITE"]);
}

#[test]
fn an_operator_stops_a_ringing_and_a_talking_call() {
    let ringing = World::new(willing(), Crash::Never).stopped_after(Duration::from_millis(500)).run();
    assert_eq!(ringing.result().disposition, Disposition::NotAttempted);
    assert_eq!(ringing.sent_in_order, ["INVITE", "CANCEL", "ACK"]);
    let talking = World::new(willing(), Crash::Never).stopped_after(Duration::from_secs(2)).run();
    assert_eq!(talking.result().disposition, Disposition::BreakOff);
    assert_eq!(talking.sent_in_order, ["INVITE", "ACK", "BYE"]);
}

#[test]
fn a_reinvite_changes_the_codec_and_the_interview_goes_on() {
    let mut person = willing();
    person.reinvites_at = Some("age");
    let world = run(person);
    assert_eq!(world.result().disposition, Disposition::Complete);
    assert_eq!(world.codecs, [Codec::Pcmu, Codec::Pcma]);
}

#[test]
fn a_key_that_cuts_a_statement_short_answers_the_next_question() {
    let world = run(willing());
    assert!(world.said.iter().any(|line| line.starts_with("says hello")), "{:?}", world.said);
}

#[test]
fn a_full_quota_ends_the_call_and_one_with_room_is_asked_once() {
    let old = || willing().at("age", &[Press("71")]);
    let with = |quota| run(Person { quota, ..old() });
    let room = with(Room::Left);
    assert_eq!((room.result().disposition, room.reserved), (Disposition::Complete, 1));
    let full = with(Room::None);
    assert_eq!((full.result().disposition, full.reserved), (Disposition::QuotaFull, 1));
    assert!(full.said.iter().any(|line| line == "says enough: We have enough."), "{:?}", full.said);
    assert_eq!(full.result().quotas.len(), 1);
    // Whoever is asked about gives no answer: the callee is not sent away, and hears the next question soon.
    let unknown = with(Room::Unknown);
    assert_eq!((unknown.result().disposition, unknown.reserved), (Disposition::Complete, 1));
    // Who does not count is not asked about.
    assert_eq!((run(willing()).reserved, run(willing()).result().quotas.len()), (0, 0));
}

#[test]
fn what_cannot_be_said_ends_the_call_as_technical_and_keeps_the_replies() {
    let world = run(willing().unsaid("How old"));
    let result = world.result();
    assert_eq!((result.disposition, result.ended_by), (Disposition::TechnicalFault, EndedBy::Fault));
    assert_eq!(values(&world)[0], ("consent".to_owned(), Some("yes".to_owned())));
    assert_eq!(result.responses[1].status, Status::NotReached);
    let said: Vec<String> = world.said.iter().rev().take(3).rev().map(ToString::to_string).collect();
    assert_eq!(
        said,
        ["this could not be said", "says sorry: We have a fault.", "ended: technical_fault (3.16)"]
    );
    // A statement is not passed over as if it had been heard.
    assert_eq!(run(willing().unsaid("Hello")).result().disposition, Disposition::TechnicalFault);
    // Nor is the outcome another one because goodbye was not said.
    assert_eq!(run(willing().unsaid("Thank you")).result().disposition, Disposition::Complete);
    // Nothing at all can be said any more, not even that.
    let silent = run(willing().unsaid("e"));
    assert_eq!(
        (silent.result().disposition, silent.result().ended_by),
        (Disposition::TechnicalFault, EndedBy::Fault)
    );
}

#[test]
fn what_a_reply_brings_is_asked_for_as_soon_as_it_is_known() {
    let world = run(willing());
    assert_eq!(world.prepared, ["You are forty-two."]);
    let at = |text: &str| world.said.iter().position(|said| said.contains(text)).unwrap();
    assert!(at("entered 42") < at("Are you well") && at("Are you well") < at("You are forty-two."));
    assert_eq!(run(willing().at("age", &[Silent])).prepared, [""; 0]);
}

#[test]
fn a_call_that_is_withdrawn_sends_nothing() {
    let world = World::withdrawn(willing(), "it cannot be spoken").run();
    let result = world.result();
    assert_eq!((result.disposition, result.aapor.as_str()), (Disposition::NotAttempted, "3.11"));
    assert_eq!((result.ended_by, result.sip_status), (EndedBy::Fault, None));
    assert_eq!(world.said, ["not dialled: it cannot be spoken", "ended: not_attempted (3.11)"]);
    assert_eq!(world.sent_in_order, [""; 0]);
}
