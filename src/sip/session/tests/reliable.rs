//! A callee whose ringing wants a PRACK (RFC 3262 §3), and that sends UPDATEs (RFC 3311 §5.1).

use bytes::Bytes;

use super::peer::{Asked, line, request, response};
use super::trace::{Trace, quiet, recv, send};
use crate::sip::StatusCode;

fn invite() -> Asked {
    let invite = request("INVITE", 1).tag("a").to("<sip:callee@192.0.2.1>").body("offer").branch(1);
    invite.header("Supported: timer, 100rel").header("Allow: INVITE, ACK, BYE, CANCEL, PRACK, UPDATE")
}

fn ring(trace: &mut Trace, ms: u64, status: StatusCode, body: Option<&'static str>) {
    trace.callee(ms, |incoming, now, mint| {
        let body = body.map(|body| Bytes::from_static(body.as_bytes()));
        assert!(incoming.ring_reliably(now, status, body.as_ref(), mint));
    });
}

fn accept(trace: &mut Trace, ms: u64) {
    trace.callee(ms, |incoming, now, mint| {
        incoming.accept(now, Some(&Bytes::from_static(b"answer")), mint);
    });
}

fn update(trace: &mut Trace, ms: u64, goes: bool) {
    trace.callee(ms, |incoming, now, mint| {
        assert_eq!(incoming.update(now, Some(&Bytes::from_static(b"changed")), mint), goes);
    });
}

fn last(trace: &Trace) -> String {
    String::from_utf8(trace.sent.last().unwrap().bytes.to_vec()).unwrap()
}

/// The PRACK of the last ringing.
fn prack(trace: &Trace, cseq: u32) -> Asked {
    let ringing = trace.sent.iter().rev().map(|sent| String::from_utf8(sent.bytes.to_vec()).unwrap());
    let ringing = ringing.into_iter().find(|text| text.contains("RSeq: ")).unwrap();
    request("PRACK", cseq).tag("a").header(&format!("RAck: {} 1 INVITE", line(&ringing, "RSeq")))
}

/// It rings with its answer at 10 ms, and has the PRACK at 20 ms.
fn acknowledged() -> Trace {
    let mut s = Trace::called(&invite());
    ring(&mut s, 10, StatusCode::SESSION_PROGRESS, Some("early"));
    recv!(s, time 10, ["183 1 INVITE"]);
    let prack = prack(&s, 2);
    send!(s, time 20, prack);
    recv!(s, time 20, ["200 2 PRACK"]);
    s
}

#[test]
fn a_ringing_is_repeated_until_its_prack() {
    let mut s = Trace::called(&invite());
    ring(&mut s, 10, StatusCode::RINGING, None);
    recv!(s, time 10, ["180 1 INVITE"]);
    assert_eq!(line(&last(&s), "Require"), "100rel");
    assert!(line(&last(&s), "Allow").contains("UPDATE"));
    recv!(s, time 510, ["180 1 INVITE again"]);
    send!(s, time 600, invite()); // its repeat
    recv!(s, time 600, ["180 1 INVITE again"]);
    recv!(s, time 1_510, ["180 1 INVITE again"]);
    send!(s, time 2_000, request("PRACK", 2).tag("a").header("RAck: 1 1 INVITE"));
    recv!(s, time 2_000, ["481 2 PRACK"]); // of another one
    recv!(s, time 3_510, ["180 1 INVITE again"]);
    let prack = prack(&s, 3);
    send!(s, time 4_000, prack.clone().branch(9));
    recv!(s, time 4_000, ["200 3 PRACK"]);
    send!(s, time 4_500, prack.branch(9));
    recv!(s, time 4_500, ["200 3 PRACK again"]);
    quiet!(s, until 60_000);
    accept(&mut s, 60_000);
    recv!(s, time 60_000, ["200 1 INVITE"]);
    assert!(last(&s).ends_with("\r\n\r\nanswer"), "no ringing had an answer");
}

#[test]
fn the_next_ringing_and_the_200_wait_for_the_prack() {
    // RFC 3262 §3: one at a time, numbered without gaps; no 2xx before
    let mut s = Trace::called(&invite());
    ring(&mut s, 10, StatusCode::SESSION_PROGRESS, Some("early"));
    recv!(s, time 10, ["183 1 INVITE"]);
    let first: u32 = line(&last(&s), "RSeq").parse().unwrap();
    ring(&mut s, 20, StatusCode::RINGING, Some("another answer"));
    let acknowledgement = prack(&s, 2);
    send!(s, time 30, acknowledgement);
    recv!(s, time 30, ["200 2 PRACK", "180 1 INVITE"]);
    assert_eq!(line(&last(&s), "RSeq"), (first + 1).to_string());
    assert!(last(&s).ends_with("\r\n\r\n"), "there is one answer");
    accept(&mut s, 40);
    quiet!(s, until 100);
    let acknowledgement = prack(&s, 3);
    send!(s, time 100, acknowledgement);
    recv!(s, time 100, ["200 3 PRACK", "200 1 INVITE"]);
    assert!(last(&s).ends_with("\r\n\r\n"), "the 183 had the answer");
    send!(s, time 110, request("ACK", 1).tag("a"));
    recv!(s, time 110, ["Acked"]);
}

#[test]
fn without_a_prack_the_invite_is_refused_after_32_s() {
    let mut s = Trace::called(&invite());
    ring(&mut s, 0, StatusCode::RINGING, None);
    recv!(s, time 0, ["180 1 INVITE"]);
    accept(&mut s, 0); // in vain
    for at in [500, 1_500, 3_500, 7_500, 15_500, 31_500] {
        recv!(s, time at, ["180 1 INVITE again"]);
    }
    recv!(s, time 32_000, ["504 1 INVITE", "Cancelled"]);
    send!(s, time 32_010, request("ACK", 1).tag("a").branch(1));
    recv!(s, time 37_010, ["Over"]);
}

#[test]
fn a_caller_that_requires_it_is_rung_so_and_one_that_knows_nothing_of_it_is_not() {
    let mut s =
        Trace::called(&request("INVITE", 1).tag("a").to("<sip:us@h>").header("Require: 100rel").branch(1));
    s.callee(10, |incoming, now, mint| incoming.ring(now, StatusCode::RINGING, None, mint));
    recv!(s, time 10, ["180 1 INVITE"]);
    assert_eq!(line(&last(&s), "Require"), "100rel");

    let mut s = Trace::called(&request("INVITE", 1).tag("a").to("<sip:us@h>").branch(1));
    s.callee(10, |incoming, now, mint| {
        assert!(!incoming.ring_reliably(now, StatusCode::RINGING, None, mint));
        assert!(!incoming.update(now, None, mint), "it allows no UPDATE");
    });
    s.nothing_more();
}

#[test]
fn a_caller_cancels_what_has_no_prack_yet() {
    let mut s = Trace::called(&invite());
    ring(&mut s, 10, StatusCode::RINGING, None);
    recv!(s, time 10, ["180 1 INVITE"]);
    accept(&mut s, 20);
    send!(s, time 30, request("CANCEL", 1).tag("a").to("<sip:callee@192.0.2.1>").branch(1));
    recv!(s, time 30, ["200 1 CANCEL", "487 1 INVITE", "Cancelled"]);
    let late = prack(&s, 2);
    send!(s, time 40, late);
    recv!(s, time 40, ["481 2 PRACK"]);
    send!(s, time 50, request("ACK", 1).tag("a").branch(1));
    recv!(s, time 32_040, ["Over"]);
}

#[test]
fn an_offer_in_a_prack_is_answered_in_its_200() {
    // RFC 3262 §5
    let mut s = Trace::called(&invite());
    ring(&mut s, 10, StatusCode::SESSION_PROGRESS, Some("early"));
    recv!(s, time 10, ["183 1 INVITE"]);
    accept(&mut s, 15);
    let prack = prack(&s, 2).body("next offer").branch(9);
    send!(s, time 20, prack.clone());
    recv!(s, time 20, ["Offered next offer"]);
    send!(s, time 25, prack.clone());
    s.nothing_more();
    accept(&mut s, 30);
    recv!(s, time 30, ["200 2 PRACK", "200 1 INVITE"]);
    let sent: Vec<_> = s.sent.iter().rev().take(2).map(|sent| String::from_utf8_lossy(&sent.bytes)).collect();
    assert!(sent[0].ends_with("\r\n\r\n"), "the 183 had the answer");
    assert!(sent[1].ends_with("\r\n\r\nanswer") && !sent[1].contains("Contact:"), "{}", sent[1]);
    send!(s, time 40, prack);
    recv!(s, time 40, ["200 2 PRACK again"]);
}

#[test]
fn an_offer_in_a_prack_that_cannot_be_met_is_refused_and_the_ringing_counts_as_heard() {
    let mut s = Trace::called(&invite());
    ring(&mut s, 10, StatusCode::SESSION_PROGRESS, Some("early"));
    recv!(s, time 10, ["183 1 INVITE"]);
    let acknowledgement = prack(&s, 2).body("next offer");
    send!(s, time 20, acknowledgement);
    recv!(s, time 20, ["Offered next offer"]);
    s.callee(30, |incoming, now, mint| {
        incoming.refuse(now, StatusCode::NOT_ACCEPTABLE_HERE, Vec::new(), mint);
    });
    recv!(s, time 30, ["488 2 PRACK"]);
    quiet!(s, until 5_000);
    accept(&mut s, 5_000);
    recv!(s, time 5_000, ["200 1 INVITE"]);
}

#[test]
fn before_the_first_offer_has_its_answer_a_prack_has_none() {
    let mut s = Trace::called(&invite());
    ring(&mut s, 10, StatusCode::RINGING, None);
    recv!(s, time 10, ["180 1 INVITE"]);
    let acknowledgement = prack(&s, 2).body("next offer");
    send!(s, time 20, acknowledgement);
    recv!(s, time 20, ["488 2 PRACK"]);
    quiet!(s, until 5_000);
}

#[test]
fn an_early_update_waits_for_the_answer_and_the_200_for_the_update() {
    let mut s = Trace::called(&invite());
    ring(&mut s, 10, StatusCode::SESSION_PROGRESS, Some("early"));
    recv!(s, time 10, ["183 1 INVITE"]);
    update(&mut s, 15, false);
    let acknowledgement = prack(&s, 2);
    send!(s, time 20, acknowledgement);
    recv!(s, time 20, ["200 2 PRACK"]);
    update(&mut s, 30, true);
    recv!(s, time 30, ["UPDATE 1"]);
    assert!(last(&s).ends_with("\r\n\r\nchanged") && line(&last(&s), "Contact").contains("192.0.2.1"));
    update(&mut s, 35, false); // one at a time
    send!(s, time 40, request("UPDATE", 3).tag("a").body("theirs"));
    recv!(s, time 40, ["491 3 UPDATE"]);
    accept(&mut s, 50);
    recv!(s, time 530, ["UPDATE 1 again"]);
    send!(s, time 600, response("UPDATE", 200).body("agreed").contact(Some("<sip:moved@198.51.100.9>")));
    recv!(s, time 600, ["ReinviteAnswered agreed", "200 1 INVITE"]);
    assert!(last(&s).ends_with("\r\n\r\n"));
    send!(s, time 610, request("ACK", 1).tag("a"));
    recv!(s, time 610, ["Acked"]);
    s.callee(700, |incoming, now, mint| incoming.bye(now, None, mint));
    recv!(s, time 700, ["BYE 2"]);
    assert_eq!(s.destination(), "198.51.100.9:5060", "the 200 of the UPDATE moved the target");
}

#[test]
fn a_caller_may_update_what_was_answered_reliably() {
    let mut s = acknowledged();
    send!(s, time 30, request("UPDATE", 3).tag("a").body("theirs"));
    recv!(s, time 30, ["Offered theirs"]);
    accept(&mut s, 30);
    recv!(s, time 30, ["200 3 UPDATE"]);
    accept(&mut s, 40);
    recv!(s, time 40, ["200 1 INVITE"]);
}

#[test]
fn an_update_that_is_refused_or_unanswered_leaves_all_as_it_was() {
    let mut s = acknowledged();
    update(&mut s, 30, true);
    recv!(s, time 30, ["UPDATE 1"]);
    send!(s, time 40, response("UPDATE", 488));
    recv!(s, time 40, ["ReinviteRefused 488"]);
    accept(&mut s, 50);
    recv!(s, time 50, ["200 1 INVITE"]);
    send!(s, time 60, request("ACK", 1).tag("a"));
    recv!(s, time 60, ["Acked"]);
    update(&mut s, 40_000, true);
    recv!(s, time 40_000, ["UPDATE 2"]);
    for at in [40_500, 41_500, 43_500, 47_500, 51_500, 55_500, 59_500, 63_500, 67_500, 71_500] {
        recv!(s, time at, ["UPDATE 2 again"]);
    }
    recv!(s, time 72_000, ["ReinviteRefused silence"]);
}

#[test]
fn a_reliable_ringing_is_part_of_the_record() {
    let mut s = Trace::called(&invite());
    ring(&mut s, 10, StatusCode::SESSION_PROGRESS, Some("early"));
    recv!(s, time 10, ["183 1 INVITE"]);
    accept(&mut s, 20);
    s.away_until(300);
    recv!(s, time 300, ["183 1 INVITE again"]);
    let acknowledgement = prack(&s, 2);
    send!(s, time 310, acknowledgement);
    recv!(s, time 310, ["200 2 PRACK", "200 1 INVITE"]);
}
