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
    /// First packet after silence (RFC 3551 §4.1), or of an event (RFC 4733 §2.2.2).
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Mint;
    use crate::mutation::mutate;

    const HEADER: Header = Header {
        payload_type: 101,
        marker: true,
        sequence: 0x1234,
        timestamp: 0x89AB_CDEF,
        ssrc: Ssrc(0xDEAD_BEEF),
    };
    const BYTES: [u8; 16] =
        [0x80, 0xE5, 0x12, 0x34, 0x89, 0xAB, 0xCD, 0xEF, 0xDE, 0xAD, 0xBE, 0xEF, 5, 10, 0, 160];

    #[test]
    fn bytes_are_those_of_the_rfc_and_read_back() {
        let mut out = Vec::new();
        write_packet(&mut out, &HEADER, &[5, 10, 0, 160]);
        assert_eq!(out, BYTES);
        assert_eq!(parse_packet(&out), Ok(Packet { header: HEADER, payload: &[5, 10, 0, 160] }));
    }

    #[test]
    fn csrcs_extension_and_padding_are_stepped_over() {
        let mut bytes = vec![0xB1, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
        bytes.extend([9, 9, 9, 9]); // a contributing source
        bytes.extend([0xBE, 0xDE, 0, 1, 0x10, 0xFF, 0, 0]); // an extension of one word
        bytes.extend([1, 2, 3, 0, 0, 3]); // payload, three bytes of padding
        let packet = parse_packet(&bytes).unwrap();
        assert_eq!(packet.payload, [1, 2, 3]);
        assert_eq!((packet.header.payload_type, packet.header.ssrc), (0, Ssrc(3)));
    }

    #[test]
    fn what_is_no_packet_says_why() {
        let damaged = |change: fn(&mut Vec<u8>)| {
            let mut bytes = BYTES.to_vec();
            change(&mut bytes);
            parse_packet(&bytes).unwrap_err().reason()
        };
        assert_eq!(damaged(|bytes| bytes.truncate(11)), "short");
        assert_eq!(damaged(|bytes| bytes[0] = 0x00), "version"); // STUN, T.38
        assert_eq!(damaged(|bytes| bytes[0] = 0x16), "version"); // DTLS
        assert_eq!(damaged(|bytes| bytes[1] = 200), "rtcp");
        assert_eq!(damaged(|bytes| bytes[0] = 0x8F), "truncated"); // 15 CSRCs
        assert_eq!(damaged(|bytes| bytes[0] = 0x90), "truncated"); // an extension of 160 words
        assert_eq!(damaged(|bytes| bytes[0] = 0xA0), "padding"); // 160 bytes of padding
        assert_eq!(damaged(|bytes| (bytes[0], bytes[15]) = (0xA0, 0)), "padding");
        assert_eq!(damaged(|bytes| (bytes[0], _) = (0xA0, bytes.truncate(12))), "truncated");
    }

    #[test]
    fn padding_alone_is_an_empty_payload() {
        let mut bytes = BYTES;
        (bytes[0], bytes[15]) = (0xA0, 4);
        assert!(parse_packet(&bytes).unwrap().payload.is_empty());
    }

    /// 100,000 damaged packets: no panic, and a payload never reaches beyond its datagram.
    #[test]
    fn mutated_packets_are_survived() {
        let mut mint = Mint::seeded(0x277);
        let mut read = 0;
        for round in 0..100_000 {
            let mut bytes = BYTES.to_vec();
            if round % 2 == 0 {
                bytes[0] = 0xB3;
                bytes.extend([0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 1, 3]);
            }
            mutate(&mut bytes, &mut mint);
            if let Ok(packet) = parse_packet(&bytes) {
                read += 1;
                assert!(packet.payload.len() + HEADER_BYTES <= bytes.len());
            }
        }
        assert!(read > 10_000, "only {read} of the mutants were still packets");
    }

    proptest::proptest! {
        #[test]
        fn any_packet_reads_back(
            payload_type in 0..64_u8, marker: bool, sequence: u16, timestamp: u32, ssrc: u32,
            payload in proptest::collection::vec(0..=255_u8, 0..400),
        ) {
            let header = Header { payload_type, marker, sequence, timestamp, ssrc: Ssrc(ssrc) };
            let mut out = vec![0xEE];
            write_packet(&mut out, &header, &payload);
            proptest::prop_assert_eq!(parse_packet(&out[1..]), Ok(Packet { header, payload: &payload }));
        }
    }
}
