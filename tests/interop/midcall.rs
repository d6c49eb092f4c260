//! What can happen inside an answered call: SIPp hangs up, asks, changes codecs, repeats itself.

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
    outcome.assert_response("age", "not-reached", Value::Null, "");
    assert_eq!(outcome.result["ended_by"], "callee", "{:#}", outcome.result);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert_eq!(trace.story(), ["INVITE", "ACK", "200 BYE"], "{trace}");
}

#[test]
fn the_callee_hangs_up_at_once() {
    let (outcome, trace) = call("bye_at_once.xml", &[]);
    outcome.assert("break_off", "2.12", 200);
    outcome.assert_response("consent", "not-reached", Value::Null, "");
    assert_eq!(trace.story(), ["INVITE", "ACK", "200 BYE"], "{trace}");
}

#[test]
fn the_callee_hangs_up_before_it_has_the_ack() {
    let (outcome, trace) = call("bye_before_ack.xml", &[]);
    outcome.assert("break_off", "2.12", 200);
    assert!(trace.story().contains(&"200 BYE".to_owned()), "{trace}");
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
    assert_eq!(options.header("Accept"), Some("application/sdp"), "{trace}");
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
