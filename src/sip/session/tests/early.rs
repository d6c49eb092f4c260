//! Early dialogs, and provisional responses that must be acknowledged (RFC 3262).

use bytes::Bytes;

use super::peer::{line, request, response};
use super::trace::{Trace, parameters, quiet, recv, send};
use crate::sip::StatusCode;
use crate::sip::local::ALLOW;

fn ringing() -> Trace {
    let mut trace = Trace::calling();
    recv!(trace, time 0, ["INVITE 1"]);
    trace
}

#[test]
fn the_invite_says_that_it_takes_reliable_responses() {
    // RFC 3262 §4
    let s = ringing();
    assert_eq!(line(&s.request("INVITE", None), "Supported"), "100rel, timer");
    assert!(ALLOW.contains("PRACK") && ALLOW.contains("UPDATE"));
}

#[test]
fn a_reliable_183_gets_its_prack_once() {
    // RFC 3262 §4, §7.2
    let mut s = ringing();
    let reliable = || response("INVITE", 183).tag("b").header("Require: 100rel").header("RSeq: 776656");
    send!(s, time 10, reliable().body("early"));
    recv!(s, time 10, ["PRACK 2", "Progress 183 early"]);
    let prack = s.request("PRACK", None);
    assert!(prack.starts_with("PRACK sip:peer@198.51.100.7 SIP/2.0\r\n"));
    assert_eq!(line(&prack, "RAck"), "776656 1 INVITE");
    assert!(line(&prack, "To").ends_with(";tag=b"));
    send!(s, time 400, reliable().body("early")); // its repeat, while our PRACK is on its way
    quiet!(s, until 509);
    recv!(s, time 510, ["PRACK 2 again"]);
    send!(s, time 520, response("PRACK", 200));
    send!(s, time 900, reliable().body("early"));
    quiet!(s, until 999);
    send!(s, time 1_000, response("INVITE", 200).tag("b").body("answer"));
    recv!(s, time 1_000, ["Answered answer", "ACK 1"]);
    s.caller(2_000, |session, now, mint| session.bye(now, None, mint));
    recv!(s, time 2_000, ["BYE 3"]); // the numbers of the early dialog go on
}

#[test]
fn reliable_responses_are_taken_in_order() {
    // RFC 3262 §4
    let mut s = ringing();
    let reliable =
        |status, rseq: &str| response("INVITE", status).tag("b").header("Require: 100rel").header(rseq);
    send!(s, time 10, reliable(183, "RSeq: 1"));
    recv!(s, time 10, ["PRACK 2", "Progress 183"]);
    send!(s, time 20, reliable(180, "RSeq: 3")); // overtook the one in front of it
    quiet!(s, until 29);
    send!(s, time 30, reliable(182, "RSeq: 2"));
    recv!(s, time 30, ["PRACK 3", "Progress 182"]);
    send!(s, time 40, reliable(180, "RSeq: 3"));
    recv!(s, time 40, ["PRACK 4", "Progress 180"]);
    assert_eq!(line(&s.request("PRACK", None), "RAck"), "3 1 INVITE");
    // A response that only could be reliable is not acknowledged.
    send!(s, time 50, response("INVITE", 180).tag("b").header("RSeq: 4").header("Supported: 100rel"));
    recv!(s, time 50, ["Progress 180"]);
}

#[test]
fn each_fork_has_its_own_numbers() {
    // RFC 3261 §13.2.2.1
    let mut s = ringing();
    let reliable = |tag| response("INVITE", 183).tag(tag).header("Require: 100rel").header("RSeq: 9");
    send!(s, time 10, reliable("b").body("one"));
    recv!(s, time 10, ["PRACK 2", "Progress 183 one"]);
    send!(s, time 20, reliable("c").body("two"));
    recv!(s, time 20, ["PRACK 2", "Progress 183 two"]);
    send!(s, time 30, response("INVITE", 180).tag("d"));
    recv!(s, time 30, ["Progress 180"]);
    send!(s, time 40, response("INVITE", 200).tag("c"));
    recv!(s, time 40, ["Answered two", "ACK 1"]);
    assert!(line(&s.request("ACK", None), "To").ends_with(";tag=c"));
}

#[test]
fn a_2xx_without_answer_stands_behind_the_reliable_response_that_had_it() {
    // RFC 3262 §5: the answer came by then; and peers that put it into an unreliable 183 alone
    for reliable in [true, false] {
        let mut s = ringing();
        let early = response("INVITE", 183).tag("b").body("early");
        if reliable {
            send!(s, time 10, early.header("Require: 100rel").header("RSeq: 1"));
            recv!(s, time 10, ["PRACK 2", "Progress 183 early"]);
            send!(s, time 15, response("PRACK", 200));
        } else {
            send!(s, time 10, early);
            recv!(s, time 10, ["Progress 183 early"]);
        }
        send!(s, time 20, response("INVITE", 180).tag("x"));
        recv!(s, time 20, ["Progress 180"]);
        send!(s, time 30, response("INVITE", 200).tag("b"));
        recv!(s, time 30, ["Answered early", "ACK 1"]);
    }
}

#[test]
fn early_requests_are_answered_in_their_dialog() {
    // RFC 3261 §12.2.2, RFC 3311 §5.2
    let mut s = ringing();
    send!(s, time 10, response("INVITE", 183).tag("b"));
    recv!(s, time 10, ["Progress 183"]);
    send!(s, time 20, request("OPTIONS", 1));
    recv!(s, time 20, ["200 1 OPTIONS"]);
    send!(s, time 25, request("OPTIONS", 1));
    recv!(s, time 25, ["500 1 OPTIONS"]); // its number does not grow
    send!(s, time 30, request("UPDATE", 2).body("theirs"));
    recv!(s, time 30, ["491 2 UPDATE"]); // our offer has no answer yet
    send!(s, time 35, request("UPDATE", 3));
    recv!(s, time 35, ["200 3 UPDATE"]);
    send!(s, time 40, request("INVITE", 4).body("theirs"));
    recv!(s, time 40, ["491 4 INVITE"]);
    send!(s, time 45, request("ACK", 4).branch(5));
    send!(s, time 50, response("INVITE", 200).tag("b"));
    recv!(s, time 50, ["Answered", "ACK 1"]);
    send!(s, time 60, request("OPTIONS", 4));
    recv!(s, time 60, ["500 4 OPTIONS"]); // the peer's numbers go on too
}

#[test]
fn an_update_that_overtakes_the_ringing_gets_the_same_answer_before_and_after_it() {
    let mut s = ringing();
    let update = || request("UPDATE", 1).branch(7).header("Contact: <sip:moved@198.51.100.8>");
    let last = |s: &Trace| s.sent.last().unwrap().bytes.clone();
    send!(s, time 10, update());
    recv!(s, time 10, ["200 1 UPDATE again"]);
    let first = last(&s);
    assert!(
        String::from_utf8_lossy(&first).contains("\r\nContact: <sip:0123456789abcdef@192.0.2.1:5060>\r\n")
    );
    send!(s, time 20, response("INVITE", 180).tag("b"));
    recv!(s, time 20, ["Progress 180"]);
    send!(s, time 30, update());
    recv!(s, time 30, ["200 1 UPDATE"]);
    assert_eq!(first, last(&s));
}

#[test]
fn an_early_update_changes_what_was_answered_reliably() {
    // RFC 3311 §4: the exchange of the INVITE is done, so the next offer may come
    let mut s = ringing();
    send!(s, time 10, response("INVITE", 183).tag("b").body("early").header("Require: 100rel").header("RSeq: 1"));
    recv!(s, time 10, ["PRACK 2", "Progress 183 early"]);
    send!(s, time 20, response("PRACK", 200));
    send!(s, time 30, request("UPDATE", 2).body("theirs"));
    recv!(s, time 30, ["Offered theirs"]);
    s.caller(30, |session, now, mint| session.answer(now, Some(&Bytes::from_static(b"ours")), mint));
    recv!(s, time 30, ["200 2 UPDATE"]);
    send!(s, time 40, response("INVITE", 200).tag("b"));
    recv!(s, time 40, ["Answered theirs", "ACK 1"]);

    let mut s = ringing();
    send!(s, time 10, response("INVITE", 183).tag("b").body("early").header("Require: 100rel").header("RSeq: 1"));
    recv!(s, time 10, ["PRACK 2", "Progress 183 early"]);
    send!(s, time 20, response("PRACK", 200));
    send!(s, time 30, request("UPDATE", 2).body("video"));
    recv!(s, time 30, ["Offered video"]);
    s.caller(30, |session, now, mint| session.reject(now, StatusCode::NOT_ACCEPTABLE_HERE, mint));
    recv!(s, time 30, ["488 2 UPDATE"]);
    send!(s, time 40, response("INVITE", 200).tag("b"));
    recv!(s, time 40, ["Answered early", "ACK 1"]);
}

#[test]
fn a_cancelled_call_still_acknowledges_what_is_reliable() {
    let mut s = ringing();
    send!(s, time 10, response("INVITE", 180).tag("b"));
    recv!(s, time 10, ["Progress 180"]);
    s.caller(20, |session, now, mint| session.cancel(now, None, mint));
    recv!(s, time 20, ["CANCEL 1"]);
    send!(s, time 30, response("INVITE", 183).tag("b").header("Require: 100rel").header("RSeq: 1"));
    recv!(s, time 30, ["PRACK 2"]);
    send!(s, time 40, response("CANCEL", 200));
    send!(s, time 50, response("PRACK", 481));
    send!(s, time 60, response("INVITE", 487).tag("b"));
    recv!(s, time 60, ["ACK 1", "Cancelled"]);
    recv!(s, time 32_060, ["Over"]);
}

#[test]
fn a_challenged_prack_goes_out_again() {
    use std::sync::Arc;
    let mut s = ringing();
    let (username, password) = ("baton".to_owned(), "s3cret".to_owned());
    s.knows(Some(Arc::new(crate::sip::digest::Credentials { username, password, realm: None })));
    send!(s, time 10, response("INVITE", 183).tag("b").header("Require: 100rel").header("RSeq: 1"));
    recv!(s, time 10, ["PRACK 2", "Progress 183"]);
    send!(s, time 20, response("PRACK", 407).header("Proxy-Authenticate: Digest realm=\"p\", nonce=\"n\""));
    recv!(s, time 20, ["PRACK 3"]);
    assert_eq!(line(&s.request("PRACK", None), "RAck"), "1 1 INVITE");
    send!(s, time 30, response("PRACK", 200));
    quiet!(s, until 5_000);
}

#[test]
fn an_early_dialog_is_part_of_the_record() {
    let mut s = ringing();
    send!(s, time 10, response("INVITE", 183).tag("b").header("Require: 100rel").header("RSeq: 1"));
    recv!(s, time 10, ["PRACK 2", "Progress 183"]);
    s.away_until(200);
    recv!(s, time 200, ["PRACK 2 again"]);
    send!(s, time 210, response("INVITE", 183).tag("b").header("Require: 100rel").header("RSeq: 1"));
    quiet!(s, until 300);
}

#[test]
fn the_ring_timeout_says_why() {
    // RFC 3326; ITU-T Q.850
    let mut s = Trace::calling_with(parameters());
    recv!(s, time 0, ["INVITE 1"]);
    send!(s, time 10, response("INVITE", 180).tag("b"));
    recv!(s, time 10, ["Progress 180"]);
    recv!(s, time 40_010, ["CANCEL 1"]);
    assert_eq!(line(&s.request("CANCEL", None), "Reason"), "Q.850;cause=19;text=\"No answer from user\"");
}
