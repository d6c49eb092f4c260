//! Trunks one after another: who is tried next, when, and with what; and that no telephone is rung twice at once.

use std::time::Duration;

use super::endings::willing;
use super::midcall::{Line, sdp, value};
use super::person::{Person, Phone};
use super::resume::essence;
use super::world::trunk::Manner::{self, *};
use super::world::{Crash, World, terms};
use crate::call::{EndedBy, Input, Output, Start, TryEnd, TryNumber};
use crate::dialplan::Failover;
use crate::outcome::Disposition;
use crate::sdp::{Codec, Direction};

const ANSWER: &str = "m=audio 30000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000";

fn tries(world: &World) -> Vec<(&str, TryEnd, Option<u16>)> {
    world.result().tries.iter().map(|tried| (tried.trunk.as_str(), tried.end, tried.sip_status)).collect()
}

#[test]
fn the_next_trunk_carries_the_call_when_one_does_not() {
    for (manner, end, status, least_s) in [
        (Refuses(503), TryEnd::Refused, Some(503), 0),
        (Refuses(500), TryEnd::Refused, Some(500), 0),
        (Refuses(408), TryEnd::Refused, Some(408), 0),
        (Dead, TryEnd::Unanswered, None, 32),
        (Tries, TryEnd::RingTimeout, Some(487), 20),
        // Its CANCEL is heard by nobody: 64*T1 later its telephone rings no more.
        (Deaf, TryEnd::RingTimeout, Some(487), 52),
        (RingsThenRefuses(3, 503), TryEnd::Refused, Some(503), 3),
    ] {
        let world = World::after(&[manner], willing(), Crash::Never).run();
        let result = world.result();
        assert_eq!(result.disposition, Disposition::Complete, "{manner:?}");
        assert_eq!(tries(&world), [("t0", end, status), ("test", TryEnd::Answered, Some(200))], "{manner:?}");
        assert_eq!((result.trunk.as_str(), result.sip_status), ("test", Some(200)));
        let [first, second] = result.tries.as_slice() else { panic!() };
        let waited = first.ended_at.since(first.started_at);
        assert!(waited.as_secs() >= least_s && waited.as_secs() <= least_s + 1, "{manner:?}: {waited:?}");
        assert_eq!(first.ended_at, second.started_at);
        assert_eq!(first.ringing_at.is_some(), matches!(manner, RingsThenRefuses(..)));
        assert_eq!((result.started_at, result.ringing_at), (first.started_at, second.ringing_at));
    }
}

#[test]
fn what_another_trunk_would_not_mend_stops_the_attempt() {
    for (manner, disposition) in [
        (Refuses(486), Disposition::Busy),
        (Refuses(404), Disposition::NonWorking),
        (Refuses(403), Disposition::TrunkFault),
        (Refuses(603), Disposition::Refusal),
        // It rang: nobody is called by two ways.
        (Rings, Disposition::NoAnswer),
        (RingsThenRefuses(3, 480), Disposition::NoAnswer),
        (RingsThenRefuses(3, 408), Disposition::NoAnswer),
    ] {
        let world = World::after(&[manner], willing(), Crash::Never).run();
        assert_eq!(world.result().disposition, disposition, "{manner:?}");
        assert_eq!(tries(&world).len(), 1, "{manner:?}");
        assert_eq!(world.result().trunk, "t0");
    }
}

#[test]
fn every_trunk_is_tried_once_and_the_last_one_decides() {
    let world =
        World::after(&[Refuses(503), Refuses(500)], Person::new(Phone::Refuses(486)), Crash::Never).run();
    assert_eq!(world.result().disposition, Disposition::Busy);
    assert_eq!(world.sent_in_order, ["INVITE", "ACK", "INVITE", "ACK", "INVITE", "ACK"]);
    let world = World::after(&[Refuses(503)], Person::new(Phone::Refuses(503)), Crash::Never).run();
    assert_eq!(
        (world.result().disposition, world.result().ended_by),
        (Disposition::TrunkFault, EndedBy::Callee)
    );
}

#[test]
fn a_person_who_was_rung_is_not_forgotten_because_the_next_trunk_is_down() {
    // By the usual list 503 goes on although it rang; its cause says that nobody answered.
    let manners = [RingsThenRefuses(3, 503)];
    let world = World::after(&manners, Person::new(Phone::Dead), Crash::Never).run();
    assert_eq!(tries(&world)[1], ("test", TryEnd::Unanswered, None));
    assert_eq!(
        (world.result().disposition, world.result().ended_by),
        (Disposition::TrunkFault, EndedBy::Fault)
    );
}

#[test]
fn wherever_the_process_dies_the_same_trunks_are_tried() {
    let lists: [&[Manner]; 6] =
        [&[Refuses(503)], &[Dead], &[Tries], &[Deaf], &[Refuses(500), RingsThenRefuses(2, 503)], &[Rings]];
    for manners in lists {
        let undisturbed = World::after(manners, willing(), Crash::Never).run();
        for at in 1..=undisturbed.inputs {
            for crash in [Crash::After(at), Crash::Saved(at), Crash::Unsaved(at)] {
                let world = World::after(manners, willing(), crash).run();
                let expected = essence(undisturbed.result());
                assert_eq!(essence(world.result()), expected, "{manners:?}, {crash:?}: {:#?}", world.said);
            }
        }
    }
}

#[test]
fn a_stopped_call_tries_nobody_else() {
    for (manners, after) in
        [([Tries], 500), ([Rings], 500), ([Dead], 500), ([RingsThenRefuses(3, 503)], 2_990)]
    {
        let world =
            World::after(&manners, willing(), Crash::Never).stopped_after(Duration::from_millis(after)).run();
        assert_eq!(world.result().disposition, Disposition::NotAttempted, "{manners:?}");
        assert_eq!(world.result().tries.len(), 1, "{manners:?}: {:?}", world.said);
        assert_eq!(world.result().tries[0].end, TryEnd::Stopped);
    }
}

// ── message by message ──

/// A call by two trunks; the second wants PCMA alone and shows another number.
fn two(start: Start) -> Start {
    let mut other = terms("b", 5_090);
    other.from = "<sip:+254200000102@b.example>".parse().unwrap();
    other.local.codecs = vec![Codec::Pcma];
    Start { others: vec![other], ..start }
}

fn is_invite(text: &&String) -> bool {
    text.starts_with("INVITE ")
}

#[test]
fn to_the_next_trunk_it_is_another_call() {
    let mut line = Line::starting(two);
    let first = line.sent[0].clone();
    line.respond(503, "", "");
    let [_, ack, second] = line.sent.as_slice() else { panic!("{:?}", line.sent) };
    assert!(ack.starts_with("ACK "));
    assert!(second.starts_with("INVITE sip:100@127.0.0.1:5090 "), "{second}");
    for name in ["Call-ID", "From", "Via"] {
        assert_ne!(value(&first, name), value(second, name), "{name}");
    }
    assert_eq!(value(second, "CSeq"), "1 INVITE");
    assert!(value(second, "From").starts_with("<sip:+254200000102@b.example>;tag="), "{second}");
    assert!(second.contains("m=audio 16384 RTP/AVP 8 "), "{second}");
    let version =
        |text: &str| text.split("o=").nth(1).unwrap().split(' ').nth(2).unwrap().parse::<u64>().unwrap();
    assert_eq!(version(second), version(&first) + 1, "another description of ours");
    assert_eq!(value(second, "Contact"), value(&first, "Contact"), "both lead to this call");
    let to = line.outputs.iter().filter_map(|output| {
        let Output::Send { through, message } = output else { return None };
        Some((*through, message.to.address.port()))
    });
    assert_eq!(to.collect::<Vec<_>>(), [(TryNumber(0), 5_080), (TryNumber(1), 5_090)]);
}

#[test]
fn a_repeat_of_the_old_refusal_is_acknowledged_while_the_next_trunk_rings() {
    let mut line = Line::starting(two);
    let first = line.sent[0].clone();
    line.respond(503, "", "");
    line.respond(180, "", "");
    line.respond_to(&first, 503, "", "");
    let last = line.sent.last().unwrap();
    assert!(last.starts_with("ACK ") && value(last, "Call-ID") == value(&first, "Call-ID"), "{last}");
    let invite = line.sent.iter().rfind(is_invite).unwrap().clone();
    line.respond_to(
        &invite,
        200,
        "",
        &sdp("m=audio 30000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000"),
    );
    assert_eq!(line.call.trunk(), "b");
    assert!(line.sent.last().unwrap().starts_with("ACK "));
}

#[test]
fn who_answers_a_trunk_that_was_given_up_is_hung_up_and_the_next_one_goes_on() {
    let mut line = Line::starting(two);
    let first = line.sent[0].clone();
    for _ in 0..80 {
        line.now = line.now + Duration::from_millis(500);
        line.feed(Input::TimedOut);
    }
    let second = line.sent.iter().rfind(is_invite).unwrap().clone();
    assert_ne!(value(&first, "Call-ID"), value(&second, "Call-ID"), "timer B");
    line.respond_to(&second, 180, "", "");
    let before = line.sent.len();
    line.respond_to(&first, 200, "", &sdp(ANSWER));
    let of_first = |text: &String| value(text, "Call-ID") == value(&first, "Call-ID");
    let late: Vec<&String> = line.sent[before..].iter().collect();
    assert!(late.len() == 2 && late.iter().all(|text| of_first(text)), "{late:?}");
    assert!(late[0].starts_with("ACK ") && late[1].starts_with("BYE "), "{late:?}");
    let bye = late[1].clone();
    line.respond_to(&bye, 200, "", "");
    assert_eq!((line.call.trunk(), line.call.progress()), ("b", crate::call::Progress::Ringing));
}

#[test]
fn a_message_that_could_not_be_sent_fails_its_own_trunk_alone() {
    let mut line = Line::starting(two);
    line.feed(Input::TransportFailed { through: TryNumber(0) });
    assert_eq!(line.call.trunk(), "b", "counts as 503");
    let invites = line.sent.iter().filter(is_invite).count();
    line.feed(Input::TransportFailed { through: TryNumber(0) });
    assert_eq!((line.call.trunk(), line.sent.iter().filter(is_invite).count()), ("b", invites));
    assert_eq!(line.call.progress(), crate::call::Progress::Dialling);
    line.feed(Input::TransportFailed { through: TryNumber(1) });
    assert_eq!(line.call.progress(), crate::call::Progress::Ending);
}

#[test]
fn what_a_trunk_let_us_hear_before_it_refused_is_heard_no_more() {
    let mut line = Line::starting(two);
    line.respond(183, "", &sdp(ANSWER));
    assert_eq!(line.stream().map(|(direction, _)| direction), Some(Direction::RecvOnly));
    line.respond(503, "", "");
    assert_eq!(line.stream().map(|(direction, _)| direction), Some(Direction::Inactive));
    line.feed(Input::Signal(crate::rtp::tones::Signal::Reorder));
    assert_eq!(line.call.trunk(), "b");
    assert_eq!(line.call.progress(), crate::call::Progress::Dialling, "its tone ends nothing");
    let answer = sdp("m=audio 30002 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000");
    line.respond(200, "", &answer);
    assert_eq!(line.stream(), Some((Direction::SendRecv, "127.0.0.1:30002".to_owned())));
}

#[test]
fn a_503_with_retry_after_closes_its_trunk_for_new_calls() {
    let mut line = Line::starting(two);
    let now = line.now;
    line.respond(503, "Retry-After: 30\r\n", "");
    let closed = line.outputs.iter().find_map(|output| {
        let Output::CloseTrunk { trunk, until } = output else { return None };
        Some((trunk.clone(), until.since(now).as_secs()))
    });
    assert_eq!(closed, Some(("test".to_owned(), 30)));
    assert_eq!(line.call.trunk(), "b");
    let mut line = Line::starting(two);
    line.respond(500, "Retry-After: 30\r\n", "");
    assert!(!line.outputs.iter().any(|output| matches!(output, Output::CloseTrunk { .. })));
}

#[test]
fn a_redirection_and_a_challenge_belong_to_the_trunk_that_sent_them() {
    let mut line = Line::starting(two);
    line.respond(302, "Contact: <sip:101@127.0.0.1:5081>\r\n", "");
    assert!(line.sent.last().unwrap().starts_with("INVITE sip:101@127.0.0.1:5081 "), "{:?}", line.sent);
    assert_eq!(line.call.trunk(), "test");
    line.respond(503, "", "");
    assert!(line.sent.last().unwrap().starts_with("INVITE sip:100@127.0.0.1:5090 "), "{:?}", line.sent);
    let mut line = Line::starting(two);
    line.respond(401, "WWW-Authenticate: Digest realm=\"a\", nonce=\"n\"\r\n", "");
    assert_eq!(line.call.progress(), crate::call::Progress::Ending, "no password: the usual list stops here");
}

#[test]
fn codes_that_stop_outrank_those_that_go_on() {
    let usual = Failover::usual();
    assert!(usual.goes_on(503, true) && usual.goes_on(408, false));
    assert!(!usual.goes_on(408, true) && !usual.goes_on(486, false));
    let strict = Failover { stop_on: usual.next_on.clone(), ..usual };
    assert!(!strict.goes_on(503, false));
}

fn outcome(line: &Line) -> crate::call::CallResult {
    let mut results = line.outputs.iter().filter_map(|output| {
        let Output::Ended(result) = output else { return None };
        Some(result.as_ref().clone())
    });
    results.next().expect("an outcome")
}

#[test]
fn a_trunk_that_asked_another_call_for_quiet_is_passed_over() {
    let three = |start| {
        let mut start: Start = two(start);
        start.others.push(terms("c", 5_095));
        start
    };
    let mut line = Line::starting(three);
    let until = line.now + Duration::from_secs(30);
    let next: Vec<String> = line.call.next_trunks().map(str::to_owned).collect();
    assert_eq!(next, ["b", "c"], "whoever has the call looks whether these are closed");
    line.feed(Input::TrunkClosed { trunk: "b".to_owned(), until });
    assert!(line.outputs.is_empty(), "nothing to keep or to say");
    line.respond(503, "", "");
    assert!(line.sent.last().unwrap().starts_with("INVITE sip:100@127.0.0.1:5095 "), "{:?}", line.sent);
    assert_eq!((line.call.trunk(), line.call.trunks().collect::<Vec<_>>()), ("c", vec!["test", "b", "c"]));
    let through = line.outputs.iter().filter_map(|output| {
        let Output::Send { through, message } = output else { return None };
        Some((through.0, message.to.address.port()))
    });
    assert_eq!(through.collect::<Vec<_>>(), [(0, 5_080), (2, 5_095)], "each by its own way");
    line.respond(486, "", "");
    let ends = |line: &Line| {
        let tries = outcome(line).tries.into_iter();
        tries.map(|tried| (tried.trunk, tried.end, tried.sip_status)).collect::<Vec<_>>()
    };
    let tried = |trunk: &str, end, status| (trunk.to_owned(), end, status);
    let first = tried("test", TryEnd::Refused, Some(503));
    let passed = tried("b", TryEnd::Closed, None);
    assert_eq!(ends(&line), [first.clone(), passed.clone(), tried("c", TryEnd::Refused, Some(486))]);
    // None is left: the last one that carried anything decides.
    let mut line = Line::starting(two);
    line.feed(Input::TrunkClosed { trunk: "b".to_owned(), until });
    line.respond(503, "", "");
    assert_eq!(ends(&line), [first, passed]);
    assert_eq!(outcome(&line).disposition, Disposition::TrunkFault);
    // One whose time is over is open again.
    let mut line = Line::starting(two);
    line.feed(Input::TrunkClosed { trunk: "b".to_owned(), until: line.now });
    line.respond(503, "", "");
    assert_eq!(line.call.trunk(), "b");
}

#[test]
fn no_redirection_leads_to_an_emergency_number() {
    for target in ["sip:112@127.0.0.1:5081", "sip:%31%31%32@127.0.0.1", "sip:*67911@127.0.0.1;user=phone"] {
        let mut line = Line::dialled();
        line.respond(302, &format!("Contact: <{target}>\r\n"), "");
        assert!(line.sent.last().unwrap().starts_with("ACK "), "{:?}", line.sent);
        assert_eq!(outcome(&line).sip_status, Some(302));
        assert_eq!(outcome(&line).tries[0].not_followed.len(), 1, "{target}");
        assert!(line.told.iter().any(|step| matches!(step, crate::call::Step::NotFollowed { .. })));
    }
    // The others of the same response are; and one that comes later, or again, is not.
    let mut line = Line::dialled();
    let contacts = "Contact: <sip:112@127.0.0.1:5081>, <sip:101@127.0.0.1:5082>;q=0.5\r\n";
    line.respond(302, contacts, "");
    assert!(line.sent.last().unwrap().starts_with("INVITE sip:101@127.0.0.1:5082 "), "{:?}", line.sent);
    line.respond(302, "Contact: <sip:112@127.0.0.1:5081>\r\n", "");
    assert!(line.sent.last().unwrap().starts_with("ACK "), "{:?}", line.sent);
    assert_eq!(outcome(&line).tries[0].not_followed, ["sip:112@127.0.0.1:5081"], "told once");
    // As many as a message holds.
    let mut line = Line::dialled();
    let many: String = (0..200).map(|n| format!("Contact: <sip:112@127.0.0.1:{}>\r\n", 6_000 + n)).collect();
    line.respond(302, &format!("{many}Contact: <sip:101@127.0.0.1:5082>\r\n"), "");
    assert_eq!(line.sent.iter().filter(|text| text.starts_with("INVITE ")).count(), 1);
    assert!(line.call.record().bytes.len() < 16_384, "{} bytes", line.call.record().bytes.len());
}
