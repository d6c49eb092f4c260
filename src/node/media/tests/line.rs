//! What a telephone would receive, tick by tick.

use std::net::SocketAddr;
use std::time::Duration;

use super::super::line::{Line, Told};
use super::super::playout::End;
use super::super::{MediaPlan, PlayId};
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
            line.play(PlayId(1), Some(vec![first.clone(), second.clone()]), 0);
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
    line.play(PlayId(1), Some(vec![words.clone()]), 0);
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
    line.play(PlayId(1), Some(vec![clip(100)]), 0);
    assert_ne!(packet(&mut line, 0).unwrap().1[0], 0xFF);
    line.stop(PlayId(1));
    assert_eq!(packet(&mut line, 1).unwrap().1, [0xFF; 160]);
    assert_eq!(told(&mut line), []);
}

#[test]
fn while_the_peer_holds_us_nothing_is_sent_and_the_prompt_waits() {
    let mut line = line();
    let words = clip(3);
    line.play(PlayId(1), Some(vec![words.clone()]), 0);
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
fn what_left_while_a_hold_was_being_saved_does_not_leave_again() {
    let mut line = line();
    let first = plan(peer(), T0);
    let last = (0..=60).filter_map(|tick| packet(&mut line, tick)).last().expect("it sends").0.sequence;
    // The call learnt of the hold at tick 40.
    let mut held = first.clone();
    held.negotiated.direction = Direction::RecvOnly;
    held.anchor = first.anchor.resume(Some(due(40)), due(40));
    line.retune(held.clone());
    assert_eq!(packet(&mut line, 100), None);
    let back = MediaPlan { anchor: held.anchor.resume(Some(held.anchor.t0), due(200)), ..first };
    line.retune(back);
    let header = packet(&mut line, 201).expect("it goes on").0;
    assert_eq!((header.sequence, header.marker), (last.wrapping_add(1), true));
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
    packet(&mut line, 0).unwrap();
    let now = due(50);
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
        line.receive(due(0), nat, &packet).unwrap();
        let followed = told(&mut line) == [Told::Latched(nat)];
        assert_eq!(followed, sequence == 2, "the third packet in a row is believed");
    }
    let report = line.statistics().report.unwrap();
    assert_eq!((report.received, report.early, report.strangers), (1, 2, 0), "nothing was sent yet");
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

/// The tones of a key as a phone sends them in its voice, from this sample on.
fn tones(hertz: &[f64], samples: std::ops::Range<u32>) -> Vec<u8> {
    let wave = |sample: u32, hertz: &f64| (std::f64::consts::TAU * hertz * f64::from(sample) / 8_000.0).sin();
    let sample = |sample: u32| -> f64 { hertz.iter().map(|hertz| 5_000.0 * wave(sample, hertz)).sum() };
    #[expect(clippy::cast_possible_truncation, reason = "two waves of 5000")]
    let code = |at: u32| g711::ulaw_encode(sample(at) as i16);
    samples.map(code).collect()
}

/// Twenty packets of 20 ms: silence, these tones in the packets `sound`, silence.
fn speak(line: &mut Line, hertz: &[f64], sound: std::ops::Range<u16>) -> Vec<Told> {
    let mut heard = Vec::new();
    for sequence in 0..sound.end + 20 {
        let at = u32::from(sequence) * 160;
        let payload = if sound.contains(&sequence) { tones(hertz, at..at + 160) } else { vec![0xFF; 160] };
        line.receive(due(sequence.into()), peer(), &datagram(0, false, sequence, at, &payload)).unwrap();
        heard.extend(told(line));
    }
    heard
}

#[test]
fn a_key_in_the_voice_is_told_with_its_time() {
    let mut line = line();
    let heard = speak(&mut line, &[770.0, 1_336.0], 10..15);
    let [
        Told::ToneKey { digit, phase: Phase::Pressed, at },
        Told::ToneKey { phase: Phase::Released { duration_ms }, .. },
    ] = &heard[..]
    else {
        panic!("{heard:?}")
    };
    // Packet 10 arrives when its 20 ms have been spoken: 207 ms after the beginning.
    let late = at.since(due(9));
    assert!(digit.as_char() == '5' && late <= Duration::from_millis(10), "{late:?} late");
    assert!((90..=110).contains(duration_ms), "{duration_ms} ms");
}

#[test]
fn keys_in_the_voice_are_not_listened_for_where_events_were_agreed_to() {
    let mut deaf = plan(peer(), T0);
    deaf.ears.keys = false;
    let mut line = Line::new(T0, "x@baton".into(), deaf);
    assert_eq!(speak(&mut line, &[770.0, 1_336.0], 10..15), []);
    line.retune(plan(peer(), T0));
    assert_eq!(speak(&mut line, &[770.0, 1_336.0], 40..45).len(), 2, "a re-INVITE may change that");
}

#[test]
fn a_fax_machine_is_told() {
    let mut line = line();
    let heard = speak(&mut line, &[2_100.0], 10..120);
    assert_eq!(heard, [Told::Signal(crate::rtp::tones::Signal::AnswerTone)]);
}

#[test]
fn silence_is_told_each_time_that_it_has_lasted_as_long_again() {
    let mut line = line();
    let mut silences = Vec::new();
    let run = |line: &mut Line, ticks: std::ops::Range<u64>, silences: &mut Vec<(u64, u32)>| {
        for tick in ticks {
            packet(line, tick);
            for told in told(line) {
                if let Told::Silent { times } = told {
                    silences.push((tick, times));
                }
            }
        }
    };
    run(&mut line, 0..3_200, &mut silences);
    assert_eq!(silences, [(1_500, 1), (3_000, 2)], "30 s and 60 s");
    line.receive(due(3_200), peer(), &datagram(13, false, 9, 0, &[40])).unwrap(); // comfort noise
    run(&mut line, 3_200..4_600, &mut silences);
    assert_eq!(silences.len(), 2);
    let mut report = Vec::new();
    crate::rtp::rtcp::write_compound(
        &mut report,
        &crate::rtp::rtcp::Report { ssrc: Ssrc(5), sender: None, blocks: &[], cname: "x", bye: None },
    );
    line.receive_control(due(4_600), "192.0.2.9:4001".parse().unwrap(), &report).unwrap();
    run(&mut line, 4_600..6_000, &mut silences);
    assert_eq!(silences.len(), 2, "RTCP is a sign of life too");
    let mut held = plan(peer(), T0);
    held.negotiated.direction = Direction::Inactive;
    line.retune(held);
    for tick in 6_000..9_000 {
        line.tick(due(tick), &mut Vec::new());
    }
    assert_eq!(told(&mut line), [], "on hold nobody is missed");
}

#[test]
fn the_report_holds_what_came_and_what_the_peer_says() {
    let mut line = line();
    for sequence in (0..400_u16).filter(|sequence| sequence % 20 != 3) {
        packet(&mut line, sequence.into());
        let voice = datagram(0, false, sequence, u32::from(sequence) * 160, &[0xFF; 160]);
        line.receive(due(u64::from(sequence) + 1), peer(), &voice).unwrap();
    }
    assert_eq!(line.receive(due(400), peer(), b"garbage!"), Err("short"));
    let block = crate::rtp::rtcp::ReportBlock {
        ssrc: Ssrc(0xBA70),
        fraction_lost: 0,
        lost: 7,
        highest_sequence: 0,
        jitter: 16,
        last_sr: 0,
        delay_since_last_sr: 0,
    };
    let mut report = Vec::new();
    crate::rtp::rtcp::write_compound(
        &mut report,
        &crate::rtp::rtcp::Report { ssrc: Ssrc(5), sender: None, blocks: &[block], cname: "x", bye: None },
    );
    line.receive_control(due(400), "192.0.2.9:4001".parse().unwrap(), &report).unwrap();
    let report = line.statistics().report.unwrap();
    assert_eq!((report.received, report.expected, report.lost, report.malformed), (380, 400, 20, 1));
    assert_eq!(report.peer, Some(crate::rtp::report::PeerReport { lost: 7, jitter_ms: 2.0 }));
    assert!(report.mos.is_some_and(|mos| (3.7..4.1).contains(&mos)), "5 % lost: {report:?}");
}

#[test]
fn what_came_before_the_answer_is_early_media_and_no_loss_and_no_stranger() {
    let mut line = line();
    let voice = |sequence: u16| datagram(0, false, sequence, u32::from(sequence) * 160, &[0xFF; 160]);
    // Five seconds waited in the socket; what came after them until the answer had no room.
    (0..250).for_each(|sequence| line.waited(&voice(sequence)));
    line.waited(b"noise");
    // The network's own announcement comes from another address, until shortly after the answer.
    let network = "192.0.2.66:4000".parse().unwrap();
    let other = |sequence: u16| datagram(0, false, sequence, 0, &[0xFF; 160]);
    assert_eq!(line.receive(T0, network, &other(1)), Ok(()));
    packet(&mut line, 0).unwrap();
    assert_eq!(line.receive(due(5), network, &other(9)), Ok(()));
    for sequence in 1_500..1_700_u16 {
        line.receive(due(u64::from(sequence - 1_500)), peer(), &voice(sequence)).unwrap();
    }
    assert_eq!(line.receive(due(200), network, &other(20)), Err("stranger"));
    let report = line.statistics().report.unwrap();
    assert_eq!((report.early, report.strangers, report.malformed), (252, 1, 1));
    assert_eq!((report.received, report.expected, report.lost), (200, 200, 0));
    assert!(report.max_jitter_ms < 1.0 && report.mos.is_some_and(|mos| mos > 4.3), "{report:?}");
}

/// What a switchboard hears of `w1#`, and when the keys are over.
fn dialled(send_event: Option<u8>) -> (Vec<(Header, Vec<u8>)>, usize) {
    let mut terms = plan(peer(), T0);
    terms.negotiated.send_event = send_event;
    let mut line = Line::new(T0, "x@baton".into(), terms);
    line.press(PlayId(3), &"w1#".parse().unwrap());
    let mut over = None;
    let packets = (0..70).map(|tick| {
        let packet = packet(&mut line, tick).expect("the stream goes on");
        for told in told(&mut line) {
            assert_eq!(told, Told::PlayEnded { play: PlayId(3), end: End::Played });
            assert_eq!(over.replace(usize::try_from(tick).unwrap()), None);
        }
        packet
    });
    let packets: Vec<_> = packets.collect();
    (packets, over.expect("the keys are over"))
}

#[test]
fn keys_that_we_send_are_events_within_the_stream() {
    let (packets, over) = dialled(Some(97));
    for (tick, (header, _)) in packets.iter().enumerate() {
        let k = u16::try_from(tick).unwrap();
        assert_eq!(header.sequence, 65_530_u16.wrapping_add(k), "one sequence");
    }
    let event = |place: usize| {
        let (header, payload) = &packets[place];
        assert_eq!(header.payload_type, 97);
        (header.marker, header.timestamp, payload.clone())
    };
    assert!(packets[..25].iter().all(|(header, _)| header.payload_type == 0), "half a second first");
    let start = packets[24].0.timestamp.wrapping_add(160);
    let durations: Vec<_> = (25..33).map(event).collect();
    for (place, (marker, timestamp, payload)) in durations.iter().enumerate() {
        let ticks = u8::try_from(place.min(5) + 1).unwrap();
        let [high, low] = (u16::from(ticks) * 160).to_be_bytes();
        let end = if place >= 5 { 0x80 } else { 0 };
        assert_eq!((*marker, *timestamp), (place == 0, start));
        assert_eq!(payload[..], [1, 10 | end, high, low], "packet {place}");
    }
    let (after, _) = &packets[33];
    assert_eq!((after.payload_type, after.timestamp), (0, start.wrapping_add(8 * 160)), "the clock went on");
    assert_eq!(event(38).2[0], 11, "# after 100 ms");
    assert_eq!(over, 38 + 8 + 5);
    let mut receiver = crate::rtp::EventReceiver::new(None);
    for (tick, (header, payload)) in (0..).zip(&packets).filter(|(_, (header, _))| header.payload_type == 97)
    {
        let packet = crate::rtp::Packet { header: *header, payload };
        receiver.receive(due(tick), &packet, 8_000).unwrap();
    }
    let heard: String = std::iter::from_fn(|| receiver.poll_event())
        .filter(|event| event.phase == Phase::Pressed)
        .map(|event| event.digit.as_char())
        .collect();
    assert_eq!(heard, "1#");
}

#[test]
fn keys_for_a_peer_without_events_are_tones() {
    let (packets, _) = dialled(None);
    let mut detector = crate::rtp::tones::DtmfDetector::default();
    for (header, payload) in &packets {
        assert_eq!(header.payload_type, 0);
        detector.hear(&payload.iter().map(|octet| g711::ulaw_decode(*octet)).collect::<Vec<_>>());
    }
    let heard: Vec<_> =
        std::iter::from_fn(|| detector.poll_event()).map(|key| (key.digit.as_char(), key.phase)).collect();
    let [('1', Phase::Pressed), ('1', Phase::Released { duration_ms }), ('#', Phase::Pressed), ('#', _)] =
        heard[..]
    else {
        panic!("{heard:?}")
    };
    assert!((110..=130).contains(&duration_ms));
}

/// Redundant audio (RFC 2198) was not agreed to, comfort noise (RFC 3389) and unknown types neither: they count as
/// received, and no key is heard in them, whatever they hold.
#[test]
fn payload_types_that_were_not_agreed_to_are_counted_and_not_listened_to() {
    let mut line = line();
    let redundant = [0x80 | 101, 0, 0, 4, 101, 5, 0x8A, 3, 32, 5, 0x8A, 3, 32];
    for (sequence, payload_type) in (0..).zip([121, 13, 19, 18, 127, 96]) {
        let packet = datagram(payload_type, true, sequence, 160, &redundant);
        assert_eq!(line.receive(due(1), peer(), &packet), Ok(()), "{payload_type}");
    }
    assert_eq!(told(&mut line), []);
    let report = line.statistics().report.unwrap();
    assert_eq!((report.received, report.lost, report.malformed), (6, 0, 0));
}
