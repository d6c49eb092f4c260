//! RTP packets (RFC 3550 §5.1).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! |V=2|P|X|  CC   |M|     PT      |       sequence number         |
//! |                           timestamp                           |
//! |                             SSRC                              |
//! ```
//! rtp-rs reads the header; the checks that it leaves out stand here. The writer is ours: twelve bytes
//! into a buffer that is used again.

use super::Ssrc;

/// Bytes of a header without CSRCs and extension.
pub const HEADER_BYTES: usize = 12;
/// Payload types 64-95 are what RTCP packet types 192-223 look like (RFC 5761 §4).
const RTCP_TYPES: std::ops::RangeInclusive<u8> = 64..=95;

/// The header of a packet of ours: no CSRCs, no extension, no padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Payload type, 0-127.
    pub payload_type: u8,
    /// First packet after silence (RFC 3551 §4.1), or of an event (RFC 4733 §2.5.1.2).
    pub marker: bool,
    /// Sequence number.
    pub sequence: u16,
    /// Sampling instant of the first sample, or the start of an event.
    pub timestamp: u32,
    /// The stream.
    pub ssrc: Ssrc,
}

/// A packet that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Its header.
    pub header: Header,
    /// Its payload, without padding.
    pub payload: &'a [u8],
}

/// Why a datagram is no RTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// Fewer than twelve bytes.
    #[error("{0} bytes are no RTP packet: a header has 12")]
    Short(usize),
    /// Another version than 2: STUN, DTLS, T.38, noise.
    #[error("RTP version {0}, not 2")]
    Version(u8),
    /// RTCP on the RTP port; RTCP multiplexing was not agreed to.
    #[error("packet type {0} is RTCP")]
    Rtcp(u8),
    /// CSRC list or extension reach beyond the datagram.
    #[error("header reaches beyond the datagram of {0} bytes")]
    Truncated(usize),
    /// Padding of zero bytes, or reaching into the header.
    #[error("padding of {0} bytes does not fit")]
    Padding(u8),
}

impl PacketError {
    /// A stable word for counters.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Short(_) => "short",
            Self::Version(_) => "version",
            Self::Rtcp(_) => "rtcp",
            Self::Truncated(_) => "truncated",
            Self::Padding(_) => "padding",
        }
    }
}

impl From<rtp_rs::RtpReaderError> for PacketError {
    fn from(error: rtp_rs::RtpReaderError) -> Self {
        match error {
            rtp_rs::RtpReaderError::BufferTooShort(bytes) => Self::Short(bytes),
            rtp_rs::RtpReaderError::UnsupportedVersion(version) => Self::Version(version),
            rtp_rs::RtpReaderError::HeadersTruncated { buffer_len, .. } => Self::Truncated(buffer_len),
            rtp_rs::RtpReaderError::PaddingLengthInvalid(bytes) => Self::Padding(bytes),
        }
    }
}

/// Reads one datagram.
///
/// # Errors
/// When it is no RTP packet, or is RTCP.
pub fn parse_packet(datagram: &[u8]) -> Result<Packet<'_>, PacketError> {
    let reader = rtp_rs::RtpReader::new(datagram)?;
    let header = Header {
        payload_type: reader.payload_type(),
        marker: reader.mark(),
        sequence: u16::from(reader.sequence_number()),
        timestamp: reader.timestamp(),
        ssrc: Ssrc(reader.ssrc()),
    };
    if header.marker && RTCP_TYPES.contains(&header.payload_type) {
        return Err(PacketError::Rtcp(header.payload_type | 0x80));
    }
    Ok(Packet { header, payload: reader.payload() })
}

/// Appends one packet to `out`.
pub fn write_packet(out: &mut Vec<u8>, header: &Header, payload: &[u8]) {
    let [sequence_high, sequence_low] = header.sequence.to_be_bytes();
    out.reserve(HEADER_BYTES + payload.len());
    out.extend_from_slice(&[
        0x80,
        (header.payload_type & 0x7f) | if header.marker { 0x80 } else { 0 },
        sequence_high,
        sequence_low,
    ]);
    out.extend_from_slice(&header.timestamp.to_be_bytes());
    out.extend_from_slice(&header.ssrc.0.to_be_bytes());
    out.extend_from_slice(payload);
}
