//! A call whose process dies after any of its inputs comes to the same result.

use std::time::Duration;

use super::endings::willing;
use super::person::{Person, Phone, Reaction::*, Room};
use super::world::{Crash, World};
use crate::call::CallResult;

/// What must be the same: everything but the times.
fn essence(result: &CallResult) -> impl PartialEq + std::fmt::Debug + use<> {
    let responses: Vec<_> = result
        .responses
        .iter()
        .map(|r| {
            let digits: String = r.digits.iter().map(|press| press.key.as_char()).collect();
            (r.question.clone(), r.status, r.value.clone(), digits, r.no_input, r.no_match)
        })
        .collect();
    (result.disposition, result.sip_status, result.ended_by, responses)
}

fn survives_everywhere(name: &str, person: &Person) {
    let undisturbed = World::new(person.clone(), Crash::Never).run();
    let expected = essence(undisturbed.result());
    for at in 1..=undisturbed.inputs {
        for crash in [Crash::After(at), Crash::Saved(at), Crash::Unsaved(at)] {
            let world = World::new(person.clone(), crash).run();
            assert_eq!(essence(world.result()), expected, "{name}, {crash:?}: {:#?}", world.said);
        }
    }
}

#[test]
fn a_whole_interview() {
    survives_everywhere("willing", &willing());
}

#[test]
fn wrong_keys_and_silence() {
    survives_everywhere("wrong", &willing().at("consent", &[Press("5"), Silent, Press("1")]));
    survives_everywhere("silent", &Person::picks_up());
}

#[test]
fn barging_in_and_opting_out() {
    survives_everywhere("interrupts", &willing().at("age", &[Interrupt("42")]));
    survives_everywhere("opts out", &willing().at("consent", &[Interrupt("9")]));
}

#[test]
fn a_quota_that_is_being_asked_about() {
    for quota in [Room::Left, Room::None, Room::Unknown] {
        survives_everywhere("old", &Person { quota, ..willing().at("age", &[Press("71")]) });
    }
}

#[test]
fn a_hang_up_in_the_middle() {
    survives_everywhere("hangs up", &willing().at("age", &[HangUp]));
}

#[test]
fn refusals_ringing_and_silence_on_the_wire() {
    for phone in [Phone::Refuses(486), Phone::Refuses(404), Phone::Rings, Phone::Dead] {
        survives_everywhere("phone", &Person::new(phone));
    }
    let crossing = Phone::PickedUp(Duration::from_millis(20_005));
    let undisturbed = World::new(Person::new(crossing), Crash::Never).run();
    for at in 1..=undisturbed.inputs {
        // Which of the two comes first may change with the restart; that it ends in order may not.
        World::new(Person::new(crossing), Crash::Saved(at)).run().result();
    }
}

#[test]
fn a_call_that_an_operator_stops() {
    for after in [Duration::from_millis(5), Duration::from_millis(500), Duration::from_secs(2)] {
        let run = |crash| World::new(willing(), crash).stopped_after(after).run();
        let undisturbed = run(Crash::Never);
        for at in 1..=undisturbed.inputs {
            for crash in [Crash::After(at), Crash::Saved(at)] {
                assert_eq!(
                    essence(run(crash).result()),
                    essence(undisturbed.result()),
                    "{after:?}, {crash:?}"
                );
            }
        }
    }
}

#[test]
fn a_reinvite_by_the_callee() {
    let mut person = willing();
    person.reinvites_at = Some("age");
    survives_everywhere("re-INVITE", &person);
}

#[test]
fn a_record_of_another_format_or_a_damaged_one_is_refused() {
    use crate::call::{Call, RecordError};
    assert!(matches!(Call::restore(&[]), Err(RecordError::Empty)));
    assert!(matches!(Call::restore(&[200, 1, 2]), Err(RecordError::Version { found: 200 })));
    assert!(matches!(Call::restore(&[1, 1, 2]), Err(RecordError::Malformed(_))));
}
