//! Pressing a key: the packets of one telephone-event, one for each tick of the stream (RFC 4733 §2.5.1).

use super::{Digit, TelephoneEvent};
use crate::rtp::SAMPLES_PER_TICK;

/// Times that the final packet is sent (§2.5.1.4).
const END_PACKETS: u8 = 3;
/// −10 dBm0, the level that gateways expect of a key.
const VOLUME: u8 = 10;
/// The longest duration that a packet can tell; a longer press goes on in another segment (§2.5.1.3).
const SEGMENT: u16 = u16::MAX;

/// What a tick sends in place of audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventPacket {
    /// Set on the first packet of the event.
    pub marker: bool,
    /// The timestamp of the event's start, not of this tick.
    pub timestamp: u32,
    /// The payload.
    pub payload: [u8; 4],
}

/// Sends one press. The sequence numbers are those of the stream that it is sent in.
#[derive(Clone, Debug)]
pub struct EventSender {
    digit: Digit,
    /// Of the present segment.
    timestamp: u32,
    /// Before the present segment, in ticks of 1/8000 s.
    told: u32,
    /// Since the key went down, in ticks of 1/8000 s.
    elapsed: u32,
    /// How long it is held, in ticks of 1/8000 s.
    hold: u32,
    ends: u8,
}

impl EventSender {
    /// A press that begins at this timestamp of the stream and lasts `duration_ms`, rounded up to whole
    /// ticks of 20 ms.
    #[must_use]
    pub const fn new(digit: Digit, timestamp: u32, duration_ms: u16) -> Self {
        let ticks = (duration_ms as u32).div_ceil(20);
        let ticks = if ticks == 0 { 1 } else { ticks };
        Self { digit, timestamp, told: 0, elapsed: 0, hold: ticks * SAMPLES_PER_TICK, ends: 0 }
    }

    /// The packet of the next tick; `None` when the press is over.
    pub fn next_packet(&mut self) -> Option<EventPacket> {
        if self.ends == END_PACKETS {
            return None;
        }
        let marker = self.elapsed == 0;
        if self.elapsed < self.hold {
            self.elapsed += SAMPLES_PER_TICK;
        }
        let (timestamp, duration) = (self.timestamp, self.elapsed - self.told);
        if let Ok(duration) = u16::try_from(duration) {
            let end = self.elapsed == self.hold;
            self.ends += u8::from(end);
            return Some(self.packet(marker, timestamp, duration, end));
        }
        // The segment is full: this packet says so, without E; the next one begins another, without marker.
        self.told += u32::from(SEGMENT);
        self.timestamp = timestamp.wrapping_add(u32::from(SEGMENT));
        Some(self.packet(marker, timestamp, SEGMENT, false))
    }

    fn packet(&self, marker: bool, timestamp: u32, duration: u16, end: bool) -> EventPacket {
        let event = TelephoneEvent { code: self.digit.code(), end, volume: VOLUME, duration };
        EventPacket { marker, timestamp, payload: event.to_bytes() }
    }
}
