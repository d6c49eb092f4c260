//! What a telephone would receive, tick by tick.

use std::net::SocketAddr;
use std::time::Duration;

use super::super::PlayId;
use super::super::line::{Line, Told};
use super::super::playout::End;
use super::{clip, key, plan};
use crate::rtp::rtcp::{Part, parse_compound};
use crate::rtp::{Header, Phase, Ssrc, g711, parse_packet, write_packet};
use crate::sdp::{Codec, Direction};
use crate::time::Timestamp;

const T0: Timestamp = Timestamp::from_millis(1_795_000_000_000);

fn peer() -> SocketAddr {
    "192.0.2.9:4000".parse().unwrap()
}

fn line() -> Line {
    Line::new(T0, "x@baton".into(), plan(peer(), T0))
}

fn due(tick: u64) -> Timestamp {
    T0 + Duration::from_millis(tick * 20 + 7) // its slot lies 7 ms into each packet time
}

/// Header and payload of the packet of a tick; where it goes is checked.
fn packet(line: &mut Line, tick: u64) -> Option<(Header, Vec<u8>)> {
    let mut out = Vec::new();
    let to = line.tick(due(tick), &mut out)?;
    assert_eq!(to, peer());
    let packet = parse_packet(&out).unwrap();
    Some((packet.header, packet.payload.to_vec()))
}

fn told(line: &mut Line) -> Vec<Told> {
    std::iter::from_fn(|| line.poll_told()).collect()
}

#[test]
fn one_continuous_stream_through_prompts_and_silence() {
    let mut line = line();
    let (first, second) = (clip(40), clip(60));
    let mut heard: Vec<u8> = Vec::new();
    for tick in 0..200 {
        if tick == 10 {
            line.play(PlayId(1), Some(vec![first.clone(), second.clone()]));
        }
        let (header, payload) = packet(&mut line, tick).expect("50 packets a second");
        let k = u16::try_from(tick).unwrap();
        assert_eq!(header.sequence, 65_530_u16.wrapping_add(k), "over the wrap too");
        assert_eq!(header.timestamp, (u32::MAX - 400).wrapping_add(u32::from(k) * 160));
        assert_eq!(header.marker, tick == 0);
        assert_eq!((header.ssrc, header.payload_type), (Ssrc(0xBA70), 0));
        heard.extend(&payload);
        let over = [Told::PlayEnded { play: PlayId(1), end: End::Played }];
        assert_eq!(told(&mut line), if tick == 109 { over.to_vec() } else { vec![] });
    }
    let sound = [first.octets(Codec::Pcmu), second.octets(Codec::Pcmu)].concat();
    assert_eq!(heard[10 * 160..110 * 160], sound);
    assert!(heard[..1_600].iter().chain(&heard[17_600..]).all(|&octet| octet == 0xFF));
}

#[test]
fn skipped_ticks_are_a_gap_in_sequence_and_time_but_not_in_the_words() {
    let mut line = line();
    let words = clip(4);
    line.play(PlayId(1), Some(vec![words.clone()]));
    let packets: Vec<_> = [0, 1, 12, 13].map(|tick| packet(&mut line, tick).unwrap()).into();
    let sequences: Vec<u16> =
        packets.iter().map(|(header, _)| header.sequence.wrapping_sub(65_530)).collect();
    assert_eq!(sequences, [0, 1, 12, 13]);
    assert_eq!(packets[2].0.timestamp.wrapping_sub(packets[1].0.timestamp), 11 * 160);
    let markers: Vec<bool> = packets.iter().map(|(header, _)| header.marker).collect();
    assert_eq!(markers, [true, false, true, false]);
    let heard = packets.into_iter().flat_map(|(_, payload)| payload).collect::<Vec<u8>>();
    assert_eq!(heard, words.octets(Codec::Pcmu));
    assert_eq!(line.statistics().skipped, 10);
}

#[test]
fn a_stop_is_silence_in_the_next_packet() {
    let mut line = line();
    line.play(PlayId(1), Some(vec![clip(100)]));
    assert_ne!(packet(&mut line, 0).unwrap().1[0], 0xFF);
    line.stop(PlayId(1));
    assert_eq!(packet(&mut line, 1).unwrap().1, [0xFF; 160]);
    assert_eq!(told(&mut line), []);
}

#[test]
fn while_the_peer_holds_us_nothing_is_sent_and_the_prompt_waits() {
    let mut line = line();
    let words = clip(3);
    line.play(PlayId(1), Some(vec![words.clone()]));
    packet(&mut line, 0).unwrap();
    let mut held = plan(peer(), T0);
    held.negotiated.direction = Direction::RecvOnly;
    line.retune(held);
    assert!((1..50).all(|tick| packet(&mut line, tick).is_none()));
    let mut resumed = plan(peer(), T0);
    resumed.negotiated.codec = Codec::Pcma;
    resumed.negotiated.send_payload_type = 8;
    line.retune(resumed);
    let (header, payload) = packet(&mut line, 50).unwrap();
    assert!(header.marker);
    assert_eq!((header.sequence.wrapping_sub(65_530), header.payload_type), (50, 8));
    assert_eq!(payload, words.frame(Codec::Pcma, 1).unwrap());
    assert_eq!(line.statistics().skipped, 0, "a hold is no fault of ours");
}

#[test]
fn nothing_leaves_before_the_stream_begins() {
    let mut line = line();
    let mut out = Vec::new();
    assert_eq!(line.tick(T0 - Duration::from_millis(1), &mut out), None);
    assert!(packet(&mut line, 0).unwrap().0.marker);
}

fn datagram(payload_type: u8, marker: bool, sequence: u16, timestamp: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write_packet(&mut out, &Header { payload_type, marker, sequence, timestamp, ssrc: Ssrc(5) }, payload);
    out
}

#[test]
fn a_key_counts_once_and_strangers_and_noise_do_not() {
    let mut line = line();
    let now = due(0);
    let press = [[5, 10, 0, 160], [5, 10, 1, 64], [5, 0x8A, 3, 32], [5, 0x8A, 3, 32]];
    for (sequence, payload) in (0..).zip(&press) {
        let packet = datagram(101, sequence == 0, sequence, 8_000, payload);
        assert_eq!(line.receive(now, peer(), &packet), Ok(()));
        assert_eq!(line.receive(now, "192.0.2.66:4000".parse().unwrap(), &packet), Err("stranger"));
    }
    assert_eq!(line.receive(now, peer(), b"noise"), Err("short"));
    let phases: Vec<_> = told(&mut line).into_iter().map(|told| key(&told)).collect();
    assert_eq!(phases, [('5', Phase::Pressed), ('5', Phase::Released { duration_ms: 100 })]);
    let statistics = line.statistics();
    assert_eq!((statistics.received, statistics.strangers), (4, 4));
}

#[test]
fn a_key_whose_end_is_lost_is_released_by_the_ticks() {
    let mut line = line();
    line.receive(due(0), peer(), &datagram(101, true, 1, 0, &[1, 10, 1, 64])).unwrap();
    assert_eq!(told(&mut line).len(), 1);
    for tick in 0..20 {
        packet(&mut line, tick);
    }
    let released = told(&mut line);
    assert!(
        matches!(&released[..], [Told::Key(event)] if event.phase == Phase::Released { duration_ms: 40 })
    );
}

#[test]
fn a_peer_behind_a_nat_is_followed() {
    let mut line = line();
    let nat: SocketAddr = "198.51.100.7:61000".parse().unwrap();
    for sequence in 0..3 {
        let packet = datagram(0, false, sequence, u32::from(sequence) * 160, &[0xFF; 160]);
        let taken = line.receive(due(0), nat, &packet);
        assert_eq!(taken.is_ok(), sequence == 2, "the third packet in a row is believed");
    }
    assert_eq!(told(&mut line), [Told::Latched(nat)]);
    let mut out = Vec::new();
    assert_eq!(line.tick(due(1), &mut out), Some(nat));
}

#[test]
fn reports_come_about_every_5_s_and_the_last_says_bye() {
    let mut line = line();
    let mut reports = Vec::new();
    for tick in 0..1_500 {
        packet(&mut line, tick).unwrap();
        let k = u16::try_from(tick).unwrap();
        let came = datagram(0, false, k, u32::from(k) * 160, &[0xFF; 160]);
        line.receive(due(tick), peer(), &came).unwrap();
        let mut out = Vec::new();
        if let Some(to) = line.report(due(tick), &mut out) {
            assert_eq!(to, "192.0.2.9:4001".parse().unwrap());
            reports.push((tick, out));
        }
    }
    assert!((5..=12).contains(&reports.len()), "{} reports in 30 s", reports.len());
    let (tick, report) = &reports[0];
    let parts: Vec<Part<'_>> = parse_compound(report).unwrap().collect();
    let [Part::SenderReport { ssrc, info, blocks }, Part::SourceDescription { cname, .. }] = &parts[..]
    else {
        panic!("{parts:?}");
    };
    assert_eq!((*ssrc, *cname), (Ssrc(0xBA70), Some(&b"x@baton"[..])));
    let packets = u32::try_from(*tick + 1).unwrap();
    assert_eq!((info.packets, info.octets), (packets, packets * 160));
    assert_eq!((blocks.len(), blocks[0].ssrc, blocks[0].lost), (1, Ssrc(5), 0));

    let mut out = Vec::new();
    line.bye(due(1_500), &mut out).unwrap();
    let last = parse_compound(&out).unwrap().last();
    assert!(matches!(last, Some(Part::Bye { sources, .. }) if sources == [Ssrc(0xBA70)]));
}

/// Sound in a payload type that was agreed on is heard, whatever its law; anything else is not.
#[test]
fn the_callee_is_heard_in_every_codec_that_was_agreed_on() {
    let loudest = |payload_type: u8, octet: u8| {
        let mut both = plan(peer(), T0);
        both.negotiated.receive = vec![(0, Codec::Pcmu), (8, Codec::Pcma), (99, Codec::Pcma)];
        let mut line = Line::new(T0, "x@baton".into(), both);
        for sequence in 0..10 {
            let packet = datagram(payload_type, false, sequence, u32::from(sequence) * 160, &[octet; 160]);
            line.receive(due(sequence.into()), peer(), &packet).unwrap();
        }
        line.statistics().loudest_dbfs
    };
    let (ulaw, alaw) = (g711::ulaw_encode(16_384), g711::alaw_encode(16_384));
    assert_eq!((loudest(0, ulaw), loudest(8, alaw), loudest(99, alaw)), (-6, -6, -6));
    assert_eq!((loudest(0, 0xFF), loudest(13, 40), loudest(18, 7)), (-90, -90, -90), "comfort noise, G.729");
}
