//! UPDATE (RFC 3311), and offers that meet (RFC 3261 §14, RFC 3264 §4).

use bytes::Bytes;

use super::peer::{line, request, response};
use super::trace::{Trace, quiet, recv, send};
use crate::sip::StatusCode;

fn answer(trace: &mut Trace, ms: u64) {
    trace.caller(ms, |session, now, mint| session.answer(now, Some(&Bytes::from_static(b"ours")), mint));
}

fn last(trace: &Trace) -> String {
    String::from_utf8(trace.sent.last().unwrap().bytes.to_vec()).unwrap()
}

#[test]
fn an_update_with_an_offer_is_answered_in_its_200() {
    // RFC 3311 §5.2
    let mut s = Trace::answered();
    let moved = "Contact: <sip:moved@198.51.100.8>";
    send!(s, time 40_000, request("UPDATE", 7).body("theirs").header(moved));
    recv!(s, time 40_000, ["Offered theirs"]);
    answer(&mut s, 40_000);
    recv!(s, time 40_000, ["200 7 UPDATE"]);
    assert!(last(&s).ends_with("\r\n\r\nours"));
    assert_eq!(line(&last(&s), "Contact"), "<sip:0123456789abcdef@192.0.2.1:5060>");
    send!(s, time 40_100, request("UPDATE", 7).body("theirs").branch(1));
    recv!(s, time 40_100, ["200 7 UPDATE again"]);
    quiet!(s, until 80_000); // no ACK is waited for
    s.caller(80_000, |session, now, mint| session.bye(now, None, mint));
    recv!(s, time 80_000, ["BYE 2"]);
    assert_eq!(s.destination(), "198.51.100.8:5060");
}

#[test]
fn an_update_that_is_refused_leaves_all_as_it_was() {
    let mut s = Trace::answered();
    let moved = "Contact: <sip:moved@198.51.100.8>";
    send!(s, time 40_000, request("UPDATE", 7).body("video").header(moved));
    recv!(s, time 40_000, ["Offered video"]);
    s.caller(40_000, |session, now, mint| session.reject(now, StatusCode::NOT_ACCEPTABLE_HERE, mint));
    recv!(s, time 40_000, ["488 7 UPDATE"]);
    s.caller(80_000, |session, now, mint| session.bye(now, None, mint));
    recv!(s, time 80_000, ["BYE 2"]);
    assert_eq!(s.destination(), "198.51.100.7:5060");
}

#[test]
fn an_update_without_offer_moves_the_target_alone() {
    let mut s = Trace::answered();
    send!(s, time 40_000, request("UPDATE", 7).header("Contact: <sip:moved@198.51.100.8>"));
    recv!(s, time 40_000, ["200 7 UPDATE"]);
    s.caller(80_000, |session, now, mint| session.bye(now, None, mint));
    recv!(s, time 80_000, ["BYE 2"]);
    assert_eq!(s.destination(), "198.51.100.8:5060");
}

#[test]
fn a_second_offer_before_the_first_is_answered() {
    // RFC 3311 §5.2, RFC 3261 §14.2
    let mut s = Trace::answered();
    send!(s, time 40_000, request("UPDATE", 7).body("first"));
    recv!(s, time 40_000, ["Offered first"]);
    for (cseq, method) in [(8, "UPDATE"), (9, "INVITE")] {
        send!(s, time 40_000, request(method, cseq).body("second"));
        recv!(s, time 40_000, [format!("500 {cseq} {method}")]);
        assert!(line(&last(&s), "Retry-After").parse::<u32>().unwrap() <= 10);
    }
    send!(s, time 40_000, request("ACK", 9).branch(3));
    send!(s, time 40_000, request("UPDATE", 7).body("first").branch(1)); // its own repeat: the answer is coming
    s.nothing_more();
    answer(&mut s, 40_000);
    recv!(s, time 40_000, ["200 7 UPDATE"]);

    let mut s = Trace::answered();
    send!(s, time 40_000, request("INVITE", 7).body("first"));
    recv!(s, time 40_000, ["Offered first"]);
    send!(s, time 40_000, request("UPDATE", 8).body("second"));
    recv!(s, time 40_000, ["500 8 UPDATE"]);
}

#[test]
fn offers_that_meet() {
    // RFC 3311 §5.2, RFC 3261 §14.2: 491, and the owner of the Call-ID waits longer
    let mut s = Trace::answered();
    s.caller(40_000, |session, now, mint| {
        assert!(session.reinvite(now, &Bytes::from_static(b"ours"), mint));
        assert!(!session.reinvite(now, &Bytes::from_static(b"more"), mint), "one at a time");
    });
    recv!(s, time 40_000, ["INVITE 2"]);
    send!(s, time 40_010, request("UPDATE", 7).body("theirs"));
    recv!(s, time 40_010, ["491 7 UPDATE"]);
    send!(s, time 40_010, request("UPDATE", 8)); // no offer, no glare
    recv!(s, time 40_010, ["200 8 UPDATE"]);
    send!(s, time 40_020, request("INVITE", 9).body("theirs"));
    recv!(s, time 40_020, ["491 9 INVITE"]);
    send!(s, time 40_025, request("ACK", 9).branch(3));
    send!(s, time 40_030, response("INVITE", 491));
    recv!(s, time 40_030, ["ACK 2"]);
    quiet!(s, until 42_129); // 2.1 to 4 s
    s.run_until(44_030);
    let heard = s.take_heard();
    assert_eq!(heard.first().map(|(_, said)| said.as_str()), Some("INVITE 3"), "{heard:?}");
    assert!(s.request("INVITE", None).ends_with("\r\n\r\nours"));
    send!(s, time 44_100, response("INVITE", 200).body("answer"));
    recv!(s, time 44_100, ["ReinviteAnswered answer", "ACK 3"]);
}

#[test]
fn the_peers_offer_that_comes_first_after_a_glare_outruns_ours() {
    let mut s = Trace::answered();
    s.caller(40_000, |session, now, mint| {
        assert!(session.reinvite(now, &Bytes::from_static(b"ours"), mint));
    });
    recv!(s, time 40_000, ["INVITE 2"]);
    send!(s, time 40_030, response("INVITE", 491));
    recv!(s, time 40_030, ["ACK 2"]);
    send!(s, time 41_000, request("INVITE", 9).body("theirs"));
    recv!(s, time 41_000, ["Offered theirs"]);
    answer(&mut s, 41_000);
    recv!(s, time 41_000, ["200 9 INVITE", "ReinviteRefused 491"]);
    send!(s, time 41_010, request("ACK", 9));
    recv!(s, time 41_010, ["Acked"]);
    quiet!(s, until 50_000); // our old offer, of an older version, is not sent any more
}

#[test]
fn a_busy_peer_gets_the_reinvite_when_it_says() {
    // RFC 3261 §20.33, §21.5.1
    let mut s = Trace::answered();
    s.caller(40_000, |session, now, mint| {
        assert!(session.reinvite(now, &Bytes::from_static(b"ours"), mint));
    });
    recv!(s, time 40_000, ["INVITE 2"]);
    send!(s, time 40_030, response("INVITE", 500).header("Retry-After: 5"));
    recv!(s, time 40_030, ["ACK 2"]);
    recv!(s, time 45_030, ["INVITE 3"]);
    send!(s, time 45_040, response("INVITE", 503).header("Retry-After: 3600"));
    recv!(s, time 45_040, ["ACK 3", "ReinviteRefused 503"]);
}

#[test]
fn whoever_hangs_up_answers_the_update_that_waits() {
    let mut s = Trace::answered();
    send!(s, time 40_000, request("UPDATE", 7).body("theirs"));
    recv!(s, time 40_000, ["Offered theirs"]);
    send!(s, time 40_010, request("BYE", 8));
    recv!(s, time 40_010, ["200 8 BYE", "PeerBye", "487 7 UPDATE"]);
    send!(s, time 40_020, request("UPDATE", 9));
    recv!(s, time 40_020, ["481 9 UPDATE"]);
}

#[test]
fn an_update_stands_for_a_lost_ack() {
    let mut s = Trace::answered();
    send!(s, time 40_000, request("INVITE", 7).body("first"));
    recv!(s, time 40_000, ["Offered first"]);
    answer(&mut s, 40_000);
    recv!(s, time 40_000, ["200 7 INVITE"]);
    send!(s, time 40_100, request("UPDATE", 8).body("second"));
    recv!(s, time 40_100, ["Acked", "Offered second"]);
}
