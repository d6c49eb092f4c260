//! What comes in on the RTP port of a call: whose it is, what is counted, what is heard.

use std::net::SocketAddr;
use std::time::Duration;

use baton::rtp::report::mos;
use baton::rtp::tones::{DtmfDetector, SignalDetector};
use baton::rtp::{
    Admission, EventReceiver, Latch, Packet, Reception, Statistics, g711, parse_packet, write_packet,
};
use baton::time::Timestamp;

use super::feed::Feed;

/// The payload type of telephone-events.
const EVENTS: u8 = 101;
/// Moves that one description allows.
const MOVES: usize = 3;

/// One call's ears.
struct Ears {
    latch: Latch,
    reception: Reception,
    keys: EventReceiver,
    tones: DtmfDetector,
    signals: SignalDetector,
    admitted: u64,
    strangers: u64,
    moves: usize,
}

/// Datagrams behind one another: two bytes of time and source, two of length, and so many bytes.
pub(crate) fn run(data: &[u8]) -> bool {
    let signalled = source(0);
    let mut ears = Ears {
        latch: Latch::new(signalled),
        reception: Reception::new(),
        keys: EventReceiver::new(None),
        tones: DtmfDetector::default(),
        signals: SignalDetector::default(),
        admitted: 0,
        strangers: 0,
        moves: 0,
    };
    let mut feed = Feed(data);
    let mut now = Timestamp::from_millis(1_000_000);
    while !feed.is_empty() {
        let (time, who) = (feed.byte(), feed.byte());
        let step = if who & 0x80 == 0 { 1 } else { 50 };
        now = now + Duration::from_millis(u64::from(time) * step);
        let length = usize::from(feed.number16() % 1_500);
        ears.receive(now, source(who & 3), signalled, feed.bytes(length));
        if who & 0x40 != 0 {
            ears.report(now);
        }
    }
    ears.report(now);
    ears.admitted > 0
}

fn source(number: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 10 + number / 2], 4_000 + u16::from(number) * 2))
}

impl Ears {
    fn receive(&mut self, now: Timestamp, from: SocketAddr, signalled: SocketAddr, datagram: &[u8]) {
        let packet = match parse_packet(datagram) {
            Ok(packet) => packet,
            Err(error) => return assert!(!error.reason().is_empty()),
        };
        is_written_again(&packet, datagram.len());
        let before = self.latch.target();
        match self.latch.admit(now, from, packet.header.ssrc, packet.header.sequence) {
            Admission::Peer => assert_eq!((from, before), (self.latch.target(), from)),
            Admission::Moved => {
                assert_eq!(self.latch.target(), from);
                assert_ne!(before, from);
                self.moves += usize::from(from != signalled);
                assert!(self.moves <= MOVES, "whoever knows the port takes the call over at will");
            }
            Admission::Stranger => {
                self.strangers += 1;
                assert_eq!(self.latch.target(), before, "a stranger changes nothing");
                return;
            }
        }
        assert_eq!(self.latch.strangers(), self.strangers);
        self.admitted += 1;
        self.hear(now, &packet);
    }

    fn hear(&mut self, now: Timestamp, packet: &Packet<'_>) {
        let before = self.reception.statistics();
        let clock_hz = [Some(8_000), None, Some(0)][usize::from(packet.header.payload_type % 3)];
        self.reception.receive(now, &packet.header, clock_hz);
        only_grow(&before, &self.reception.statistics());
        if packet.header.payload_type == EVENTS {
            let _: Result<(), _> = self.keys.receive(now, packet, 8_000); // target `event` looks at what comes of it
            while self.keys.poll_event().is_some() {}
            return;
        }
        let decode = if packet.header.payload_type == 8 { g711::alaw_decode } else { g711::ulaw_decode };
        let samples: Vec<i16> = packet.payload.iter().map(|octet| decode(*octet)).collect();
        self.tones.hear(&samples);
        while self.tones.poll_event().is_some() {}
        self.signals.hear(&samples);
        while self.signals.poll_signal().is_some() {}
    }

    /// What is told of it all.
    fn report(&mut self, now: Timestamp) {
        let sum = self.reception.statistics();
        assert!(sum.received <= self.admitted, "{} of {} admitted", sum.received, self.admitted);
        assert!(sum.lost <= sum.expected && sum.duplicated + sum.reordered <= sum.received);
        assert!(sum.jitter_micros <= sum.max_jitter_micros);
        assert!(u64::from(sum.streams) <= self.admitted);
        if let Some(mos) = mos(&sum, Some(u32::from(u16::MAX))) {
            assert!((1.0..=4.5).contains(&mos), "{mos}");
        }
        let block = self.reception.report_block(now);
        assert_eq!(block.is_some(), self.admitted > 0);
        if let Some(block) = block {
            assert_eq!(Some(block.ssrc), self.reception.ssrc());
            assert!((-0x80_0000..=0x7F_FFFF).contains(&block.lost), "24 bits");
        }
    }
}

/// The counts of a call never go back, whatever streams follow one another. A late packet may still take one from
/// what was lost.
fn only_grow(before: &Statistics, after: &Statistics) {
    assert!(after.received >= before.received && after.expected >= before.expected);
    assert!(after.duplicated >= before.duplicated && after.reordered >= before.reordered);
    assert!(after.streams >= before.streams && after.max_jitter_micros >= before.max_jitter_micros);
}

/// What we would send to say the same is no longer, and is read as the same.
fn is_written_again(packet: &Packet<'_>, length: usize) {
    let mut bytes = Vec::new();
    write_packet(&mut bytes, &packet.header, packet.payload);
    assert!(bytes.len() <= length);
    assert_eq!(parse_packet(&bytes).as_ref(), Ok(packet));
}
