//! Every way a call of ours ends.

use std::time::Duration;

use super::peer::{line, request, response};
use super::trace::{Trace, extra, parameters, quiet, recv, send};
use crate::sip::local::ALLOW;
use crate::sip::{Reason, StatusCode};

#[test]
fn an_answered_call_that_we_end() {
    // RFC 3261 §13.2, §13.2.2.4, §15.1.1
    let mut s = Trace::calling();
    recv!(s, time 0, ["INVITE 1"]);
    send!(s, time 20, response("INVITE", 100));
    send!(s, time 900, response("INVITE", 180).tag("b"));
    recv!(s, time 900, ["Progress 180"]);
    send!(s, time 5_000, response("INVITE", 200).tag("b").body("answer"));
    recv!(s, time 5_000, ["Answered answer", "ACK 1"]);
    quiet!(s, until 60_000);
    s.caller(60_000, |session, now, mint| session.bye(now, None, mint));
    recv!(s, time 60_000, ["BYE 2"]);
    send!(s, time 60_030, response("BYE", 200));
    recv!(s, time 60_030, ["ByeDone 200"]);
    recv!(s, time 65_030, ["Over"]); // timer K, T4
    quiet!(s, until 1_000_000);
}

#[test]
fn the_invite_says_who_calls_and_how_to_answer() {
    let mut wished = parameters();
    wished.route = vec!["<sip:proxy.example;lr>".parse().unwrap()];
    wished.extra = vec![extra("<sip:+254200000101@192.0.2.1>")];
    let mut s = Trace::calling_with(wished);
    recv!(s, time 0, ["INVITE 1"]);
    let invite = s.request("INVITE", None);
    assert!(invite.starts_with("INVITE sip:+254711000001@198.51.100.7 SIP/2.0\r\n"));
    assert!(
        line(&invite, "Via").starts_with("SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bK0123456789abcdef.")
    );
    assert_eq!(line(&invite, "Max-Forwards"), "70");
    assert_eq!(line(&invite, "Route"), "<sip:proxy.example;lr>");
    assert!(line(&invite, "From").starts_with("\"Survey\" <sip:+254200000101@192.0.2.1>;tag="));
    assert_eq!(line(&invite, "To"), "<sip:+254711000001@198.51.100.7>");
    assert_eq!(line(&invite, "Call-ID"), "0123456789abcdef@192.0.2.1");
    assert_eq!(line(&invite, "Contact"), "<sip:0123456789abcdef@192.0.2.1:5060>");
    assert_eq!(line(&invite, "Expires"), "80");
    assert_eq!(line(&invite, "Allow"), ALLOW);
    assert_eq!(line(&invite, "P-Asserted-Identity"), "<sip:+254200000101@192.0.2.1>");
    assert_eq!(line(&invite, "Content-Type"), "application/sdp");
    assert!(invite.ends_with("\r\n\r\noffer"));
}

#[test]
fn the_invite_is_refused_before_anything_leaves_if_it_would_forge_a_header() {
    let mut wished = parameters();
    wished.extra = vec![extra("<sip:a@b>\r\nX-Forged: 1")];
    let mut mint = crate::id::Mint::seeded(1);
    let now = crate::time::Timestamp::EPOCH;
    assert!(super::super::Session::invite(now, wished, &bytes::Bytes::new(), &mut mint).is_err());
}

#[test]
fn every_repeat_of_the_2xx_is_acknowledged_with_the_same_bytes() {
    // RFC 3261 §13.2.2.4
    let mut s = Trace::answered();
    let ack = s.sent.last().unwrap().bytes.clone();
    for at in [1_500, 2_500, 4_500, 8_500] {
        send!(s, time at, response("INVITE", 200).tag("b").body("answer"));
        recv!(s, time at, ["ACK 1 again"]);
        assert_eq!(s.sent.last().unwrap().bytes, ack);
    }
    quiet!(s, until 33_000);
    send!(s, time 33_001, response("INVITE", 200).tag("b").body("answer")); // after timer M, 64*T1
    quiet!(s, until 40_000);
}

#[test]
fn a_2xx_of_another_fork_is_acknowledged_and_ended() {
    // RFC 3261 §13.2.2.4
    let mut s = Trace::answered();
    send!(s, time 1_200, response("INVITE", 200).tag("c").contact(Some("<sip:c@198.51.100.9:5070>")));
    recv!(s, time 1_200, ["ACK 1", "BYE 2"]);
    assert_eq!(s.destination(), "198.51.100.9:5070");
    assert!(line(&s.request("BYE", Some("c")), "To").ends_with(";tag=c"));
    send!(s, time 1_300, response("INVITE", 200).tag("c"));
    recv!(s, time 1_300, ["ACK 1 again"]);
    recv!(s, time 1_700, ["BYE 2 again"]);
    send!(s, time 1_800, response("BYE", 200).tag("c"));
    send!(s, time 1_900, request("BYE", 1).tag("c")); // the fork hung up at the same time
    recv!(s, time 1_900, ["200 1 BYE again"]);
    quiet!(s, until 40_000); // and the call goes on
    s.caller(40_000, |session, now, mint| session.bye(now, None, mint));
    recv!(s, time 40_000, ["BYE 2"]);
    assert!(line(&s.request("BYE", None), "To").ends_with(";tag=b"));
}

#[test]
fn busy() {
    // RFC 3261 §17.1.1.3
    let mut s = Trace::calling();
    recv!(s, time 0, ["INVITE 1"]);
    send!(s, time 100, response("INVITE", 486).tag("b"));
    recv!(s, time 100, ["ACK 1", "Failed 486"]);
    let (invite, ack) = (s.request("INVITE", None), s.request("ACK", None));
    assert_eq!(line(&ack, "Via"), line(&invite, "Via"), "the ACK of a failure is the INVITE's transaction");
    assert!(ack.starts_with("ACK sip:+254711000001@198.51.100.7 SIP/2.0\r\n"));
    assert!(line(&ack, "To").ends_with(";tag=b"));
    send!(s, time 600, response("INVITE", 486).tag("b"));
    recv!(s, time 600, ["ACK 1 again"]);
    recv!(s, time 32_100, ["Over"]); // timer D
}

#[test]
fn loops_hops_and_glares_are_refusals_like_others() {
    // RFC 3261 §21.4.20, §21.4.21, §21.4.27: what another try of the same INVITE would not change
    for (status, failed) in [(482, "Failed 482"), (483, "Failed 483"), (491, "Failed 491")] {
        let mut s = Trace::calling();
        recv!(s, time 0, ["INVITE 1"]);
        send!(s, time 100, response("INVITE", status).tag("b"));
        recv!(s, time 100, ["ACK 1", failed]);
        recv!(s, time 32_100, ["Over"]);
        quiet!(s, until 100_000);
    }
}

#[test]
fn what_a_carrier_says_about_a_failure_reaches_the_owner() {
    let mut s = Trace::calling();
    recv!(s, time 0, ["INVITE 1"]);
    send!(s, time 10, response("INVITE", 100));
    let refusal =
        response("INVITE", 503).tag("b").header("Reason: Q.850;cause=34").header("Retry-After: 30 (full)");
    send!(s, time 100, refusal);
    recv!(s, time 100, ["ACK 1", "Failed 503 Q.850;cause=34 after 30 s heard"]);
}

#[test]
fn a_redirection_gives_its_contacts() {
    let mut s = Trace::calling();
    recv!(s, time 0, ["INVITE 1"]);
    let moved = response("INVITE", 302).tag("b").contact(Some("<sip:a@198.51.100.1>, <sip:b@198.51.100.2>"));
    send!(s, time 100, moved);
    recv!(s, time 100, ["ACK 1", "Failed 302 sip:a@198.51.100.1 sip:b@198.51.100.2"]);
}

#[test]
fn silence() {
    // RFC 3261 §17.1.1.2, timers A and B
    let mut s = Trace::calling();
    recv!(s, time 0, ["INVITE 1"]);
    for at in [500, 1_500, 3_500, 7_500, 15_500, 31_500] {
        recv!(s, time at, ["INVITE 1 again"]);
    }
    recv!(s, time 32_000, ["Failed silence"]);
    recv!(s, time 64_000, ["Over"]); // until then somebody's 2xx is heard
    quiet!(s, until 1_000_000);
}

#[test]
fn nobody_answers_the_phone() {
    // RFC 3261 §9.1; the ring timeout counts from the first 18x
    let mut s = Trace::calling();
    recv!(s, time 0, ["INVITE 1"]);
    send!(s, time 10, response("INVITE", 100));
    send!(s, time 4_000, response("INVITE", 180).tag("b"));
    recv!(s, time 4_000, ["Progress 180"]);
    send!(s, time 30_000, response("INVITE", 180).tag("b"));
    recv!(s, time 30_000, ["Progress 180"]); // only the first counts
    recv!(s, time 44_000, ["CANCEL 1"]);
    let (invite, cancel) = (s.request("INVITE", None), s.request("CANCEL", None));
    assert_eq!(line(&cancel, "Via"), line(&invite, "Via"));
    assert_eq!(line(&cancel, "To"), line(&invite, "To"), "no tag: the CANCEL goes where the INVITE went");
    assert_eq!(line(&cancel, "CSeq"), "1 CANCEL");
    send!(s, time 44_050, response("CANCEL", 200));
    send!(s, time 44_060, response("INVITE", 487).tag("b"));
    recv!(s, time 44_060, ["ACK 1", "Cancelled"]);
    recv!(s, time 76_060, ["Over"]);
}

#[test]
fn a_peer_that_says_nothing_but_100_is_cancelled_at_the_ring_timeout() {
    let mut s = Trace::calling();
    recv!(s, time 0, ["INVITE 1"]);
    send!(s, time 10, response("INVITE", 100));
    recv!(s, time 40_000, ["CANCEL 1"]);
}

#[test]
fn a_cancel_waits_for_the_first_1xx() {
    // RFC 3261 §9.1: "If no provisional response has been received, the CANCEL request MUST NOT be sent"
    let mut s = Trace::calling();
    recv!(s, time 0, ["INVITE 1"]);
    s.caller(100, |session, now, mint| session.cancel(now, Some(Reason::sip(200, "Done elsewhere")), mint));
    recv!(s, time 500, ["INVITE 1 again"]);
    send!(s, time 600, response("INVITE", 100));
    recv!(s, time 600, ["CANCEL 1"]);
    assert_eq!(line(&s.request("CANCEL", None), "Reason"), "SIP;cause=200;text=\"Done elsewhere\"");
    recv!(s, time 1_100, ["CANCEL 1 again"]);
    send!(s, time 1_200, response("CANCEL", 200));
    send!(s, time 1_300, response("INVITE", 487).tag("b").header("Reason: SIP;cause=487"));
    recv!(s, time 1_300, ["ACK 1", "Cancelled SIP;cause=487"]);
}

#[test]
fn a_cancel_that_nobody_lets_leave_ends_with_timer_b() {
    let mut wished = parameters();
    wished.ring_timeout = Duration::from_secs(20);
    let mut s = Trace::calling_with(wished);
    recv!(s, time 0, ["INVITE 1"]);
    for at in [500, 1_500, 3_500, 7_500, 15_500, 31_500] {
        recv!(s, time at, ["INVITE 1 again"]);
    }
    recv!(s, time 32_000, ["Failed silence"]);
}

#[test]
fn who_answers_after_we_gave_up_is_hung_up_at_once() {
    // All responses were lost for 64*T1: the callee's telephone rang all the same.
    let mut s = Trace::calling();
    recv!(s, time 0, ["INVITE 1"]);
    s.run_until(40_000);
    s.take_heard();
    send!(s, time 40_000, response("INVITE", 180).tag("a"));
    send!(s, time 41_000, response("INVITE", 200).tag("a").body("answer"));
    recv!(s, time 41_000, ["CancelCrossed", "ACK 1", "BYE 2"]);
}

#[test]
fn a_200_that_crosses_our_cancel_is_acknowledged_and_ended() {
    // RFC 3261 §9.1, §15
    let mut s = Trace::calling();
    recv!(s, time 0, ["INVITE 1"]);
    send!(s, time 10, response("INVITE", 180).tag("b"));
    recv!(s, time 10, ["Progress 180"]);
    s.caller(5_000, |session, now, mint| session.cancel(now, None, mint));
    recv!(s, time 5_000, ["CANCEL 1"]);
    send!(s, time 5_010, response("INVITE", 200).tag("b").body("answer"));
    recv!(s, time 5_010, ["CancelCrossed", "ACK 1", "BYE 2"]);
    send!(s, time 5_020, response("CANCEL", 481));
    send!(s, time 5_030, response("INVITE", 200).tag("b").body("answer"));
    recv!(s, time 5_030, ["ACK 1 again"]);
    send!(s, time 5_040, response("BYE", 200));
    recv!(s, time 5_040, ["ByeDone 200"]);
    recv!(s, time 37_010, ["Over"]); // timer M: another fork's 2xx might have come
}

#[test]
fn a_200_while_the_cancel_still_waits_is_ended_too() {
    let mut s = Trace::calling();
    recv!(s, time 0, ["INVITE 1"]);
    s.caller(10, |session, now, mint| session.cancel(now, None, mint));
    send!(s, time 20, response("INVITE", 200).tag("b"));
    recv!(s, time 20, ["CancelCrossed", "ACK 1", "BYE 2"]);
}

#[test]
fn a_refusal_that_crosses_our_cancel_is_what_it_is() {
    let mut s = Trace::calling();
    recv!(s, time 0, ["INVITE 1"]);
    send!(s, time 10, response("INVITE", 180).tag("b"));
    recv!(s, time 10, ["Progress 180"]);
    s.caller(5_000, |session, now, mint| session.cancel(now, None, mint));
    recv!(s, time 5_000, ["CANCEL 1"]);
    send!(s, time 5_010, response("INVITE", 486).tag("b"));
    recv!(s, time 5_010, ["ACK 1", "Failed 486 heard"]);
}

#[test]
fn a_cancel_without_a_final_response_is_given_up_after_32_s() {
    // RFC 3261 §9.1: 64*T1 after the CANCEL
    let mut s = Trace::calling();
    recv!(s, time 0, ["INVITE 1"]);
    send!(s, time 10, response("INVITE", 100));
    s.caller(1_000, |session, now, mint| session.cancel(now, None, mint));
    recv!(s, time 1_000, ["CANCEL 1"]);
    send!(s, time 1_010, response("CANCEL", 200));
    recv!(s, time 33_000, ["Cancelled"]);
    recv!(s, time 65_000, ["Over"]);
}

#[test]
fn the_callee_hangs_up() {
    // RFC 3261 §15.1.2
    let mut s = Trace::answered();
    send!(s, time 9_000, request("BYE", 1).header("Reason: Q.850;cause=16"));
    recv!(s, time 9_000, ["200 1 BYE", "PeerBye Q.850;cause=16"]);
    send!(s, time 9_500, request("BYE", 1).branch(1));
    recv!(s, time 9_500, ["200 1 BYE again"]);
    recv!(s, time 41_000, ["Over"]); // timer J
}

#[test]
fn the_callee_hangs_up_before_our_ack_reaches_it() {
    // RFC 3261 §15: it should not, but does; its 200 is still repeated meanwhile
    let mut s = Trace::answered();
    send!(s, time 1_001, request("BYE", 1));
    recv!(s, time 1_001, ["200 1 BYE", "PeerBye"]);
    send!(s, time 1_500, response("INVITE", 200).tag("b").body("answer"));
    recv!(s, time 1_500, ["ACK 1 again"]);
    recv!(s, time 33_001, ["Over"]);
}

#[test]
fn a_bye_before_any_2xx_shows_that_the_callee_is_gone() {
    let mut s = Trace::calling();
    recv!(s, time 0, ["INVITE 1"]);
    send!(s, time 10, response("INVITE", 180).tag("b"));
    recv!(s, time 10, ["Progress 180"]);
    send!(s, time 2_000, request("BYE", 1));
    recv!(s, time 2_000, ["200 1 BYE", "CANCEL 1"]);
    send!(s, time 2_010, response("INVITE", 487).tag("b"));
    recv!(s, time 2_010, ["ACK 1", "Cancelled"]);
}

#[test]
fn responses_that_are_not_for_us_are_dropped() {
    let mut s = Trace::calling();
    recv!(s, time 0, ["INVITE 1"]);
    let meant_for_another = "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKother"; // RFC 3261 §8.1.3.3
    send!(s, time 10, response("INVITE", 200).tag("b").header(meant_for_another));
    s.nothing_more();
    let invite = s.request("INVITE", None);
    let via = line(&invite, "Via").replace("z9hG4bK0123456789abcdef.", "z9hG4bK0123456789abcdef.0");
    let strange = format!("SIP/2.0 200 OK\r\nVia: {via}\r\nContent-Length: 0\r\n\r\n");
    s.give_bytes(strange.into());
    s.nothing_more();
}

#[test]
fn both_hang_up_at_once() {
    // RFC 5407 §3.2.1
    let mut s = Trace::answered();
    s.caller(9_000, |session, now, mint| session.bye(now, Some(Reason::q850(16, "Normal")), mint));
    recv!(s, time 9_000, ["BYE 2"]);
    assert_eq!(line(&s.request("BYE", None), "Reason"), "Q.850;cause=16;text=\"Normal\"");
    send!(s, time 9_001, request("BYE", 1));
    recv!(s, time 9_001, ["200 1 BYE"]);
    send!(s, time 9_002, response("BYE", 481));
    recv!(s, time 9_002, ["ByeDone 481"]);
    recv!(s, time 41_001, ["Over"]);
}

#[test]
fn a_bye_that_nobody_answers_is_given_up_after_32_s() {
    // RFC 3261 §17.1.2.2, timers E and F
    let mut s = Trace::answered();
    quiet!(s, until 40_000);
    s.caller(40_000, |session, now, mint| session.bye(now, None, mint));
    recv!(s, time 40_000, ["BYE 2"]);
    for after in [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500] {
        recv!(s, time 40_000 + after, ["BYE 2 again"]);
    }
    recv!(s, time 72_000, ["ByeDone silence", "Over"]);
}

#[test]
fn a_failed_transport_ends_what_waits_for_an_answer() {
    // RFC 3261 §17.1.4
    let mut s = Trace::calling();
    recv!(s, time 0, ["INVITE 1"]);
    s.caller(5, |session, now, mint| session.transport_failed(now, mint));
    recv!(s, time 5, ["Failed silence", "Over"]);

    let mut s = Trace::answered();
    s.caller(2_000, |session, now, mint| {
        session.transport_failed(now, mint); // a session alone does not end by it
        session.bye(now, None, mint);
        session.transport_failed(now, mint);
    });
    recv!(s, time 2_000, ["BYE 2", "ByeDone silence"]);
    recv!(s, time 33_000, ["Over"]);
}

#[test]
fn wishes_at_the_wrong_time_do_nothing() {
    let mut s = Trace::answered();
    s.caller(2_000, |session, now, mint| {
        session.answer(now, None, mint);
        session.reject(now, StatusCode::BUSY_HERE, mint);
        session.cancel(now, None, mint); // after the 2xx it is a BYE
        session.bye(now, None, mint);
    });
    recv!(s, time 2_000, ["BYE 2"]);
}

#[test]
fn early_media_is_progress_and_no_answer() {
    let mut s = Trace::calling();
    recv!(s, time 0, ["INVITE 1"]);
    send!(s, time 10, response("INVITE", 183).tag("b").body("early"));
    recv!(s, time 10, ["Progress 183 early"]);
    send!(s, time 20, response("INVITE", 180).tag("c"));
    recv!(s, time 20, ["Progress 180"]);
    send!(s, time 30, response("INVITE", 200).tag("c").body("answer"));
    recv!(s, time 30, ["Answered answer", "ACK 1"]);
    assert!(line(&s.request("ACK", None), "To").ends_with(";tag=c"));
}

#[test]
fn a_2xx_without_contact_or_tag_of_an_old_peer_still_makes_a_dialog() {
    // RFC 3261 §12.1.2: no To tag, RFC 2543
    let mut s = Trace::calling();
    recv!(s, time 0, ["INVITE 1"]);
    send!(s, time 10, response("INVITE", 200).contact(None));
    recv!(s, time 10, ["Answered", "ACK 1"]);
    assert!(s.request("ACK", None).starts_with("ACK sip:+254711000001@198.51.100.7 SIP/2.0\r\n"));
}

#[test]
fn a_live_call_is_a_small_record() {
    let mut s = Trace::calling();
    recv!(s, time 0, ["INVITE 1"]);
    assert!(s.record().len() < 1_500, "{} bytes while it rings", s.record().len());
    let mut s = Trace::answered();
    assert!(s.record().len() < 1_100, "{} bytes just answered", s.record().len());
    quiet!(s, until 40_000);
    assert!(s.record().len() < 400, "{} bytes while they talk", s.record().len());
}
