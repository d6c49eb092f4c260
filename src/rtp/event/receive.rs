//! From telephone-event packets to presses: each press counts once, whatever the network did to it.
//!
//! ```text
//!         new (ssrc, timestamp)            E bit, silence, or the next event
//! idle ──────────► Pressed ► held ─────────────────► Released ► remembered
//!                             │ same timestamp, or a segment that continues it: nothing
//! ```

use std::collections::VecDeque;
use std::time::Duration;

use super::{Digit, EventKey, KeyEvent, Phase, TelephoneEvent};
use crate::rtp::{Header, Packet};
use crate::time::Timestamp;

/// A held key without packets for this long has been let go: updates come every 50 ms or less
/// (RFC 4733 §2.5.1.2), so four of them and all three end packets are lost.
pub const SILENCE: Duration = Duration::from_millis(250);
/// Events that are remembered, so that late packets of theirs count for nothing.
const REMEMBERED: usize = 8;
/// A packet of an earlier event is late within this many packets (RFC 3550 A.1) and this time; after that its
/// numbers are used anew: by a stream that was restarted, or by a recording that is played again.
const LATE_PACKETS: u16 = 100;
const LATE: Duration = Duration::from_millis(500);
/// Key events that wait for the owner; it drains them after each input, so more than two never wait.
const QUEUE: usize = 16;
/// The most that one segment of a long event lasts, in ticks (RFC 4733 §2.5.1.3).
const SEGMENT: u32 = 0xFFFF;
/// A segment heard up to here was nearly full: the last half second of it may have been lost.
const NEARLY_FULL: u32 = 0xF000;

/// Why a packet told of no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// Fewer than four bytes of payload.
    #[error("a telephone-event has 4 bytes, this payload has {0}")]
    Short(usize),
    /// An event that is no DTMF key.
    #[error("event {0} is no DTMF key")]
    NotADigit(u8),
    /// A packet of an event that came before events already heard.
    #[error("a late packet of an earlier event")]
    Late,
}

impl EventError {
    /// A stable word for counters.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Short(_) => "event-short",
            Self::NotADigit(_) => "event-not-a-digit",
            Self::Late => "event-late",
        }
    }
}

/// One press, as far as its packets have told.
#[derive(Clone, Copy, Debug)]
struct Press {
    key: EventKey,
    digit: Digit,
    /// Where its present segment starts; the key's timestamp unless it is a long one.
    segment: u32,
    /// Longest duration heard of the present segment, in ticks.
    duration: u32,
    clock_hz: u32,
    /// Newest sequence number of its packets.
    sequence: u16,
    heard_at: Timestamp,
    released: bool,
}

/// Hears the keys of one call. Soft: after a restart it is made anew with the last key that counted.
#[derive(Debug, Default)]
pub struct EventReceiver {
    /// Newest last; only the newest may be held.
    presses: VecDeque<Press>,
    /// The last key that counted before a restart; only the first press after it can still be that one.
    counted: Option<EventKey>,
    events: VecDeque<KeyEvent>,
}

/// `later - earlier` of wrapping numbers, negative if it is earlier.
fn ahead(later: u32, earlier: u32) -> i32 {
    later.wrapping_sub(earlier).cast_signed()
}

fn is_same(key: EventKey, header: &Header) -> bool {
    (key.ssrc, key.timestamp) == (header.ssrc, header.timestamp)
}

impl EventReceiver {
    /// A receiver; `last` is the key that counted last, from the call's record. That key does not count
    /// again; its release may be told again.
    #[must_use]
    pub fn new(last: Option<EventKey>) -> Self {
        Self { counted: last, ..Self::default() }
    }

    /// Takes in a packet whose payload type is that of telephone-events with this clock.
    ///
    /// # Errors
    /// When the packet tells of no key; nothing has changed then.
    pub fn receive(&mut self, now: Timestamp, packet: &Packet<'_>, clock_hz: u32) -> Result<(), EventError> {
        let event = TelephoneEvent::parse(packet.payload).ok_or(EventError::Short(packet.payload.len()))?;
        let digit = Digit::from_code(event.code).ok_or(EventError::NotADigit(event.code))?;
        let header = &packet.header;
        if let Some(index) = self.presses.iter().rposition(|press| press.covers(now, packet, &event, digit)) {
            let newest = index + 1 == self.presses.len();
            let press = self.presses.get_mut(index).expect("rposition found it");
            press.heard_at = now;
            if !press.released && newest {
                press.hear(packet, &event);
                if event.end {
                    self.release(now);
                }
            }
            return Ok(());
        }
        if self.presses.back().is_some_and(|press| press.is_after(now, packet)) {
            return Err(EventError::Late);
        }
        self.release(now);
        let counted = self.counted.take().filter(|counted| is_same(*counted, header));
        let press = Press {
            key: counted.unwrap_or_else(|| self.key_of(header)),
            digit,
            segment: header.timestamp,
            duration: u32::from(event.duration),
            clock_hz: clock_hz.max(1),
            sequence: header.sequence,
            heard_at: now,
            released: false,
        };
        if self.presses.len() == REMEMBERED {
            self.presses.pop_front();
        }
        self.presses.push_back(press);
        if counted.is_none() {
            // What was lost of its beginning, and what went by before we listened, counts as held.
            let began = now - Duration::from_millis(press.duration_ms().into());
            self.tell(&press, Phase::Pressed, began);
        }
        if event.end {
            self.release(now);
        }
        Ok(())
    }

    /// When silence would end the key that is held.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.presses.back().filter(|press| !press.released).map(|press| press.heard_at + SILENCE)
    }

    /// Ends the held key if it has been silent for too long.
    pub fn timeout(&mut self, now: Timestamp) {
        if self.poll_timeout().is_some_and(|deadline| deadline <= now) {
            self.release(now);
        }
    }

    /// The next key event; drain until `None` after each input.
    pub fn poll_event(&mut self) -> Option<KeyEvent> {
        self.events.pop_front()
    }

    fn key_of(&self, header: &Header) -> EventKey {
        let before = self.presses.iter().rev().find(|press| is_same(press.key, header));
        let again = before.map_or(0, |press| press.key.again.saturating_add(1));
        EventKey { ssrc: header.ssrc, timestamp: header.timestamp, again }
    }

    fn release(&mut self, now: Timestamp) {
        let Some(press) = self.presses.back_mut().filter(|press| !press.released) else { return };
        press.released = true;
        let press = *press;
        self.tell(&press, Phase::Released { duration_ms: press.duration_ms() }, now);
    }

    fn tell(&mut self, press: &Press, phase: Phase, at: Timestamp) {
        debug_assert!(self.events.len() < QUEUE, "the owner drains key events after each input");
        if self.events.len() < QUEUE {
            self.events.push_back(KeyEvent { key: press.key, digit: press.digit, phase, at });
        }
    }
}

impl Press {
    /// Does the packet tell of this press?
    fn covers(&self, now: Timestamp, packet: &Packet<'_>, event: &TelephoneEvent, digit: Digit) -> bool {
        let header = &packet.header;
        if header.ssrc != self.key.ssrc || digit != self.digit {
            return false;
        }
        let start = ahead(header.timestamp, self.segment);
        if start == 0 || header.timestamp == self.key.timestamp {
            return !self.is_repress(now, packet, event);
        }
        let Ok(start) = u32::try_from(start) else {
            // An earlier segment of a long press.
            return ahead(header.timestamp, self.key.timestamp) > 0;
        };
        // A press cannot begin within another one: it is the next segment of a long press, or the sender
        // moves the timestamp with every packet, as some do.
        if self.released {
            event.end && !header.marker && start < self.duration
        } else {
            !header.marker && (start <= self.duration || self.is_next_segment(start))
        }
    }

    /// Does the next segment begin so many ticks after the present one? A sender goes on to it when another update
    /// would not fit: at most two updates of 50 ms before the most that a segment lasts.
    fn is_next_segment(&self, start: u32) -> bool {
        let full = SEGMENT.saturating_sub(self.clock_hz / 10)..=SEGMENT;
        full.contains(&start) && self.duration >= NEARLY_FULL
    }

    /// The same key again with the same timestamp: from a sender whose timestamp stands still while it sends
    /// no audio, or from a recording.
    fn is_repress(&self, now: Timestamp, packet: &Packet<'_>, event: &TelephoneEvent) -> bool {
        let newer = packet.header.sequence.wrapping_sub(self.sequence).cast_signed() > 0;
        let stands_still =
            newer && packet.header.marker && !event.end && u32::from(event.duration) < self.duration;
        let replayed = !newer && self.is_past(now);
        self.released && (stands_still || replayed)
    }

    fn is_past(&self, now: Timestamp) -> bool {
        now.since(self.heard_at) > LATE
    }

    /// Was the packet sent before this press began?
    fn is_after(&self, now: Timestamp, packet: &Packet<'_>) -> bool {
        packet.header.ssrc == self.key.ssrc
            && (1..=LATE_PACKETS).contains(&self.sequence.wrapping_sub(packet.header.sequence))
            && ahead(packet.header.timestamp, self.segment) < 0
            && !self.is_past(now)
    }

    fn hear(&mut self, packet: &Packet<'_>, event: &TelephoneEvent) {
        let header = &packet.header;
        if ahead(header.timestamp, self.segment) > 0 {
            self.segment = header.timestamp;
            self.duration = 0;
        }
        if header.timestamp == self.segment {
            self.duration = self.duration.max(u32::from(event.duration));
        }
        if header.sequence.wrapping_sub(self.sequence).cast_signed() > 0 {
            self.sequence = header.sequence;
        }
    }

    /// From the start of the first segment to the end of the last, in ms.
    fn duration_ms(&self) -> u32 {
        let ticks = u64::from(self.segment.wrapping_sub(self.key.timestamp)) + u64::from(self.duration);
        u32::try_from(ticks * 1_000 / u64::from(self.clock_hz)).unwrap_or(u32::MAX)
    }
}
