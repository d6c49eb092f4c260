//! `kill -9` in the middle of calls to telephones and switches that others wrote: they must not notice.
//!
//! ```text
//! baton serve ══ RTP ══► Asterisk, rtpengine, SIPp, baresip      kill -9 ✗   start: the same stream, no signalling
//! ```

use std::time::Duration;

use crate::asterisk::Asterisk;
use crate::baresip::Baresip;
use crate::baton::Outcome;
use crate::capture::{Capture, Wire};
use crate::instance::Instance;
use crate::kamailio::Kamailio;
use crate::machine;
use crate::pcap::Speaker;
use crate::signal;
use crate::sipp::Sipp;
use crate::survey;
use crate::witness;

/// `hello` and `consent` take 1.3 s, and an answer is waited for 2 s long; then `age`.
const IN_THE_PROMPT: Duration = Duration::from_millis(800);
const IN_THE_COLLECTION: Duration = Duration::from_millis(1_700);
/// Presses `1` well after either, waits, presses `4`, `2`, `#`, and stays until the caller hangs up.
const PRESS_LATER: &[&str] =
    &["Wait(3)", "SendDTMF(1,250,160)", "Wait(2)", "SendDTMF(42#,250,160)", "Wait(20)"];
/// So long whoever watches the process takes to start the next one; the peers' packets meet a closed port meanwhile.
const SUPERVISOR: Duration = Duration::from_millis(100);
/// For so long after the kill no signalling is due of itself.
const NO_SIGNALLING_S: f64 = 2.0;
/// Packets that may seem lost because the next process does not know how many were sent.
const LEFT_OUT: u16 = 64;
/// How far the timestamp may be from the time that has passed, in units of 1/8 ms.
const CLOCKS_APART: f64 = 8.0 * 40.0;

fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// A call that is killed so long after the answer, and what was on the wire.
struct Crash {
    outcome: Outcome,
    wire: Wire,
    killed_at: f64,
    media: (u16, u16),
    trunk: u16,
}

impl Crash {
    #[track_caller]
    fn after(answer: Duration, trunk: u16, more: &str) -> Self {
        let mut instance = Instance::new(trunk, more);
        let capture = Capture::start(&format!("{} or port {trunk} or icmp", instance.ports()));
        instance.call();
        instance.until("talking");
        pause(answer);
        let killed_at = instance.kill();
        pause(SUPERVISOR);
        instance.start();
        let media = instance.media();
        let outcome = instance.finish();
        Self { outcome, wire: capture.stop(), killed_at, media, trunk }
    }

    /// One stream, which a jitter buffer plays on without delay; and nobody was told anything.
    #[track_caller]
    fn assert_unnoticed(&self) {
        let (first, last) = self.media;
        // What an ICMP error quotes was refused.
        let sent = format!("rtp && !icmp && udp.srcport >= {first} && udp.srcport <= {last}");
        let fields = ["rtp.ssrc", "rtp.seq", "rtp.timestamp", "frame.time_epoch", "udp.srcport"];
        let packets = self.wire.fields(&sent, fields);
        let number = |text: &str| text.parse::<u32>().unwrap();
        let time = |text: &str| text.parse::<f64>().unwrap();
        assert!(packets.len() > 200, "{} packets", packets.len());
        let mut another = false;
        for pair in packets.windows(2) {
            let ([ssrc, seq, stamp, at, port], [ssrc2, seq2, stamp2, at2, port2]) = (&pair[0], &pair[1]);
            assert_eq!((ssrc, port), (ssrc2, port2), "another sender, or another stream");
            let ahead = u16::try_from((number(seq2).wrapping_sub(number(seq))) & 0xFFFF).unwrap();
            assert!((1..=LEFT_OUT).contains(&ahead), "sequence {seq} is followed by {seq2}");
            let units = f64::from(number(stamp2).wrapping_sub(number(stamp)));
            let passed = (time(at2) - time(at)) * 8_000.0;
            // Who goes on leaves numbers out, however short the gap was.
            if ahead > 1 || passed > 8.0 * 60.0 {
                assert!((units - passed).abs() < CLOCKS_APART, "{units} units for {passed}");
            }
            another |= ahead > 1 && time(at2) > self.killed_at;
        }
        assert!(another, "nobody went on after the kill");
        // Whether the ACK was sent before is not known: it may come once more, and is the same.
        let seen = witness::sip(&self.wire);
        let ack = |text: &str| text.starts_with("ACK ");
        let first = seen.iter().find(|seen| ack(&seen.message.text)).expect("an ACK");
        let told = seen.iter().filter(|seen| {
            let since = seen.message.at - self.killed_at;
            seen.to == self.trunk
                && (0.0..NO_SIGNALLING_S).contains(&since)
                && seen.message.text != first.message.text
        });
        let told: Vec<String> = told.map(ToString::to_string).collect();
        assert!(told.is_empty(), "somebody was told: {told:#?}");
        self.assert_said_goodbye();
    }

    /// Its last request was BYE, and the peer took it.
    #[track_caller]
    fn assert_said_goodbye(&self) {
        let seen = witness::sip(&self.wire);
        let is_bye =
            |seen: &&witness::Sighting| seen.to == self.trunk && seen.message.text.starts_with("BYE ");
        let bye = seen.iter().find(is_bye).unwrap_or_else(|| panic!("no BYE: {seen:#?}"));
        let cseq = bye.message.header("CSeq").unwrap();
        let taken = seen.iter().any(|seen| {
            seen.message.text.starts_with("SIP/2.0 200") && seen.message.header("CSeq") == Some(cseq)
        });
        assert!(taken, "the BYE was not answered with 200: {seen:#?}");
    }
}

/// After the kill Asterisk hears the open question whole, then all the others.
#[track_caller]
fn asterisk_hears_all_of_it(asterisk: &Asterisk) {
    let heard = asterisk.heard();
    for name in ["consent", "age", "done"] {
        signal::find(&survey::sound(name), &heard).assert_clean(name);
    }
    // At the beginning it learns whom it hears; from then on nobody else, and none anew.
    let log = asterisk.log();
    let learnt = log.matches("Strict RTP switching").count();
    assert!(learnt <= 1 && !log.contains("Strict RTP qualifying"), "it took it for another stream\n{log}");
}

#[track_caller]
fn asterisk(transport: &str, more: &str, answer: Duration) -> Crash {
    let asterisk = Asterisk::at(&[transport], PRESS_LATER, "rtp_timeout=10");
    let crash = Crash::after(answer, asterisk.port, more);
    crash.outcome.assert_complete(42, "42");
    crash.assert_unnoticed();
    asterisk_hears_all_of_it(&asterisk);
    crash
}

#[test]
fn asterisk_over_udp_in_the_prompt() {
    asterisk("udp 127.0.0.1", "", IN_THE_PROMPT);
}

#[test]
fn asterisk_over_udp_in_the_collection() {
    asterisk("udp 127.0.0.1", "", IN_THE_COLLECTION);
}

/// The connection of the process before is gone; its successor opens another one.
#[test]
fn asterisk_over_tcp() {
    let crash = asterisk("tcp 127.0.0.1", "transport = \"tcp\"", IN_THE_PROMPT);
    let opened = format!("tcp.flags.syn == 1 && tcp.flags.ack == 0 && tcp.dstport == {}", crash.trunk);
    let opened = crash.wire.fields(&opened, ["frame.time_epoch"]);
    let again = opened.iter().filter(|[at]| at.parse::<f64>().unwrap() > crash.killed_at);
    assert!(again.count() >= 1, "no connection was opened after the kill: {opened:?}");
}

#[test]
fn kamailio_and_rtpengine_between() {
    let asterisk = Asterisk::at(&["udp 127.0.0.1"], PRESS_LATER, "rtp_timeout=10");
    let kamailio = Kamailio::before(asterisk.port);
    let crash = Crash::after(IN_THE_PROMPT, kamailio.port, "");
    crash.outcome.assert_complete(42, "42");
    crash.assert_unnoticed();
    asterisk_hears_all_of_it(&asterisk);
}

/// What a person says and keys who presses `1` after 3 s, and the age 2 s later.
fn keys() -> Vec<u8> {
    let speaker = Speaker::new(101).voice(3_000).key('1', 160).voice(2_000);
    let speaker = speaker.key('4', 120).voice(100).key('2', 120).voice(100).key('#', 120);
    speaker.voice(3_000).pcap()
}

#[test]
fn sipp_in_the_collection() {
    let sipp = Sipp::callee("answer_late.xml", &[("late", "100")], &[("keys.pcap", &keys())]);
    let crash = Crash::after(IN_THE_COLLECTION, sipp.port, "");
    crash.outcome.assert_complete(42, "42");
    crash.assert_unnoticed();
    let trace = sipp.finish();
    assert_eq!(trace.story(), ["INVITE", "ACK", "ACK", "BYE"], "{trace}");
    // It speaks all the time, so that the machine of the dead instance answered it (RFC 792, type 3, code 3).
    let refused = crash.wire.fields("icmp.type == 3 && icmp.code == 3", ["frame.number"]);
    assert!(!refused.is_empty(), "no packet of the gap was refused");
}

/// One key of the age is pressed, then the instance dies: the age is asked again, and what is keyed then counts alone.
#[test]
fn baresip_in_the_middle_of_an_entry() {
    let mut phone = Baresip::start("");
    let mut instance = Instance::calling(phone.port, "");
    phone.answered_for(2_000);
    phone.order("sndcode", "1");
    pause(Duration::from_millis(1_800));
    phone.order("sndcode", "4");
    pause(Duration::from_millis(500));
    instance.kill();
    instance.start();
    // Who goes on at once with a row of keys that was begun before is not believed: docs/journal.md.
    pause(Duration::from_millis(2_600));
    phone.order("sndcode", "37#");
    let outcome = instance.finish();
    outcome.assert_complete(37, "37");
    let heard = phone.heard();
    for name in ["hello", "consent", "age"] {
        signal::find(&survey::sound(name), &heard).assert_clean(name);
    }
}

/// The telephone rings, the instance dies, somebody picks up: the 200 that nobody read comes again, and is acknowledged.
#[test]
fn sipp_picks_up_while_nobody_is_there() {
    let sipp = Sipp::callee("answer_late.xml", &[("late", "2500")], &[("keys.pcap", &keys())]);
    let mut instance = Instance::calling(sipp.port, "");
    instance.until("ringing");
    instance.kill();
    let picked_up = machine::until(Duration::from_secs(10), || sipp.seen().contains("SIP/2.0 200 OK"));
    assert!(picked_up, "{}", sipp.seen());
    pause(Duration::from_millis(300));
    instance.start();
    let outcome = instance.finish();
    outcome.assert_complete(42, "42");
    let trace = sipp.finish();
    assert_eq!(trace.story(), ["INVITE", "ACK", "BYE"], "{trace}");
}

/// The BYE was sent and not answered when the instance died: the next process sends the same one again.
#[test]
fn sipp_answers_the_bye_of_the_next_process() {
    let sipp = Sipp::callee("late_bye.xml", &[], &[("keys.pcap", &keys())]);
    let mut instance = Instance::calling(sipp.port, "");
    let said = machine::until(Duration::from_secs(30), || sipp.seen().contains("\nBYE sip:"));
    instance.kill();
    assert!(said, "{}", sipp.seen());
    instance.start();
    instance.finish().assert_complete(42, "42");
    let trace = sipp.finish();
    let byes: Vec<&str> = trace.received("BYE").iter().map(|bye| bye.text.as_str()).collect();
    assert!(byes.len() >= 2 && byes.windows(2).all(|pair| pair[0] == pair[1]), "{trace}");
}
