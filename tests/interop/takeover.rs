//! An instance dies with its host, and another one at another address goes on with its calls: SIPp follows it, asks,
//! puts off, refuses.
//!
//! ```text
//! n1 127.0.0.2 ══ RTP ══► SIPp        kill -9 ✗
//! n2 127.0.0.3 ── re-INVITE ──► SIPp  ══ RTP at once ══►  200, ACK  ◄══ keys ══  BYE
//! ```

use std::time::Duration;

use serde_json::Value;

use crate::baton::Outcome;
use crate::capture::{Capture, Wire};
use crate::cluster::Cluster;
use crate::machine;
use crate::pcap::Speaker;
use crate::sipp::{Message, Sipp, Trace};
use crate::witness;

/// Consent is pressed so long after the answer: `hello` and `consent` take 1.3 s.
const CONSENT_MS: u32 = 1_600;
/// Keys that come sooner where an entry may have several may be the rest of a row: docs/journal.md.
const NO_REST_OF_A_ROW_MS: u32 = 2_600;

fn pause(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

/// What a person says and keys who consents.
fn consents() -> Vec<u8> {
    Speaker::new(101).voice(CONSENT_MS).key('1', 160).voice(2_000).pcap()
}

/// What a person says and keys to the successor, who is asked the age again.
fn is_37() -> Vec<u8> {
    let speaker = Speaker::new(101).voice(NO_REST_OF_A_ROW_MS).key('3', 120).voice(100).key('7', 120);
    speaker.voice(100).key('#', 120).voice(3_000).pcap()
}

/// The whole number at the beginning of a header's value.
#[track_caller]
fn number(message: &Message, header: &str) -> u32 {
    let value = message.header(header).unwrap_or_else(|| panic!("no {header}: {}", message.text));
    value.split_whitespace().next().unwrap().parse().unwrap()
}

/// The value of the line of a description that begins so.
#[track_caller]
fn line(message: &Message, start: &str) -> String {
    let body = message.body();
    let line = body.lines().find_map(|line| line.strip_prefix(start));
    line.unwrap_or_else(|| panic!("no {start} in {}", message.text)).trim().to_owned()
}

/// What the callee's side saw of two requests: the same dialog, at another address.
#[track_caller]
fn assert_moved(trace: &Trace, first: &Message, again: &Message, here: &str) {
    for header in ["Call-ID", "From"] {
        assert_eq!(first.header(header), again.header(header), "{trace}");
    }
    let answer = trace.0.iter().find(|it| !it.from_baton && it.text.starts_with("SIP/2.0 200")).unwrap();
    assert_eq!(answer.header("To"), again.header("To"), "{trace}");
    assert_eq!(answer.header("Record-Route"), again.header("Route"), "{trace}");
    let target = answer.header("Contact").unwrap().trim_matches(['<', '>']);
    assert!(again.text.starts_with(&format!("INVITE {target} SIP/2.0")), "{trace}");
    let gap = number(again, "CSeq") - number(first, "CSeq");
    assert!((1..=64).contains(&gap), "user agents take no larger gap than 64: {gap}\n{trace}");
    assert!(again.header("Via").unwrap().starts_with(&format!("SIP/2.0/UDP {here}")), "{trace}");
    assert!(again.header("Contact").unwrap().contains(here), "{trace}");
    let (before, now) = (line(first, "o="), line(again, "o="));
    let (before, now): (Vec<&str>, Vec<&str>) = (before.split(' ').collect(), now.split(' ').collect());
    let version = |origin: &[&str]| origin[2].parse::<u64>().unwrap();
    assert_eq!(version(&now), version(&before) + 1, "RFC 3264, section 8\n{trace}");
    let but_version = |origin: &[&str]| [&origin[..2], &origin[3..]].concat().join(" ");
    assert_eq!(but_version(&before), but_version(&now), "{trace}");
    let host = here.split(':').next().unwrap();
    assert_eq!(line(again, "c="), format!("IN IP4 {host}"), "{trace}");
}

/// The RTP packets from one address: time, SSRC, marker, sequence.
fn rtp(wire: &Wire, host: &str) -> Vec<(f64, String, bool, u16)> {
    let fields = ["frame.time_epoch", "rtp.ssrc", "rtp.marker", "rtp.seq"];
    let packets = wire.fields(&format!("rtp && !icmp && ip.src == {host}"), fields);
    let packet = |[at, ssrc, marker, sequence]: [String; 4]| {
        (at.parse().unwrap(), ssrc, matches!(marker.as_str(), "1" | "True"), sequence.parse().unwrap())
    };
    packets.into_iter().map(packet).collect()
}

/// The replies are there once, and the result says that another instance gave it.
#[track_caller]
fn assert_went_on(outcome: &Outcome, age: u64, keys: &str) {
    outcome.assert_complete(age, keys);
    assert_eq!(outcome.result["takeovers"], 1, "{:#}", outcome.result);
    assert_eq!(outcome.result["fault"], Value::Null, "{:#}", outcome.result);
}

/// The instance dies between the keys of an entry. SIPp follows the next one, which thinks over its offer for a while:
/// what it hears and sees is one dialog that moved, and the entry is asked again.
#[test]
fn sipp_follows_the_successor_in_the_middle_of_an_entry() {
    let begins = Speaker::new(101).voice(CONSENT_MS).key('1', 160).voice(1_600).key('4', 160).voice(300);
    let files: [(&str, &[u8]); 2] = [("keys.pcap", &begins.pcap()), ("more.pcap", &is_37())];
    let sipp = Sipp::callee("follow.xml", &[("thinks", "400")], &files);
    let mut cluster = Cluster::of_two(&[("peer", sipp.port, "")]);
    let capture = Capture::start(&cluster.traffic());
    let call = cluster.call("n1", "peer");
    assert!(
        machine::until(Duration::from_secs(20), || sipp.seen().contains("\nACK sip:")),
        "{}",
        sipp.seen()
    );
    pause(3_600); // `4` is down, or just up
    let killed_at = cluster.kill("n1");
    let outcome = cluster.outcome("n2", &call);
    assert_went_on(&outcome, 37, "37");
    let (trace, wire) = (sipp.finish(), capture.stop());
    // Whether the first ACK was sent is not known to the successor: it may come once more, and is the same.
    let mut acks = trace.received("ACK");
    acks.dedup_by(|again, first| again.text == first.text);
    let mut story = trace.story();
    story.dedup();
    assert_eq!((story.join(" ").as_str(), acks.len()), ("INVITE ACK INVITE ACK BYE", 2), "{trace}");
    let (n1, n2) = (cluster.host("n1"), cluster.host("n2"));
    let here = format!("{n2}:{}", cluster.sip());
    let (invites, byes) = (trace.received("INVITE"), trace.received("BYE"));
    assert_moved(&trace, invites[0], invites[1], &here);
    assert!(number(byes[0], "CSeq") > number(invites[1], "CSeq"), "{trace}");
    assert!(acks[1].header("Via").unwrap().contains(&here), "{trace}");

    // On the wire: all that comes after the death is the successor's, and its voice does not wait for the 200.
    let seen = witness::sip(&wire);
    let told: Vec<_> =
        seen.iter().filter(|it| it.host.starts_with("127.0.0.") && it.host != "127.0.0.1").collect();
    for sighting in &told {
        let of = if sighting.message.at < killed_at { &n1 } else { &n2 };
        assert_eq!((&sighting.host, sighting.from), (of, cluster.sip()), "{sighting}");
    }
    let mut invited = told.iter().filter(|it| it.message.text.starts_with("INVITE ")).map(|it| it.message.at);
    let invited = invited.next_back().unwrap();
    let (before, after) = (rtp(&wire, &n1), rtp(&wire, &n2));
    let (first_at, ssrc, marker, _) = &after[0];
    println!(
        "offered after {:.0} ms, heard after {:.0} ms",
        (invited - killed_at) * 1e3,
        (first_at - killed_at) * 1e3
    );
    assert!(
        first_at - invited < 0.3,
        "RTP {:.3} s after the offer, which was answered after 0.4",
        first_at - invited
    );
    assert!(*marker, "a new stream begins with the marker");
    assert!(before.iter().all(|packet| packet.1 != *ssrc), "of a source of its own");
    assert!(after.iter().all(|packet| packet.1 == *ssrc) && after.len() > 200, "{} packets", after.len());
    assert!(after.windows(2).all(|pair| pair[1].3 == pair[0].3.wrapping_add(1)), "without holes");
    let silence = before.last().map(|last| first_at - last.0);
    assert!(
        silence.is_some_and(|s| s < 8.0),
        "{silence:?} s: longer than a promise and a start on a busy machine"
    );
}

/// Peers that do not accept the first offer: each gets what it asked for, and the interview goes on.
#[test]
fn sipp_puts_off_asks_or_has_forgotten() {
    let (keys, more) = (consents(), is_37());
    let files: [(&str, &[u8]); 2] = [("keys.pcap", &keys), ("more.pcap", &more)];
    let pending = Sipp::callee("follow_later.xml", &[("says", "491 Request Pending")], &files);
    let busy = [("says", "500 Server Internal Error\nRetry-After: 1")];
    let busy = Sipp::callee("follow_later.xml", &busy, &files);
    let signed = Sipp::callee("follow_signed.xml", &[], &files);
    let gone = Sipp::callee("follow_gone.xml", &[], &files[..1]);
    let password = "username = \"baton\"\npassword_file = \"trunk.password\"";
    let trunks = [
        ("pending", pending.port, ""),
        ("busy", busy.port, ""),
        ("signed", signed.port, password),
        ("gone", gone.port, ""),
    ];
    let mut cluster = Cluster::of_two(&trunks);
    let calls = trunks.map(|(trunk, ..)| cluster.call("n1", trunk));
    calls.iter().for_each(|call| cluster.until_asks("n1", call, "age"));
    cluster.kill("n1");
    let outcomes = calls.each_ref().map(|call| cluster.outcome("n2", call));
    for outcome in &outcomes[..3] {
        assert_went_on(outcome, 37, "37");
    }

    // RFC 3261, section 14.1: who owns the Call-ID waits 2.1 to 4 s.
    let trace = pending.finish();
    let invites = trace.received("INVITE");
    let waited = invites[2].at - invites[1].at;
    assert!(waited > 2.0 && number(invites[2], "CSeq") > number(invites[1], "CSeq"), "{waited} s\n{trace}");
    let trace = busy.finish();
    let invites = trace.received("INVITE");
    let waited = invites[2].at - invites[1].at;
    assert!((1.0..2.0).contains(&waited), "Retry-After: 1, and it came after {waited} s\n{trace}");

    let trace = signed.finish();
    let answers: Vec<&str> =
        trace.received("INVITE").iter().filter_map(|it| it.header("Authorization")).collect();
    let [first, moved, anew] = answers[..] else { panic!("{answers:?}\n{trace}") };
    assert!(first.contains("n0001") && moved.contains("n0001") && anew.contains("n0002"), "{answers:?}");
    let count = |answer: &str| {
        let (_, count) = answer.split_once("nc=").unwrap();
        u32::from_str_radix(count.get(..8).unwrap(), 16).unwrap()
    };
    assert!(count(moved) > count(first), "a count is used once (RFC 7616, section 3.4): {answers:?}");

    // 481: the callee had hung up. What was replied is kept, and nobody is called again.
    outcomes[3].assert_response("consent", "answered", "yes", "1");
    let result = &outcomes[3].result;
    let found = (&result["disposition"], &result["fault"], &result["ended_by"]);
    assert_eq!(found, (&"break_off".into(), &"gone_at_takeover".into(), &"callee".into()), "{result:#}");
    gone.finish();
}

/// It rings when its instance dies: it is cancelled with the branch of its INVITE by the next one, left, and rung no more.
/// The result comes when it can ring no more.
#[test]
fn sipp_that_rings_is_cancelled_by_the_successor_and_rung_no_more() {
    let sipp = Sipp::callee("ring_on.xml", &[("quiet", "36000"), ("successor", "127.0.0.3")], &[]);
    let mut cluster = Cluster::of_two(&[("peer", sipp.port, "ring_timeout = \"1s\"")]);
    let capture = Capture::start(&cluster.traffic());
    let call = cluster.call("n1", "peer");
    cluster.until("n1", &call, |seen| seen["state"] == "ringing");
    cluster.kill("n1");
    let outcome = cluster.outcome("n2", &call);
    let result = &outcome.result;
    assert_eq!(
        (&result["disposition"], &result["fault"]),
        (&"technical_fault".into(), &"ringing_lost".into()),
        "{result:#}"
    );
    let trace = sipp.finish();
    assert_eq!(trace.story(), ["INVITE", "CANCEL", "BYE"], "{trace}");
    let (invite, cancel) = (trace.received("INVITE")[0], trace.received("CANCEL")[0]);
    let branch =
        |message: &Message| message.header("Via").unwrap().split("branch=").nth(1).map(str::to_owned);
    assert_eq!(branch(invite), branch(cancel), "RFC 3261, section 9.1\n{trace}");
    for header in ["Call-ID", "From", "To"] {
        assert_eq!(invite.header(header), cancel.header(header), "{trace}");
    }
    assert_eq!(number(invite, "CSeq"), number(cancel, "CSeq"), "{trace}");
    let wire = capture.stop();
    let from = |start: &str| {
        let seen = witness::sip(&wire).into_iter().filter(|it| it.message.text.starts_with(start));
        seen.map(|it| it.host).collect::<Vec<_>>()
    };
    assert_eq!(from("CANCEL "), [cluster.host("n2")]);
}
