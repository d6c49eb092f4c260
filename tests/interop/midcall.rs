//! What can happen inside an answered call: SIPp hangs up, asks, changes codecs, repeats itself.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use serde_json::Value;

use crate::baton::{Call, Outcome};
use crate::keys::whole_interview;
use crate::pcap::{Speaker, Wire};
use crate::sipp::{Sipp, Trace};

/// Calls a SIPp that runs this scenario and presses all keys.
#[track_caller]
fn call(scenario: &str, keys: &[(&str, &str)]) -> (Outcome, Trace) {
    let packets = whole_interview(Speaker::new(101), Wire::Good);
    let sipp = Sipp::callee(scenario, keys, &[("keys.pcap", &packets)]);
    let outcome = Call::to(sipp.port).finish();
    (outcome, sipp.finish())
}

#[test]
fn the_callee_hangs_up_after_the_first_reply() {
    let (outcome, trace) = call("hang_up.xml", &[("talk_ms", "1700")]);
    outcome.assert("break_off", "2.12", 200);
    outcome.assert_response("consent", "answered", "yes", "1");
    outcome.assert_response("age", "not_reached", Value::Null, "");
    assert_eq!(outcome.result["ended_by"], "callee", "{:#}", outcome.result);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert_eq!(trace.story(), ["INVITE", "ACK", "200 BYE"], "{trace}");
}

#[test]
fn the_callee_hangs_up_at_once() {
    let (outcome, trace) = call("bye_at_once.xml", &[]);
    outcome.assert("break_off", "2.12", 200);
    outcome.assert_response("consent", "not_reached", Value::Null, "");
    assert_eq!(trace.story(), ["INVITE", "ACK", "200 BYE"], "{trace}");
}

/// Phones do this though they may not (RFC 3261 §15). SIPp would have to wait for the ACK, so this callee is a bare
/// socket: its 200 and its BYE leave in one breath.
#[test]
fn the_callee_hangs_up_before_it_has_the_ack() {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let here = socket.local_addr().unwrap();
    let call = Call::to(here.port());
    let mut buffer = [0; 4096];
    let (length, baton) = socket.recv_from(&mut buffer).unwrap();
    let invite = std::str::from_utf8(&buffer[..length]).unwrap();
    let line = |name: &str| invite.lines().find(|line| line.starts_with(name)).unwrap().trim().to_owned();
    let value = |name: &str| line(name).split_once(": ").unwrap().1.to_owned();
    let sdp = format!(
        "v=0\r\no=phone 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {} RTP/AVP 0\r\n",
        here.port() + 1
    );
    let (via, from, to, call_id) = (line("Via"), value("From"), value("To"), line("Call-ID"));
    let answer = format!(
        "SIP/2.0 200 OK\r\n{via}\r\nFrom: {from}\r\nTo: {to};tag=bare\r\n{call_id}\r\n{}\r\nContact: <sip:{here}>\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}",
        line("CSeq"),
        sdp.len()
    );
    let target = value("Contact").trim_matches(['<', '>']).to_owned();
    let bye = format!(
        "BYE {target} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bKbare\r\nMax-Forwards: 70\r\n\
         From: {to};tag=bare\r\nTo: {from}\r\n{call_id}\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n"
    );
    socket.send_to(answer.as_bytes(), baton).unwrap();
    socket.send_to(bye.as_bytes(), baton).unwrap();

    let mut start_lines = Vec::new();
    while start_lines.len() < 2 {
        let (length, _) = socket.recv_from(&mut buffer).unwrap();
        let text = String::from_utf8_lossy(&buffer[..length]);
        start_lines.push(text.split(' ').take(2).collect::<Vec<_>>().join(" "));
    }
    start_lines.sort();
    assert_eq!(start_lines, [format!("ACK sip:{here}"), "SIP/2.0 200".to_owned()]);
    call.finish().assert("break_off", "2.12", 200);
}

#[test]
fn a_repeated_200_is_acknowledged_each_time() {
    let (outcome, trace) = call("lost_ack.xml", &[]);
    outcome.assert_complete(42, "42");
    assert_eq!(trace.story(), ["INVITE", "ACK", "ACK", "ACK", "BYE"], "{trace}");
    let acks = trace.received("ACK");
    assert!(
        acks.iter().all(|ack| ack.text == acks[0].text),
        "the same ACK each time (RFC 3261 §13.2.2.4)\n{trace}"
    );
}

#[test]
fn requests_inside_the_dialog_are_answered() {
    let (outcome, trace) = call("requests.xml", &[]);
    outcome.assert_complete(42, "42");
    let story = ["INVITE", "ACK", "200 OPTIONS", "501 FROBNICATE", "405 SUBSCRIBE", "420 OPTIONS", "BYE"];
    assert_eq!(trace.story(), story, "{trace}");
    let answer = |start: &str| trace.received(start)[0];
    let options = answer("SIP/2.0 200");
    for method in ["INVITE", "ACK", "CANCEL", "OPTIONS", "BYE"] {
        assert!(options.header("Allow").is_some_and(|allow| allow.contains(method)), "{method}\n{trace}");
    }
    assert_eq!(options.header("Accept"), Some("application/sdp, multipart/mixed"), "{trace}");
    assert!(answer("SIP/2.0 405").header("Allow").is_some(), "{trace}");
    assert_eq!(answer("SIP/2.0 420").header("Unsupported"), Some("x-nothing"), "{trace}");
}

#[test]
fn a_re_invite_with_another_order_of_codecs_is_accepted() {
    let (outcome, trace) = call("reinvite.xml", &[]);
    outcome.assert_complete(42, "42");
    assert_eq!(trace.story(), ["INVITE", "ACK", "200 INVITE", "BYE"], "{trace}");
    let answer = trace.received("SIP/2.0 200")[0].body();
    let audio = answer.lines().find(|line| line.starts_with("m=audio")).unwrap();
    assert!(audio.contains(" RTP/AVP 8"), "the offer's first codec is taken: {answer}");
    let origin = |body: &str| {
        let line = body.lines().find(|line| line.starts_with("o=")).unwrap().to_owned();
        line.split(' ').map(str::to_owned).collect::<Vec<_>>()
    };
    let (before, after) = (origin(&trace.received("INVITE")[0].body()), origin(&answer));
    // RFC 3264 §8: the origin stays but for its version, which grows by one if anything changed.
    assert_eq!((&before[0..2], &before[3..]), (&after[0..2], &after[3..]), "{before:?} {after:?}");
    let grown = after[2].parse::<u64>().unwrap() - before[2].parse::<u64>().unwrap();
    assert!(grown <= 1, "{before:?} {after:?}");
}

#[test]
fn a_proxy_that_records_its_route_stays_on_it() {
    let (outcome, trace) = call("record_route.xml", &[]);
    outcome.assert_complete(42, "42");
    for request in ["ACK", "BYE"] {
        let request = trace.received(request)[0];
        let route = request.header("Route").unwrap_or_default();
        assert!(route.contains(";lr") && route.contains("edge=1"), "{trace}");
        assert!(request.text.contains(" sip:phone@"), "the remote target stays the Request-URI\n{trace}");
    }
}

#[test]
fn early_media_is_not_an_answer() {
    let (outcome, trace) = call("early_media.xml", &[]);
    outcome.assert_complete(42, "42");
    assert_eq!(trace.story(), ["INVITE", "ACK", "BYE"], "{trace}");
    let time = |field: &str| outcome.result[field].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let rang = time("answered_at").as_millisecond() - time("started_at").as_millisecond();
    assert!(rang >= 450, "answered {rang} ms after the start, though 183 is no answer");
}

#[test]
fn a_phone_that_rings_reliably_moves_its_media_before_it_answers() {
    let (outcome, trace) = call("reliable.xml", &[]);
    outcome.assert_complete(42, "42");
    assert_eq!(trace.story(), ["INVITE", "PRACK", "200 UPDATE", "ACK", "BYE"], "{trace}");
    let prack = trace.received("PRACK")[0];
    assert_eq!(prack.header("RAck"), Some("4711 1 INVITE"), "{trace}");
    assert!(trace.received("INVITE")[0].header("Supported").unwrap().contains("100rel"), "{trace}");
    // The numbers of the early dialog go on in the session.
    assert_eq!(trace.received("BYE")[0].header("CSeq"), Some("3 BYE"), "{trace}");
}

#[test]
fn a_second_phone_that_answers_is_let_go() {
    let (outcome, trace) = call("second_fork.xml", &[]);
    outcome.assert_complete(42, "42");
    assert_eq!(trace.story(), ["INVITE", "ACK", "ACK", "BYE", "BYE"], "{trace}");
    let to = |method: &str, at: usize| trace.received(method)[at].header("To").unwrap().to_owned();
    assert!(to("ACK", 1).ends_with(";tag=second") && to("BYE", 0).ends_with(";tag=second"), "{trace}");
    assert!(!to("BYE", 1).ends_with(";tag=second"), "{trace}");
}

#[test]
fn a_hold_a_wrong_offer_and_a_resume() {
    let (outcome, trace) = call("hold.xml", &[("before_ms", "1"), ("held_ms", "300")]);
    outcome.assert_complete(42, "42");
    assert_eq!(trace.story(), ["INVITE", "ACK", "200 UPDATE", "488 UPDATE", "200 INVITE", "BYE"], "{trace}");
    let held = trace.received("SIP/2.0 200")[0].body();
    assert!(held.contains("a=recvonly"), "{held}");
    let refused = trace.received("SIP/2.0 488")[0];
    assert!(refused.header("Warning").is_some_and(|warning| warning.starts_with("305 ")), "{trace}");
    let resumed = trace.received("SIP/2.0 200")[1].body();
    assert!(!resumed.contains("a=recvonly"), "{resumed}");
}

/// Nobody is told of silence while they hold: this question gives up after four seconds without a key.
#[test]
fn who_holds_longer_than_a_question_waits_is_asked_it_again() {
    let (outcome, trace) = call("hold.xml", &[("before_ms", "2000"), ("held_ms", "9000")]);
    outcome.assert_complete(42, "42");
    for response in outcome.responses() {
        assert_eq!((&response["no_input"], &response["no_match"]), (&0.into(), &0.into()), "{response:#}");
    }
    assert_eq!(trace.story(), ["INVITE", "ACK", "200 UPDATE", "488 UPDATE", "200 INVITE", "BYE"], "{trace}");
}
