//! Session timers: RFC 4028.

use std::time::Duration;

use bytes::Bytes;

use super::peer::{line, request, response};
use super::trace::{Trace, parameters, quiet, recv, send};
use crate::sip::session::Parameters;
use crate::sip::{Refresher, SessionExpires};

/// A call answered at 0 by a peer that takes UPDATE or not, with these words about the timer.
fn answered(timer: &str, allow: &str) -> Trace {
    let half = Duration::from_secs(1_800);
    let mut s = Trace::calling_with(Parameters { session_expires: Some(half), ..parameters() });
    recv!(s, time 0, ["INVITE 1"]);
    send!(s, time 0, response("INVITE", 200).tag("b").body("answer").header(timer).header(allow));
    recv!(s, time 0, ["Answered answer", "ACK 1"]);
    s
}

const UPDATE: &str = "Allow: INVITE, ACK, BYE, UPDATE";
const NO_UPDATE: &str = "Allow: INVITE, ACK, BYE";

#[test]
fn we_refresh_by_update_at_half_the_interval() {
    // RFC 4028 §7.2, §10
    let mut s = answered("Session-Expires: 1800;refresher=uac", UPDATE);
    quiet!(s, until 899_999);
    recv!(s, time 900_000, ["UPDATE 2"]);
    let update = s.request("UPDATE", None);
    assert_eq!(line(&update, "Session-Expires"), "1800;refresher=uac");
    assert_eq!(line(&update, "Supported"), "timer");
    assert_eq!(line(&update, "Contact"), "<sip:0123456789abcdef@192.0.2.1:5060>");
    assert!(update.ends_with("\r\n\r\n"), "it changes no media");
    send!(s, time 900_010, response("UPDATE", 200).header("Session-Expires: 1800;refresher=uac"));
    quiet!(s, until 1_800_009);
    recv!(s, time 1_800_010, ["UPDATE 3"]);
    send!(s, time 1_800_020, response("UPDATE", 200)); // the peer wants no timer any more
    quiet!(s, until 10_000_000);
}

#[test]
fn a_peer_that_takes_no_update_gets_a_reinvite() {
    let mut s = answered("Session-Expires: 200;refresher=uac", NO_UPDATE);
    recv!(s, time 100_000, ["RefreshDue"]);
    s.caller(100_000, |session, now, mint| {
        assert!(session.reinvite(now, &Bytes::from_static(b"same"), mint));
    });
    recv!(s, time 100_000, ["INVITE 2"]);
    let invite = s.request("INVITE", None);
    assert_eq!(line(&invite, "Session-Expires"), "200;refresher=uac");
    assert!(invite.ends_with("same"));
    send!(s, time 100_010, response("INVITE", 200).body("answer").header("Session-Expires: 200;refresher=uac"));
    recv!(s, time 100_010, ["ReinviteAnswered answer", "ACK 2"]);
    recv!(s, time 200_010, ["RefreshDue"]);
    // Nobody refreshes: 32 s before the end the session is given up (§10).
    quiet!(s, until 268_009);
    recv!(s, time 268_010, ["Expired", "BYE 3"]);
}

#[test]
fn an_update_that_turns_out_not_to_be_taken_becomes_a_reinvite() {
    let mut s = answered("Session-Expires: 1800;refresher=uac", UPDATE);
    recv!(s, time 900_000, ["UPDATE 2"]);
    send!(s, time 900_010, response("UPDATE", 501));
    recv!(s, time 900_010, ["RefreshDue"]);
}

#[test]
fn a_peer_that_refreshes_is_waited_for_until_shortly_before_the_end() {
    // RFC 4028 §10
    let mut s = answered("Session-Expires: 90;refresher=uas", UPDATE);
    send!(s, time 45_000, request("UPDATE", 7).header("Session-Expires: 90;refresher=uac").header("Supported: timer"));
    recv!(s, time 45_000, ["200 7 UPDATE"]);
    let answer = String::from_utf8(s.sent.last().unwrap().bytes.to_vec()).unwrap();
    assert_eq!(line(&answer, "Session-Expires"), "90;refresher=uac");
    assert_eq!(line(&answer, "Require"), "timer"); // §9
    quiet!(s, until 104_999);
    recv!(s, time 105_000, ["Expired", "BYE 2"]); // 45 + 90 - 30 s
    send!(s, time 105_010, response("BYE", 200));
    recv!(s, time 105_010, ["ByeDone 200"]);
}

#[test]
fn the_peers_reinvite_refreshes_too() {
    let mut s = answered("Session-Expires: 90;refresher=uas", UPDATE);
    let reinvite = request("INVITE", 7).body("theirs").header("Session-Expires: 180;refresher=uas");
    send!(s, time 45_000, reinvite.header("Supported: timer"));
    recv!(s, time 45_000, ["Offered theirs"]);
    s.caller(45_000, |session, now, mint| session.answer(now, Some(&Bytes::from_static(b"ours")), mint));
    recv!(s, time 45_000, ["200 7 INVITE"]);
    let answer = String::from_utf8(s.sent.last().unwrap().bytes.to_vec()).unwrap();
    assert_eq!(line(&answer, "Session-Expires"), "180;refresher=uas"); // of its request we are the uas
    assert!(!answer.contains("Require:"));
    send!(s, time 45_010, request("ACK", 7));
    recv!(s, time 45_010, ["Acked"]);
    recv!(s, time 135_000, ["UPDATE 2"]); // at half of the 180 s
}

#[test]
fn an_interval_below_90_s_is_refused() {
    // RFC 4028 §9
    let mut s = Trace::answered();
    for (method, cseq) in [("INVITE", 7), ("UPDATE", 8)] {
        send!(s, time 40_000, request(method, cseq).body("theirs").header("x: 60").header("Supported: timer"));
        let answer = String::from_utf8(s.sent.last().unwrap().bytes.to_vec()).unwrap();
        assert!(answer.starts_with("SIP/2.0 422 "), "{answer}");
        assert_eq!(line(&answer, "Min-SE"), "90");
        drop(s.take_heard());
    }
}

#[test]
fn a_refresh_that_the_peer_wants_longer_or_cannot_take() {
    let mut s = answered("Session-Expires: 100;refresher=uac", UPDATE);
    recv!(s, time 50_000, ["UPDATE 2"]);
    send!(s, time 50_010, response("UPDATE", 422).header("Min-SE: 400"));
    recv!(s, time 50_010, ["UPDATE 3"]);
    let update = s.request("UPDATE", None);
    assert_eq!(
        (line(&update, "Session-Expires"), line(&update, "Min-SE")),
        ("400;refresher=uac".into(), "400".into())
    );
    send!(s, time 50_020, response("UPDATE", 481));
    recv!(s, time 50_020, ["Expired", "BYE 4"]); // RFC 3261 §12.2.1.2: there is no session

    let mut s = answered("Session-Expires: 1800;refresher=uac", UPDATE);
    recv!(s, time 900_000, ["UPDATE 2"]);
    send!(s, time 900_010, response("UPDATE", 500));
    recv!(s, time 932_010, ["UPDATE 3"]);
}

#[test]
fn a_refresh_that_nobody_answers_ends_the_session() {
    let mut s = answered("Session-Expires: 1800;refresher=uac", UPDATE);
    recv!(s, time 900_000, ["UPDATE 2"]);
    s.run_until(931_999);
    drop(s.take_heard());
    recv!(s, time 932_000, ["Expired", "BYE 3"]);
}

#[test]
fn a_peer_without_timers_gets_none() {
    let mut s = Trace::answered();
    quiet!(s, until 100_000_000);
}

#[test]
fn a_bye_ends_the_timer() {
    let mut s = answered("Session-Expires: 90;refresher=uac", UPDATE);
    s.caller(1_000, |session, now, mint| session.bye(now, None, mint));
    recv!(s, time 1_000, ["BYE 2"]);
    send!(s, time 1_010, response("BYE", 200));
    recv!(s, time 1_010, ["ByeDone 200"]);
    recv!(s, time 32_000, ["Over"]);
    quiet!(s, until 1_000_000);
}

#[test]
fn the_timer_runs_on_while_the_process_is_away() {
    let mut s = answered("Session-Expires: 1800;refresher=uac", UPDATE);
    s.away_until(1_000_000);
    s.run_until(1_000_000);
    recv!(s, time 1_000_000, ["ACK 1 again", "UPDATE 2"]);
}

#[test]
fn a_callee_wishes_for_what_the_caller_leaves_open() {
    // RFC 4028 §9: the shorter interval, not below what the caller takes; who refreshes, if the caller has not said so
    let ours = |interval_s, refresher| Some(SessionExpires { interval_s, refresher: Some(refresher) });
    let wish = ours(120, Refresher::Uas);
    for (asked, wish, said) in [
        (&["Supported: timer", "Session-Expires: 1800"][..], None, "1800;refresher=uac"),
        (&["Supported: timer", "Session-Expires: 1800"], wish, "120;refresher=uas"),
        (&["Supported: timer", "Session-Expires: 1800"], ours(120, Refresher::Uac), "120;refresher=uac"),
        (&["Supported: timer", "Session-Expires: 1800;refresher=uac"], wish, "120;refresher=uac"),
        (&["Supported: timer", "Session-Expires: 100"], wish, "100;refresher=uas"),
        (&["Supported: timer", "Session-Expires: 1800", "Min-SE: 600"], wish, "600;refresher=uas"),
        (&["Supported: timer"], wish, "120;refresher=uas"),
        (&["Supported: timer"], ours(20, Refresher::Uac), "90;refresher=uac"),
        (&["Subject: none"], ours(120, Refresher::Uac), "120;refresher=uas"),
    ] {
        let invite = request("INVITE", 1).tag("a").to("<sip:callee@192.0.2.1>").body("offer").branch(1);
        let invite = asked.iter().fold(invite, |invite, header| invite.header(header));
        let mut s = Trace::called_with(&invite, wish);
        s.callee(10, |incoming, now, mint| incoming.accept(now, Some(&Bytes::from_static(b"answer")), mint));
        recv!(s, time 10, ["200 1 INVITE"]);
        let ok = String::from_utf8(s.sent.last().unwrap().bytes.to_vec()).unwrap();
        assert_eq!(line(&ok, "Session-Expires"), said, "{asked:?}, {wish:?}");
        assert_eq!(ok.contains("Require: timer"), said.ends_with("uac"), "§9: {ok}");
    }
}

#[test]
fn a_callee_that_refreshes_does_so_at_half_the_interval() {
    let invite = request("INVITE", 1).tag("a").to("<sip:callee@192.0.2.1>").body("offer").branch(1);
    let invite = invite.header("Supported: timer").header("Allow: INVITE, ACK, BYE, UPDATE");
    let wish = SessionExpires { interval_s: 90, refresher: Some(Refresher::Uas) };
    let mut s = Trace::called_with(&invite, Some(wish));
    s.callee(0, |incoming, now, mint| incoming.accept(now, Some(&Bytes::from_static(b"answer")), mint));
    recv!(s, time 0, ["200 1 INVITE"]);
    send!(s, time 10, request("ACK", 1).tag("a"));
    recv!(s, time 10, ["Acked"]);
    quiet!(s, until 44_999);
    recv!(s, time 45_000, ["UPDATE 1"]);
    assert_eq!(line(&s.request("UPDATE", None), "Session-Expires"), "90;refresher=uac");
}

#[test]
fn whoever_refreshes_goes_on_doing_so_when_a_reinvite_has_another_purpose() {
    // RFC 4028 §7.4
    for (ours, said) in [("uac", "200;refresher=uac"), ("uas", "200;refresher=uas")] {
        let mut s = answered(&format!("Session-Expires: 200;refresher={ours}"), UPDATE);
        s.caller(10_000, |session, now, mint| {
            assert!(session.reinvite(now, &Bytes::from_static(b"changed"), mint));
        });
        recv!(s, time 10_000, ["INVITE 2"]);
        let invite = s.request("INVITE", None);
        assert_eq!(line(&invite, "Session-Expires"), said);
        let ok = response("INVITE", 200).body("answer").header(&format!("Session-Expires: {said}"));
        send!(s, time 10_010, ok);
        recv!(s, time 10_010, ["ReinviteAnswered answer", "ACK 2"]);
        if ours == "uac" {
            recv!(s, time 110_010, ["UPDATE 3"]);
        } else {
            recv!(s, time 178_010, ["Expired", "BYE 3"]);
        }
    }
}
