//! The reader of compound packets: strict about the first part, which says that it is RTCP (RFC 3550
//! appendix A.2), tolerant behind it. Reports in reduced size (RFC 5506) are read too.

use super::{BYE, CNAME, RR, ReportBlock, SDES, SR, SenderInfo};
use crate::rtp::Ssrc;

/// Bytes of a report block.
const BLOCK_BYTES: usize = 24;
/// What RTCP packet types may be (RFC 5761 §4).
const TYPES: std::ops::RangeInclusive<u8> = 192..=223;

/// Why a datagram is no RTCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RtcpError {
    /// Fewer than four bytes.
    #[error("{0} bytes are no RTCP packet")]
    Short(usize),
    /// Another version than 2.
    #[error("RTCP version {0}, not 2")]
    Version(u8),
    /// A packet type that is none of RTCP.
    #[error("{0} is no RTCP packet type")]
    Type(u8),
    /// The first part reaches beyond the datagram.
    #[error("the first part reaches beyond the datagram of {0} bytes")]
    Truncated(usize),
}

impl RtcpError {
    /// A stable word for counters.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Short(_) => "rtcp-short",
            Self::Version(_) => "rtcp-version",
            Self::Type(_) => "rtcp-type",
            Self::Truncated(_) => "rtcp-truncated",
        }
    }
}

/// One part of a compound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// SR.
    SenderReport {
        /// The sender.
        ssrc: Ssrc,
        /// Of its own stream.
        info: SenderInfo,
        /// Of what it receives.
        blocks: Vec<ReportBlock>,
    },
    /// RR.
    ReceiverReport {
        /// The receiver.
        ssrc: Ssrc,
        /// Of what it receives.
        blocks: Vec<ReportBlock>,
    },
    /// SDES: the first source in it.
    SourceDescription {
        /// The source.
        ssrc: Ssrc,
        /// Its canonical name, as it came.
        cname: Option<&'a [u8]>,
    },
    /// BYE.
    Bye {
        /// Streams that end.
        sources: Vec<Ssrc>,
        /// Why, as it came.
        reason: Option<&'a [u8]>,
    },
    /// APP, XR, feedback, or a part with less in it than its type needs.
    Other {
        /// Its packet type.
        packet_type: u8,
    },
}

/// The parts of a datagram, in order; it ends early where one does not fit.
#[derive(Clone, Debug)]
pub struct Compound<'a> {
    rest: &'a [u8],
}

/// Reads one datagram.
///
/// # Errors
/// When its first part is no RTCP.
pub fn parse_compound(datagram: &[u8]) -> Result<Compound<'_>, RtcpError> {
    split(datagram).map(|_| Compound { rest: datagram })
}

impl<'a> Iterator for Compound<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        let ([head, packet_type], content, rest) = split(self.rest).ok()?;
        self.rest = rest;
        Some(part(head & 0x1F, packet_type, content).unwrap_or(Part::Other { packet_type }))
    }
}

type Split<'a> = ([u8; 2], &'a [u8], &'a [u8]);

/// First two bytes, content without padding, and what follows the first part.
fn split(datagram: &[u8]) -> Result<Split<'_>, RtcpError> {
    let Some((&[head, packet_type, high, low], _)) = datagram.split_first_chunk::<4>() else {
        return Err(RtcpError::Short(datagram.len()));
    };
    if head >> 6 != 2 {
        return Err(RtcpError::Version(head >> 6));
    }
    if !TYPES.contains(&packet_type) {
        return Err(RtcpError::Type(packet_type));
    }
    let bytes = (usize::from(u16::from_be_bytes([high, low])) + 1) * 4;
    let (part, rest) = datagram.split_at_checked(bytes).ok_or(RtcpError::Truncated(datagram.len()))?;
    let padding = part.last().filter(|_| head & 0x20 != 0).map_or(0, |last| usize::from(*last));
    let content = part.get(4..bytes.saturating_sub(padding)).unwrap_or_default();
    Ok(([head, packet_type], content, rest))
}

/// `None` if there is less in it than its type needs.
fn part(count: u8, packet_type: u8, content: &[u8]) -> Option<Part<'_>> {
    let mut rest = content;
    match packet_type {
        SR => {
            let ssrc = Ssrc(word(&mut rest)?);
            let ntp = (u64::from(word(&mut rest)?) << 32) | u64::from(word(&mut rest)?);
            let (rtp_timestamp, packets, octets) = (word(&mut rest)?, word(&mut rest)?, word(&mut rest)?);
            let info = SenderInfo { ntp, rtp_timestamp, packets, octets };
            Some(Part::SenderReport { ssrc, info, blocks: blocks(count, rest) })
        }
        RR => Some(Part::ReceiverReport { ssrc: Ssrc(word(&mut rest)?), blocks: blocks(count, rest) }),
        SDES => Some(Part::SourceDescription { ssrc: Ssrc(word(&mut rest)?), cname: cname(rest) }),
        BYE => {
            let sources = (0..count).map_while(|_| word(&mut rest).map(Ssrc)).collect();
            let reason = rest.split_first().and_then(|(length, text)| text.get(..usize::from(*length)));
            Some(Part::Bye { sources, reason })
        }
        _ => None,
    }
}

fn word(rest: &mut &[u8]) -> Option<u32> {
    let (bytes, behind) = rest.split_first_chunk::<4>()?;
    *rest = behind;
    Some(u32::from_be_bytes(*bytes))
}

fn blocks(count: u8, content: &[u8]) -> Vec<ReportBlock> {
    content.chunks_exact(BLOCK_BYTES).take(usize::from(count)).filter_map(block).collect()
}

fn block(mut rest: &[u8]) -> Option<ReportBlock> {
    let ssrc = Ssrc(word(&mut rest)?);
    let [fraction_lost, lost @ ..] = word(&mut rest)?.to_be_bytes();
    let [a, b, c] = lost;
    Some(ReportBlock {
        ssrc,
        fraction_lost,
        lost: i32::from_be_bytes([a, b, c, 0]) >> 8,
        highest_sequence: word(&mut rest)?,
        jitter: word(&mut rest)?,
        last_sr: word(&mut rest)?,
        delay_since_last_sr: word(&mut rest)?,
    })
}

fn cname(mut items: &[u8]) -> Option<&[u8]> {
    while let Some((&kind, behind)) = items.split_first().filter(|(kind, _)| **kind != 0) {
        let (length, behind) = behind.split_first()?;
        let (text, next) = behind.split_at_checked(usize::from(*length))?;
        if kind == CNAME {
            return Some(text);
        }
        items = next;
    }
    None
}
