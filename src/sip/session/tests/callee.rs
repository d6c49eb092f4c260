//! The callee's side.

use bytes::Bytes;

use super::peer::{Asked, line, request, response};
use super::trace::{Trace, quiet, recv, send};
use crate::sip::{HeaderName, StatusCode};

const TO_US: &str = "<sip:callee@192.0.2.1>";

fn invite() -> Asked {
    request("INVITE", 1).tag("a").to(TO_US).body("offer").branch(1)
}

fn accept(trace: &mut Trace, ms: u64) {
    trace.callee(ms, |incoming, now, mint| {
        incoming.accept(now, Some(&Bytes::from_static(b"answer")), mint);
    });
}

fn last(trace: &Trace) -> String {
    String::from_utf8(trace.sent.last().unwrap().bytes.to_vec()).unwrap()
}

/// A callee that answered at 1,000 ms and has the ACK.
fn talking() -> Trace {
    let mut s = Trace::called(&invite());
    s.callee(10, |incoming, now, mint| incoming.ring(now, StatusCode::RINGING, None, mint));
    recv!(s, time 10, ["180 1 INVITE"]);
    accept(&mut s, 1_000);
    recv!(s, time 1_000, ["200 1 INVITE"]);
    send!(s, time 1_010, request("ACK", 1).tag("a"));
    recv!(s, time 1_010, ["Acked"]);
    s
}

#[test]
fn a_call_that_the_caller_ends() {
    // RFC 3261 §13.3
    let mut s = talking();
    send!(s, time 9_000, request("BYE", 2).tag("a"));
    recv!(s, time 9_000, ["200 2 BYE", "PeerBye"]);
    recv!(s, time 41_000, ["Over"]);
}

#[test]
fn a_callee_that_needs_long_says_100_first_and_repeats_what_it_said() {
    // RFC 3261 §17.2.1
    let mut s = Trace::called(&invite());
    recv!(s, time 200, ["100 1 INVITE"]);
    send!(s, time 500, invite());
    recv!(s, time 500, ["100 1 INVITE again"]);
    s.callee(600, |incoming, now, mint| incoming.ring(now, StatusCode::RINGING, None, mint));
    recv!(s, time 600, ["180 1 INVITE"]);
    assert_eq!(line(&last(&s), "Contact"), "<sip:0123456789abcdef@192.0.2.1:5060>");
    assert!(line(&last(&s), "To").contains(";tag="));
    send!(s, time 1_500, invite());
    recv!(s, time 1_500, ["180 1 INVITE again"]);
    quiet!(s, until 60_000);
}

#[test]
fn the_200_is_repeated_until_the_ack() {
    // RFC 3261 §13.3.1.4
    let mut s = Trace::called(&invite());
    accept(&mut s, 100);
    recv!(s, time 100, ["200 1 INVITE"]);
    recv!(s, time 600, ["200 1 INVITE again"]);
    send!(s, time 700, invite()); // absorbed: RFC 6026 §7.1
    recv!(s, time 1_600, ["200 1 INVITE again"]);
    send!(s, time 1_700, request("ACK", 1).tag("a"));
    recv!(s, time 1_700, ["Acked"]);
    quiet!(s, until 60_000);
}

#[test]
fn without_ack_the_callee_hangs_up_after_32_s() {
    // RFC 3261 §13.3.1.4
    let mut s = Trace::called(&invite());
    accept(&mut s, 0);
    recv!(s, time 0, ["200 1 INVITE"]);
    for at in [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500] {
        recv!(s, time at, ["200 1 INVITE again"]);
    }
    recv!(s, time 32_000, ["Unacked", "BYE 1"]);
    send!(s, time 32_100, response("BYE", 200));
    recv!(s, time 32_100, ["ByeDone 200"]);
    recv!(s, time 37_100, ["Over"]);
}

#[test]
fn a_callee_hangs_up_only_after_the_ack() {
    // RFC 3261 §15
    let mut s = Trace::called(&invite());
    accept(&mut s, 0);
    recv!(s, time 0, ["200 1 INVITE"]);
    s.callee(10, |incoming, now, mint| incoming.bye(now, None, mint));
    recv!(s, time 500, ["200 1 INVITE again"]);
    send!(s, time 600, request("ACK", 1).tag("a"));
    recv!(s, time 600, ["Acked", "BYE 1"]);
    send!(s, time 700, response("BYE", 200));
    recv!(s, time 700, ["ByeDone 200"]);
    recv!(s, time 32_000, ["Over"]);
}

#[test]
fn busy_with_a_cause() {
    // RFC 3261 §17.2.1
    let mut s = Trace::called(&invite());
    s.callee(10, |incoming, now, mint| {
        let cause = vec![(HeaderName::Reason, "Q.850;cause=17".to_owned())];
        incoming.refuse(now, StatusCode::BUSY_HERE, cause, mint);
    });
    recv!(s, time 10, ["486 1 INVITE"]);
    assert_eq!(line(&last(&s), "Reason"), "Q.850;cause=17");
    recv!(s, time 510, ["486 1 INVITE again"]);
    send!(s, time 600, request("ACK", 1).tag("a").branch(1));
    quiet!(s, until 5_599);
    recv!(s, time 5_600, ["Over"]); // timer I, T4
}

#[test]
fn the_caller_cancels() {
    // RFC 3261 §9.2
    let mut s = Trace::called(&invite());
    s.callee(10, |incoming, now, mint| incoming.ring(now, StatusCode::RINGING, None, mint));
    recv!(s, time 10, ["180 1 INVITE"]);
    let cancel = request("CANCEL", 1).tag("a").to(TO_US).branch(1).header("Reason: SIP;cause=200");
    send!(s, time 5_000, cancel.clone());
    recv!(s, time 5_000, ["200 1 CANCEL", "487 1 INVITE", "Cancelled SIP;cause=200"]);
    send!(s, time 5_100, cancel);
    recv!(s, time 5_100, ["200 1 CANCEL again"]);
    send!(s, time 5_200, request("ACK", 1).tag("a").branch(1));
    accept(&mut s, 5_300);
    recv!(s, time 37_000, ["Over"]);
}

#[test]
fn a_cancel_after_the_200_changes_nothing() {
    // RFC 3261 §9.2
    let mut s = Trace::called(&invite());
    accept(&mut s, 10);
    recv!(s, time 10, ["200 1 INVITE"]);
    send!(s, time 20, request("CANCEL", 1).tag("a").to(TO_US).branch(1));
    recv!(s, time 20, ["200 1 CANCEL"]);
    send!(s, time 30, request("ACK", 1).tag("a"));
    recv!(s, time 30, ["Acked"]);
}

#[test]
fn a_bye_in_the_early_dialog_ends_it() {
    // RFC 3261 §15.1.2
    let mut s = Trace::called(&invite());
    s.callee(10, |incoming, now, mint| incoming.ring(now, StatusCode::RINGING, None, mint));
    recv!(s, time 10, ["180 1 INVITE"]);
    send!(s, time 20, request("BYE", 2).tag("a"));
    recv!(s, time 20, ["200 2 BYE", "Cancelled", "487 1 INVITE"]);
}

#[test]
fn an_invite_that_expires() {
    // RFC 3261 §13.3.1
    let mut s = Trace::called(&invite().header("Expires: 30"));
    s.callee(10, |incoming, now, mint| incoming.ring(now, StatusCode::RINGING, None, mint));
    recv!(s, time 10, ["180 1 INVITE"]);
    recv!(s, time 30_000, ["487 1 INVITE", "Cancelled"]);
}

#[test]
fn an_invite_that_requires_what_we_cannot() {
    // RFC 3261 §8.2.2.3
    let mut s = Trace::called(&invite().header("Require: 100rel, gruu"));
    recv!(s, time 0, ["420 1 INVITE"]);
    assert_eq!(line(&last(&s), "Unsupported"), "gruu");
    send!(s, time 10, request("ACK", 1).tag("a").branch(1));
    recv!(s, time 5_010, ["Over"]);
}

#[test]
fn the_same_invite_on_a_second_way() {
    // RFC 3261 §8.2.2.2
    let mut s = Trace::called(&invite());
    s.callee(10, |incoming, now, mint| incoming.ring(now, StatusCode::RINGING, None, mint));
    recv!(s, time 10, ["180 1 INVITE"]);
    send!(s, time 20, invite().branch(77));
    recv!(s, time 20, ["482 1 INVITE again"]);
}

#[test]
fn our_reinvite() {
    // RFC 3261 §14.1
    let mut s = talking();
    s.callee(2_000, |incoming, now, mint| {
        assert!(incoming.reinvite(now, Some(&Bytes::from_static(b"hold")), mint));
        assert!(!incoming.reinvite(now, Some(&Bytes::from_static(b"again")), mint), "one at a time");
    });
    recv!(s, time 2_000, ["INVITE 1"]);
    assert_eq!(s.destination(), "198.51.100.8:5060", "to the caller's Contact");
    recv!(s, time 2_500, ["INVITE 1 again"]);
    send!(s, time 2_600, request("INVITE", 2).tag("a").body("glare"));
    recv!(s, time 2_600, ["491 2 INVITE"]); // §14.2
    send!(s, time 2_610, request("ACK", 2).tag("a").branch(3));
    send!(s, time 2_700, response("INVITE", 200).body("held"));
    recv!(s, time 2_700, ["ReinviteAnswered held", "ACK 1"]);
    send!(s, time 3_200, response("INVITE", 200).body("held"));
    recv!(s, time 3_200, ["ACK 1 again"]);
    assert_eq!(s.destination(), "198.51.100.7:5060", "the answer moved the target");
    s.callee(60_000, |incoming, now, mint| {
        assert!(incoming.reinvite(now, None, mint));
    });
    recv!(s, time 60_000, ["INVITE 2"]);
    send!(s, time 60_010, response("INVITE", 488));
    recv!(s, time 60_010, ["ACK 2", "ReinviteRefused 488"]);
}

#[test]
fn a_reinvite_that_is_never_answered_does_not_outlive_the_call() {
    let mut s = talking();
    quiet!(s, until 40_000);
    s.callee(40_000, |incoming, now, mint| {
        assert!(incoming.reinvite(now, None, mint));
    });
    recv!(s, time 40_000, ["INVITE 1"]);
    send!(s, time 40_100, response("INVITE", 100));
    send!(s, time 50_000, request("BYE", 2).tag("a"));
    recv!(s, time 50_000, ["200 2 BYE", "PeerBye"]);
    recv!(s, time 82_000, ["Over"]);
}
