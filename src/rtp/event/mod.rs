//! Telephone-events (RFC 4733): keys as packets of their own.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! |     event     |E|R| volume    |          duration             |
//! ```
//! All packets of one event carry the timestamp of its start; the last one is sent three times with E set.

mod receive;
mod send;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Ssrc;
use crate::time::Timestamp;

pub use receive::{EventError, EventReceiver, SILENCE};
pub use send::{EventPacket, EventSender};

const CHARACTERS: [char; 16] =
    ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D'];

/// A DTMF key: `0`-`9`, `*`, `#`, `A`-`D` (events 0-15 of RFC 4733 §3.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "char", into = "char")]
pub struct Digit(u8);

/// What is no DTMF key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key is one of 0-9 * # A-D")]
pub struct DigitError;

impl Digit {
    /// The key of this event code; `None` for other events (flash, fax tones).
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        (code < 16).then_some(Self(code))
    }

    /// The key of this character; `a`-`d` are taken too.
    #[must_use]
    pub fn from_char(character: char) -> Option<Self> {
        let upper = character.to_ascii_uppercase();
        CHARACTERS.iter().position(|one| *one == upper).and_then(|code| u8::try_from(code).ok()).map(Self)
    }

    /// Its event code, 0-15.
    #[must_use]
    pub const fn code(self) -> u8 {
        self.0
    }

    /// Its character.
    #[must_use]
    pub fn as_char(self) -> char {
        CHARACTERS[usize::from(self.0)]
    }
}

impl TryFrom<char> for Digit {
    type Error = DigitError;

    fn try_from(character: char) -> Result<Self, DigitError> {
        Self::from_char(character).ok_or(DigitError)
    }
}

impl From<Digit> for char {
    fn from(digit: Digit) -> Self {
        digit.as_char()
    }
}

impl fmt::Display for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Write::write_char(f, self.as_char())
    }
}

impl fmt::Debug for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digit({self})")
    }
}

/// The payload of one telephone-event packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TelephoneEvent {
    /// Event code: 0-15 are DTMF keys.
    pub code: u8,
    /// The event has ended; its duration is final.
    pub end: bool,
    /// Power below 0 dBm0, in dB, 0-63.
    pub volume: u8,
    /// How long the event has lasted, in ticks of the format's clock.
    pub duration: u16,
}

impl TelephoneEvent {
    /// Reads a payload; `None` below four bytes. What follows the first event block is not looked at:
    /// contiguous events in one packet (§2.5.1.5) are not a thing of DTMF, trailing zeros of old
    /// equipment are, and would read as key `0`.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let &[code, flags, high, low] = payload.first_chunk::<4>()?;
        Some(Self {
            code,
            end: flags & 0x80 != 0,
            volume: flags & 0x3f,
            duration: u16::from_be_bytes([high, low]),
        })
    }

    /// Its payload.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 4] {
        let [high, low] = self.duration.to_be_bytes();
        [self.code, (self.volume & 0x3f) | if self.end { 0x80 } else { 0 }, high, low]
    }
}

/// What tells one press from another: all packets of an event carry the stream and the timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventKey {
    /// The stream.
    pub ssrc: Ssrc,
    /// The RTP timestamp of the event's start.
    pub timestamp: u32,
    /// Earlier presses of this stream with this timestamp: 0, but for senders that use one again.
    pub again: u8,
}

/// What happened to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// It went down: this counts.
    Pressed,
    /// It went up.
    Released {
        /// How long it was down, in ms, as far as the packets told.
        duration_ms: u32,
    },
}

/// A key went down or up. Each comes exactly once for each press.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyEvent {
    /// Which press.
    pub key: EventKey,
    /// Which key.
    pub digit: Digit,
    /// Down or up.
    pub phase: Phase,
    /// When the packet that told it came in (or the silence was noticed).
    pub at: Timestamp,
}
