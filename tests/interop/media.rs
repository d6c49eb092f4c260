//! What comes in by RTP and INFO: keys by every way, machines that answer, loss, silence.

use serde_json::Value;

use crate::asterisk::Asterisk;
use crate::baton::{Call, Outcome};
use crate::pcap::{Speaker, Wire};
use crate::signal;
use crate::sipp::{Sipp, Trace};

/// A voice in which these keys are tones: `1` while consent is asked, the others while the age is asked.
fn keys_in_the_voice(speaker: Speaker) -> Speaker {
    let speaker = speaker.voice(1_000).say(&signal::key_tones('1', 100), 0..0).voice(900);
    let speaker = speaker.say(&signal::key_tones('4', 60), 0..0).voice(100);
    let speaker = speaker.say(&signal::key_tones('2', 60), 0..0).voice(100);
    speaker.say(&signal::key_tones('#', 80), 0..0).voice(2_000)
}

#[track_caller]
fn sipp(scenario: &str, speaker: &Speaker, settings: &str) -> (Outcome, Trace) {
    let sipp = Sipp::callee(scenario, &[], &[("keys.pcap", &speaker.pcap())]);
    let outcome = Call::through(sipp.port, settings).finish();
    (outcome, sipp.finish())
}

#[test]
fn keys_in_the_voice_are_heard_where_no_events_were_agreed_to() {
    let (outcome, _) = sipp("answer_voice.xml", &keys_in_the_voice(Speaker::new(101)), "");
    outcome.assert_complete(42, "42");
    outcome.assert_keys_by("in_band");
    let held = outcome.responses()[0]["digits"][0]["duration_ms"].as_u64().unwrap();
    assert!((85..=115).contains(&held), "held for 100 ms, recorded {held}");
}

#[test]
fn keys_in_the_voice_are_not_listened_for_where_events_were_agreed_to() {
    let (outcome, _) = sipp("answer.xml", &keys_in_the_voice(Speaker::new(101)).voice(8_000), "");
    outcome.assert_response("consent", "no_input", Value::Null, "");
}

#[test]
fn a_trunk_may_ask_for_keys_in_the_voice_alone() {
    let (outcome, trace) =
        sipp("answer_voice.xml", &keys_in_the_voice(Speaker::new(101)), "dtmf = [\"inband\"]");
    outcome.assert_complete(42, "42");
    assert!(!trace.received("INVITE")[0].body().contains("telephone-event"), "{trace}");
}

#[test]
fn keys_by_info_in_all_spellings() {
    let (outcome, trace) = sipp("info_keys.xml", &Speaker::new(101).voice(4_000), "");
    outcome.assert_complete(42, "42");
    outcome.assert_keys_by("sip_info");
    assert_eq!(outcome.responses()[1]["digits"][0]["duration_ms"], 250, "{:#}", outcome.result);
    assert_eq!(trace.received("SIP/2.0 200").len(), 4, "each INFO was answered\n{trace}");
}

/// What Asterisk presses in each of its modes.
fn asterisk_presses(mode: &str, method: &str) {
    let press = &["Wait(2)", "SendDTMF(1,250,160)", "Wait(2)", "SendDTMF(42#,250,160)", "Wait(20)"];
    let asterisk = Asterisk::start(press, &format!("dtmf_mode={mode}"));
    let outcome = Call::to(asterisk.port).finish();
    outcome.assert_complete(42, "42");
    outcome.assert_keys_by(method);
}

#[test]
fn asterisk_in_dtmf_mode_inband() {
    asterisk_presses("inband", "in_band");
}

#[test]
fn asterisk_in_dtmf_mode_info() {
    asterisk_presses("info", "sip_info");
}

#[test]
fn asterisk_in_dtmf_mode_rfc4733() {
    asterisk_presses("rfc4733", "rfc4733");
}

#[test]
fn asterisk_in_dtmf_mode_auto() {
    asterisk_presses("auto", "rfc4733");
}

#[test]
fn a_fax_machine_is_recorded_as_one() {
    let ced = signal::tones(&[2_100.0], 8_000.0, 2_600);
    let (outcome, _) = sipp("answer.xml", &Speaker::new(101).voice(200).say(&ced, 0..0).voice(500), "");
    outcome.assert("fax_or_data", "4.20", 200);
    let result = &outcome.result;
    assert_eq!((&result["answered_by"], &result["ended_by"]), (&"fax_or_modem".into(), &"callee".into()));
    assert_eq!(result["tones"][0]["tone"], "answer_tone", "{result:#}");
}

#[test]
fn special_information_is_recorded_as_what_it_says() {
    let segment = |hertz, ms| signal::tones(&[hertz], 3_000.0, ms);
    let speaker = Speaker::new(101).voice(400);
    let sit = [segment(985.2, 380), segment(1_370.6, 280), segment(1_776.7, 380)].concat();
    let (outcome, _) = sipp("answer.xml", &speaker.say(&sit, 0..0).voice(2_000), "");
    outcome.assert("non_working", "4.31", 200);
    assert_eq!(outcome.result["tones"][0]["tone"], "sit_vacant_code", "{:#}", outcome.result);
}

#[test]
fn a_trunk_may_ask_to_note_tones_only() {
    let ced = signal::tones(&[2_100.0], 8_000.0, 1_300);
    let speaker = Speaker::new(101).voice(200).say(&ced, 0..0).voice(500);
    let speaker = speaker.key('1', 160).voice(800).key('4', 120).voice(100).key('2', 120).voice(100);
    let (outcome, _) = sipp("answer.xml", &speaker.key('#', 120).voice(2_000), "on_tone = \"note\"");
    outcome.assert_complete(42, "42");
    assert_eq!(outcome.result["tones"][0]["tone"], "answer_tone", "{:#}", outcome.result);
}

#[test]
fn loss_and_jitter_stand_in_the_result() {
    let voice = signal::noise(9, 2_000);
    let speaker = Speaker::new(101).wrapping().say(&voice, 20..30).key_on('1', 160, Wire::Good).voice(700);
    let speaker = speaker.key('4', 120).voice(100).key('2', 120).voice(100).key('#', 120).voice(2_000);
    let (outcome, _) = sipp("answer.xml", &speaker, "");
    outcome.assert_complete(42, "42");
    let media = &outcome.result["media"];
    let number = |field: &str| media[field].as_u64().unwrap_or_else(|| panic!("{field} in {media:#}"));
    assert!(number("received") > 100 && number("sent") > 100, "{media:#}");
    assert!((5..=10).contains(&number("lost")), "ten packets in a row were left out: {media:#}");
    assert_eq!((number("streams"), number("strangers"), number("malformed")), (1, 0, 0), "{media:#}");
    let mos = media["mos"].as_f64().unwrap();
    assert!((3.0..4.4).contains(&mos), "{media:#}");
    assert_eq!(media["codec"], "PCMU");
}

#[test]
fn a_callee_who_falls_silent_is_asked_and_then_let_go() {
    let (outcome, trace) = sipp("quiet.xml", &Speaker::new(101).voice(400), "media_timeout = \"1s\"");
    outcome.assert("technical_fault", "3.16", 200);
    assert_eq!(outcome.result["fault"], "media_timeout", "{:#}", outcome.result);
    assert_eq!(outcome.result["ended_by"], "fault", "{:#}", outcome.result);
    assert_eq!(trace.story(), ["INVITE", "ACK", "OPTIONS", "BYE"], "{trace}");
    let silent = trace.received("BYE")[0].at - trace.received("OPTIONS")[0].at;
    assert!((0.9..1.2).contains(&silent), "{silent} s from OPTIONS to BYE");
}

/// Special information, busy and a fax machine before the answer: SIPp plays them behind its 183.
#[track_caller]
fn announced(sound: &[i16], settings: &str) -> (Outcome, Trace) {
    sipp("announcement.xml", &Speaker::new(101).voice(400).say(sound, 0..0).voice(2_000), settings)
}

#[track_caller]
fn was_no_answer(outcome: &Outcome, trace: &Trace, tone: &str) {
    let result = &outcome.result;
    assert_eq!(trace.story(), ["INVITE", "CANCEL", "ACK"], "{trace}");
    assert!(result["answered_at"].is_null() && result["answered_by"].is_null(), "{result:#}");
    assert_eq!(result["tones"][0]["tone"], tone, "{result:#}");
    assert!(result["media"]["received"].as_u64().unwrap() > 20, "{result:#}");
    assert_eq!(result["media"]["sent"], 0, "nothing is sent before the answer: {result:#}");
    outcome.assert_response("consent", "not_reached", Value::Null, "");
}

#[test]
fn special_information_before_the_answer_is_recorded_as_what_it_says() {
    let segment = |hertz, ms| signal::tones(&[hertz], 3_000.0, ms);
    let sit = [segment(985.2, 380), segment(1_370.6, 280), segment(1_776.7, 380)].concat();
    let (outcome, trace) = announced(&sit, "");
    outcome.assert("non_working", "4.31", 487);
    was_no_answer(&outcome, &trace, "sit_vacant_code");
}

#[test]
fn a_busy_tone_before_the_answer_is_busy() {
    let cycle = [signal::tones(&[425.0], 4_000.0, 480), vec![0; 480 * 8]].concat();
    let (outcome, trace) = announced(&cycle.repeat(5), "");
    outcome.assert("busy", "3.12", 487);
    was_no_answer(&outcome, &trace, "busy");
}

#[test]
fn a_fax_machine_before_the_answer_is_one() {
    let (outcome, trace) = announced(&signal::tones(&[2_100.0], 8_000.0, 2_600), "");
    outcome.assert("fax_or_data", "4.20", 487);
    was_no_answer(&outcome, &trace, "answer_tone");
}

#[test]
fn a_trunk_may_have_tones_before_the_answer_noted_only() {
    let sit = [950.0, 1_400.0, 1_800.0].map(|hertz| signal::tones(&[hertz], 3_000.0, 320)).concat();
    let (outcome, _) = announced(&sit, "on_tone = \"note\"");
    outcome.assert("no_answer", "3.13", 487);
    assert_eq!(outcome.result["tones"][0]["tone"], "sit", "{:#}", outcome.result);
}
