//! Keys by several ways, tones of machines, silence, and what passed over the stream.

use std::time::Duration;

use super::endings::willing;
use super::person::{Person, Reaction::*};
use super::world::{Crash, World, report};
use crate::call::{AnsweredBy, EndedBy, Fault, Listening, OnTone};
use crate::interview::Method;
use crate::outcome::Disposition;
use crate::rtp::tones::Signal;

/// While consent is asked, before anything is pressed.
const EARLY: Duration = Duration::from_millis(1_700);
/// After the first key.
const LATE: Duration = Duration::from_millis(2_500);

fn world(person: Person) -> World {
    World::new(person, Crash::Never)
}

/// The keys of the ages that were given, and how they reached us.
fn age_keys(world: &World) -> (String, Vec<Method>, Vec<Option<u32>>) {
    let digits = &world.result().responses[1].digits;
    (
        digits.iter().map(|press| press.key.as_char()).collect(),
        digits.iter().map(|press| press.method).collect(),
        digits.iter().map(|press| press.duration_ms).collect(),
    )
}

#[test]
fn a_key_that_comes_as_event_as_tones_and_by_info_counts_once() {
    let person = willing().at("consent", &[Thrice("1")]).at("age", &[Thrice("22#")]);
    let world = world(person).run();
    assert_eq!(world.result().disposition, Disposition::Complete, "{:#?}", world.said);
    let (keys, methods, durations) = age_keys(&world);
    assert_eq!((keys.as_str(), methods), ("22", vec![Method::Rfc4733; 2]));
    assert_eq!(durations, [Some(100); 2], "as the method that counted says");
}

#[test]
fn a_phone_that_sends_info_alone_is_heard() {
    let person = Person::picks_up().at("consent", &[Inform("1")]);
    let world = world(person.at("age", &[Inform("42")]).at("well", &[Inform("2")])).run();
    assert_eq!(world.result().disposition, Disposition::Complete, "{:#?}", world.said);
    assert_eq!(age_keys(&world), ("42".into(), vec![Method::SipInfo; 2], vec![Some(120); 2]));
}

#[test]
fn a_way_that_the_settings_leave_out_is_not_taken() {
    let listening = Listening { keys: vec![Method::Rfc4733], ..Listening::default() };
    let world = world(Person::picks_up().at("consent", &[Inform("1")])).listening(listening).run();
    assert_eq!(world.result().disposition, Disposition::BreakOff);
    let silent = self::world(Person::picks_up()).run();
    assert_eq!(
        world.result().responses[0],
        silent.result().responses[0],
        "as if nobody had pressed anything"
    );
}

#[test]
fn machines_and_the_network_end_the_call_as_what_they_are() {
    for (tone, disposition, aapor, by) in [
        (Signal::AnswerTone, Disposition::FaxOrData, "4.20", AnsweredBy::FaxOrModem),
        (Signal::V21Preamble, Disposition::FaxOrData, "4.20", AnsweredBy::Fax),
        (Signal::BellAnswerTone, Disposition::FaxOrData, "4.20", AnsweredBy::Modem),
        (Signal::SitIntercept, Disposition::NonWorking, "4.31", AnsweredBy::Network),
        (Signal::SitNoCircuit, Disposition::TrunkFault, "3.11", AnsweredBy::Network),
        (Signal::Busy, Disposition::Busy, "3.12", AnsweredBy::Network),
        (Signal::Reorder, Disposition::TechnicalFault, "3.16", AnsweredBy::Network),
    ] {
        let world = world(Person::picks_up()).hears_after(EARLY, tone).run();
        let result = world.result();
        assert_eq!((result.disposition, result.aapor.as_str()), (disposition, aapor), "{tone}");
        assert_eq!((result.answered_by, result.ended_by), (Some(by), EndedBy::Callee), "{tone}");
        assert_eq!(result.tones.iter().map(|heard| heard.tone).collect::<Vec<_>>(), [tone]);
        assert!(result.ended_at.since(result.answered_at.unwrap()) < Duration::from_secs(1), "at once");
        assert_eq!(world.sent_in_order, ["INVITE", "ACK", "BYE"]);
    }
}

#[test]
fn a_person_who_has_pressed_a_key_is_no_machine() {
    let world = world(willing()).hears_after(LATE, Signal::AnswerTone).run();
    let result = world.result();
    assert_eq!((result.disposition, result.answered_by), (Disposition::Complete, Some(AnsweredBy::Person)));
    assert_eq!(result.tones.len(), 1, "it is noted all the same");
}

#[test]
fn the_networks_busy_tone_after_a_key_is_a_person_who_has_hung_up() {
    let world = world(willing().at("age", &[Silent])).hears_after(LATE, Signal::Busy).run();
    let result = world.result();
    assert_eq!((result.disposition, result.ended_by), (Disposition::BreakOff, EndedBy::Callee));
    assert_eq!(result.answered_by, Some(AnsweredBy::Person));
}

#[test]
fn tones_may_be_noted_only() {
    let listening = Listening { on_tone: OnTone::Note, ..Listening::default() };
    let world = world(willing()).listening(listening).hears_after(EARLY, Signal::AnswerTone).run();
    assert_eq!((world.result().disposition, world.result().tones.len()), (Disposition::Complete, 1));
}

#[test]
fn silence_is_asked_about_and_then_ended() {
    let asked = world(willing()).silent_after(EARLY, 1).run();
    assert_eq!(asked.result().disposition, Disposition::Complete, "the phone still answers");
    assert!(asked.sent_in_order.iter().any(|sent| sent == "OPTIONS"), "{:?}", asked.sent_in_order);
    let twice = world(willing().at("age", &[Silent]))
        .silent_after(EARLY, 1)
        .silent_after(LATE + Duration::from_millis(100), 2)
        .run();
    let result = twice.result();
    assert_eq!((result.disposition, result.aapor.as_str()), (Disposition::TechnicalFault, "3.16"));
    assert_eq!((result.ended_by, result.fault), (EndedBy::Fault, Some(Fault::MediaTimeout)));
    assert_eq!(result.responses[0].value.as_ref().map(ToString::to_string).as_deref(), Some("yes"), "kept");
}

#[test]
fn a_phone_that_has_forgotten_the_call_is_noticed() {
    let world =
        world(Person::picks_up()).forgets_after(Duration::from_millis(1_400)).silent_after(EARLY, 1).run();
    let result = world.result();
    assert_eq!((result.disposition, result.fault), (Disposition::TechnicalFault, Some(Fault::PeerGone)));
    assert!(result.ended_at.since(result.answered_at.unwrap()) < Duration::from_secs(1), "at once");
    assert!(world.sent_in_order.iter().any(|sent| sent == "OPTIONS"), "{:?}", world.sent_in_order);
}

#[test]
fn every_result_says_what_passed_over_the_stream() {
    let answered = world(willing()).run();
    assert_eq!(answered.result().media, Some(report()));
    let never = world(Person::new(super::person::Phone::Refuses(486))).run();
    assert_eq!((never.result().media.clone(), never.result().answered_by), (None, None));
}

#[test]
fn what_was_heard_survives_a_restart_anywhere() {
    let person = willing().at("consent", &[Thrice("1")]).at("age", &[Inform("42")]);
    // Also where a restart has the first question asked anew, its key has been pressed by then.
    let later = Duration::from_millis(3_600);
    let run = |crash| World::new(person.clone(), crash).hears_after(later, Signal::AnswerTone).run();
    let undisturbed = run(Crash::Never);
    for at in 1..=undisturbed.inputs {
        for crash in [Crash::After(at), Crash::Saved(at)] {
            let world = run(crash);
            let result = world.result();
            assert_eq!(result.disposition, Disposition::Complete, "{crash:?}: {:#?}", world.said);
            assert_eq!(age_keys(&world).0, "42", "{crash:?}");
            assert_eq!(result.answered_by, Some(AnsweredBy::Person), "{crash:?}");
        }
    }
}

#[test]
fn keys_behind_a_switchboard_are_sent_before_anything_is_said() {
    let run = |crash| World::new(willing(), crash).post_dial("ww12").run();
    let world = run(Crash::Never);
    assert_eq!(world.result().disposition, Disposition::Complete);
    assert_eq!(world.dialled, ["ww12"]);
    let place = |text: &str| world.said.iter().position(|said| said.starts_with(text)).unwrap();
    assert!(place("sends ww12") < place("says hello"), "{:#?}", world.said);
    for at in 1..=world.inputs {
        for crash in [Crash::After(at), Crash::Saved(at)] {
            let again = run(crash);
            assert_eq!(again.result().disposition, Disposition::Complete, "{crash:?}: {:#?}", again.said);
            assert!(again.dialled.len() <= 1, "never twice: {crash:?}");
        }
    }
}
