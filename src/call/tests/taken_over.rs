//! Another instance goes on with a call: what the person hears, what its result says, and that no reply is lost, changed
//! or given twice. What is sent in each state of the signalling stands in the room `sip`.

use std::net::SocketAddr;
use std::time::Duration;

use super::endings::willing;
use super::hold::{CONSENT, SENDONLY, TALKS, asked, asking, said};
use super::midcall::{Line, sdp, value};
use super::person::{Person, Phone, Reaction::*, Room};
use super::resume::essence;
use super::takes;
use super::world::{Crash, World};
use crate::call::{Activity, Call, CallResult, EndedBy, Fault, Input, Output, Phase, Start, Step, TakenOver};
use crate::id::Epoch;
use crate::interview::Status;
use crate::outcome::Disposition;
use crate::rtp::Anchor;
use crate::sdp::Direction;

fn there(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 9], port))
}

/// An ordinary takeover, right away.
fn taken(line: &Line) -> TakenOver {
    TakenOver {
        epoch: Epoch(7),
        claims: 1,
        stale: false,
        alive: Some(line.now),
        sent_by: vec![there(5_070)],
        media: Some(there(20_000)),
    }
}

/// Another instance goes on, from the last record.
fn take_over(line: &mut Line, taken: TakenOver) {
    line.call = Call::restore(&line.call.record().bytes).unwrap();
    line.feed(Input::TakenOver(Box::new(taken)));
}

fn plainly(line: &mut Line) {
    let plain = taken(line);
    take_over(line, plain);
}

fn anchor(line: &Line) -> Option<Anchor> {
    line.outputs.iter().find_map(|output| {
        let Output::OpenMedia(plan) = output else { return None };
        Some(plan.anchor)
    })
}

fn last(line: &Line, method: &str) -> String {
    let of_method = |text: &&String| text.starts_with(&format!("{method} "));
    line.sent.iter().rev().find(of_method).unwrap_or_else(|| panic!("no {method}: {:?}", line.sent)).clone()
}

fn count(line: &Line, method: &str) -> usize {
    line.sent.iter().filter(|text| text.starts_with(&format!("{method} "))).count()
}

/// The peer's answer to our last INVITE.
fn accept(line: &mut Line, body: &str) {
    let invite = last(line, "INVITE");
    line.respond_to(&invite, 200, "", &sdp(body));
}

fn refuse(line: &mut Line, status: u16) {
    let invite = last(line, "INVITE");
    line.respond_to(&invite, status, "", "");
}

/// The result, when the dialog has ended.
fn result(line: &mut Line) -> CallResult {
    let bye = last(line, "BYE");
    line.respond_to(&bye, 200, "", "");
    let mut result = None;
    for _ in 0..400 {
        result = line.outputs.iter().find_map(|output| {
            let Output::Ended(result) = output else { return None };
            Some((**result).clone())
        });
        if result.is_some() {
            break;
        }
        line.pass_ms(100);
    }
    result.unwrap_or_else(|| panic!("no result: {:?}", line.told))
}

fn origin(text: &str) -> Vec<String> {
    let line = text.split("\r\n").find_map(|line| line.strip_prefix("o=")).expect("a description");
    line.split(' ').map(str::to_owned).collect()
}

// ── talking ──

#[test]
fn who_is_being_asked_goes_on_in_another_stream_from_another_address() {
    let mut line = asking();
    let before = anchor_of_answer();
    plainly(&mut line);
    let invite = last(&line, "INVITE");
    assert_eq!(value(&invite, "Contact"), format!("<sip:{}@127.0.0.9:5070>", line.call.id()));
    assert!(value(&invite, "CSeq").starts_with("18 "), "{invite}");
    assert!(
        invite.contains("c=IN IP4 127.0.0.9\r\n") && invite.contains("m=audio 20000 RTP/AVP"),
        "{invite}"
    );
    // RFC 3264 §8: the same origin, though the node that it names is gone, and the next version.
    let (was, is) = (origin(&line.sent[0]), origin(&invite));
    assert_eq!((&was[..2], &was[3..], was[2].as_str(), is[2].as_str()), (&is[..2], &is[3..], "1", "2"));
    // RTP begins with the re-INVITE, before its answer.
    let stream = anchor(&line).expect("a stream");
    assert_eq!(line.stream(), Some((Direction::SendRecv, "127.0.0.1:30000".into())));
    assert_ne!(stream.ssrc, before.ssrc, "a fresh SSRC");
    assert_eq!(stream.t0, line.now);
    assert_eq!(said(&line).as_deref(), Some(CONSENT));
    assert!(matches!(line.outputs[0], Output::Save(ref record) if record.epoch == Epoch(7)));
    let order: Vec<usize> = [
        line.outputs.iter().position(
            |it| matches!(it, Output::Send { message, .. } if message.bytes.starts_with(b"INVITE")),
        ),
        line.outputs.iter().position(|it| matches!(it, Output::OpenMedia(_))),
        line.outputs.iter().position(|it| matches!(it, Output::Play(_))),
    ]
    .map(Option::unwrap)
    .to_vec();
    assert!(order.is_sorted(), "{order:?}");
    accept(&mut line, TALKS);
    assert!(value(&last(&line, "ACK"), "CSeq").starts_with("18 "));
    assert_eq!((line.stream(), said(&line)), (None, None), "nothing changes, nothing is said twice");
    line.pass_ms(700);
    line.press('1');
    assert_eq!(said(&line).as_deref(), Some("How old are you?"));
    let consent = &line.responses()[0];
    assert_eq!((consent.status, consent.no_input, consent.no_match), (Status::Answered, 0, 0));
}

/// The anchor of the stream that an undisturbed call begins.
fn anchor_of_answer() -> Anchor {
    anchor(&Line::answered("")).unwrap()
}

#[test]
fn a_short_gap_goes_on_a_little_before_the_break_and_a_long_one_asks_again() {
    for (heard_ms, gap_ms, from_ms) in [(5_000, 600, 4_000), (500, 600, 0), (5_000, 2_500, 0)] {
        let mut line = asking();
        line.pass_ms(heard_ms);
        let alive = Some(line.now);
        line.now = line.now + Duration::from_millis(gap_ms);
        let taken = TakenOver { alive, ..taken(&line) };
        take_over(&mut line, taken);
        let play = line.play().unwrap();
        assert_eq!(play.from, Duration::from_millis(from_ms), "{heard_ms} ms heard, {gap_ms} ms away");
    }
}

#[test]
fn a_peer_that_accepts_late_hears_what_was_said_before_again() {
    for (late_ms, again) in [(40, false), (300, true)] {
        let mut line = asking();
        line.pass_ms(5_000);
        plainly(&mut line);
        let from = line.play().unwrap().from;
        line.pass_ms(late_ms);
        accept(&mut line, TALKS);
        assert_eq!(line.play().map(|play| play.from), again.then_some(from), "after {late_ms} ms");
        let stops = line.outputs.iter().filter(|it| matches!(it, Output::StopPlay(_))).count();
        assert_eq!(stops, usize::from(again));
    }
    // Who has keyed something meanwhile has heard it.
    let mut line = asking();
    line.hear_out(400);
    line.pass_ms(700);
    line.press('1');
    plainly(&mut line);
    line.pass_ms(2_200);
    line.press('4');
    line.pass_ms(100);
    accept(&mut line, TALKS);
    assert_eq!(said(&line), None, "the entry goes on");
}

#[test]
fn half_an_entry_is_discarded_and_its_question_asked_again() {
    let mut line = asked();
    line.pass_ms(700);
    line.press('1');
    line.hear_out(400);
    line.pass_ms(700);
    line.press('4');
    plainly(&mut line);
    accept(&mut line, TALKS);
    line.press('2'); // the rest of the row
    line.pass_ms(2_500);
    for key in ['4', '2', '#'] {
        line.press(key);
        line.pass_ms(200);
    }
    let age = &line.responses()[1];
    assert_eq!(age.value.as_ref().map(ToString::to_string).as_deref(), Some("42"), "{age:?}");
}

#[test]
fn under_hold_the_session_is_moved_and_nothing_is_said() {
    let mut line = asked();
    line.request("INVITE", "", &sdp(SENDONLY));
    line.acknowledge("");
    assert_eq!(line.call.phase(), Phase::Talking(Activity::OnHold));
    plainly(&mut line);
    assert_eq!(line.stream().map(|(direction, _)| direction), Some(Direction::RecvOnly));
    assert_eq!(said(&line), None);
    accept(&mut line, SENDONLY);
    line.pass(20);
    assert_eq!(said(&line), None);
    line.request("INVITE", "", &sdp(TALKS));
    assert_eq!(said(&line).as_deref(), Some(CONSENT));
}

#[test]
fn a_take_is_looked_for_and_asked_for_again_where_nothing_of_it_is() {
    let mut line = takes::recording();
    plainly(&mut line);
    let kept = line.outputs.iter().find_map(|output| {
        let Output::KeepRecording { recording, .. } = output else { return None };
        Some(*recording)
    });
    let recording = kept.expect("what is left of it is asked for");
    line.feed(Input::Taken { recording, taken: crate::call::Taken::Nothing });
    assert_eq!(said(&line).as_deref(), Some("Speak."));
}

#[test]
fn the_last_words_are_said_again_and_after_them_nothing_is_moved_only_ended() {
    let mut line = asked();
    line.pass_ms(700);
    line.press('2');
    assert_eq!(said(&line).as_deref(), Some("We call again."));
    plainly(&mut line);
    assert_eq!(said(&line).as_deref(), Some("We call again."));
    line.hear_out(400);
    assert_eq!(line.call.phase(), Phase::Talking(Activity::Parting));
    let invites = count(&line, "INVITE");
    plainly(&mut line);
    assert_eq!((count(&line, "INVITE"), count(&line, "BYE")), (invites, 1));
    let result = result(&mut line);
    assert_eq!((result.disposition, result.ended_by), (Disposition::Callback, EndedBy::Caller));
    assert_eq!((result.fault, result.takeovers), (None, 2));
}

#[test]
fn keys_behind_a_switchboard_are_not_sent_twice() {
    let mut line = Line::starting(|start| Start { post_dial: Some("w1".parse().unwrap()), ..start });
    line.respond(200, "", &sdp(TALKS));
    plainly(&mut line);
    assert!(!line.outputs.iter().any(|output| matches!(output, Output::Press { .. })));
    assert_eq!(said(&line).as_deref(), Some("Hello."));
}

// ── what the peer says ──

#[test]
fn who_had_hung_up_meanwhile_has_broken_off() {
    for status in [481, 487] {
        let mut line = asked();
        line.pass_ms(700);
        line.press('1');
        plainly(&mut line);
        refuse(&mut line, status); // 487: they hang up at this moment
        let result = result(&mut line);
        assert_eq!((result.disposition, result.ended_by), (Disposition::BreakOff, EndedBy::Callee));
        assert_eq!(result.fault, Some(Fault::GoneAtTakeover));
        assert_eq!(result.responses[0].status, Status::Answered, "what was answered stays");
    }
}

#[test]
fn of_an_old_record_481_leaves_the_outcome_open() {
    let mut line = asked();
    let old = TakenOver { stale: true, ..taken(&line) };
    take_over(&mut line, old);
    let invite = last(&line, "INVITE");
    assert!(value(&invite, "CSeq").starts_with("66 "), "1 + 16 + 48 + 1: {invite}");
    assert_eq!(origin(&invite)[2], "18", "1 + 1 + 16");
    assert_eq!(said(&line).as_deref(), Some(CONSENT), "asked again");
    // A successor after that knows no better.
    plainly(&mut line);
    refuse(&mut line, 481);
    let result = result(&mut line);
    let how = (result.disposition, result.ended_by, result.fault);
    assert_eq!(how, (Disposition::TechnicalFault, EndedBy::Fault, Some(Fault::StaleRecord)));
}

#[test]
fn silence_and_refusals_end_the_call_and_say_so() {
    let faults = [
        (None, Fault::TakeoverUnanswered),
        (Some(408), Fault::TakeoverUnanswered),
        (Some(488), Fault::TakeoverRefused),
        (Some(403), Fault::TakeoverRefused),
        (Some(500), Fault::TakeoverRefused),
        (Some(401), Fault::TakeoverRefused), // without a password
    ];
    for (status, fault) in faults {
        let mut line = asked();
        plainly(&mut line);
        match status {
            Some(status) => refuse(&mut line, status),
            None => line.pass(33),
        }
        let result = result(&mut line);
        let how = (result.disposition, result.ended_by, result.fault, result.takeovers);
        assert_eq!(how, (Disposition::TechnicalFault, EndedBy::Fault, Some(fault), 1), "{status:?}");
    }
}

#[test]
fn an_answer_that_cannot_be_met_ends_the_call() {
    let mut line = asked();
    plainly(&mut line);
    accept(&mut line, "m=audio 0 RTP/AVP 0");
    assert_eq!(count(&line, "BYE"), 1);
}

#[test]
fn a_refresh_that_is_refused_later_is_a_refresh_again() {
    let mut line = Line::answered("Session-Expires: 90;refresher=uac\r\n");
    plainly(&mut line);
    let invite = last(&line, "INVITE");
    line.respond_to(&invite, 200, "Session-Expires: 90;refresher=uac\r\n", &sdp(TALKS));
    line.pass(46);
    refuse(&mut line, 481);
    assert_eq!(result(&mut line).fault, Some(Fault::SessionExpired));
}

#[test]
fn without_a_port_the_call_is_ended_in_order() {
    let mut line = asked();
    let none = TakenOver { media: None, ..taken(&line) };
    take_over(&mut line, none);
    assert_eq!((count(&line, "INVITE"), count(&line, "BYE")), (1, 1), "it is not moved");
    let result = result(&mut line);
    assert_eq!((result.disposition, result.fault), (Disposition::TechnicalFault, Some(Fault::PortsLost)));
}

// ── a second time ──

#[test]
fn a_second_takeover_during_the_first_goes_on_as_if_it_were_the_first() {
    // From the record of the first successor, which has sent its re-INVITE.
    let mut line = asking();
    plainly(&mut line);
    let first = last(&line, "INVITE");
    let second = TakenOver {
        epoch: Epoch(9),
        sent_by: vec![there(5_071)],
        media: Some(there(20_002)),
        ..taken(&line)
    };
    take_over(&mut line, second);
    let invite = last(&line, "INVITE");
    assert!(value(&invite, "CSeq").starts_with("35 "), "{invite}");
    assert_eq!((origin(&first)[2].as_str(), origin(&invite)[2].as_str()), ("2", "3"));
    assert!(value(&last(&line, "ACK"), "CSeq").starts_with("18 "), "the first one's 2xx may wait for it");
    accept(&mut line, TALKS);
    assert!(
        line.told.iter().filter(|step| matches!(step, Step::Asked { text, .. } if text == CONSENT)).count()
            > 2
    );

    // From the record of the owner before: nothing of the first successor was saved, and nothing of it has left.
    let mut line = asking();
    let record = line.call.record().bytes;
    plainly(&mut line);
    let lost = last(&line, "INVITE");
    let second = TakenOver { epoch: Epoch(9), claims: 2, ..taken(&line) };
    line.call = Call::restore(&record).unwrap();
    line.feed(Input::TakenOver(Box::new(second)));
    let invite = last(&line, "INVITE");
    assert!(value(&invite, "CSeq").starts_with("34 "), "{invite}");
    assert_eq!(origin(&invite)[2], "3");
    let names = |text: &str| (value(text, "CSeq"), value(text, "Via"));
    assert_ne!(names(&lost), names(&invite));
}

#[test]
fn a_result_is_given_out_again_as_it_was() {
    let mut line = asked();
    line.feed(Input::HangUpAsked);
    let first = result(&mut line);
    plainly(&mut line);
    let again = line.outputs.iter().find_map(|output| {
        let Output::Ended(result) = output else { return None };
        Some((**result).clone())
    });
    assert_eq!(again, Some(first));
}

#[test]
fn an_outcome_that_was_saved_is_kept_and_its_bye_sent_anew() {
    let mut line = asked();
    line.feed(Input::HangUpAsked);
    assert_eq!(line.call.phase(), Phase::Closing);
    plainly(&mut line);
    assert_eq!((count(&line, "BYE"), count(&line, "INVITE")), (2, 1));
    let result = result(&mut line);
    assert_eq!((result.disposition, result.fault), (Disposition::BreakOff, None));
}

// ── nobody has answered yet ──

/// How long after the takeover the result of a call comes that nobody has answered.
fn lasts(line: &mut Line) -> (Duration, CallResult) {
    let begun = line.now;
    for _ in 0..4_000 {
        if let Some(result) = line.outputs.iter().find_map(|output| {
            let Output::Ended(result) = output else { return None };
            Some((**result).clone())
        }) {
            return (line.now.since(begun), result);
        }
        line.pass_ms(100);
    }
    panic!("no result: {:?}", line.told);
}

#[test]
fn what_rings_is_cancelled_and_no_result_comes_before_it_rings_no_more() {
    let early = sdp("m=audio 30000 RTP/AVP 0");
    for (status, body) in [(0, ""), (100, ""), (180, ""), (183, early.as_str())] {
        let two = |start: Start| Start { others: vec![super::world::terms("b", 5_090)], ..start };
        let mut line = Line::starting(two);
        if status > 0 {
            line.respond(status, "", body);
        }
        line.pass(5);
        plainly(&mut line);
        assert_eq!(count(&line, "CANCEL"), 1, "{status}");
        assert_eq!(count(&line, "BYE"), usize::from(status > 100), "{status}: the early dialog is left");
        assert!(!line.outputs.iter().any(|output| matches!(output, Output::OpenMedia(_))), "{status}");
        let (lasted, result) = lasts(&mut line);
        // Two ring timeouts of 20 s from the INVITE on, and 64*T1.
        assert!((66..=68).contains(&lasted.as_secs()), "{status}: {lasted:?}");
        let how = (result.disposition, result.ended_by, result.fault, result.sip_status);
        let expected = (Disposition::TechnicalFault, EndedBy::Fault, Some(Fault::RingingLost), None);
        assert_eq!(how, expected, "{status}");
        assert_eq!(result.tries.len(), 1, "nobody else is rung: {:?}", result.tries);
        assert_eq!(count(&line, "INVITE"), 1 + usize::from(status == 0) * 3, "it is sent no more");
    }
}

#[test]
fn a_call_that_was_to_be_stopped_while_it_rang_keeps_that_outcome() {
    let mut line = Line::dialled();
    line.respond(180, "", "");
    line.feed(Input::HangUpAsked);
    plainly(&mut line);
    let (_, result) = lasts(&mut line);
    assert_eq!((result.disposition, result.fault), (Disposition::NotAttempted, None));
}

// ── whole interviews ──

/// At every step of an interview its instance dies, having done all, half or nothing of the step, and another one goes
/// on: the replies are the same. Whom nobody had answered yet is told as that.
fn survives_everywhere<E: PartialEq + std::fmt::Debug>(
    name: &str,
    make: impl Fn(Crash) -> World,
    essence: impl Fn(&CallResult) -> E,
) {
    let undisturbed = make(Crash::Never).run();
    let expected = essence(undisturbed.result());
    let mut talked = 0;
    for at in 1..=undisturbed.inputs {
        for crash in [Crash::After(at), Crash::Saved(at), Crash::Unsaved(at)] {
            let world = make(crash).elsewhere().run();
            let result = world.result();
            if result.fault == Some(Fault::RingingLost) {
                assert_eq!(result.answered_at, None, "{name}, {crash:?}");
                assert_eq!(result.disposition, Disposition::TechnicalFault);
                continue;
            }
            assert_eq!(essence(result), expected, "{name}, {crash:?}: {:#?}", world.said);
            talked += usize::from(result.takeovers > 0);
        }
    }
    assert!(talked > 3 || undisturbed.result().answered_at.is_none(), "{name}: {talked}");
}

fn person(name: &str, person: &Person) {
    survives_everywhere(name, |crash| World::new(person.clone(), crash), essence);
}

#[test]
fn a_whole_interview() {
    person("willing", &willing());
}

#[test]
fn wrong_keys_silence_and_interruptions() {
    person("one too many", &willing().at("age", &[Press("421"), Press("42")]));
    person("wrong", &willing().at("consent", &[Press("5"), Silent, Press("1")]));
    person("silent", &Person::picks_up());
    person("interrupts", &willing().at("age", &[Interrupt("42")]));
    person("opts out", &willing().at("consent", &[Interrupt("9")]));
}

/// What was said to each question, and how it ended. A hold that is lost with the instance is silence to the next one.
fn replies(result: &CallResult) -> impl PartialEq + std::fmt::Debug + use<> {
    let value = |value: &crate::interview::Value| value.to_string();
    let of = |one: &crate::interview::Response| (one.status, one.value.as_ref().map(value));
    (result.disposition, result.ended_by, result.responses.iter().map(of).collect::<Vec<_>>())
}

#[test]
fn quotas_holds_and_reinvites_by_the_callee() {
    for quota in [Room::Left, Room::None, Room::Unknown] {
        person("old", &Person { quota, ..willing().at("age", &[Press("71")]) });
    }
    for question in ["consent", "age", "well"] {
        let mut holds = willing();
        holds.holds_at = Some(question);
        survives_everywhere("hold", |crash| World::new(holds.clone(), crash), replies);
        let mut reinvites = willing();
        reinvites.reinvites_at = Some(question);
        survives_everywhere("re-INVITE", |crash| World::new(reinvites.clone(), crash), replies);
    }
}

#[test]
fn a_hang_up_in_the_middle() {
    person("hangs up", &willing().at("age", &[HangUp]));
}

#[test]
fn refusals_and_ringing() {
    for phone in [Phone::Refuses(486), Phone::Rings, Phone::Dead] {
        let undisturbed = World::new(Person::new(phone), Crash::Never).run();
        for at in 1..=undisturbed.inputs {
            for crash in [Crash::After(at), Crash::Saved(at), Crash::Unsaved(at)] {
                let world = World::new(Person::new(phone), crash).elsewhere().run();
                let lost = world.result().fault == Some(Fault::RingingLost);
                let same = essence(world.result()) == essence(undisturbed.result());
                // Which of the two a call comes to that was being cancelled may change; that it ends may not.
                assert!(lost || same || phone == Phone::Rings, "{phone:?}, {crash:?}: {:#?}", world.said);
            }
        }
    }
}

#[test]
fn steps_tell_it_to_who_watches() {
    let mut line = asked();
    plainly(&mut line);
    assert!(line.told.contains(&Step::TakenOver));
}
