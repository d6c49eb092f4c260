//! The record is read back: whatever may not have left is sent again, byte for byte.

use bytes::Bytes;

use super::peer::{request, response};
use super::trace::{Trace, quiet, recv, send};

/// Compares the latest bytes with what was sent at `index` before.
fn same_bytes(trace: &Trace, index: usize) {
    assert_eq!(trace.sent.last().unwrap().bytes, trace.sent[index].bytes);
}

#[test]
fn an_invite_that_nobody_answered() {
    let mut s = Trace::calling();
    recv!(s, time 0, ["INVITE 1"]);
    s.away_until(300);
    recv!(s, time 300, ["INVITE 1 again"]);
    same_bytes(&s, 0);
    recv!(s, time 500, ["INVITE 1 again"]);
}

#[test]
fn an_invite_is_not_sent_again_once_the_peer_has_it_or_too_late() {
    let mut s = Trace::calling();
    recv!(s, time 0, ["INVITE 1"]);
    send!(s, time 10, response("INVITE", 180).tag("b"));
    recv!(s, time 10, ["Progress 180"]);
    s.away_until(3_000);
    quiet!(s, until 40_009);
}

/// Nobody was there for longer than 64*T1: a response may have come to nobody, and the phone may ring. (The INVITE again
/// would ring it anew.)
#[test]
fn an_invite_whose_time_ran_out_meanwhile_is_cancelled() {
    let mut s = Trace::calling();
    recv!(s, time 0, ["INVITE 1"]);
    s.away_until(33_000);
    recv!(s, time 33_000, ["CANCEL 1"]);
    send!(s, time 33_010, response("INVITE", 200).tag("b"));
    recv!(s, time 33_010, ["CancelCrossed", "ACK 1", "BYE 2"]);

    let mut s = Trace::calling();
    recv!(s, time 0, ["INVITE 1"]);
    s.away_until(33_000);
    recv!(s, time 33_000, ["CANCEL 1"]);
    send!(s, time 33_010, response("CANCEL", 481));
    recv!(s, time 65_000, ["Failed silence"]); // not before: nobody else may be rung
}

#[test]
fn what_was_to_be_left_is_left_however_long_nobody_was_there() {
    let mut s = Trace::answered();
    s.caller(2_000, |session, now, mint| session.bye(now, None, mint));
    recv!(s, time 2_000, ["BYE 2"]);
    s.away_until(60_000);
    recv!(s, time 60_000, ["ACK 1 again", "BYE 2 again"]);
    recv!(s, time 60_500, ["BYE 2 again"]);
    send!(s, time 60_600, response("BYE", 481));
    recv!(s, time 60_600, ["ByeDone 481"]);

    let mut s = cancelled();
    s.away_until(60_000);
    recv!(s, time 60_000, ["CANCEL 1 again"]);
    send!(s, time 60_010, response("CANCEL", 200));
    send!(s, time 60_020, response("INVITE", 487).tag("b"));
    recv!(s, time 60_020, ["ACK 1", "Cancelled"]);
}

/// It rings, and is cancelled after a second.
fn cancelled() -> Trace {
    let mut s = Trace::calling();
    recv!(s, time 0, ["INVITE 1"]);
    send!(s, time 10, response("INVITE", 180).tag("b"));
    recv!(s, time 10, ["Progress 180"]);
    s.caller(1_000, |session, now, mint| session.cancel(now, None, mint));
    recv!(s, time 1_000, ["CANCEL 1"]);
    s
}

#[test]
fn a_cancel_an_ack_and_a_bye() {
    let mut s = cancelled();
    s.away_until(1_200);
    recv!(s, time 1_200, ["CANCEL 1 again"]);
    same_bytes(&s, 1);
    send!(s, time 1_300, response("INVITE", 200).tag("b"));
    recv!(s, time 1_300, ["CancelCrossed", "ACK 1", "BYE 2"]);
    send!(s, time 1_310, response("CANCEL", 481));
    s.away_until(1_400);
    recv!(s, time 1_400, ["ACK 1 again", "BYE 2 again"]);
    same_bytes(&s, 4);
}

#[test]
fn a_200_that_waits_for_its_ack_and_the_answer_to_a_bye() {
    let mut s = Trace::answered();
    send!(s, time 2_000, request("INVITE", 7).body("theirs"));
    recv!(s, time 2_000, ["Offered theirs"]);
    s.caller(2_000, |session, now, mint| session.answer(now, Some(&Bytes::from_static(b"ours")), mint));
    recv!(s, time 2_000, ["200 7 INVITE"]);
    s.away_until(2_100);
    recv!(s, time 2_100, ["ACK 1 again", "200 7 INVITE again"]);
    same_bytes(&s, 2);
    send!(s, time 2_200, request("BYE", 8));
    recv!(s, time 2_200, ["200 8 BYE", "PeerBye"]);
    s.away_until(2_300);
    recv!(s, time 2_300, ["ACK 1 again", "200 8 BYE again"]);
}

#[test]
fn an_offer_that_waits_for_its_answer_is_still_there() {
    let mut s = Trace::answered();
    send!(s, time 2_000, request("INVITE", 7).body("theirs"));
    recv!(s, time 2_000, ["Offered theirs"]);
    s.away_until(2_100);
    recv!(s, time 2_100, ["ACK 1 again"]);
    s.caller(2_200, |session, now, mint| session.answer(now, Some(&Bytes::from_static(b"ours")), mint));
    recv!(s, time 2_200, ["200 7 INVITE"]);
}
