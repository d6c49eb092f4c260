//! Rows of keys that a gap breaks: what comes of them is what was keyed, or the question again.

use std::time::Duration;

use super::hold::asked;
use super::person::{Person, Reaction::Press};
use super::world::{Crash, World};
use crate::call::{Activity, Phase};

const METER: &str = r##"<questionnaire id="m" version="1" languages="en" xmlns="urn:baton:questionnaire:1">
  <retry id="std" wait="3s" no-input="2" no-match="2" then="break-off"/>
  <statement id="hello"><say>Hello.</say></statement>
  <digits id="meter" length="5" retry="std"><say>Your meter?</say></digits>
  <end id="done" outcome="complete"><say>Thank you.</say></end>
</questionnaire>"##;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A call that asks at 1.4 s for what the person then keys four times a second, whatever happens meanwhile.
fn asks() -> World {
    World::asking(METER, Person::picks_up().at("meter", &[Press("47110")]), Crash::Never).pressing_on()
}

/// What the meter is in the end, and how often it was asked for.
#[track_caller]
fn meter(world: World) -> (String, usize) {
    let world = world.run();
    let result = world.result();
    let reply = result.responses.iter().find(|response| response.question == "meter").unwrap();
    let value = reply.value.as_ref().map(ToString::to_string).unwrap_or_default();
    assert_eq!(reply.no_match, 0, "{:#?}", world.said);
    (value, world.said.iter().filter(|step| step.starts_with("asks meter")).count())
}

#[test]
fn undisturbed() {
    assert_eq!(meter(asks()), ("47110".into(), 1));
}

#[test]
fn a_row_that_was_begun_at_another_process_is_over_no_sooner_because_this_one_was_stopped() {
    // 4 is lost with the process before, 7 and 1 come in time, 1 and 0 wait in the socket for longer than a row lasts.
    for stopped in [1_300, 2_200, 4_000, 9_000] {
        let world = asks().dies_after(ms(2_200)).stalls_after(ms(2_700), ms(stopped));
        assert_eq!(meter(world).0, "47110", "stopped for {stopped} ms");
    }
}

#[test]
fn an_entry_that_was_begun_before_the_process_was_stopped_is_asked_for_again() {
    for at in [2_150, 2_400, 2_700, 3_000] {
        for stopped in [1_300, 3_500, 9_000] {
            let world = asks().stalls_after(ms(at), ms(stopped));
            assert_eq!(meter(world), ("47110".into(), 2), "at {at} ms, for {stopped} ms");
        }
    }
}

#[test]
fn the_rest_of_a_row_does_not_cut_a_statement_short_nor_begin_an_entry() {
    let presses = |world: World| {
        [1_150, 1_400, 1_650, 1_900]
            .into_iter()
            .zip("7110".chars())
            .fold(world, |world, (at, key)| world.pressed_after(ms(at), key))
    };
    // Who presses again before a row is over is asked once more.
    assert_eq!(meter(presses(asks()).dies_after(ms(1_100))), ("47110".into(), 2));
    assert_eq!(meter(presses(asks()).stalls_after(ms(1_100), ms(1_300))), ("47110".into(), 1));
}

/// Whoever hears nothing of a key for a while presses it again, and means what they were asked then.
#[test]
fn a_key_that_was_taken_late_is_pressed_again_and_answers_one_question() {
    for (late_ms, phase) in [(0, Activity::Collecting), (200, Activity::Collecting), (400, Activity::Asking)]
    {
        let mut line = asked();
        line.pressed_ago('1', late_ms);
        assert_eq!(line.call.phase(), Phase::Talking(Activity::Asking), "the next question");
        line.pass_ms(20);
        line.press('1');
        assert_eq!(line.call.phase(), Phase::Talking(phase), "taken after {late_ms} ms");
        line.pass_ms(2_500);
        line.press('4');
        assert_eq!(
            line.call.phase(),
            Phase::Talking(Activity::Collecting),
            "who had time to hear it answers it"
        );
    }
}
