//! Challenges: RFC 3261 §22, RFC 7616, RFC 8760.

use std::sync::Arc;

use super::peer::{line, request, response};
use super::trace::{Trace, parameters, quiet, recv, send};
use crate::sip::digest::Credentials;

const ASK: &str =
    "WWW-Authenticate: Digest realm=\"pbx\", nonce=\"n1\", algorithm=MD5, qop=\"auth\", opaque=\"o\"";
const ASK_OF_PROXY: &str =
    "Proxy-Authenticate: Digest realm=\"edge\", nonce=\"p1\", algorithm=SHA-256, qop=\"auth\"";

fn knowing(password: &str) -> Trace {
    let mut trace = Trace::calling_with(parameters());
    trace.knows(Some(Arc::new(Credentials {
        username: "baton".into(),
        password: password.into(),
        realm: None,
    })));
    recv!(trace, time 0, ["INVITE 1"]);
    trace
}

/// A parameter of a header of the latest request of this method, without quotes.
fn param(trace: &Trace, method: &str, header: &str, name: &str) -> String {
    let line = line(&trace.request(method, None), header);
    let list = line.strip_prefix("Digest ").unwrap();
    let value = list.split(", ").find_map(|param| param.strip_prefix(name)?.strip_prefix('='));
    value.unwrap_or_else(|| panic!("no {name} in {line}")).trim_matches('"').to_owned()
}

/// A session with the peer `b` that asked for name and password at its beginning.
fn answered() -> Trace {
    let mut s = knowing("s3cret");
    send!(s, time 10, response("INVITE", 401).tag("x").header(ASK));
    recv!(s, time 10, ["ACK 1", "INVITE 2"]);
    send!(s, time 20, response("INVITE", 200).tag("b").body("answer"));
    recv!(s, time 20, ["Answered answer", "ACK 2"]);
    s
}

#[test]
fn a_challenged_invite_goes_out_again_as_the_same_call() {
    // RFC 3261 §8.1.3.5, §22.2
    let mut s = knowing("s3cret");
    let first = s.request("INVITE", None);
    send!(s, time 10, response("INVITE", 100));
    send!(s, time 20, response("INVITE", 401).tag("x").header(ASK));
    recv!(s, time 20, ["ACK 1", "INVITE 2"]);
    let second = s.request("INVITE", None);
    for same in ["From", "To", "Call-ID", "Contact", "Expires", "Allow", "Content-Type", "Max-Forwards"] {
        assert_eq!(line(&first, same), line(&second, same));
    }
    assert_ne!(line(&first, "Via"), line(&second, "Via"));
    assert!(second.starts_with("INVITE sip:+254711000001@198.51.100.7 SIP/2.0\r\nVia: "));
    assert!(second.ends_with("\r\n\r\noffer"));
    let of = |name: &str| param(&s, "INVITE", "Authorization", name);
    assert_eq!((of("username"), of("realm")), ("baton".into(), "pbx".into()));
    assert_eq!((of("nonce"), of("opaque"), of("nc")), ("n1".into(), "o".into(), "00000001".into()));
    assert_eq!(of("uri"), "sip:+254711000001@198.51.100.7");
    // The repeat of the 401 gets its ACK; the second INVITE goes on.
    send!(s, time 500, response("INVITE", 180).tag("b"));
    recv!(s, time 500, ["Progress 180"]);
    send!(s, time 900, response("INVITE", 200).tag("b").body("answer"));
    recv!(s, time 900, ["Answered answer", "ACK 2"]);
    let ack = s.request("ACK", None);
    assert_eq!(line(&ack, "Authorization"), line(&second, "Authorization"), "§13.2.2.4");
}

#[test]
fn the_repeat_of_a_challenge_is_acknowledged_and_not_answered_again() {
    let mut s = knowing("s3cret");
    let first = s.request("INVITE", None);
    let challenge = |branch: &str| {
        let (from, call_id) = (line(&first, "From"), line(&first, "Call-ID"));
        let to = line(&first, "To");
        format!(
            "SIP/2.0 401 Unauthorized\r\nVia: {branch}\r\nFrom: {from}\r\nTo: {to};tag=x\r\n\
             Call-ID: {call_id}\r\nCSeq: 1 INVITE\r\n{ASK}\r\nContent-Length: 0\r\n\r\n"
        )
    };
    s.run_until(10);
    s.give_bytes(challenge(&line(&first, "Via")).into());
    recv!(s, time 10, ["ACK 1", "INVITE 2"]);
    s.run_until(400);
    s.give_bytes(challenge(&line(&first, "Via")).into());
    recv!(s, time 400, ["ACK 1 again"]);
    s.resume();
    recv!(s, time 400, ["ACK 1 again", "INVITE 2 again"]);
}

#[test]
fn a_wrong_password_fails_the_call_after_one_answer() {
    let mut s = knowing("wrong");
    send!(s, time 10, response("INVITE", 401).tag("x").header(ASK));
    recv!(s, time 10, ["ACK 1", "INVITE 2"]);
    let fresh = ASK.replace("n1", "n2");
    send!(s, time 20, response("INVITE", 401).tag("y").header(&fresh));
    recv!(s, time 20, ["ACK 2", "Failed 401"]);
    recv!(s, time 32_020, ["Over"]);
}

#[test]
fn a_stale_nonce_is_replaced() {
    // RFC 7616 §3.3
    let mut s = knowing("s3cret");
    send!(s, time 10, response("INVITE", 407).tag("x").header(ASK_OF_PROXY));
    recv!(s, time 10, ["ACK 1", "INVITE 2"]);
    let stale = format!("{}, stale=true", ASK_OF_PROXY.replace("p1", "p2"));
    send!(s, time 20, response("INVITE", 407).tag("x").header(&stale));
    recv!(s, time 20, ["ACK 2", "INVITE 3"]);
    assert_eq!(param(&s, "INVITE", "Proxy-Authorization", "nonce"), "p2");
    send!(s, time 30, response("INVITE", 200).tag("b").body("answer"));
    recv!(s, time 30, ["Answered answer", "ACK 3"]);
}

#[test]
fn a_proxy_and_then_the_server_ask() {
    // RFC 3261 §22.3
    let mut s = knowing("s3cret");
    send!(s, time 10, response("INVITE", 407).tag("x").header(ASK_OF_PROXY));
    recv!(s, time 10, ["ACK 1", "INVITE 2"]);
    send!(s, time 20, response("INVITE", 401).tag("y").header(ASK));
    recv!(s, time 20, ["ACK 2", "INVITE 3"]);
    assert_eq!(param(&s, "INVITE", "Proxy-Authorization", "nc"), "00000002");
    assert_eq!(param(&s, "INVITE", "Authorization", "nc"), "00000001");
    send!(s, time 30, response("INVITE", 486).tag("b"));
    recv!(s, time 30, ["ACK 3", "Failed 486"]);
    assert!(!s.request("ACK", None).contains("Authorization"), "§17.1.1.3 names no credentials");
}

#[test]
fn without_credentials_or_with_those_of_another_realm_a_challenge_is_a_refusal() {
    let mut s = Trace::calling();
    recv!(s, time 0, ["INVITE 1"]);
    send!(s, time 10, response("INVITE", 401).tag("x").header(ASK));
    recv!(s, time 10, ["ACK 1", "Failed 401"]);

    let mut s = Trace::calling();
    let (username, password) = ("baton".to_owned(), "s3cret".to_owned());
    s.knows(Some(Arc::new(Credentials { username, password, realm: Some("pbx".into()) })));
    recv!(s, time 0, ["INVITE 1"]);
    send!(s, time 10, response("INVITE", 407).tag("x").header(ASK_OF_PROXY));
    recv!(s, time 10, ["ACK 1", "Failed 407"]);
}

#[test]
fn the_body_is_protected_where_the_server_wants_it() {
    // RFC 7616 §3.4.3
    let mut s = knowing("s3cret");
    send!(s, time 10, response("INVITE", 401).tag("x").header(&ASK.replace("\"auth\"", "\"auth-int\"")));
    recv!(s, time 10, ["ACK 1", "INVITE 2"]);
    let of = |name: &str| param(&s, "INVITE", "Authorization", name);
    assert_eq!(of("qop"), "auth-int");
    let md5 = |text: String| {
        use md5::Digest as _;
        md5::Md5::digest(text).iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let key = md5("baton:pbx:s3cret".into());
    let asked = md5(format!("INVITE:sip:+254711000001@198.51.100.7:{}", md5("offer".into())));
    let sum = md5(format!("{key}:n1:00000001:{}:auth-int:{asked}", of("cnonce")));
    assert_eq!(of("response"), sum);
}

#[test]
fn requests_in_the_dialog_carry_their_answer_at_once() {
    // RFC 3261 §22.2: the answer holds for the next requests, each with its own count
    let mut s = answered();
    s.caller(1_000, |session, now, mint| assert!(session.probe(now, mint)));
    recv!(s, time 1_000, ["OPTIONS 3"]);
    assert_eq!(param(&s, "OPTIONS", "Authorization", "nc"), "00000002");
    assert_eq!(param(&s, "OPTIONS", "Authorization", "uri"), "sip:peer@198.51.100.7");
    send!(s, time 1_010, response("OPTIONS", 200));
    recv!(s, time 1_010, ["Probed 200"]);
    s.caller(2_000, |session, now, mint| session.bye(now, None, mint));
    recv!(s, time 2_000, ["BYE 4"]);
    assert_eq!(param(&s, "BYE", "Authorization", "nc"), "00000003");
}

#[test]
fn a_challenged_bye_or_probe_goes_out_again() {
    let mut s = answered();
    s.caller(1_000, |session, now, mint| assert!(session.probe(now, mint)));
    recv!(s, time 1_000, ["OPTIONS 3"]);
    send!(s, time 1_010, response("OPTIONS", 407).header(ASK_OF_PROXY));
    recv!(s, time 1_010, ["OPTIONS 4"]);
    send!(s, time 1_020, response("OPTIONS", 200));
    recv!(s, time 1_020, ["Probed 200"]);
    s.caller(2_000, |session, now, mint| session.bye(now, None, mint));
    recv!(s, time 2_000, ["BYE 5"]);
    let later = ASK.replace("n1", "n2"); // the nonce was let go, though nobody calls it stale
    send!(s, time 2_010, response("BYE", 401).header(&later));
    recv!(s, time 2_010, ["BYE 6"]);
    assert_eq!(param(&s, "BYE", "Authorization", "nonce"), "n2");
    assert_eq!(param(&s, "BYE", "Proxy-Authorization", "nonce"), "p1");
    recv!(s, time 2_510, ["BYE 6 again"]);
    send!(s, time 2_520, response("BYE", 401).header(&ASK.replace("n1", "n3")));
    recv!(s, time 2_520, ["ByeDone 401"]);
}

#[test]
fn a_second_fork_may_ask_before_it_lets_go() {
    let mut s = answered();
    send!(s, time 100, response("INVITE", 200).tag("c").body("answer"));
    recv!(s, time 100, ["ACK 2", "BYE 3"]);
    send!(s, time 110, response("BYE", 401).tag("c").header(&ASK.replace("n1", "n9")));
    recv!(s, time 110, ["BYE 4"]);
    send!(s, time 120, response("BYE", 200).tag("c"));
    quiet!(s, until 30_000);
}

#[test]
fn a_cancelled_call_answers_no_challenge() {
    // RFC 3261 §22.1: CANCEL and ACK are never challenged, and the call is not wanted any more
    let mut s = knowing("s3cret");
    send!(s, time 10, response("INVITE", 401).tag("x").header(ASK));
    recv!(s, time 10, ["ACK 1", "INVITE 2"]);
    send!(s, time 20, response("INVITE", 180).tag("b"));
    recv!(s, time 20, ["Progress 180"]);
    s.caller(30, |session, now, mint| session.cancel(now, None, mint));
    recv!(s, time 30, ["CANCEL 2"]);
    let (cancel, invite) = (s.request("CANCEL", None), s.request("INVITE", None));
    assert_eq!(line(&cancel, "Via"), line(&invite, "Via"));
    assert!(!cancel.contains("Authorization"));
    send!(s, time 40, response("INVITE", 407).tag("b").header(ASK_OF_PROXY));
    recv!(s, time 40, ["ACK 2", "Failed 407 heard"]);
}

#[test]
fn the_record_holds_no_password_and_goes_on_with_the_next_count() {
    let mut s = answered();
    let record = s.record();
    assert!(memchr::memmem::find(&record, b"s3cret").is_none());
    s.away_until(5_000);
    drop(s.take_heard());
    s.caller(6_000, |session, now, mint| session.bye(now, None, mint));
    recv!(s, time 6_000, ["BYE 3"]);
    assert_eq!(param(&s, "BYE", "Authorization", "nc"), "00000002");
}

#[test]
fn credentials_that_the_peer_sends_are_no_concern_of_ours() {
    let mut s = answered();
    send!(s, time 1_000, request("OPTIONS", 7).header("Authorization: Digest username=\"x\", realm=\"y\""));
    recv!(s, time 1_000, ["200 7 OPTIONS"]);
}
