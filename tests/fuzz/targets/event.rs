//! Telephone-events: whatever comes, each press counts once.

use std::collections::BTreeMap;
use std::time::Duration;

use baton::rtp::event::EventPacket;
use baton::rtp::{
    Digit, EventKey, EventReceiver, EventSender, Header, KeyEvent, Packet, Phase, Ssrc, TelephoneEvent,
};
use baton::time::Timestamp;

use super::feed::Feed;

const CLOCKS_HZ: [u32; 4] = [8_000, 16_000, 48_000, 0];

/// A packet and when it comes.
#[derive(Clone, Copy)]
struct Arrival {
    at: Timestamp,
    header: Header,
    payload: [u8; 4],
    length: usize,
    clock_hz: u32,
}

/// The first half of the bytes makes a wild stream, the second chooses which packets of real presses arrive.
pub(crate) fn run(data: &[u8]) -> bool {
    let (wild, lossy) = data.split_at(data.len() / 2);
    let arrivals = arrivals(&mut Feed(wild));
    let told = hear(&arrivals, 1, None);
    each_press_counts_once(&told, &arrivals);
    let pressed = |told: &[KeyEvent]| told.iter().filter(|one| one.phase == Phase::Pressed).count();
    assert_eq!(pressed(&hear(&arrivals, 2, None)), pressed(&told), "a doubled packet is no press");
    if let Some(first) = told.first() {
        let again = hear(&arrivals, 1, Some(first.key));
        let mut pressed = again.iter().filter(|one| one.phase == Phase::Pressed).take(REMEMBERED);
        assert!(!pressed.any(|one| one.key == first.key), "it counted before the restart");
    }
    real_presses(&mut Feed(lossy));
    !told.is_empty()
}

fn arrivals(feed: &mut Feed<'_>) -> Vec<Arrival> {
    let mut arrivals = Vec::new();
    let mut at = Timestamp::from_millis(1_000_000);
    let mut header = Header {
        payload_type: 101,
        marker: false,
        sequence: 65_530,
        timestamp: u32::MAX - 400,
        ssrc: Ssrc(7),
    };
    while !feed.is_empty() && arrivals.len() < 500 {
        let (flags, step) = (feed.byte(), feed.byte());
        at = at + Duration::from_millis(u64::from(feed.byte()) * if flags & 0x80 == 0 { 1 } else { 20 });
        header.marker = flags & 1 != 0;
        header.ssrc = Ssrc(7 + u32::from(flags & 2));
        header.sequence = header.sequence.wrapping_add_signed(i16::from(step.cast_signed() / 16));
        if flags & 4 != 0 {
            header.timestamp = header.timestamp.wrapping_add(u32::from(feed.number16()));
        } else if flags & 8 != 0 {
            header.timestamp = header.timestamp.wrapping_sub(u32::from(feed.number16()));
        }
        let code = if flags & 0x10 == 0 { step % 4 } else { feed.byte() };
        let event = TelephoneEvent { code, end: flags & 0x20 != 0, volume: 10, duration: feed.number16() };
        let clock_hz = CLOCKS_HZ[if flags & 0x40 == 0 { 0 } else { usize::from(step % 4) }];
        let length = if step == 77 { 3 } else { 4 };
        arrivals.push(Arrival { at, header, payload: event.to_bytes(), length, clock_hz });
    }
    arrivals
}

/// What a receiver tells of them, each packet so many times, and when all is silent.
fn hear(arrivals: &[Arrival], times: usize, last: Option<EventKey>) -> Vec<KeyEvent> {
    let mut receiver = EventReceiver::new(last);
    let mut told = Vec::new();
    let mut end = Timestamp::from_millis(1_000_000);
    for arrival in arrivals {
        end = arrival.at;
        receiver.timeout(arrival.at);
        told.extend(std::iter::from_fn(|| receiver.poll_event()));
        for _ in 0..times {
            let payload = &arrival.payload[..arrival.length];
            if let Some(event) = TelephoneEvent::parse(payload) {
                assert_eq!(event.to_bytes(), arrival.payload, "what is read is written as it was");
            }
            let packet = Packet { header: arrival.header, payload };
            if let Err(error) = receiver.receive(arrival.at, &packet, arrival.clock_hz) {
                assert!(!error.reason().is_empty());
            }
            told.extend(std::iter::from_fn(|| receiver.poll_event()));
        }
    }
    receiver.timeout(end + Duration::from_secs(1));
    told.extend(std::iter::from_fn(|| receiver.poll_event()));
    assert_eq!(receiver.poll_timeout(), None, "silence lets every key go");
    told
}

/// Presses that a receiver remembers, and a call's record.
const REMEMBERED: usize = 8;

/// Down once, up once, in this order, and one key at a time.
fn each_press_counts_once(told: &[KeyEvent], arrivals: &[Arrival]) {
    let mut released: BTreeMap<EventKey, bool> = BTreeMap::new();
    let mut pressed: Vec<EventKey> = Vec::new();
    let mut held: Option<EventKey> = None;
    for event in told {
        match event.phase {
            Phase::Pressed => {
                assert_eq!(held.replace(event.key), None, "one key is held at a time");
                let anew = !pressed.iter().rev().take(REMEMBERED).any(|key| *key == event.key);
                assert!(anew || event.key.again == u8::MAX, "{:?} goes down twice", event.key);
                pressed.push(event.key);
                released.insert(event.key, false);
            }
            Phase::Released { .. } => {
                assert_eq!(held.take(), Some(event.key), "what goes up was down");
                released.insert(event.key, true);
            }
        }
    }
    assert!(released.values().all(|released| *released), "all is silent at the end");
    assert!(released.len() <= arrivals.len());
}

/// Presses of our own sender, of whose packets some are lost and some come twice: each is one press.
fn real_presses(feed: &mut Feed<'_>) {
    let mut receiver = EventReceiver::new(None);
    let (mut expected, mut told) = (Vec::new(), Vec::new());
    let mut at = Timestamp::from_millis(1_000_000);
    let mut sequence = 0_u16;
    let mut timestamp = 0_u32;
    let mut began = 0_u32;
    while !feed.is_empty() && expected.len() < 20 {
        // Where a press lasts as long as a segment, and its end and the start of the next are lost, nobody can tell.
        let may_be_segment = (64_000..=65_535).contains(&timestamp.wrapping_sub(began));
        began = timestamp;
        let digit = Digit::from_code(feed.byte() % 16).expect("below 16");
        let mut sender = EventSender::new(digit, timestamp, feed.number16() % 12_000);
        let (mut fate, mut silent, mut arrived) = (0_u8, Duration::ZERO, false);
        for number in 0_u32.. {
            let Some(event) = sender.next_packet() else { break };
            if number.is_multiple_of(8) {
                fate = feed.byte();
            }
            at = at + Duration::from_millis(20);
            silent += Duration::from_millis(20);
            sequence = sequence.wrapping_add(1);
            timestamp = timestamp.wrapping_add(160);
            // Silence of 250 ms lets a key go: less is lost in a row, and of each press something comes.
            let needed = may_be_segment && number == 0;
            let lost = fate & 1 != 0 && silent < Duration::from_millis(200) && !needed;
            fate >>= 1;
            receiver.timeout(at);
            if !lost {
                (silent, arrived) = (Duration::ZERO, true);
                let EventPacket { marker, timestamp, payload } = event;
                let header = Header { payload_type: 101, marker, sequence, timestamp, ssrc: Ssrc(7) };
                for _ in 0..=(fate & 1) {
                    let packet = Packet { header, payload: &payload };
                    receiver.receive(at, &packet, 8_000).expect("a key of our own sender");
                }
            }
            told.extend(std::iter::from_fn(|| receiver.poll_event()));
        }
        expected.extend(arrived.then_some(digit));
        at = at + Duration::from_millis(100);
        timestamp = timestamp.wrapping_add(800);
        sequence = sequence.wrapping_add(5);
    }
    let pressed: Vec<Digit> =
        told.iter().filter(|one| one.phase == Phase::Pressed).map(|one| one.digit).collect();
    assert_eq!(pressed, expected);
}
