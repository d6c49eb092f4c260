//! A call whose process dies after any of its inputs comes to the same result.

use std::time::Duration;

use super::endings::willing;
use super::person::{Person, Phone, Reaction::*, Room};
use super::world::store::Store;
use super::world::{Crash, World};
use crate::call::{CallResult, EndedBy, RecordingResult};
use crate::interview::RecordingEnd;

/// What must be the same: everything but the times.
pub(super) fn essence(result: &CallResult) -> impl PartialEq + std::fmt::Debug + use<> {
    let responses: Vec<_> = result
        .responses
        .iter()
        .map(|r| {
            let digits: String = r.digits.iter().map(|press| press.key.as_char()).collect();
            (r.question.clone(), r.status, r.value.clone(), digits, r.no_input, r.no_match)
        })
        .collect();
    let tries: Vec<_> =
        result.tries.iter().map(|tried| (tried.trunk.clone(), tried.end, tried.sip_status)).collect();
    (result.disposition, result.sip_status, result.ended_by, tries, responses)
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

/// Questions that are asked in parts: read back, option by option, with the half of the day, a day and its time.
const PARTS: &str = r##"<questionnaire id="p" version="1" languages="en" xmlns="urn:baton:questionnaire:1">
  <retry id="std" wait="2s" no-input="2" no-match="2" then="break-off"/>
  <digits id="meter" length="4" retry="std"><say>Meter?</say><confirm><say>{meter}?</say></confirm></digits>
  <multi id="ill" style="one-by-one" retry="std">
    <say>Ill?</say>
    <option value="fever"><say>Fever?</say></option>
    <option value="cough"><say>Cough?</say></option>
    <option value="rash"><say>Rash?</say></option>
  </multi>
  <time id="call" clock="12" retry="std"><say>When?</say><half-day><say>Half?</say></half-day></time>
  <number id="income" min="0" max="99999" end="#" retry="std"><say>Income?</say><refuse key="*9"/></number>
  <appointment id="again" retry="std">
    <say>Day?</say>
    <ask-time><say>Time?</say></ask-time>
    <confirm><say>Agreed?</say></confirm>
  </appointment>
  <end id="later" outcome="callback"><say>Until then.</say></end>
</questionnaire>"##;

#[test]
fn questions_that_are_asked_in_parts() {
    let person = Person::picks_up()
        .at("Meter?", &[Press("4711")])
        .at("4711?", &[Press("5"), Press("1")])
        .at("Ill? Fever?", &[Press("1")])
        .at("Cough?", &[Silent, Press("2")])
        .at("Rash?", &[Press("1")])
        .at("When?", &[Press("0830")])
        .at("Half?", &[Press("2")])
        .at("Income?", &[Press("*9")])
        .at("Day?", &[Press("0212")])
        .at("Time?", &[Press("1000")])
        .at("Agreed?", &[Press("1")]);
    let run = |crash| World::asking(PARTS, person.clone(), crash).run();
    let undisturbed = run(Crash::Never);
    let expected = essence(undisturbed.result());
    let values: Vec<String> = undisturbed
        .result()
        .responses
        .iter()
        .map(|response| response.value.as_ref().map(ToString::to_string).unwrap_or_default())
        .collect();
    assert_eq!(values, ["4711", "fever;rash", "20:30", "", "2026-12-02T10:00:00+00:00"]);
    for at in 1..=undisturbed.inputs {
        for crash in [Crash::After(at), Crash::Saved(at), Crash::Unsaved(at)] {
            let world = run(crash);
            assert_eq!(essence(world.result()), expected, "{crash:?}: {:#?}", world.said);
        }
    }
}

const MESSAGE: &str = r##"<questionnaire id="m" version="1" languages="en" xmlns="urn:baton:questionnaire:1">
  <retry id="std" wait="2s" no-input="2" no-match="2" then="skip"/>
  <record id="message" max="30s" silence-end="2s" retry="std">
    <say>Speak.</say>
    <review><say>Listen, keep, again?</say></review>
  </record>
  <record id="more" max="30s" silence-end="2s" retry="std"><say>Anything else?</say></record>
  <yes-no id="well" retry="std"><say>Well?</say></yes-no>
  <end id="done" outcome="complete"><say>Thank you.</say></end>
</questionnaire>"##;

/// Whatever was on disk, and whatever the result tells of it, fit each other; what is a reply was said to its end.
fn recordings_are_sound(world: &World, said: &[(&str, u32)], why: &str) {
    let result = world.result();
    let mut names: Vec<&str> = Vec::new();
    for take in &result.recordings {
        let Some(file) = &take.file else { panic!("{why}: {take:?} is no file, and nothing failed") };
        let kept = world.store.files.iter().find(|(recording, _)| Store::name(**recording) == *file);
        assert_eq!(kept.map(|(_, (ms, _))| *ms), Some(take.duration_ms), "{why}: {take:?} is not durable");
        assert!(!names.contains(&file.as_str()), "{why}: {file} is two takes");
        names.push(file);
    }
    for (recording, chunks) in &world.store.chunks {
        let file = Store::name(*recording);
        let take = result.recordings.iter().find(|take| take.file.as_ref() == Some(&file));
        let take = take.unwrap_or_else(|| panic!("{why}: {chunks} ms of {file} are lost"));
        assert!(take.duration_ms >= *chunks, "{why}: {take:?} of {chunks} ms");
    }
    for (question, ms) in said {
        let reply = result.responses.iter().find(|response| response.question == *question).unwrap();
        // Who hung up before we knew of it was asked again in vain: no reply, but the chunks are in the result.
        if reply.recording.is_none() && result.ended_by == EndedBy::Callee && reply.value.is_none() {
            continue;
        }
        let recorded = reply.recording.unwrap_or_else(|| panic!("{why}: {reply:?}"));
        assert_ne!(recorded.ended_by, RecordingEnd::Gap, "{why}: half a message is no reply");
        // Who has hung up cannot be asked again: the chunks that were complete are the reply.
        let least = if recorded.ended_by == RecordingEnd::HangUp { ms / 2_000 * 2_000 } else { *ms };
        assert!((least..=*ms).contains(&recorded.duration_ms), "{why}: {reply:?}");
        let its = |take: &&RecordingResult| take.question == *question && take.take == recorded.take;
        let takes: Vec<u32> = result.recordings.iter().filter(its).map(|take| take.duration_ms).collect();
        assert_eq!(takes, [recorded.duration_ms], "{why}: {:?}", result.recordings);
    }
}

#[test]
fn a_message_wherever_the_process_dies() {
    let keeps = Person::picks_up()
        .at("Speak.", &[Speak(7_300, "#")])
        .at("Listen, keep, again?", &[Press("1"), Press("2")])
        .at("(the recording) Listen, keep, again?", &[Press("2")])
        .at("Anything else?", &[Silent, Speak(4_100, "")])
        .at("well", &[Press("1")]);
    let leaves = keeps.clone().at("Anything else?", &[Speak(5_000, "h")]);
    for (person, more) in [(keeps, 4_100), (leaves, 5_000)] {
        let said = [("message", 7_300), ("more", more)];
        let run = |crash| World::asking(MESSAGE, person.clone(), crash).run();
        let undisturbed = run(Crash::Never);
        recordings_are_sound(&undisturbed, &said, "undisturbed");
        let essence = |world: &World| {
            let result = world.result();
            let left_at = |id: &str| result.ended_by == EndedBy::Callee && id == "more";
            let responses = result.responses.iter().filter(|r| !left_at(&r.question));
            let responses = responses.map(|r| (r.status, r.no_input, r.no_match));
            (result.disposition, result.ended_by, responses.collect::<Vec<_>>())
        };
        let check = |world: &World, why: &str| {
            recordings_are_sound(world, &said, why);
            assert_eq!(essence(world), essence(&undisturbed), "{why}: {:#?}", world.said);
        };
        for at in 1..=undisturbed.inputs {
            for crash in [Crash::After(at), Crash::Saved(at), Crash::Unsaved(at)] {
                check(&run(crash), &format!("{crash:?}"));
            }
        }
        // Between two inputs, too: while the callee speaks the call hears nothing.
        for ms in (0..26_000).step_by(170) {
            let world = World::asking(MESSAGE, person.clone(), Crash::Never);
            check(&world.dies_after(Duration::from_millis(ms)).run(), &format!("after {ms} ms"));
        }
    }
}

#[test]
fn wrong_keys_and_silence() {
    survives_everywhere("one too many", &willing().at("age", &[Press("421"), Press("42")]));
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
fn what_cannot_be_said() {
    survives_everywhere("unsaid", &willing().unsaid("How old"));
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
fn a_hold_by_the_callee() {
    for question in ["consent", "age", "well"] {
        let mut person = willing();
        person.holds_at = Some(question);
        let missed = World::new(person.clone(), Crash::Never).run();
        assert!(
            missed.result().responses.iter().all(|it| it.no_input + it.no_match == 0),
            "{:?}",
            missed.said
        );
        assert!(missed.said.iter().any(|said| said == "the callee is back"), "{:?}", missed.said);
        survives_everywhere("hold", &person);
    }
}

#[test]
fn a_record_of_another_format_or_a_damaged_one_is_refused() {
    use crate::call::{Call, FORMAT_VERSION, OLDEST_FORMAT, RecordError};
    assert!(matches!(Call::restore(&[]), Err(RecordError::Empty)));
    assert!(matches!(Call::restore(&[OLDEST_FORMAT - 1, 1, 2]), Err(RecordError::Version { .. })));
    assert!(matches!(Call::restore(&[200, 1, 2]), Err(RecordError::Version { found: 200 })));
    for known in OLDEST_FORMAT..=FORMAT_VERSION {
        assert!(matches!(Call::restore(&[known, 1, 2]), Err(RecordError::Malformed(_))), "{known}");
    }
}
