//! The keys that a callee presses, and the ways in which they reach the wire: SIPp replays them.
//!
//! ```text
//! 200 ─ hello 600 ─ consent 700 ─ [1] ─ age 800 ─ [4 2 #] ─ done 500 ─ BYE
//! ```

use serde_json::Value;

use crate::baton::{Call, Outcome};
use crate::pcap::{Speaker, Wire};
use crate::sipp::{Sipp, Trace};

/// Everything answered: `1` while consent is asked, `4 2 #` while the age is asked.
pub(crate) fn whole_interview(speaker: Speaker, wire: Wire) -> Vec<u8> {
    let speaker = speaker.voice(1000).key_on('1', 160, wire).voice(700);
    let speaker = speaker.key_on('4', 120, wire).voice(100).key_on('2', 120, wire).voice(100);
    speaker.key_on('#', 120, wire).voice(2000).pcap()
}

/// Calls a SIPp that answers and sends these packets.
#[track_caller]
fn call(scenario: &str, event: &str, packets: &[u8]) -> (Outcome, Trace) {
    let sipp = Sipp::callee(scenario, &[("event", event)], &[("keys.pcap", packets)]);
    let outcome = Call::to(sipp.port).finish();
    (outcome, sipp.finish())
}

#[test]
fn a_whole_interview_ends_with_our_bye() {
    let (outcome, trace) = call("answer.xml", "101", &whole_interview(Speaker::new(101), Wire::Good));
    outcome.assert_complete(42, "42");
    assert_eq!(trace.story(), ["INVITE", "ACK", "BYE"], "{trace}");
    for response in outcome.responses() {
        assert_eq!(
            (&response["asked"], &response["no_input"], &response["no_match"]),
            (&1.into(), &0.into(), &0.into())
        );
        assert!(response["asked_at"].as_str().unwrap() < response["at"].as_str().unwrap(), "{response:#}");
    }
    let held = outcome.responses()[0]["digits"][0]["duration_ms"].as_u64().unwrap();
    assert!((140..=180).contains(&held), "held for 160 ms, recorded {held}");
    let (invite, bye) = (trace.received("INVITE")[0], trace.received("BYE")[0]);
    assert!(invite.header("From").unwrap().contains("sip:survey@baton.example"), "{trace}");
    assert!(invite.text.starts_with("INVITE sip:+254712345678@127.0.0.1:"), "{trace}");
    assert!(bye.text.starts_with("BYE sip:phone@127.0.0.1:"), "the BYE goes to the Contact\n{trace}");
    assert_eq!(bye.header("Reason").map(|reason| reason.contains("cause=16")), Some(true), "{trace}");
    let offer = invite.body();
    for line in
        ["m=audio ", "a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000", "telephone-event/8000", "a=ptime:20"]
    {
        assert!(offer.contains(line), "no {line} in the offer\n{offer}");
    }
}

#[test]
fn other_payload_numbers_for_telephone_event() {
    let (outcome, _) = call("answer.xml", "96", &whole_interview(Speaker::new(96), Wire::Good));
    outcome.assert_complete(42, "42");
}

#[test]
fn keys_of_sipps_own_generator() {
    let (outcome, _) = call("play_dtmf.xml", "96", &[]);
    outcome.assert_complete(42, "42");
}

#[test]
fn each_key_counts_once_though_its_first_packets_are_lost() {
    let wire = Wire::LosesStart;
    let (outcome, _) = call("answer.xml", "101", &whole_interview(Speaker::new(101).wrapping(), wire));
    outcome.assert_complete(42, "42");
}

#[test]
fn each_key_counts_once_though_its_last_packets_are_lost() {
    let wire = Wire::LosesEnd;
    let (outcome, _) = call("answer.xml", "101", &whole_interview(Speaker::new(101).wrapping(), wire));
    outcome.assert_complete(42, "42");
}

#[test]
fn each_key_counts_once_though_its_packets_come_twice() {
    let wire = Wire::Doubles;
    let (outcome, _) = call("answer.xml", "101", &whole_interview(Speaker::new(101).wrapping(), wire));
    outcome.assert_complete(42, "42");
}

#[test]
fn a_key_held_for_a_second_counts_once() {
    let speaker =
        Speaker::new(101).voice(1000).key('1', 1000).voice(600).key('4', 900).voice(100).key('#', 100);
    let (outcome, _) = call("answer.xml", "101", &speaker.voice(2000).pcap());
    outcome.assert_complete(4, "4");
    let held = outcome.responses()[0]["digits"][0]["duration_ms"].as_u64().unwrap();
    assert!((940..=1060).contains(&held), "held for 1000 ms, recorded {held}");
}

#[test]
fn a_key_pressed_before_the_question_plays_out_cuts_it_short() {
    // hello may not be cut, consent and age may: the whole interview takes well under a second of questions.
    let speaker = Speaker::new(101).voice(700).key('1', 80).voice(120).key('5', 80).key('#', 80).voice(3000);
    let (outcome, trace) = call("answer.xml", "101", &speaker.pcap());
    outcome.assert_complete(5, "5");
    let (ack, bye) = (trace.received("ACK")[0].at, trace.received("BYE")[0].at);
    assert!(bye - ack < 2.1, "the questions were not cut short: {:.2} s from ACK to BYE", bye - ack);
}

#[test]
fn an_opt_out_key_ends_the_interview() {
    let (outcome, trace) =
        call("answer.xml", "101", &Speaker::new(101).voice(900).key('*', 120).voice(3000).pcap());
    outcome.assert("refusal", "2.11", 200);
    let consent = &outcome.responses()[0];
    assert_eq!(consent["status"], "refused", "{consent:#}");
    outcome.assert_response("age", "not_reached", Value::Null, "");
    assert_eq!(trace.story(), ["INVITE", "ACK", "BYE"], "{trace}");
}

#[test]
fn who_says_nothing_is_asked_again_and_then_let_go() {
    let (outcome, trace) = call("answer.xml", "101", &Speaker::new(101).voice(9000).pcap());
    outcome.assert("break_off", "2.12", 200);
    let consent = &outcome.responses()[0];
    assert_eq!((&consent["status"], &consent["asked"]), (&"no_input".into(), &2.into()), "{consent:#}");
    assert_eq!(consent["no_input"], 2, "{consent:#}");
    assert_eq!(trace.story(), ["INVITE", "ACK", "BYE"], "{trace}");
}

#[test]
fn a_wrong_key_is_asked_again_and_then_forgiven() {
    let speaker = Speaker::new(101).voice(1000).key('7', 120).voice(400).key('1', 120).voice(600);
    let (outcome, _) =
        call("answer.xml", "101", &speaker.key('4', 100).key('2', 100).key('#', 100).voice(2000).pcap());
    outcome.assert_complete(42, "42");
    let consent = &outcome.responses()[0];
    assert_eq!((&consent["no_match"], &consent["asked"]), (&1.into(), &2.into()), "{consent:#}");
}
