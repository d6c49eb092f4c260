//! Texts with a contact's name and with a reply in them, spoken by espeak-ng, as they come out of the wire: captured
//! by dumpcap on their way to SIPp, decoded by sox, and compared with what espeak-ng says by itself.
//!
//! ```text
//! 200 ─ "Dear Amina." ─ "Please key your code." ─ [4 0 7 2] ─ "You keyed four zero seven two." ─ "Goodbye." ─ BYE
//! ```

use std::process::{Command, Stdio};

use crate::baton::{Call, Setting};
use crate::capture::{Capture, Wire};
use crate::machine::{self, Place};
use crate::pcap::Speaker;
use crate::signal;
use crate::sipp::Sipp;

const QUESTIONNAIRE: &str = r##"<questionnaire id="speech" version="1" languages="en sw" xmlns="urn:baton:questionnaire:1">
  <contact-field name="name"/>
  <statement id="hello" barge-in="no">
    <say lang="en">Dear {name}.</say><say lang="sw">Mpendwa {name}.</say>
  </statement>
  <number id="code" min="1000" max="9999" digits="4">
    <say lang="en">Please key your code.</say><say lang="sw">Bonyeza namba yako.</say>
  </number>
  <statement id="so">
    <say lang="en">You keyed {code:digits}.</say><say lang="sw">Umebonyeza {code:digits}.</say>
  </statement>
  <end id="done" outcome="complete"><say lang="en">Goodbye.</say><say lang="sw">Kwaheri.</say></end>
</questionnaire>
"##;

#[test]
fn names_and_replies_are_heard_in_the_words_of_the_language() {
    hears("en", ["Dear Amina.", "You keyed four zero seven two.", "Goodbye."]);
    hears("sw", ["Mpendwa Amina.", "Umebonyeza nne sifuri saba mbili.", "Kwaheri."]);
}

#[track_caller]
fn hears(language: &str, texts: [&str; 3]) {
    let place = Place::new();
    let questionnaire = place.write("speech.xml", QUESTIONNAIRE);
    let mut speaker = Speaker::new(101).voice(4_000);
    for key in ['4', '0', '7', '2'] {
        speaker = speaker.key(key, 100).voice(100);
    }
    let sipp =
        Sipp::callee("answer.xml", &[("event", "101")], &[("keys.pcap", &speaker.voice(8_000).pcap())]);
    // The signalling tells tshark which packets are RTP.
    let capture = Capture::start(&format!("udp port {} or udp port {}", sipp.port, sipp.media_port));
    let language_field = format!("language={language}");
    let more = ["--trunk", "peer", "--set", "name=Amina", "--set", language_field.as_str()];
    let outcome = Call::start(Place::new(), &Setting::new(sipp.port), &questionnaire, &more).finish();
    let media = sipp.media_port;
    let trace = sipp.finish();
    let wire = capture.stop();
    assert_eq!(
        outcome.result["disposition"], "complete",
        "{:#}\n{}\n{trace}",
        outcome.result, outcome.stderr
    );
    assert_eq!(outcome.responses()[0]["value"], 4072, "{:#}", outcome.result);
    let heard = heard(&place, &wire, media);
    let mut before = 0;
    for text in texts {
        let said = said(&place, language, text);
        let found = signal::find(&said, &heard);
        assert!(found.correlation > 0.95, "{language}: `{text}` was not heard: {found:?}");
        assert!(found.level_db.abs() < 1.0, "{language}: `{text}` at another level: {found:?}");
        assert!(found.at >= before, "{language}: `{text}` came too early: {found:?}");
        before = found.at + said.len() / 2;
    }
}

/// What the callee heard.
fn heard(place: &Place, wire: &Wire, media: u16) -> Vec<i16> {
    let payloads = wire.fields(&format!("rtp && udp.dstport == {media}"), ["rtp.payload"]);
    let hex: String = payloads.into_iter().map(|[payload]| payload.replace(':', "")).collect();
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let octets: Vec<u8> = hex.as_bytes().chunks_exact(2).map(octet).collect();
    let raw = place.write("heard.ul", octets);
    let mut sox = Command::new(machine::program("sox"));
    sox.args(["-t", "raw", "-r", "8000", "-e", "mu-law", "-b", "8", "-c", "1"]).arg(raw);
    sox.args(["-e", "signed", "-b", "16"]).arg(place.file("heard.wav"));
    assert!(sox.status().unwrap().success(), "sox decodes what was heard");
    signal::read_wav(&place.file("heard.wav"))
}

/// What espeak-ng says, without the silence around it.
fn said(place: &Place, language: &str, text: &str) -> Vec<i16> {
    let mut espeak = Command::new(machine::program("espeak-ng"));
    espeak.args(["-v", language, "--stdout", text]).stdout(Stdio::piped());
    let mut espeak = espeak.spawn().unwrap();
    let mut sox = Command::new(machine::program("sox"));
    sox.args(["-D", "-t", "wav", "-", "-b", "16"]).arg(place.file("said.wav")).args(["rate", "-v", "8000"]);
    let speech = espeak.stdout.take().unwrap();
    assert!(
        sox.stdin(speech).stderr(Stdio::null()).status().unwrap().success(),
        "sox resamples what was said"
    );
    assert!(espeak.wait().unwrap().success());
    let said = signal::read_wav(&place.file("said.wav"));
    let loud = |sample: &i16| sample.unsigned_abs() > 500;
    let (first, last) = (said.iter().position(loud).unwrap(), said.iter().rposition(loud).unwrap());
    said[first..last].to_vec()
}
