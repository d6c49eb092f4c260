//! Redirection: RFC 3261 §8.1.3.4, §21.3; 422 to the first INVITE: RFC 4028 §7.3.

use std::time::Duration;

use bytes::Bytes;

use super::peer::{line, request, response};
use super::trace::{Trace, parameters, recv, send};
use crate::sip::session::Parameters;

fn following(redirects: u8) -> Trace {
    let mut trace = Trace::calling_with(Parameters { redirects, ..parameters() });
    recv!(trace, time 0, ["INVITE 1"]);
    trace
}

fn target(trace: &Trace) -> String {
    trace.request("INVITE", None).split(' ').nth(1).unwrap().to_owned()
}

#[test]
fn a_moved_callee_is_called_where_it_went() {
    let mut s = following(5);
    let first = s.request("INVITE", None);
    send!(s, time 10, response("INVITE", 302).tag("x").header("Contact: <sip:new@203.0.113.9:5080>"));
    recv!(s, time 10, ["ACK 1", "INVITE 2"]);
    let second = s.request("INVITE", None);
    assert_eq!(target(&s), "sip:new@203.0.113.9:5080");
    assert_eq!(s.destination(), "203.0.113.9:5080");
    for same in ["From", "To", "Call-ID", "Contact"] {
        assert_eq!(line(&first, same), line(&second, same));
    }
    send!(s, time 20, response("INVITE", 200).tag("b").body("answer"));
    recv!(s, time 20, ["Answered answer", "ACK 2"]);
    send!(s, time 2_000, request("BYE", 1));
    recv!(s, time 2_000, ["200 1 BYE", "PeerBye"]);
}

#[test]
fn a_target_with_a_name_goes_through_the_trunk() {
    let mut s = following(5);
    send!(s, time 10, response("INVITE", 301).tag("x").header("Contact: <sip:new@other.example>"));
    recv!(s, time 10, ["ACK 1", "INVITE 2"]);
    assert_eq!(
        (target(&s).as_str(), s.destination().as_str()),
        ("sip:new@other.example", "198.51.100.7:5060")
    );
}

#[test]
fn the_best_target_comes_first_and_the_next_when_it_fails() {
    let mut s = following(5);
    let contacts =
        "Contact: <sip:low@h>;q=0.2, <sip:best@h>, <sip:half@h?Subject=x>;q=0.5, <sip:half2@h>;q=0.50";
    send!(s, time 10, response("INVITE", 300).tag("x").header(contacts));
    recv!(s, time 10, ["ACK 1", "INVITE 2"]);
    assert_eq!(target(&s), "sip:best@h");
    send!(s, time 20, response("INVITE", 480).tag("y"));
    recv!(s, time 20, ["ACK 2", "INVITE 3"]);
    assert_eq!(target(&s), "sip:half@h", "headers of a URI stand in no Request-URI");
    send!(s, time 30, response("INVITE", 302).tag("z").header("Contact: <sip:deep@h>"));
    recv!(s, time 30, ["ACK 3", "INVITE 4"]);
    assert_eq!(target(&s), "sip:deep@h");
    send!(s, time 40, response("INVITE", 404).tag("y"));
    recv!(s, time 40, ["ACK 4", "INVITE 5"]);
    assert_eq!(target(&s), "sip:half2@h");
    send!(s, time 50, response("INVITE", 603).tag("y")); // speaks for everywhere
    recv!(s, time 50, ["ACK 5", "Failed 603"]);
}

#[test]
fn each_target_may_ask_for_the_password_anew_and_sees_no_answer_to_another() {
    use std::sync::Arc;
    let mut s = following(5);
    let (username, password) = ("baton".to_owned(), "s3cret".to_owned());
    s.knows(Some(Arc::new(crate::sip::digest::Credentials { username, password, realm: None })));
    let ask = |nonce: &str| format!("WWW-Authenticate: Digest realm=\"pbx\", nonce=\"{nonce}\"");
    send!(s, time 10, response("INVITE", 401).tag("x").header(&ask("1")));
    recv!(s, time 10, ["ACK 1", "INVITE 2"]);
    assert!(line(&s.request("INVITE", None), "Authorization").contains("nonce=\"1\""));
    send!(s, time 20, response("INVITE", 302).tag("y").header("Contact: <sip:b@h>"));
    recv!(s, time 20, ["ACK 2", "INVITE 3"]);
    assert!(!s.request("INVITE", None).contains("Authorization"));
    send!(s, time 30, response("INVITE", 401).tag("z").header(&ask("2")));
    recv!(s, time 30, ["ACK 3", "INVITE 4"]);
    assert!(line(&s.request("INVITE", None), "Authorization").contains("nonce=\"2\""));
}

/// The 200 of who was thought to be away: to this INVITE of ours, whatever came after it.
fn late_200(invite: &str) -> Bytes {
    let [via, from, to, call_id, cseq] =
        ["Via", "From", "To", "Call-ID", "CSeq"].map(|name| format!("{name}: {}", line(invite, name)));
    let contact = "Contact: <sip:late@h>";
    let lines = [via, from, format!("{to};tag=late"), call_id, cseq, contact.to_owned()].join("\r\n");
    Bytes::from(format!("SIP/2.0 200 OK\r\n{lines}\r\nContent-Length: 0\r\n\r\n"))
}

/// An INVITE that is redirected to two places at 10 ms, the first of which says nothing for 64*T1.
fn silent_first_place() -> (Trace, String) {
    let mut s = following(5);
    send!(s, time 10, response("INVITE", 302).tag("x").header("Contact: <sip:dead@h>, <sip:spare@h>;q=0.5"));
    recv!(s, time 10, ["ACK 1", "INVITE 2"]);
    let silent = s.request("INVITE", None);
    for at in [510, 1_510, 3_510, 7_510, 15_510, 31_510] {
        recv!(s, time at, ["INVITE 2 again"]);
    }
    recv!(s, time 32_010, ["INVITE 3"]);
    (s, silent)
}

#[test]
fn a_place_where_nobody_hears_the_call_gives_way_to_the_next() {
    // §8.1.3.1: silence is a 408; §8.1.3.4: after a failure the next Contact.
    let (mut s, _) = silent_first_place();
    assert_eq!(target(&s), "sip:spare@h");
    assert_eq!(line(&s.request("INVITE", None), "Expires"), "47", "of twice the ring timeout");
    send!(s, time 32_020, response("INVITE", 200).tag("b").body("answer"));
    recv!(s, time 32_020, ["Answered answer", "ACK 3"]);
    send!(s, time 40_000, request("BYE", 1));
    recv!(s, time 40_000, ["200 1 BYE", "PeerBye"]);
}

#[test]
fn who_picks_up_after_having_been_given_up_is_hung_up_and_the_next_one_asked() {
    let (mut s, silent) = silent_first_place();
    send!(s, time 32_020, response("INVITE", 180).tag("b"));
    recv!(s, time 32_020, ["Progress 180"]);
    s.run_until(33_000);
    s.give_bytes(late_200(&silent));
    recv!(s, time 33_000, ["ACK 2", "BYE 3"]);
    s.run_until(33_100);
    s.give_bytes(late_200(&silent)); // its ACK was lost
    recv!(s, time 33_100, ["ACK 2 again"]);
    send!(s, time 33_110, response("BYE", 200).tag("late"));
    send!(s, time 34_000, response("INVITE", 200).tag("b").body("answer"));
    recv!(s, time 34_000, ["Answered answer", "ACK 3"]);
}

#[test]
fn a_place_to_which_no_connection_can_be_made_gives_way_to_the_next() {
    let mut s = following(5);
    let contacts = "Contact: <sip:dead@203.0.113.9;transport=tcp>, <sip:spare@h>;q=0.5";
    send!(s, time 10, response("INVITE", 302).tag("x").header(contacts));
    recv!(s, time 10, ["ACK 1", "INVITE 2"]);
    s.caller(50, |session, now, mint| session.transport_failed(now, mint));
    recv!(s, time 50, ["INVITE 3"]);
    assert_eq!(target(&s), "sip:spare@h");
    send!(s, time 60, response("INVITE", 486).tag("b"));
    recv!(s, time 60, ["ACK 3", "Failed 486"]);
}

#[test]
fn the_last_place_that_nobody_reaches_is_the_end() {
    let mut s = following(5);
    send!(s, time 10, response("INVITE", 302).tag("x").header("Contact: <sip:dead@h>"));
    recv!(s, time 10, ["ACK 1", "INVITE 2"]);
    s.caller(50, |session, now, mint| session.transport_failed(now, mint));
    recv!(s, time 50, ["Failed silence"]);
}

#[test]
fn a_loop_ends() {
    let mut s = following(5);
    let first = target(&s);
    send!(s, time 10, response("INVITE", 302).tag("x").header("Contact: <sip:b@h>"));
    recv!(s, time 10, ["ACK 1", "INVITE 2"]);
    let back = format!("Contact: <{first}>, <sip:b@h>");
    send!(s, time 20, response("INVITE", 302).tag("y").header(&back));
    recv!(s, time 20, ["ACK 2".to_owned(), format!("Failed 302 {first} sip:b@h")]);
}

#[test]
fn there_is_a_limit() {
    let mut s = following(2);
    for (at, cseq, next) in [(10, 1, 2), (20, 2, 3)] {
        let contact = format!("Contact: <sip:hop{next}@h>");
        send!(s, time at, response("INVITE", 302).tag("x").header(&contact));
        recv!(s, time at, [format!("ACK {cseq}"), format!("INVITE {next}")]);
    }
    send!(s, time 30, response("INVITE", 302).tag("x").header("Contact: <sip:hop4@h>"));
    recv!(s, time 30, ["ACK 3", "Failed 302 sip:hop4@h"]);
}

#[test]
fn what_is_no_other_place_of_the_callee_is_not_followed() {
    for contact in ["<sips:b@h>", "<mailto:b@h>", "<tel:+254711000002>", "<>"] {
        let mut s = following(5);
        let header = format!("Contact: {contact}");
        send!(s, time 10, response("INVITE", 302).tag("x").header(&header));
        s.run_until(11);
        let heard = s.take_heard();
        assert!(heard.len() == 2 && heard[1].1.starts_with("Failed 302"), "{contact}: {heard:?}");
    }
    let mut s = following(5);
    send!(s, time 10, response("INVITE", 380).tag("x").header("Contact: <sip:b@h>")); // another service
    recv!(s, time 10, ["ACK 1", "Failed 380 sip:b@h"]);
}

#[test]
fn a_cancelled_call_is_not_redirected() {
    let mut s = following(5);
    send!(s, time 10, response("INVITE", 180).tag("b"));
    recv!(s, time 10, ["Progress 180"]);
    s.caller(20, |session, now, mint| session.cancel(now, None, mint));
    recv!(s, time 20, ["CANCEL 1"]);
    send!(s, time 30, response("INVITE", 302).tag("b").header("Contact: <sip:b@h>"));
    recv!(s, time 30, ["ACK 1", "Failed 302 sip:b@h heard"]);
}

#[test]
fn a_redirection_does_not_lengthen_the_setup_beyond_its_bound() {
    let mut s = Trace::calling_with(Parameters {
        redirects: 5,
        ring_timeout: Duration::from_secs(10),
        ..parameters()
    });
    recv!(s, time 0, ["INVITE 1"]);
    send!(s, time 10, response("INVITE", 180).tag("b"));
    recv!(s, time 10, ["Progress 180"]);
    send!(s, time 9_000, response("INVITE", 302).tag("b").header("Contact: <sip:c@h>"));
    recv!(s, time 9_000, ["ACK 1", "INVITE 2"]);
    assert_eq!(line(&s.request("INVITE", None), "Expires"), "11");
    send!(s, time 9_010, response("INVITE", 100));
    recv!(s, time 19_000, ["CANCEL 2"]); // a phone of its own, with its own ring timeout
}

#[test]
fn an_interval_that_is_too_small_is_raised() {
    // RFC 4028 §7.3
    let half = Duration::from_secs(1_800);
    let mut s = Trace::calling_with(Parameters { session_expires: Some(half), ..parameters() });
    recv!(s, time 0, ["INVITE 1"]);
    assert_eq!(line(&s.request("INVITE", None), "Session-Expires"), "1800");
    send!(s, time 10, response("INVITE", 422).tag("x").header("Min-SE: 3600"));
    recv!(s, time 10, ["ACK 1", "INVITE 2"]);
    let second = s.request("INVITE", None);
    assert_eq!((line(&second, "Session-Expires"), line(&second, "Min-SE")), ("3600".into(), "3600".into()));
    assert_eq!(second.matches("Session-Expires").count(), 1);
    send!(s, time 20, response("INVITE", 422).tag("x").header("Min-SE: 3600")); // no longer than it is
    recv!(s, time 20, ["ACK 2", "Failed 422"]);
}
