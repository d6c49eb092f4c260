//! Another instance goes on with the session at another address: what it sends in each state, and what nobody waits for
//! any more.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::peer::{line, request, response};
use super::trace::{Trace, parameters, quiet, recv, send};
use crate::sip::digest::Credentials;
use crate::sip::session::{Moved, Parameters};

const HERE: &str = "192.0.2.9:5070";

fn moved() -> Moved {
    let contact = format!("sip:0123456789abcdef@{HERE}").parse().unwrap();
    Moved { sent_by: HERE.parse().unwrap(), contact, skip: 16 }
}

/// Another instance takes the session over, and moves it if it was answered.
fn take_over(trace: &mut Trace, ms: u64) {
    trace.caller(ms, |session, now, mint| {
        session.take_over(now, moved(), Some(&Bytes::from_static(b"moved")), mint);
    });
}

/// The same, after a while in which nobody was there.
fn take_over_after(trace: &mut Trace, ms: u64) {
    trace.gone_until(ms, |session, now, mint| {
        session.take_over(now, moved(), Some(&Bytes::from_static(b"moved")), mint);
    });
}

/// The requests that are said until then, without pure repeats of `method`.
fn said_until(trace: &mut Trace, ms: u64, method: &str) -> Vec<(u64, String)> {
    trace.run_until(ms);
    let again = |line: &str| line.starts_with(method) && line.ends_with(" again");
    trace.take_heard().into_iter().filter(|(_, line)| !again(line)).collect()
}

fn expected(ms: u64, lines: &[&str]) -> Vec<(u64, String)> {
    lines.iter().map(|line| (ms, (*line).to_owned())).collect()
}

fn ringing() -> Trace {
    let mut s = Trace::calling();
    recv!(s, time 0, ["INVITE 1"]);
    send!(s, time 10, response("INVITE", 180).tag("b"));
    recv!(s, time 10, ["Progress 180"]);
    s
}

// ── before anybody answered ──

#[test]
fn an_invite_that_may_not_even_have_left_is_cancelled_and_never_sent_again() {
    let mut s = Trace::calling();
    recv!(s, time 0, ["INVITE 1"]);
    let invite = s.request("INVITE", None);
    take_over(&mut s, 300);
    recv!(s, time 300, ["CANCEL 1"]);
    let cancel = s.request("CANCEL", None);
    assert_eq!(line(&cancel, "Via"), line(&invite, "Via"), "the branch and sent-by of the INVITE (§9.1)");
    assert!(line(&cancel, "Reason").contains("cause=41"));
    assert_eq!(s.destination(), "198.51.100.7:5060", "to the same next hop");
    // Nobody hears the answers: the phone may ring for two ring timeouts of 40 s, and 64*T1 more are 112 s.
    assert_eq!(said_until(&mut s, 111_999, "CANCEL"), []);
    recv!(s, time 112_000, ["Failed silence"]);
    assert_eq!(said_until(&mut s, 144_000, "CANCEL"), expected(144_000, &["Over"]));
}

#[test]
fn what_rings_is_cancelled_and_its_early_dialogs_are_left() {
    let mut s = ringing();
    send!(s, time 20, response("INVITE", 183).tag("c").body("theirs"));
    recv!(s, time 20, ["Progress 183 theirs"]);
    take_over(&mut s, 2_000);
    recv!(s, time 2_000, ["CANCEL 1", "BYE 18", "BYE 18"]);
    for tag in ["b", "c"] {
        let bye = s.request("BYE", Some(tag));
        assert!(line(&bye, "Via").contains(HERE), "its answer is heard: {bye}");
        assert!(bye.starts_with("BYE sip:peer@198.51.100.7 SIP/2.0"));
        send!(s, time 2_010, response("BYE", 200).tag(tag));
    }
    // A final response that finds its way all the same ends the wait.
    send!(s, time 2_020, response("INVITE", 487).tag("b"));
    recv!(s, time 2_020, ["ACK 1", "Cancelled"]);
}

#[test]
fn who_answers_an_invite_that_was_given_up_is_hung_up_with_a_number_above_all_others() {
    let mut s = ringing();
    take_over(&mut s, 2_000);
    recv!(s, time 2_000, ["CANCEL 1", "BYE 18"]);
    send!(s, time 2_010, response("BYE", 200).tag("b"));
    send!(s, time 2_020, response("INVITE", 200).tag("b").body("answer"));
    recv!(s, time 2_020, ["CancelCrossed", "ACK 1", "BYE 19"]);
}

#[test]
fn a_cancel_that_was_sent_is_sent_again_as_it_was() {
    let mut s = ringing();
    s.caller(1_000, |session, now, mint| session.cancel(now, None, mint));
    recv!(s, time 1_000, ["CANCEL 1"]);
    let first = s.sent.last().unwrap().bytes.clone();
    take_over(&mut s, 1_200);
    recv!(s, time 1_200, ["CANCEL 1 again", "BYE 18"]);
    assert_eq!(s.request("CANCEL", None).as_bytes(), first);
    let said = said_until(&mut s, 200_000, "CANCEL");
    assert!(said.contains(&(112_000, "Cancelled".into())), "{said:?}");
}

#[test]
fn a_cancel_that_had_to_wait_for_a_1xx_waits_no_longer() {
    let mut s = Trace::calling();
    recv!(s, time 0, ["INVITE 1"]);
    s.caller(100, |session, now, mint| session.cancel(now, None, mint));
    take_over(&mut s, 300);
    recv!(s, time 300, ["CANCEL 1"]);
}

#[test]
fn of_a_challenged_invite_the_signed_one_is_cancelled() {
    let mut s = knowing(parameters());
    send!(s, time 10, response("INVITE", 401).tag("x").header(ASK));
    recv!(s, time 10, ["ACK 1", "INVITE 2"]);
    let signed = s.request("INVITE", None);
    take_over(&mut s, 300);
    recv!(s, time 300, ["ACK 1 again", "CANCEL 2"]);
    assert_eq!(line(&s.request("CANCEL", None), "Via"), line(&signed, "Via"));
}

#[test]
fn an_answer_that_crossed_our_cancel_is_acknowledged_again_and_left_anew() {
    let mut s = ringing();
    s.caller(1_000, |session, now, mint| session.cancel(now, None, mint));
    recv!(s, time 1_000, ["CANCEL 1"]);
    send!(s, time 1_010, response("INVITE", 200).tag("b").body("answer"));
    recv!(s, time 1_010, ["CancelCrossed", "ACK 1", "BYE 2"]);
    take_over(&mut s, 1_100);
    recv!(s, time 1_100, ["ACK 1 again", "CANCEL 1 again", "BYE 19"]);
    send!(s, time 1_110, response("BYE", 200).tag("b"));
    recv!(s, time 1_110, ["ByeDone 200"]);
}

#[test]
fn forks_that_came_second_are_left_anew() {
    let mut s = Trace::answered();
    send!(s, time 1_100, response("INVITE", 200).tag("c").body("answer"));
    recv!(s, time 1_100, ["ACK 1", "BYE 2"]);
    take_over(&mut s, 1_200);
    recv!(s, time 1_200, ["ACK 1 again", "ACK 1 again", "BYE 19", "INVITE 18"]);
    assert!(line(&s.request("BYE", Some("c")), "Via").contains(HERE));
}

// ── answered ──

#[test]
fn a_session_is_moved_by_a_reinvite_within_its_dialog() {
    let mut s = Trace::calling();
    recv!(s, time 0, ["INVITE 1"]);
    let first = s.request("INVITE", None);
    let routes = "Record-Route: <sip:198.51.100.20;lr>, <sip:198.51.100.21;lr>";
    send!(s, time 10, response("INVITE", 200).tag("b").body("answer").header(routes));
    recv!(s, time 10, ["Answered answer", "ACK 1"]);
    take_over_after(&mut s, 60_000); // long after the last echo of the first INVITE
    let (_, heard): (Vec<u64>, Vec<String>) = s.take_heard().into_iter().unzip();
    assert_eq!(heard.last().map(String::as_str), Some("INVITE 18"), "{heard:?}");
    let again = s.request("INVITE", None);
    for same in ["From", "Call-ID"] {
        assert_eq!(line(&again, same), line(&first, same));
    }
    assert_eq!(line(&again, "To"), format!("{};tag=b", line(&first, "To")));
    let routes: Vec<&str> = again.split("\r\n").filter(|line| line.starts_with("Route: ")).collect();
    assert_eq!(routes, ["Route: <sip:198.51.100.21;lr>", "Route: <sip:198.51.100.20;lr>"]);
    assert_eq!(s.destination(), "198.51.100.21:5060");
    assert_eq!(line(&again, "Contact"), format!("<sip:0123456789abcdef@{HERE}>"));
    assert!(line(&again, "Via").starts_with(&format!("SIP/2.0/UDP {HERE};")));
    assert!(again.ends_with("\r\n\r\nmoved"));
    send!(s, time 60_010, response("INVITE", 200).body("answer"));
    recv!(s, time 60_010, ["ReinviteAnswered answer", "ACK 18"]);
    s.caller(61_000, |session, now, mint| session.bye(now, None, mint));
    recv!(s, time 61_000, ["BYE 19"]);
}

#[test]
fn a_2xx_whose_ack_may_be_lost_is_acknowledged_before_the_session_is_moved() {
    let mut s = Trace::answered();
    let ack = s.sent.last().unwrap().bytes.clone();
    take_over(&mut s, 1_100);
    recv!(s, time 1_100, ["ACK 1 again", "INVITE 18"]);
    assert_eq!(s.sent[s.sent.len() - 2].bytes, ack, "byte for byte");
}

#[test]
fn a_second_successor_uses_no_number_of_the_first_whatever_of_it_was_saved() {
    // The first one's record is here: it has sent INVITE 18, and nobody knows whether it was answered.
    let mut s = Trace::answered();
    take_over(&mut s, 1_100);
    recv!(s, time 1_100, ["ACK 1 again", "INVITE 18"]);
    take_over(&mut s, 1_200);
    recv!(s, time 1_200, ["ACK 1 again", "ACK 18", "INVITE 35"]);
    // It is not: two claims are left out.
    let mut s = Trace::answered();
    s.caller(1_200, |session, now, mint| {
        let twice = Moved { skip: 32, ..moved() };
        session.take_over(now, twice, Some(&Bytes::from_static(b"moved")), mint);
    });
    recv!(s, time 1_200, ["ACK 1 again", "INVITE 34"]);
}

#[test]
fn without_an_offer_the_session_is_not_moved_but_can_be_ended() {
    let mut s = Trace::answered();
    s.caller(40_000, |session, now, mint| {
        session.take_over(now, moved(), None, mint);
        session.bye(now, None, mint);
    });
    recv!(s, time 40_000, ["BYE 18"]);
}

// ── what the peer says to it ──

const ASK: &str = "WWW-Authenticate: Digest realm=\"pbx\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"";
const ASK_ANEW: &str =
    "WWW-Authenticate: Digest realm=\"pbx\", nonce=\"n2\", algorithm=MD5, qop=\"auth\", stale=true";

fn knowing(parameters: Parameters) -> Trace {
    let mut s = Trace::calling_with(parameters);
    let (username, password) = ("baton".into(), "s3cret".into());
    s.knows(Some(Arc::new(Credentials { username, password, realm: None })));
    recv!(s, time 0, ["INVITE 1"]);
    s
}

#[test]
fn credentials_for_the_last_nonce_go_along_with_a_count_that_nobody_has_used() {
    // FreeSWITCH's auth-all-packets answers 401 without a challenge where they are missing.
    let mut s = knowing(parameters());
    send!(s, time 10, response("INVITE", 401).tag("x").header(ASK));
    recv!(s, time 10, ["ACK 1", "INVITE 2"]);
    send!(s, time 20, response("INVITE", 200).tag("b").body("answer"));
    recv!(s, time 20, ["Answered answer", "ACK 2"]);
    take_over(&mut s, 1_000);
    recv!(s, time 1_000, ["ACK 1 again", "ACK 2 again", "INVITE 19"]);
    let signed = line(&s.request("INVITE", None), "Authorization");
    assert!(signed.contains("nonce=\"n1\"") && signed.contains("nc=00000012"), "1 + 16 + 1: {signed}");
    // One that is too old is replaced.
    send!(s, time 1_010, response("INVITE", 401).header(ASK_ANEW));
    recv!(s, time 1_010, ["ACK 19", "INVITE 20"]);
    assert!(line(&s.request("INVITE", None), "Authorization").contains("nonce=\"n2\""));
    send!(s, time 1_020, response("INVITE", 200).body("answer"));
    recv!(s, time 1_020, ["ReinviteAnswered answer", "ACK 20"]);
}

#[test]
fn a_peer_whose_own_invite_hangs_is_asked_until_that_has_run_out() {
    let mut s = Trace::answered();
    take_over_after(&mut s, 60_000);
    s.take_heard();
    let (mut now, mut cseq) = (60_000, 18);
    while now < 92_000 {
        send!(s, time now + 5, response("INVITE", 491));
        recv!(s, time now + 5, [format!("ACK {cseq}")]);
        // Somewhen within 2.1 to 4 s (§14.1) it is tried again.
        let before = now;
        let heard = loop {
            now += 10;
            s.run_until(now);
            if let [(_, line)] = s.take_heard().as_slice() {
                break line.clone();
            }
        };
        assert!((2_100..=4_010).contains(&(now - before)), "{}", now - before);
        cseq += 1;
        assert_eq!(heard, format!("INVITE {cseq}"));
        assert!(s.request("INVITE", None).ends_with("moved"));
    }
    send!(s, time now + 5, response("INVITE", 200).body("answer"));
    recv!(s, time now + 5, ["ReinviteAnswered answer".to_owned(), format!("ACK {cseq}")]);
}

#[test]
fn a_busy_peer_says_when_and_gets_the_offer_then() {
    let mut s = Trace::answered();
    take_over_after(&mut s, 60_000);
    s.take_heard();
    send!(s, time 60_010, response("INVITE", 500).header("Retry-After: 3"));
    recv!(s, time 60_010, ["ACK 18"]);
    recv!(s, time 63_010, ["INVITE 19"]);
    assert!(s.request("INVITE", None).ends_with("moved"));
    // One that names no time, or too long a one, has refused.
    send!(s, time 63_020, response("INVITE", 500));
    recv!(s, time 63_020, ["ACK 19", "ReinviteRefused 500"]);
}

#[test]
fn a_peer_that_has_no_such_session_or_says_nothing_is_told() {
    let mut s = Trace::answered();
    take_over_after(&mut s, 60_000);
    s.take_heard();
    send!(s, time 60_010, response("INVITE", 481));
    recv!(s, time 60_010, ["ACK 18", "ReinviteRefused 481"]);

    let mut s = Trace::answered();
    take_over_after(&mut s, 60_000);
    s.take_heard();
    assert_eq!(said_until(&mut s, 92_000, "INVITE"), expected(92_000, &["ReinviteRefused silence"]));
}

// ── what was under way ──

#[test]
fn our_reinvite_that_was_under_way_is_acknowledged_unheard_and_followed_by_another() {
    let mut s = Trace::answered();
    s.caller(2_000, |session, now, mint| {
        assert!(session.reinvite(now, &Bytes::from_static(b"refresh"), mint));
    });
    recv!(s, time 2_000, ["INVITE 2"]);
    take_over(&mut s, 2_100);
    // Its 2xx may be on its way to where nobody is: without an ACK the peer would hang up after 32 s.
    recv!(s, time 2_100, ["ACK 1 again", "ACK 2", "INVITE 19"]);
    // What comes for it all the same is nobody's.
    send!(s, time 2_110, response("INVITE", 200).body("answer"));
    recv!(s, time 2_110, ["ReinviteAnswered answer", "ACK 19"]);
}

#[test]
fn a_reinvite_that_was_answered_or_put_off_is_not_forgotten() {
    let mut s = Trace::answered();
    s.caller(2_000, |session, now, mint| {
        assert!(session.reinvite(now, &Bytes::from_static(b"refresh"), mint));
    });
    recv!(s, time 2_000, ["INVITE 2"]);
    send!(s, time 2_010, response("INVITE", 200).body("answer"));
    recv!(s, time 2_010, ["ReinviteAnswered answer", "ACK 2"]);
    take_over(&mut s, 2_100);
    recv!(s, time 2_100, ["ACK 1 again", "ACK 2 again", "INVITE 19"]);

    let mut s = Trace::answered();
    s.caller(2_000, |session, now, mint| {
        assert!(session.reinvite(now, &Bytes::from_static(b"refresh"), mint));
    });
    recv!(s, time 2_000, ["INVITE 2"]);
    send!(s, time 2_010, response("INVITE", 491));
    recv!(s, time 2_010, ["ACK 2"]);
    take_over(&mut s, 2_100);
    recv!(s, time 2_100, ["ACK 1 again", "ACK 2 again", "INVITE 19"]);
    assert!(s.request("INVITE", None).ends_with("moved"), "what was put off is of yesterday");
    assert_eq!(said_until(&mut s, 30_000, "INVITE"), []);
}

fn refreshing(allow: &str) -> Trace {
    let session_expires = Some(Duration::from_secs(200));
    let mut s = Trace::calling_with(Parameters { session_expires, ..parameters() });
    recv!(s, time 0, ["INVITE 1"]);
    let timer = "Session-Expires: 200;refresher=uac";
    send!(s, time 0, response("INVITE", 200).tag("b").body("answer").header(timer).header(allow));
    recv!(s, time 0, ["Answered answer", "ACK 1"]);
    s
}

#[test]
fn our_refresh_that_was_under_way_is_made_by_the_reinvite() {
    let mut s = refreshing("Allow: INVITE, ACK, BYE, UPDATE");
    recv!(s, time 100_000, ["UPDATE 2"]);
    take_over(&mut s, 100_100);
    recv!(s, time 100_100, ["INVITE 19"]);
    assert_eq!(line(&s.request("INVITE", None), "Session-Expires"), "200;refresher=uac");
    let timer = "Session-Expires: 200;refresher=uac";
    send!(s, time 100_110, response("INVITE", 200).body("answer").header(timer));
    recv!(s, time 100_110, ["ReinviteAnswered answer", "ACK 19"]);
    quiet!(s, until 200_109);
    recv!(s, time 200_110, ["UPDATE 20"]);
}

#[test]
fn a_refresh_that_fell_due_while_nobody_was_there_is_made_late_rather_than_never() {
    // Also when the session should have ended by then: the peer says whether it has.
    for away in [120_000, 170_000, 198_000] {
        let mut s = refreshing("Allow: INVITE, ACK, BYE");
        take_over_after(&mut s, away);
        let said: Vec<String> = s.take_heard().into_iter().map(|(_, line)| line).collect();
        assert_eq!(said.last().map(String::as_str), Some("INVITE 18"), "{away}: {said:?}");
        let timer = "Session-Expires: 200;refresher=uac";
        send!(s, time away + 10, response("INVITE", 200).body("answer").header(timer));
        recv!(s, time away + 10, ["ReinviteAnswered answer", "ACK 18"]);
        quiet!(s, until away + 100_009);
        recv!(s, time away + 100_010, ["RefreshDue"]);
    }
}

#[test]
fn the_peers_reinvite_that_we_answered_gets_its_200_again_and_no_ack_is_waited_for() {
    let mut s = Trace::answered();
    send!(s, time 2_000, request("INVITE", 7).body("theirs"));
    recv!(s, time 2_000, ["Offered theirs"]);
    s.caller(2_000, |session, now, mint| session.answer(now, Some(&Bytes::from_static(b"ours")), mint));
    recv!(s, time 2_000, ["200 7 INVITE"]);
    let answer = s.sent.last().unwrap().bytes.clone();
    take_over(&mut s, 2_100);
    recv!(s, time 2_100, ["ACK 1 again", "200 7 INVITE again", "INVITE 18"]);
    assert_eq!(s.sent[s.sent.len() - 2].bytes, answer);
    send!(s, time 2_110, response("INVITE", 200).body("answer"));
    recv!(s, time 2_110, ["ReinviteAnswered answer", "ACK 18"]);
    quiet!(s, until 60_000); // it would be repeated, and after 32 s the call be ended
}

#[test]
fn the_peers_update_that_we_answered_gets_its_200_again() {
    let mut s = Trace::answered();
    send!(s, time 2_000, request("UPDATE", 7).body("theirs"));
    recv!(s, time 2_000, ["Offered theirs"]);
    s.caller(2_000, |session, now, mint| session.answer(now, Some(&Bytes::from_static(b"ours")), mint));
    recv!(s, time 2_000, ["200 7 UPDATE"]);
    take_over(&mut s, 2_100);
    recv!(s, time 2_100, ["ACK 1 again", "200 7 UPDATE again", "INVITE 18"]);
}

#[test]
fn a_peer_that_changes_the_session_while_ours_is_put_off_has_accepted_us() {
    let mut s = Trace::answered();
    take_over_after(&mut s, 60_000);
    s.take_heard();
    send!(s, time 60_010, response("INVITE", 491));
    recv!(s, time 60_010, ["ACK 18"]);
    send!(s, time 60_100, request("INVITE", 7).body("theirs"));
    recv!(s, time 60_100, ["Offered theirs"]);
    s.caller(60_100, |session, now, mint| session.answer(now, Some(&Bytes::from_static(b"ours")), mint));
    recv!(s, time 60_100, ["200 7 INVITE", "ReinviteAnswered"]);
    let answer = String::from_utf8(s.sent.last().unwrap().bytes.to_vec()).unwrap();
    assert_eq!(line(&answer, "Contact"), format!("<sip:0123456789abcdef@{HERE}>"));
}

#[test]
fn a_bye_is_sent_anew_because_nobody_hears_the_answer_to_the_first() {
    let mut s = Trace::answered();
    s.caller(2_000, |session, now, mint| session.bye(now, None, mint));
    recv!(s, time 2_000, ["BYE 2"]);
    take_over(&mut s, 2_100);
    recv!(s, time 2_100, ["ACK 1 again", "BYE 19"]);
    assert!(line(&s.request("BYE", None), "Via").contains(HERE));
    send!(s, time 2_110, response("BYE", 481)); // it had the first
    recv!(s, time 2_110, ["ByeDone 481"]);
}

#[test]
fn a_call_that_the_peer_ended_is_not_moved() {
    let mut s = Trace::answered();
    send!(s, time 2_000, request("BYE", 7));
    recv!(s, time 2_000, ["200 7 BYE", "PeerBye"]);
    take_over(&mut s, 2_100);
    recv!(s, time 2_100, ["ACK 1 again", "200 7 BYE again"]);
}
