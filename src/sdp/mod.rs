//! SDP (RFC 8866) and its offer/answer model (RFC 3264). Pure.
//!
//! ```text
//! LocalMedia ─► offer() ───────────────► INVITE ─► peer
//!      │                                             │
//!      └─────► negotiate() ◄──────────── 200 ◄───────┘ ─► Negotiated   (we offered)
//! LocalMedia ─► answer(offer) ─► (200's body, Negotiated)              (the peer offered)
//! ```
//! Reading is lenient (equipment writes what it likes), writing is strict. Payload numbers may differ by
//! direction (RFC 3264 §5.1): we *send* with the numbers of the peer's description and *receive* with ours.

mod description;
mod negotiate;
#[cfg(test)]
mod tests;
mod write;

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

pub use description::{
    Attribute, Description, DescriptionError, Host, MAX_BYTES, MAX_LINES, MAX_MEDIA, Media, RtpMap,
};
pub use negotiate::{NegotiateError, answer, negotiate, offer};

use crate::id::Mint;

/// An audio codec that we speak: G.711 at 8000 Hz, one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Codec {
    /// G.711 μ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
}

impl Codec {
    /// Every codec that we speak, in our usual order.
    pub const ALL: [Self; 2] = [Self::Pcmu, Self::Pcma];

    /// Its static payload type (RFC 3551 §6).
    #[must_use]
    pub const fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
        }
    }

    /// Its name in `a=rtpmap`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
        }
    }

    /// The codec of this name, in any case (RFC 8866 §6.6: encoding names are case-insensitive).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name().eq_ignore_ascii_case(name))
    }

    /// Its sampling clock in Hz.
    #[must_use]
    pub const fn clock_hz(self) -> u32 {
        8_000
    }
}

/// What our `o=` line says. It stays the same through a session but for the version (RFC 3264 §8), also
/// when another node goes on with the call and `address` is the address of a node that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// `sess-id`.
    pub session_id: u64,
    /// `sess-version`: one more with each description that differs from the one before.
    pub version: u64,
    /// The address of the node that began the session.
    pub address: IpAddr,
}

impl Origin {
    /// The origin of a new session. The numbers stay below 2³¹: old gateways keep them in 32 bits.
    #[must_use]
    pub fn new(address: IpAddr, mint: &mut Mint) -> Self {
        Self { session_id: u64::from(mint.number32() >> 1), version: 1, address }
    }

    /// The origin of the next, changed description.
    #[must_use]
    pub const fn next(self) -> Self {
        Self { version: self.version.saturating_add(1), ..self }
    }
}

/// Which way media flows, from our side (RFC 8866 §6.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// Both ways.
    #[default]
    SendRecv,
    /// We send only.
    SendOnly,
    /// We receive only: the peer holds us.
    RecvOnly,
    /// Neither way.
    Inactive,
}

impl Direction {
    /// The direction that allows exactly this.
    #[must_use]
    pub const fn of(send: bool, receive: bool) -> Self {
        match (send, receive) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// May we send?
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// May we receive?
    #[must_use]
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// The same flow seen from the other side.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self::of(self.receives(), self.sends())
    }

    /// What both allow.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self::of(self.sends() && other.sends(), self.receives() && other.receives())
    }

    /// Its attribute's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// The direction of this attribute name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::SendRecv, Self::SendOnly, Self::RecvOnly, Self::Inactive]
            .into_iter()
            .find(|direction| direction.name().eq_ignore_ascii_case(name))
    }
}

/// A media section that the answer refused. Its place must be kept in every later description of the
/// session, with port 0 (RFC 3264 §8: sections are never removed).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Its place among the `m=` lines, from 0.
    pub index: u8,
    /// `video`, `image`, ...
    pub media: String,
    /// `RTP/AVP`, ...
    pub protocol: String,
    /// One of its formats: an `m=` line may not be without.
    pub format: String,
}

/// What we are able and willing to do: from this offers and answers are made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalMedia {
    /// Our `o=` line.
    pub origin: Origin,
    /// Where we receive.
    pub address: IpAddr,
    /// The RTP port where we receive; RTCP is the port above.
    pub port: u16,
    /// In order of preference.
    pub codecs: Vec<Codec>,
    /// The payload type at which we want to receive telephone-events.
    pub telephone_event: Option<u8>,
    /// The packet time that we want to receive, in ms.
    pub ptime_ms: u16,
    /// What we want: `SendRecv`, unless we hold.
    pub direction: Direction,
    /// Sections that were refused earlier in this session ([`Negotiated::refused`]).
    pub refused: Vec<Refused>,
}

impl LocalMedia {
    /// Our usual media: PCMU, PCMA, telephone-event at 101, 20 ms, both ways.
    #[must_use]
    pub fn new(origin: Origin, address: IpAddr, port: u16) -> Self {
        Self {
            origin,
            address,
            port,
            codecs: Codec::ALL.to_vec(),
            telephone_event: Some(101),
            ptime_ms: 20,
            direction: Direction::SendRecv,
            refused: Vec::new(),
        }
    }
}

/// A form in which telephone-events come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventFormat {
    /// Payload type, 0-127.
    pub payload_type: u8,
    /// The clock of durations, in Hz.
    pub clock_hz: u32,
}

/// What both sides agreed on: enough to run the media of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Negotiated {
    /// Where we send RTP. Unspecified (`0.0.0.0`, `::`) under the old form of hold; then `direction`
    /// says that we do not send.
    pub remote: SocketAddr,
    /// Where we send RTCP (`a=rtcp`, RFC 3605; else the port above).
    pub remote_rtcp: SocketAddr,
    /// The codec that we send.
    pub codec: Codec,
    /// The payload type that we send it with: the peer's number.
    pub send_payload_type: u8,
    /// Payload types that may come in, and what they are: our numbers, and the peer's where they do not
    /// clash, because much equipment sends with its own.
    pub receive: Vec<(u8, Codec)>,
    /// The payload type at which the peer takes telephone-events at 8000 Hz. `None`: it did not agree to
    /// any.
    pub send_event: Option<u8>,
    /// Payload types at which telephone-events may come in: ours (also if the peer agreed to none:
    /// listening costs nothing), then the peer's.
    pub receive_events: Vec<EventFormat>,
    /// The packet time in ms that the peer asks for, within its `maxptime`; ours if it asks for none.
    pub ptime_ms: u16,
    /// Which way media flows, from our side.
    pub direction: Direction,
    /// Sections that are refused; give them back with [`LocalMedia::refused`].
    pub refused: Vec<Refused>,
}

impl Negotiated {
    /// The codec of an incoming payload type.
    #[must_use]
    pub fn codec_of(&self, payload_type: u8) -> Option<Codec> {
        self.receive.iter().find(|(number, _)| *number == payload_type).map(|(_, codec)| *codec)
    }

    /// The clock in Hz of an incoming payload type that carries telephone-events.
    #[must_use]
    pub fn event_clock_hz(&self, payload_type: u8) -> Option<u32> {
        self.receive_events
            .iter()
            .find(|format| format.payload_type == payload_type)
            .map(|format| format.clock_hz)
    }
}
