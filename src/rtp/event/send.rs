//! Pressing a key: the packets of one telephone-event, one for each tick of the stream (RFC 4733 §2.5.1).

use super::{Digit, TelephoneEvent};
use crate::rtp::SAMPLES_PER_TICK;

/// Times that the final packet is sent (§2.5.1.4).
const END_PACKETS: u8 = 3;
/// −10 dBm0, the level that gateways expect of a key.
const VOLUME: u8 = 10;
/// The longest segment that is a whole number of ticks (§2.5.1.3).
const SEGMENT: u16 = 0xFFFF - 0xFFFF % 160;

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
    timestamp: u32,
    /// Of the present segment, in ticks of 1/8000 s.
    duration: u16,
    /// What is left until the key goes up, in ticks of 1/8000 s.
    left: u32,
    ends: u8,
    begun: bool,
}

impl EventSender {
    /// A press that begins at this timestamp of the stream and lasts `duration_ms`, rounded up to whole
    /// ticks of 20 ms.
    #[must_use]
    pub const fn new(digit: Digit, timestamp: u32, duration_ms: u16) -> Self {
        let ticks = (duration_ms as u32).div_ceil(20);
        let ticks = if ticks == 0 { 1 } else { ticks };
        Self { digit, timestamp, duration: 0, left: ticks * SAMPLES_PER_TICK, ends: 0, begun: false }
    }

    /// The packet of the next tick; `None` when the press is over.
    pub fn next_packet(&mut self) -> Option<EventPacket> {
        if self.left > 0 {
            if self.duration == SEGMENT {
                self.timestamp = self.timestamp.wrapping_add(u32::from(SEGMENT));
                self.duration = 0;
            }
            self.duration += 160;
            self.left = self.left.saturating_sub(SAMPLES_PER_TICK);
        }
        let end = self.left == 0;
        if end {
            if self.ends == END_PACKETS {
                return None;
            }
            self.ends += 1;
        }
        let event = TelephoneEvent { code: self.digit.code(), end, volume: VOLUME, duration: self.duration };
        let marker = !std::mem::replace(&mut self.begun, true);
        Some(EventPacket { marker, timestamp: self.timestamp, payload: event.to_bytes() })
    }
}
