//! Early media: what is heard before anybody answers.

use std::time::Duration;

use super::endings::willing;
use super::person::{Person, Phone};
use super::world::{Crash, World, report};
use crate::call::{EndedBy, Listening, OnTone};
use crate::interview::Status;
use crate::outcome::Disposition;
use crate::rtp::tones::Signal;
use crate::sdp::Direction;

const PICKED_UP: Duration = Duration::from_secs(4);
/// While it announces.
const EARLY: Duration = Duration::from_millis(1_500);

fn announcing(after: Option<Duration>) -> Person {
    Person { phone: Phone::Announces(after), ..willing() }
}

#[test]
fn the_networks_tones_before_the_answer_are_outcomes_and_no_answers() {
    for (tone, disposition, aapor) in [
        (Signal::SitIntercept, Disposition::NonWorking, "4.31"),
        (Signal::SitVacantCode, Disposition::NonWorking, "4.31"),
        (Signal::SitNoCircuit, Disposition::TrunkFault, "3.11"),
        (Signal::SitReorder, Disposition::TechnicalFault, "3.16"),
        (Signal::Busy, Disposition::Busy, "3.12"),
        (Signal::Reorder, Disposition::TechnicalFault, "3.16"),
        (Signal::Cng, Disposition::FaxOrData, "4.20"),
        (Signal::AnswerTone, Disposition::FaxOrData, "4.20"),
    ] {
        let world = World::new(announcing(None), Crash::Never).hears_after(EARLY, tone).run();
        let result = world.result();
        assert_eq!((result.disposition, result.aapor.as_str()), (disposition, aapor), "{tone}");
        assert_eq!((result.answered_at, result.answered_by), (None, None), "{tone}");
        assert_eq!((result.sip_status, result.ended_by), (Some(487), EndedBy::Callee), "{tone}");
        assert_eq!(result.tones.iter().map(|heard| heard.tone).collect::<Vec<_>>(), [tone]);
        assert!(result.responses.iter().all(|response| response.status == Status::NotReached));
        assert_eq!(world.sent_in_order, ["INVITE", "CANCEL", "ACK"], "{tone}");
        assert_eq!(world.directions, [Direction::RecvOnly], "nothing is sent before the answer");
        assert_eq!(result.media, Some(report()), "what passed is told all the same");
        assert!(result.ended_at.since(result.started_at) < Duration::from_secs(2), "at once");
    }
}

#[test]
fn an_answer_after_early_media_goes_on_with_the_same_stream() {
    // The world asserts that it is one: RFC 3550 numbers go on.
    let world = World::new(announcing(Some(PICKED_UP)), Crash::Never).run();
    assert_eq!(world.result().disposition, Disposition::Complete, "{:#?}", world.said);
    assert_eq!(world.directions, [Direction::RecvOnly, Direction::SendRecv]);
    assert!(world.sent_in_order.starts_with(&["INVITE".into(), "ACK".into()]), "{:?}", world.sent_in_order);
}

#[test]
fn a_key_before_the_answer_is_no_reply() {
    let pressed = World::new(announcing(Some(PICKED_UP)), Crash::Never).pressed_after(EARLY, '2').run();
    let undisturbed = World::new(announcing(Some(PICKED_UP)), Crash::Never).run();
    let digits = |world: &World| {
        let responses = world.result().responses.clone();
        responses.into_iter().map(|it| (it.digits, it.value, it.no_match)).collect::<Vec<_>>()
    };
    assert_eq!(digits(&pressed), digits(&undisturbed));
    let tone = World::new(announcing(None), Crash::Never)
        .pressed_after(EARLY, '2')
        .hears_after(EARLY + Duration::from_millis(500), Signal::Busy)
        .run();
    assert_eq!(tone.result().disposition, Disposition::Busy, "nor does it make the tone a person's");
}

#[test]
fn a_trunk_may_have_early_tones_noted_only_or_not_listened_for() {
    for (on_tone, noted, opened) in [(OnTone::Note, 1, 2), (OnTone::Ignore, 0, 1)] {
        let listening = Listening { on_tone, ..Listening::default() };
        let world = World::new(announcing(Some(PICKED_UP)), Crash::Never).listening(listening);
        let world = if noted > 0 { world.hears_after(EARLY, Signal::Busy) } else { world }.run();
        assert_eq!(world.result().disposition, Disposition::Complete, "{on_tone:?}");
        assert_eq!((world.result().tones.len(), world.directions.len()), (noted, opened), "{on_tone:?}");
    }
}

#[test]
fn a_refusal_after_an_announcement_is_the_refusal() {
    // The ring timeout here: the announcement said nothing that Baton knows.
    let world = World::new(announcing(None), Crash::Never).run();
    let result = world.result();
    assert_eq!((result.disposition, result.sip_status), (Disposition::NoAnswer, Some(487)));
    assert_eq!((result.tones.len(), result.media.clone()), (0, Some(report())));
}

#[test]
fn what_is_heard_early_survives_a_restart_anywhere() {
    let run = |crash, tone: bool| {
        let world = World::new(announcing((!tone).then_some(PICKED_UP)), crash);
        if tone { world.hears_after(EARLY, Signal::SitIntercept) } else { world }.run()
    };
    for tone in [true, false] {
        let expected = if tone { Disposition::NonWorking } else { Disposition::Complete };
        let inputs = run(Crash::Never, tone).inputs;
        // What was not saved has not been heard: the detector hears no tone twice, so only saved tones count here.
        for at in 1..=inputs {
            for crash in [Crash::After(at), Crash::Saved(at)] {
                let world = run(crash, tone);
                assert_eq!(world.result().disposition, expected, "{crash:?}: {:#?}", world.said);
            }
        }
    }
}
