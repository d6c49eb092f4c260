//! What the peer may ask within the dialog.

use bytes::Bytes;

use super::peer::{line, request, response};
use super::trace::{Trace, quiet, recv, send};
use crate::sip::StatusCode;
use crate::sip::local::{ACCEPT, ALLOW};

/// The latest message that was sent, as text.
fn last(trace: &Trace) -> String {
    String::from_utf8(trace.sent.last().unwrap().bytes.to_vec()).unwrap()
}

fn answer(trace: &mut Trace, ms: u64) {
    trace.caller(ms, |session, now, mint| {
        session.answer(now, Some(&Bytes::from_static(b"ours")), mint);
    });
}

#[test]
fn options_is_answered_with_what_we_can_do() {
    // RFC 3261 §11.2
    let mut s = Trace::answered();
    send!(s, time 2_000, request("OPTIONS", 7));
    recv!(s, time 2_000, ["200 7 OPTIONS"]);
    assert_eq!(line(&last(&s), "Allow"), ALLOW);
    assert_eq!(line(&last(&s), "Accept"), ACCEPT);
    assert_eq!(line(&last(&s), "Supported"), "timer");
    send!(s, time 2_500, request("OPTIONS", 7).branch(1));
    recv!(s, time 2_500, ["200 7 OPTIONS again"]); // §17.2.2
}

#[test]
fn a_response_goes_back_the_way_the_request_came() {
    // RFC 3261 §18.2.1, RFC 3581 §4
    let mut s = Trace::answered();
    send!(s, time 2_000, request("OPTIONS", 7).header("Via: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKdown"));
    recv!(s, time 2_000, ["200 7 OPTIONS"]);
    let vias: Vec<_> =
        last(&s).split("\r\n").filter(|line| line.starts_with("Via")).map(String::from).collect();
    let expected = [
        "Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKpeer1",
        "Via: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKdown",
    ];
    assert_eq!(vias, expected);
    assert_eq!(s.destination(), "198.51.100.7:5060");
}

#[test]
fn methods_we_do_not_take() {
    // RFC 3261 §8.2.1 (405), §21.5.2 (501)
    let mut s = Trace::answered();
    for (cseq, method) in (2..).zip(["MESSAGE", "REFER", "SUBSCRIBE", "PUBLISH", "REGISTER"]) {
        send!(s, time 2_000, request(method, cseq));
        recv!(s, time 2_000, [format!("405 {cseq} {method}")]);
        assert_eq!(line(&last(&s), "Allow"), ALLOW);
    }
    send!(s, time 2_000, request("NEWMETHOD", 9));
    recv!(s, time 2_000, ["501 9 NEWMETHOD"]);
    // RFC 3262 §3: nothing of ours is reliable; RFC 6665 §4.1.3: nothing is subscribed to
    for (cseq, method) in [(10, "PRACK"), (11, "NOTIFY")] {
        send!(s, time 2_000, request(method, cseq).header("Event: refer").header("RAck: 1 1 INVITE"));
        recv!(s, time 2_000, [format!("481 {cseq} {method}")]);
    }
}

#[test]
fn an_extension_we_do_not_know() {
    // RFC 3261 §8.2.2.3
    let mut s = Trace::answered();
    send!(s, time 2_000, request("INVITE", 7).body("theirs").header("Require: 100rel, timer, foo"));
    recv!(s, time 2_000, ["420 7 INVITE"]);
    assert_eq!(line(&last(&s), "Unsupported"), "100rel, foo");
    recv!(s, time 2_500, ["420 7 INVITE again"]); // timer G until the ACK
    send!(s, time 2_600, request("ACK", 7).branch(1));
    quiet!(s, until 60_000);
    send!(s, time 60_000, request("BYE", 8).header("Require: foo"));
    recv!(s, time 60_000, ["200 8 BYE", "PeerBye"]); // a call may always end
}

#[test]
fn what_concerns_proxies_alone_is_passed_over() {
    // RFC 3261 §16.3: who forwards nothing counts no hops (§8.2 has no such step); §20.29: Proxy-Require is a proxy's
    let mut s = Trace::answered();
    send!(s, time 2_000, request("OPTIONS", 7).header("Proxy-Require: foo").header("Max-Forwards: 0"));
    recv!(s, time 2_000, ["200 7 OPTIONS"]);
    send!(s, time 3_000, request("BYE", 8).header("Proxy-Require: foo"));
    recv!(s, time 3_000, ["200 8 BYE", "PeerBye"]);
}

#[test]
fn a_body_we_do_not_read() {
    // RFC 3261 §8.2.3
    let mut s = Trace::answered();
    send!(s, time 2_000, request("INVITE", 7).body("<x/>").body_type("application/xml"));
    recv!(s, time 2_000, ["415 7 INVITE"]);
    assert_eq!(line(&last(&s), "Accept"), ACCEPT);
    send!(s, time 2_100, request("ACK", 7).branch(1));
    send!(s, time 2_200, request("INVITE", 8).body("theirs").header("Content-Encoding: gzip"));
    recv!(s, time 2_200, ["415 8 INVITE"]);
    assert_eq!(line(&last(&s), "Accept-Encoding"), "identity");
    send!(s, time 2_300, request("ACK", 8).branch(3));
    let optional = "Content-Disposition: render;handling=optional";
    send!(s, time 9_000, request("INVITE", 9).body("<x/>").body_type("application/xml").header(optional));
    recv!(s, time 9_000, ["Offered"]);
}

#[test]
fn a_number_that_does_not_grow() {
    // RFC 3261 §12.2.2
    let mut s = Trace::answered();
    send!(s, time 2_000, request("OPTIONS", 100)); // a gap is legal
    recv!(s, time 2_000, ["200 100 OPTIONS"]);
    send!(s, time 2_100, request("OPTIONS", 99));
    recv!(s, time 2_100, ["500 99 OPTIONS"]);
    send!(s, time 2_200, request("OPTIONS", 100)); // another branch, same number
    recv!(s, time 2_200, ["500 100 OPTIONS"]);
    send!(s, time 2_300, request("INVITE", 50).body("theirs"));
    recv!(s, time 2_300, ["500 50 INVITE"]);
}

#[test]
fn tags_of_another_dialog() {
    // RFC 3261 §12.2.2
    let mut s = Trace::answered();
    send!(s, time 2_000, request("BYE", 7).tag("stranger"));
    recv!(s, time 2_000, ["481 7 BYE again"]);
    send!(s, time 2_000, request("BYE", 7).to("<sip:us@192.0.2.1>;tag=other"));
    recv!(s, time 2_000, ["481 7 BYE again"]);
    send!(s, time 2_000, request("BYE", 7).call_id("other@192.0.2.1"));
    recv!(s, time 2_000, ["481 7 BYE again"]);
    send!(s, time 2_000, request("ACK", 7).tag("stranger"));
    send!(s, time 2_000, request("CANCEL", 7));
    recv!(s, time 2_000, ["481 7 CANCEL"]); // §9.2: no INVITE of this key
    quiet!(s, until 60_000);
}

#[test]
fn requests_outside_the_dialog_that_find_their_way_here() {
    let mut s = Trace::answered();
    send!(s, time 2_000, request("OPTIONS", 7).to("<sip:us@192.0.2.1>"));
    recv!(s, time 2_000, ["200 7 OPTIONS again"]);
    send!(s, time 2_000, request("INVITE", 8).to("<sip:us@192.0.2.1>").body("theirs"));
    recv!(s, time 2_000, ["403 8 INVITE again"]);
    send!(s, time 2_000, request("MESSAGE", 9).to("<sip:us@192.0.2.1>"));
    recv!(s, time 2_000, ["405 9 MESSAGE again"]);
}

#[test]
fn a_reinvite_is_offered_and_its_200_repeated_until_the_ack() {
    // RFC 3261 §14.2, §13.3.1.4
    let mut s = Trace::answered();
    send!(s, time 2_000, request("INVITE", 7).body("theirs"));
    recv!(s, time 2_000, ["Offered theirs"]);
    answer(&mut s, 2_000);
    recv!(s, time 2_000, ["200 7 INVITE"]);
    assert!(last(&s).ends_with("\r\n\r\nours"));
    assert_eq!(line(&last(&s), "Contact"), "<sip:0123456789abcdef@192.0.2.1:5060>");
    send!(s, time 2_400, request("INVITE", 7).body("theirs").branch(1)); // RFC 6026: absorbed
    recv!(s, time 2_500, ["200 7 INVITE again"]);
    recv!(s, time 3_500, ["200 7 INVITE again"]);
    send!(s, time 3_600, request("ACK", 7));
    recv!(s, time 3_600, ["Acked"]);
    send!(s, time 3_700, request("ACK", 7));
    quiet!(s, until 40_000);
    s.caller(40_000, |session, now, mint| session.bye(now, None, mint));
    recv!(s, time 40_000, ["BYE 2"]);
    assert_eq!(s.destination(), "198.51.100.8:5060", "§12.2.2: the re-INVITE moved the target");
}

#[test]
fn a_reinvite_without_offer_gets_ours_and_its_ack_answers() {
    // RFC 3261 §14.1, §13.2.1
    let mut s = Trace::answered();
    send!(s, time 2_000, request("INVITE", 7));
    recv!(s, time 2_000, ["Offered"]);
    answer(&mut s, 2_000);
    recv!(s, time 2_000, ["200 7 INVITE"]);
    send!(s, time 2_100, request("INVITE", 8)); // before that answer: RFC 5407 §3.1.5
    recv!(s, time 2_100, ["491 8 INVITE"]);
    send!(s, time 2_200, request("ACK", 8).branch(2));
    send!(s, time 2_300, request("ACK", 7).body("theirs"));
    recv!(s, time 2_300, ["Acked theirs"]);
}

#[test]
fn a_reinvite_that_is_refused_leaves_the_session_as_it_was() {
    // RFC 3261 §14.2
    let mut s = Trace::answered();
    send!(s, time 2_000, request("INVITE", 7).body("video"));
    recv!(s, time 2_000, ["Offered video"]);
    s.caller(2_000, |session, now, mint| session.reject(now, StatusCode::NOT_ACCEPTABLE_HERE, mint));
    recv!(s, time 2_000, ["488 7 INVITE"]);
    recv!(s, time 2_500, ["488 7 INVITE again"]);
    send!(s, time 2_600, request("ACK", 7).branch(1));
    quiet!(s, until 40_000);
    s.caller(40_000, |session, now, mint| session.bye(now, None, mint));
    recv!(s, time 40_000, ["BYE 2"]);
    assert_eq!(s.destination(), "198.51.100.7:5060", "the target did not move");
}

#[test]
fn a_second_reinvite_while_one_waits() {
    // RFC 3261 §14.2
    let mut s = Trace::answered();
    send!(s, time 2_000, request("INVITE", 7).body("first"));
    recv!(s, time 2_000, ["Offered first"]);
    send!(s, time 2_001, request("INVITE", 8).body("second"));
    recv!(s, time 2_001, ["500 8 INVITE"]);
    assert!(line(&last(&s), "Retry-After").parse::<u32>().unwrap() <= 10);
    send!(s, time 2_002, request("ACK", 8).branch(2));
    answer(&mut s, 2_003);
    recv!(s, time 2_003, ["200 7 INVITE"]);
    send!(s, time 2_004, request("ACK", 7));
    recv!(s, time 2_004, ["Acked"]);
}

#[test]
fn the_next_reinvite_stands_for_a_lost_ack() {
    // RFC 5407 §3.1.4: only who has our 200 sends another INVITE
    let mut s = Trace::answered();
    send!(s, time 2_000, request("INVITE", 7).body("first"));
    recv!(s, time 2_000, ["Offered first"]);
    answer(&mut s, 2_000);
    recv!(s, time 2_000, ["200 7 INVITE"]);
    send!(s, time 2_100, request("INVITE", 8).body("second"));
    recv!(s, time 2_100, ["Acked", "Offered second"]);
}

#[test]
fn a_late_repeat_of_an_older_reinvite_gets_no_other_answer() {
    // RFC 6026 §7.1: until timer L it is absorbed, though its CSeq is old by now
    let mut s = Trace::answered();
    for (at, cseq) in [(2_000, 7), (3_000, 8), (4_000, 9)] {
        send!(s, time at, request("INVITE", cseq).body("theirs"));
        recv!(s, time at, ["Offered theirs"]);
        answer(&mut s, at);
        recv!(s, time at, [format!("200 {cseq} INVITE")]);
        send!(s, time at, request("ACK", cseq));
        recv!(s, time at, ["Acked"]);
    }
    send!(s, time 4_500, request("INVITE", 7).body("theirs").branch(1));
    send!(s, time 4_500, request("INVITE", 8).body("theirs").branch(3));
    quiet!(s, until 5_000);
    send!(s, time 5_000, request("INVITE", 7).body("theirs")); // another branch: an old number
    recv!(s, time 5_000, ["500 7 INVITE"]);
}

#[test]
fn a_200_without_ack_ends_the_session() {
    // RFC 3261 §13.3.1.4
    let mut s = Trace::answered();
    send!(s, time 2_000, request("INVITE", 7).body("theirs"));
    recv!(s, time 2_000, ["Offered theirs"]);
    answer(&mut s, 2_000);
    recv!(s, time 2_000, ["200 7 INVITE"]);
    for after in [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500] {
        recv!(s, time 2_000 + after, ["200 7 INVITE again"]);
    }
    recv!(s, time 34_000, ["Unacked", "BYE 2"]);
    send!(s, time 34_010, response("BYE", 200));
    recv!(s, time 34_010, ["ByeDone 200"]);
    recv!(s, time 39_010, ["Over"]);
}

#[test]
fn a_cancelled_reinvite() {
    // RFC 3261 §9.2
    let mut s = Trace::answered();
    send!(s, time 2_000, request("INVITE", 7).body("theirs"));
    recv!(s, time 2_000, ["Offered theirs"]);
    send!(s, time 2_010, request("CANCEL", 7).branch(1));
    recv!(s, time 2_010, ["200 7 CANCEL", "487 7 INVITE"]);
    send!(s, time 2_020, request("CANCEL", 7).branch(1));
    recv!(s, time 2_020, ["200 7 CANCEL again"]);
    send!(s, time 2_030, request("ACK", 7).branch(1));
    answer(&mut s, 2_040); // too late: nothing waits
    quiet!(s, until 60_000);
    send!(s, time 60_000, request("OPTIONS", 8));
    recv!(s, time 60_000, ["200 8 OPTIONS"]); // the session goes on
}

#[test]
fn whoever_hangs_up_answers_what_waits() {
    // RFC 3261 §15.1.2
    let mut s = Trace::answered();
    send!(s, time 2_000, request("INVITE", 7).body("theirs"));
    recv!(s, time 2_000, ["Offered theirs"]);
    send!(s, time 2_010, request("BYE", 8));
    recv!(s, time 2_010, ["200 8 BYE", "PeerBye", "487 7 INVITE"]);
    send!(s, time 2_020, request("ACK", 7).branch(1));
    send!(s, time 2_030, request("OPTIONS", 9));
    recv!(s, time 2_030, ["481 9 OPTIONS"]);
    recv!(s, time 34_030, ["Over"]);
}

#[test]
fn many_requests_make_no_large_record() {
    let mut s = Trace::answered();
    quiet!(s, until 40_000);
    for cseq in 1..200 {
        send!(s, time 40_000, request("OPTIONS", cseq));
        recv!(s, time 40_000, [format!("200 {cseq} OPTIONS")]);
    }
    for cseq in 200..300 {
        send!(s, time 40_000, request("INVITE", cseq).header("Require: foo"));
        drop(s.take_heard());
    }
    assert!(s.record().len() < 5_000, "{} bytes", s.record().len());
}

#[test]
fn routes_are_followed_loosely_and_strictly() {
    // RFC 3261 §12.2.1.1; §16.12.1 draws both
    let mut s = Trace::calling();
    recv!(s, time 0, ["INVITE 1"]);
    let routes = "Record-Route: <sip:203.0.113.2;lr>, <sip:203.0.113.1:5080;lr;did=a.b>";
    send!(s, time 10, response("INVITE", 200).tag("b").header(routes));
    recv!(s, time 10, ["Answered", "ACK 1"]);
    let ack = last(&s);
    assert!(ack.starts_with("ACK sip:peer@198.51.100.7 SIP/2.0\r\n"), "{ack}");
    let route: Vec<_> = ack.split("\r\n").filter(|line| line.starts_with("Route")).collect();
    assert_eq!(route, ["Route: <sip:203.0.113.1:5080;lr;did=a.b>", "Route: <sip:203.0.113.2;lr>"]);
    assert_eq!(s.destination(), "203.0.113.1:5080");

    let mut s = Trace::calling();
    recv!(s, time 0, ["INVITE 1"]);
    let routes = "Record-Route: <sip:203.0.113.2;lr>, <sip:203.0.113.1>";
    send!(s, time 10, response("INVITE", 200).tag("b").header(routes));
    recv!(s, time 10, ["Answered", "ACK 1"]);
    let ack = last(&s);
    assert!(ack.starts_with("ACK sip:203.0.113.1 SIP/2.0\r\n"), "{ack}");
    let route: Vec<_> = ack.split("\r\n").filter(|line| line.starts_with("Route")).collect();
    assert_eq!(route, ["Route: <sip:203.0.113.2;lr>", "Route: <sip:peer@198.51.100.7>"]);
    assert_eq!(s.destination(), "203.0.113.1:5060");
}

#[test]
fn a_hop_with_a_name_is_reached_through_the_trunk() {
    let mut s = Trace::calling();
    recv!(s, time 0, ["INVITE 1"]);
    send!(s, time 10, response("INVITE", 200).tag("b").contact(Some("<sip:peer@pbx.example.com>")));
    recv!(s, time 10, ["Answered", "ACK 1"]);
    assert_eq!(s.destination(), "198.51.100.7:5060");
}

#[test]
fn keys_by_info_reach_the_owner_and_other_infos_are_refused() {
    // RFC 6086 §4.2.2
    let mut s = Trace::answered();
    let keys = request("INFO", 7).body("Signal=5\r\nDuration=160\r\n");
    send!(s, time 2_000, keys.body_type("application/dtmf-relay;x=y"));
    recv!(s, time 2_000, ["200 7 INFO", "Info application/dtmf-relay Signal=5\r\nDuration=160\r\n"]);
    send!(s, time 2_100, request("INFO", 7).body("Signal=5").body_type("application/dtmf-relay").branch(1));
    recv!(s, time 2_100, ["200 7 INFO again"]); // a repeat is no second key
    send!(s, time 2_200, request("INFO", 8));
    recv!(s, time 2_200, ["200 8 INFO"]); // an empty one asks whether we are there
    send!(s, time 2_300, request("INFO", 9).body("<x/>").body_type("application/media_control+xml"));
    recv!(s, time 2_300, ["415 9 INFO"]);
    assert_eq!(line(&last(&s), "Accept"), "application/dtmf-relay, application/dtmf");
    send!(s, time 2_400, request("INFO", 10).body("x").header("Info-Package: g.3gpp.mid-call"));
    recv!(s, time 2_400, ["469 10 INFO"]);
    assert_eq!(line(&last(&s), "Recv-Info"), "");
}

#[test]
fn a_probe_tells_whether_the_peer_has_the_dialog() {
    // RFC 3261 §11, §12.2.1.2
    let mut s = Trace::answered();
    s.caller(2_000, |session, now, mint| assert!(session.probe(now, mint)));
    recv!(s, time 2_000, ["OPTIONS 2"]);
    s.caller(2_100, |session, now, mint| assert!(!session.probe(now, mint), "one at a time"));
    recv!(s, time 2_500, ["OPTIONS 2 again"]);
    send!(s, time 2_600, response("OPTIONS", 200));
    recv!(s, time 2_600, ["Probed 200"]);
    s.caller(9_000, |session, now, mint| assert!(session.probe(now, mint)));
    recv!(s, time 9_000, ["OPTIONS 3"]);
    for at in [9_500, 10_500, 12_500, 16_500, 20_500, 24_500, 28_500, 32_500, 36_500, 40_500] {
        recv!(s, time at, ["OPTIONS 3 again"]);
    }
    recv!(s, time 41_000, ["Probed silence"]);
}

/// A re-INVITE of ours that met one of the peer's at 2,000 ms, and waits to be sent again.
fn put_off() -> Trace {
    let mut s = Trace::answered();
    s.caller(2_000, |session, now, mint| {
        assert!(session.reinvite(now, &Bytes::from_static(b"hold"), mint));
    });
    recv!(s, time 2_000, ["INVITE 2"]);
    send!(s, time 2_010, response("INVITE", 491));
    recv!(s, time 2_010, ["ACK 2"]);
    s
}

#[test]
fn what_was_put_off_is_sent_no_more_when_somebody_left() {
    // Seed 54638 of the simulation: an INVITE after the BYE.
    let mut s = put_off();
    s.caller(2_020, |session, now, mint| session.bye(now, None, mint));
    recv!(s, time 2_020, ["BYE 3"]);
    send!(s, time 2_030, response("BYE", 200));
    recv!(s, time 2_030, ["ByeDone 200"]);
    s.run_until(100_000);
    assert_eq!(s.take_heard(), [(34_010, "Over".to_owned())], "when the 491 can come no more");
    let mut s = put_off();
    send!(s, time 2_020, request("BYE", 1));
    recv!(s, time 2_020, ["200 1 BYE", "PeerBye"]);
    s.run_until(100_000);
    assert!(s.take_heard().iter().all(|(_, said)| said == "Over"));
}

#[test]
fn a_refusal_after_the_bye_is_acknowledged_and_nothing_is_tried_again() {
    let mut s = Trace::answered();
    s.caller(2_000, |session, now, mint| {
        assert!(session.reinvite(now, &Bytes::from_static(b"hold"), mint));
    });
    recv!(s, time 2_000, ["INVITE 2"]);
    send!(s, time 2_010, response("INVITE", 100));
    s.caller(2_020, |session, now, mint| session.bye(now, None, mint));
    recv!(s, time 2_020, ["BYE 3"]);
    send!(s, time 2_030, response("BYE", 200));
    recv!(s, time 2_030, ["ByeDone 200"]);
    // At the latest moment: what may be repeated of it is waited for no longer than the usage lasts, and time goes on.
    send!(s, time 33_000, response("INVITE", 491));
    recv!(s, time 33_000, ["ACK 2"]);
    s.run_until(100_000);
    assert_eq!(s.take_heard(), [(34_020, "Over".to_owned())]);
}
