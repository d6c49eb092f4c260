//! Telephone-events as traces of packets.

use std::time::Duration;

use super::*;
use crate::id::Mint;
use crate::mutation::mutate;
use crate::rtp::{Header, Packet, SAMPLES_PER_TICK};

const CLOCK_HZ: u32 = 8_000;

/// One packet of a trace.
#[derive(Clone, Copy, Debug)]
struct Line {
    ms: u64,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    marker: bool,
    code: u8,
    end: bool,
    duration: u16,
}

impl Line {
    fn payload(self) -> [u8; 4] {
        TelephoneEvent { code: self.code, end: self.end, volume: 10, duration: self.duration }.to_bytes()
    }

    fn header(self) -> Header {
        let Self { ssrc, sequence, timestamp, marker, .. } = self;
        Header { payload_type: 101, marker, sequence, timestamp, ssrc: Ssrc(ssrc) }
    }
}

/// The packets of one press from `start_ms` on, as our own sender makes them.
fn press(start_ms: u64, digit: char, duration_ms: u16) -> Vec<Line> {
    let tick = start_ms / 20;
    let timestamp = u32::try_from(tick).unwrap() * SAMPLES_PER_TICK + 4_000_000_000;
    let mut sender = EventSender::new(Digit::from_char(digit).unwrap(), timestamp, duration_ms);
    let mut lines = Vec::new();
    while let Some(packet) = sender.next_packet() {
        let tick = tick + lines.len() as u64;
        let event = TelephoneEvent::parse(&packet.payload).unwrap();
        lines.push(Line {
            ms: tick * 20,
            ssrc: 7,
            sequence: u16::try_from(tick % 65_536).unwrap(),
            timestamp: packet.timestamp,
            marker: packet.marker,
            code: event.code,
            end: event.end,
            duration: event.duration,
        });
    }
    lines
}

/// Feeds a trace, in the order given, to a receiver whose deadlines are kept; then lets it fall silent.
fn hear_with(receiver: &mut EventReceiver, lines: &[Line]) -> Vec<KeyEvent> {
    let mut events = Vec::new();
    let silence = |receiver: &mut EventReceiver, until: Timestamp, events: &mut Vec<KeyEvent>| {
        if let Some(deadline) = receiver.poll_timeout().filter(|deadline| *deadline < until) {
            receiver.timeout(deadline);
            events.extend(std::iter::from_fn(|| receiver.poll_event()));
        }
    };
    for line in lines {
        let now = Timestamp::from_millis(line.ms);
        silence(receiver, now, &mut events);
        let payload = line.payload();
        let _ = receiver.receive(now, &Packet { header: line.header(), payload: &payload }, CLOCK_HZ);
        events.extend(std::iter::from_fn(|| receiver.poll_event()));
    }
    silence(receiver, Timestamp::from_micros(u64::MAX), &mut events);
    events
}

/// What a trace sounds like: `+5` pressed, `-5:100` released after 100 ms.
fn hear(lines: &[Line]) -> String {
    written(&hear_with(&mut EventReceiver::new(None), lines))
}

fn written(events: &[KeyEvent]) -> String {
    let words = events.iter().map(|event| match event.phase {
        Phase::Pressed => format!("+{}", event.digit),
        Phase::Released { duration_ms } => format!("-{}:{duration_ms}", event.digit),
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn our_sender_writes_what_the_rfc_draws() {
    let lines = press(0, '5', 50);
    let packets = lines.iter().map(|line| (line.marker, line.end, line.duration)).collect::<Vec<_>>();
    assert_eq!(
        packets,
        [(true, false, 160), (false, false, 320), (false, true, 480), (false, true, 480), (false, true, 480)]
    );
    assert!(lines.iter().all(|line| line.timestamp == lines[0].timestamp));
    assert_eq!(lines[0].payload(), [5, 10, 0, 160]);
    assert_eq!(lines[4].payload(), [5, 0x8A, 1, 0xE0]);
    let shortest = press(0, '5', 0);
    assert!(shortest[0].marker && shortest[0].end && shortest.len() == 3);
}

#[test]
fn a_press_counts_once() {
    assert_eq!(hear(&press(1_000, '5', 100)), "+5 -5:100");
}

#[test]
fn every_key() {
    for digit in "0123456789*#ABCD".chars() {
        assert_eq!(hear(&press(1_000, digit, 60)), format!("+{digit} -{digit}:60"));
    }
}

#[test]
fn the_same_key_twice_quickly_is_two_presses() {
    let mut lines = press(1_000, '5', 40);
    lines.truncate(4);
    lines.extend(press(1_080, '5', 40));
    assert_eq!(hear(&lines), "+5 -5:40 +5 -5:40");
}

#[test]
fn a_key_is_told_when_its_first_packet_comes_not_when_it_is_let_go() {
    let lines = press(1_000, '5', 2_000);
    let mut receiver = EventReceiver::new(None);
    assert_eq!(written(&hear_with(&mut receiver, &lines[..1])[..1]), "+5");
}

#[test]
fn any_single_packet_is_enough() {
    for line in press(1_000, '7', 100) {
        let heard = hear(&[line]);
        assert!(heard.starts_with("+7 -7:") && !heard.contains(" +"), "{line:?}: {heard}");
    }
}

#[test]
fn a_lost_start_and_a_lost_end() {
    let lines = press(1_000, '5', 100);
    assert_eq!(hear(&lines[2..]), "+5 -5:100", "start lost");
    assert_eq!(hear(&lines[..3]), "+5 -5:60", "end lost: ended by silence");
    let mut followed = lines[..3].to_vec();
    followed.extend(press(1_160, '6', 60));
    assert_eq!(hear(&followed), "+5 -5:60 +6 -6:60", "end lost: ended by the next key");
}

#[test]
fn silence_ends_a_key_in_a_quarter_of_a_second() {
    let mut receiver = EventReceiver::new(None);
    let line = press(1_000, '5', 100)[0];
    let (payload, now) = (line.payload(), Timestamp::from_millis(1_000));
    receiver.receive(now, &Packet { header: line.header(), payload: &payload }, CLOCK_HZ).unwrap();
    assert_eq!(receiver.poll_timeout(), Some(now + Duration::from_millis(250)));
    receiver.timeout(now + Duration::from_millis(249));
    assert_eq!(receiver.poll_event().map(|event| event.phase), Some(Phase::Pressed));
    assert_eq!(receiver.poll_event(), None);
    receiver.timeout(now + Duration::from_millis(250));
    assert_eq!(receiver.poll_event().map(|event| event.phase), Some(Phase::Released { duration_ms: 20 }));
    assert_eq!(receiver.poll_timeout(), None);
    // The end packets come after all: nothing more to tell.
    assert_eq!(hear_with(&mut receiver, &press(1_000, '5', 100)[4..]), []);
}

#[test]
fn without_markers_and_with_markers_on_every_packet() {
    for marker in [false, true] {
        let mut lines = press(1_000, '5', 100);
        lines.extend(press(1_300, '5', 100));
        lines.iter_mut().for_each(|line| line.marker = marker);
        assert_eq!(hear(&lines), "+5 -5:100 +5 -5:100", "marker {marker}");
    }
}

#[test]
fn a_gateway_that_sends_three_starts_and_three_ends_only() {
    let lines = press(1_000, '5', 600);
    let mut few = vec![lines[0], lines[0], lines[0]];
    few.extend_from_slice(&lines[lines.len() - 3..]);
    assert_eq!(hear(&few), "+5 -5:20", "the key counts once; only its duration is not known");
}

#[test]
fn duplicates_and_reordering_count_for_nothing() {
    let mut lines = press(1_000, '5', 100);
    lines.extend(press(1_200, '6', 100));
    let doubled = lines.iter().flat_map(|line| [*line, *line]).collect::<Vec<_>>();
    assert_eq!(hear(&doubled), "+5 -5:100 +6 -6:100");
    // The last packets of the 5 come after the first of the 6.
    let mut swapped = lines.clone();
    swapped.swap(5, 8);
    swapped.swap(6, 9);
    assert_eq!(hear(&swapped), "+5 -5:100 +6 -6:100");
    // Nothing of the 5 was heard but one packet that comes late: its place in the number is gone.
    let late = [lines[8], lines[9], lines[0], lines[10], lines[11], lines[12], lines[13]];
    assert_eq!(hear(&late), "+6 -6:100");
}

#[test]
fn a_long_hold_is_one_press_also_over_segments() {
    assert_eq!(hear(&press(1_000, '0', 20_000)), "+0 -0:20000");
    // The last packets of the first segment are lost.
    let mut lines = press(1_000, '0', 20_000);
    assert_eq!((lines[409].duration, lines[409].end, lines[410].marker), (0xFFFF, false, false));
    assert_eq!(lines[410].timestamp, lines[409].timestamp.wrapping_add(0xFFFF));
    lines.drain(405..410);
    assert_eq!(hear(&lines), "+0 -0:20000");
    // A sender whose duration stops at the top instead.
    let mut stuck = press(1_000, '0', 8_000);
    for k in 0..200 {
        let last = stuck[399];
        stuck.insert(400 + k, Line { duration: 0xFFFF, end: false, ms: last.ms, ..last });
    }
    assert!(hear(&stuck).starts_with("+0 -0:8"), "{}", hear(&stuck));
}

#[test]
fn a_sender_that_moves_the_timestamp_with_every_packet() {
    let mut lines = press(1_000, '5', 100);
    for (k, line) in (0..).zip(&mut lines) {
        line.timestamp += k * SAMPLES_PER_TICK;
    }
    let heard = hear(&lines);
    assert!(heard.starts_with("+5 -5:") && heard.matches('+').count() == 1, "{heard}");
}

#[test]
fn a_sender_whose_timestamp_stands_still_between_keys() {
    let mut lines = press(1_000, '5', 100);
    lines.extend(press(1_400, '5', 100));
    lines.extend(press(1_800, '6', 100));
    let timestamp = lines[0].timestamp;
    lines.iter_mut().for_each(|line| line.timestamp = timestamp);
    let events = hear_with(&mut EventReceiver::new(None), &lines);
    assert_eq!(written(&events), "+5 -5:100 +5 -5:100 +6 -6:100");
    let keys = events.iter().map(|event| event.key).collect::<std::collections::BTreeSet<_>>();
    assert_eq!(keys.len(), 3, "each press has a key of its own");
}

/// Test equipment plays recorded keys (SIPp's pcaps): the same numbers again, and keys in any order.
#[test]
fn recorded_keys_that_are_played_again() {
    let replay = |keys: &[(u64, u64, char)]| {
        let shift = |(at, recorded, digit): &(u64, u64, char)| {
            let lines = press(*recorded, *digit, 140).into_iter();
            lines.map(|line| Line { ms: line.ms + at - recorded, ..line }).collect::<Vec<_>>()
        };
        hear(&keys.iter().flat_map(shift).collect::<Vec<_>>())
    };
    assert_eq!(replay(&[(5_000, 1_000, '5'), (5_800, 1_000, '5')]), "+5 -5:140 +5 -5:140");
    assert_eq!(replay(&[(5_000, 1_500, '2'), (5_800, 1_000, '1')]), "+2 -2:140 +1 -1:140");
    let three = [(5_000, 1_500, '2'), (5_800, 1_000, '1'), (6_600, 1_500, '2')];
    assert_eq!(replay(&three), "+2 -2:140 +1 -1:140 +2 -2:140");
}

#[test]
fn a_key_held_through_an_outage_of_the_network_is_one_press() {
    let mut lines = press(1_000, '5', 8_000);
    lines.drain(100..300);
    assert_eq!(hear(&lines), "+5 -5:2000");
}

#[test]
fn another_stream_of_the_peer_goes_on_counting() {
    let mut lines = press(1_000, '5', 100);
    lines.extend(press(1_400, '6', 100).into_iter().map(|line| Line {
        ssrc: 8,
        timestamp: 5,
        sequence: 3,
        ..line
    }));
    assert_eq!(hear(&lines), "+5 -5:100 +6 -6:100");
}

#[test]
fn a_peer_that_began_its_numbers_anew_is_heard() {
    let mut lines = press(100_000, '5', 100);
    lines.extend(press(101_000, '6', 100).into_iter().map(|line| Line {
        sequence: line.sequence.wrapping_sub(4_000),
        timestamp: line.timestamp.wrapping_sub(700_000),
        ..line
    }));
    assert_eq!(hear(&lines), "+5 -5:100 +6 -6:100");
}

#[test]
fn a_key_held_through_a_restart_counts_once() {
    let lines = press(1_000, '5', 400);
    let mut before = EventReceiver::new(None);
    let line = lines[0];
    let payload = line.payload();
    let now = Timestamp::from_millis(line.ms);
    before.receive(now, &Packet { header: line.header(), payload: &payload }, CLOCK_HZ).unwrap();
    let pressed = before.poll_event().unwrap();
    assert_eq!(pressed.phase, Phase::Pressed);
    // The process dies; its record knows which key counted.
    let record = postcard::to_stdvec(&pressed.key).unwrap();
    let mut after = EventReceiver::new(Some(postcard::from_bytes(&record).unwrap()));
    let mut rest = lines[10..].to_vec();
    rest.extend(press(2_000, '5', 100));
    assert_eq!(written(&hear_with(&mut after, &rest)), "-5:400 +5 -5:100");
}

#[test]
fn other_clocks_give_true_durations() {
    let mut receiver = EventReceiver::new(None);
    let line = Line { duration: 4_800, end: true, ..press(1_000, '5', 100)[0] };
    let payload = line.payload();
    let packet = Packet { header: line.header(), payload: &payload };
    receiver.receive(Timestamp::from_millis(1_000), &packet, 48_000).unwrap();
    let events = std::iter::from_fn(|| receiver.poll_event()).collect::<Vec<_>>();
    assert_eq!(written(&events), "+5 -5:100");
}

#[test]
fn what_is_no_key_says_why_and_changes_nothing() {
    let mut receiver = EventReceiver::new(None);
    let line = press(1_000, '5', 100)[0];
    let mut receive = |payload: &[u8]| {
        let packet = Packet { header: line.header(), payload };
        receiver.receive(Timestamp::EPOCH, &packet, CLOCK_HZ).unwrap_err().reason()
    };
    assert_eq!(receive(&[5, 10, 0]), "event-short");
    assert_eq!(receive(&[16, 10, 0, 160]), "event-not-a-digit"); // hook flash
    assert_eq!(receive(&[36, 10, 0, 160]), "event-not-a-digit"); // fax calling tone
    assert_eq!((receiver.poll_event(), receiver.poll_timeout()), (None, None));
}

#[test]
fn digits_are_written_as_people_write_them() {
    assert_eq!(Digit::from_char('d').map(Digit::as_char), Some('D'));
    assert_eq!(Digit::from_char('E'), None);
    assert_eq!(serde_json::to_string(&Digit::from_char('#').unwrap()).unwrap(), "\"#\"");
    assert!(serde_json::from_str::<Digit>("\"x\"").is_err());
}

/// Whatever is typed, and whatever the network drops, doubles and swaps next to each other: as long as
/// some packet of each press arrives in its place, the digits are those that were typed.
#[test]
fn lossy_networks_change_no_digit() {
    let mut mint = Mint::seeded(4733);
    for _ in 0..2_000 {
        let (mut typed, mut arriving, mut at) = (String::new(), Vec::new(), 1_000);
        for _ in 0..8 {
            let digit = Digit::from_code(mint.number().to_be_bytes()[0] % 16).unwrap();
            let hold = 40 + mint.number16() % 400;
            typed.push(digit.as_char());
            let mut lines = press(at, digit.as_char(), hold);
            at += u64::from(hold) + 100 + u64::from(mint.number16() % 300);
            let kept = usize::from(mint.number16()) % lines.len();
            let mut k = 0;
            lines.retain(|_| {
                k += 1;
                k - 1 == kept || !mint.number16().is_multiple_of(3)
            });
            for pair in 1..lines.len() {
                match mint.number16() % 8 {
                    0 => lines.swap(pair - 1, pair),
                    1 => lines.push(lines[pair]),
                    _ => {}
                }
            }
            arriving.extend(lines);
        }
        let events = hear_with(&mut EventReceiver::new(None), &arriving);
        let pressed = events.iter().filter(|event| event.phase == Phase::Pressed);
        assert_eq!(pressed.map(|event| event.digit.as_char()).collect::<String>(), typed, "{arriving:#?}");
        let released = events.iter().filter(|event| event.phase != Phase::Pressed).count();
        assert_eq!(released, typed.len());
    }
}

/// 100,000 damaged packets: no panic, and presses and releases stay in turn.
#[test]
fn mutated_events_are_survived() {
    let mut mint = Mint::seeded(0x4733);
    let mut receiver = EventReceiver::new(None);
    let mut held = None;
    let mut pressed = 0;
    let trace = press(0, '5', 200);
    for round in 0..100_000_usize {
        let line = trace[round % trace.len()];
        let mut bytes = Vec::new();
        crate::rtp::write_packet(&mut bytes, &line.header(), &line.payload());
        mutate(&mut bytes, &mut mint);
        let now = Timestamp::from_millis(round as u64 * 20);
        receiver.timeout(now);
        if let Ok(packet) = crate::rtp::parse_packet(&bytes) {
            let _ = receiver.receive(now, &packet, CLOCK_HZ);
        }
        while let Some(event) = receiver.poll_event() {
            match event.phase {
                Phase::Pressed => {
                    pressed += 1;
                    assert_eq!(held.replace(event.key), None);
                }
                Phase::Released { .. } => assert_eq!(held.take(), Some(event.key)),
            }
        }
    }
    assert!(pressed > 1_000, "only {pressed} of the mutants were presses");
}
