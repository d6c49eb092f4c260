//! The bytes on the wire, judged by tshark: SIP, RTP and RTCP as the dissectors know them, and an RTP stream
//! without holes from the first prompt to the end, also while nobody speaks.

use crate::baton::Call;
use crate::capture::{Capture, Wire};
use crate::pcap::Speaker;
use crate::sipp::Sipp;

/// The largest gap between two packets, in ms: two frames.
const LARGEST_GAP_MS: f64 = 40.0;
/// This machine may be busy with other tests: so often is a call repeated whose only fault is a late packet.
const TRIES: usize = 3;

/// One RTP packet to the callee.
struct Packet {
    at: f64,
    ssrc: String,
    sequence: u16,
    timestamp: u32,
    payload_type: u8,
    marker: bool,
}

#[test]
fn nothing_on_the_wire_is_malformed_and_the_stream_has_no_holes() {
    let gaps: Vec<f64> =
        (0..TRIES).map(|_| one_call()).take_while_inclusive(|gap| *gap > LARGEST_GAP_MS).collect();
    assert!(gaps.iter().any(|gap| *gap <= LARGEST_GAP_MS), "largest gaps in ms: {gaps:?}");
}

/// Makes a call in which the callee is silent for a while; returns the largest gap in ms.
fn one_call() -> f64 {
    // Silence until consent was asked twice, then all keys: prompts, waiting, prompts.
    let speaker =
        Speaker::new(101).voice(4600).key('1', 160).voice(1500).key('4', 120).voice(100).key('#', 120);
    let sipp = Sipp::callee("answer.xml", &[], &[("keys.pcap", &speaker.voice(2000).pcap())]);
    let (sip, media) = (sipp.port, sipp.media_port);
    let capture = Capture::start(&format!("udp port {sip} or udp portrange {media}-{}", media + 1));
    let outcome = Call::to(sip).finish();
    let seen = sipp.finish();
    let wire = capture.stop();
    outcome.assert_complete(4, "4");

    let ours = format!("udp.dstport == {sip} || udp.dstport in {{{media}..{}}}", media + 1);
    assert_eq!(wire.complaints(&ours), Vec::<String>::new(), "tshark complains");
    let unknown =
        wire.fields(&format!("({ours}) && !sip && !rtp && !rtcp"), ["frame.number", "frame.protocols"]);
    assert!(unknown.is_empty(), "neither SIP nor RTP nor RTCP: {unknown:?}");
    let requests: Vec<_> = wire
        .fields(&format!("sip.Method && udp.dstport == {sip}"), ["sip.Method"])
        .into_iter()
        .map(|[m]| m)
        .collect();
    assert_eq!(requests, seen.story(), "tshark and SIPp saw the same requests");

    let packets = rtp(&wire, media);
    let stream_ms = (packets.last().unwrap().at - packets[0].at) * 1000.0;
    assert!(stream_ms > 6000.0, "the stream lasted {stream_ms} ms");
    check_stream(&packets);
    check_rtcp(&wire, media, &packets);
    packets.windows(2).map(|pair| (pair[1].at - pair[0].at) * 1000.0).fold(0.0, f64::max)
}

fn rtp(wire: &Wire, media: u16) -> Vec<Packet> {
    let fields = ["frame.time_epoch", "rtp.ssrc", "rtp.seq", "rtp.timestamp", "rtp.p_type", "rtp.marker"];
    wire.fields(&format!("rtp && udp.dstport == {media}"), fields)
        .into_iter()
        .map(|[at, ssrc, sequence, timestamp, payload_type, marker]| Packet {
            at: at.parse().unwrap(),
            ssrc,
            sequence: sequence.parse().unwrap(),
            timestamp: timestamp.parse().unwrap(),
            payload_type: payload_type.parse().unwrap(),
            marker: matches!(marker.as_str(), "1" | "True"),
        })
        .collect()
}

/// One stream: each sequence number once and in order, 160 timestamps a packet, the marker where it begins.
fn check_stream(packets: &[Packet]) {
    assert!(packets.iter().all(|packet| packet.ssrc == packets[0].ssrc), "one SSRC");
    assert!(packets.iter().all(|packet| packet.payload_type == 0), "PCMU all the way");
    let markers: Vec<usize> = (0..packets.len()).filter(|index| packets[*index].marker).collect();
    assert_eq!(markers, [0], "the marker stands on the first packet alone");
    for pair in packets.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1), "sequence");
        assert_eq!(
            pair[1].timestamp,
            pair[0].timestamp.wrapping_add(160),
            "timestamp after {}",
            pair[0].sequence
        );
    }
    let first_ms = packets[0].at * 1000.0;
    for (index, packet) in (0_u32..).zip(packets) {
        let late = packet.at * 1000.0 - first_ms - f64::from(index) * 20.0;
        assert!(late.abs() < 100.0, "packet {index} is {late:.0} ms off its clock: the stream drifts");
    }
}

/// RTCP speaks of the stream that was sent (RFC 3550 §6): same SSRC, a name, plausible counts, a last word.
fn check_rtcp(wire: &Wire, media: u16, packets: &[Packet]) {
    let fields =
        ["rtcp.pt", "rtcp.senderssrc", "rtcp.sender.packetcount", "rtcp.sender.octetcount", "rtcp.sdes.text"];
    let filter = format!("rtcp && udp.dstport == {}", media + 1);
    let reports = wire.fields(&filter, fields);
    assert!(!reports.is_empty(), "no RTCP in {} packets of RTP", packets.len());
    for [types, sender, count, octets, name] in &reports {
        assert!(types.starts_with("200,202") || types.starts_with("201,202"), "a compound packet: {types}");
        assert!(sender.starts_with(&packets[0].ssrc), "{sender}, but the stream is {}", packets[0].ssrc);
        assert!(!name.is_empty(), "a CNAME");
        if types.starts_with("200") {
            let (count, octets): (usize, usize) = (count.parse().unwrap(), octets.parse().unwrap());
            assert!(
                count <= packets.len() && octets == count * 160,
                "{count} packets, {octets} octets reported"
            );
        }
    }
    let last = &reports.last().unwrap()[0];
    assert!(last.contains("203"), "the stream ends with a BYE (§6.6): {last}");
}

/// `take_while` that keeps the first element that fails.
trait TakeWhileInclusive: Iterator + Sized {
    fn take_while_inclusive(
        self,
        goes_on: impl FnMut(&Self::Item) -> bool,
    ) -> impl Iterator<Item = Self::Item>;
}

impl<I: Iterator> TakeWhileInclusive for I {
    fn take_while_inclusive(
        mut self,
        mut goes_on: impl FnMut(&Self::Item) -> bool,
    ) -> impl Iterator<Item = Self::Item> {
        let mut over = false;
        std::iter::from_fn(move || {
            let item = if over { None } else { self.next() }?;
            over = !goes_on(&item);
            Some(item)
        })
    }
}
