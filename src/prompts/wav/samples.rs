//! How samples are written in a WAV file, and what they are from -1 to 1.

use super::WavError;
use crate::rtp::g711;

/// Format tags of RFC 2361 and of `mmreg.h`.
mod tag {
    pub(super) const PCM: u16 = 1;
    pub(super) const FLOAT: u16 = 3;
    pub(super) const ALAW: u16 = 6;
    pub(super) const MULAW: u16 = 7;
    pub(super) const EXTENSIBLE: u16 = 0xFFFE;
}

/// Encodings that people bring and that are not read, by tag.
const OTHERS: [(u16, &str); 8] = [
    (0x02, "Microsoft ADPCM"),
    (0x11, "IMA ADPCM"),
    (0x31, "GSM 06.10"),
    (0x40, "G.721 ADPCM"),
    (0x50, "MPEG"),
    (0x55, "MP3"),
    (0xFF, "AAC"),
    (0x161, "Windows Media Audio"),
];

/// What follows the tag in the GUID of an extensible format (`KSDATAFORMAT_SUBTYPE_WAVEFORMATEX`).
const GUID_TAIL: [u8; 14] = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71];
/// Where the GUID stands in an extensible `fmt`: behind its size, the bits that count and the loudspeakers.
const GUID_AT: usize = 24;

/// How a sample is written. Fewer bits than its bytes hold are the upper ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// 8 bits, 128 being silence.
    Unsigned8,
    /// 16 bits, signed, as all that follow.
    Int16,
    Int24,
    Int32,
    Float32,
    Float64,
    Mulaw,
    Alaw,
}

impl Coding {
    /// The coding of a format tag; `format` is the whole chunk, for the extensible one.
    pub(super) fn read(tag: u16, bits: u16, format: &[u8]) -> Result<Self, WavError> {
        let guid = format.get(GUID_AT..).and_then(|rest| rest.first_chunk::<16>());
        let tag = match guid {
            Some([low, high, tail @ ..]) if tag == tag::EXTENSIBLE && *tail == GUID_TAIL => {
                u16::from_le_bytes([*low, *high])
            }
            _ => tag,
        };
        match (tag, bits) {
            (tag::PCM, 1..=8) => Ok(Self::Unsigned8),
            (tag::PCM, 9..=16) => Ok(Self::Int16),
            (tag::PCM, 17..=24) => Ok(Self::Int24),
            (tag::PCM, 25..=32) => Ok(Self::Int32),
            (tag::FLOAT, 32) => Ok(Self::Float32),
            (tag::FLOAT, 64) => Ok(Self::Float64),
            (tag::MULAW, 8) => Ok(Self::Mulaw),
            (tag::ALAW, 8) => Ok(Self::Alaw),
            (tag, bits) => {
                let name = match tag {
                    tag::PCM => "PCM",
                    tag::FLOAT => "float",
                    tag::MULAW | tag::ALAW => "G.711",
                    tag::EXTENSIBLE => "extensible, of no known kind",
                    tag => OTHERS.iter().find(|(known, _)| *known == tag).map_or("unknown", |(_, name)| name),
                };
                Err(WavError::Encoding { name, tag, bits })
            }
        }
    }

    /// Bytes of a sample.
    pub(super) const fn bytes(self) -> usize {
        match self {
            Self::Unsigned8 | Self::Mulaw | Self::Alaw => 1,
            Self::Int16 => 2,
            Self::Int24 => 3,
            Self::Int32 | Self::Float32 => 4,
            Self::Float64 => 8,
        }
    }

    /// Whole samples, from -1 to 1.
    pub(super) fn decode(self, data: &[u8]) -> Vec<f32> {
        match self {
            Self::Unsigned8 => data.iter().map(|&octet| (f32::from(octet) - 128.0) / 128.0).collect(),
            Self::Mulaw => data.iter().map(|&octet| of_16(g711::ulaw_decode(octet))).collect(),
            Self::Alaw => data.iter().map(|&octet| of_16(g711::alaw_decode(octet))).collect(),
            Self::Int16 => each(data, |bytes| of_16(i16::from_le_bytes(bytes))),
            Self::Int24 => each(data, |[low, middle, high]| of_32([0, low, middle, high])),
            Self::Int32 => each(data, of_32),
            Self::Float32 => each(data, f32::from_le_bytes),
            Self::Float64 => each(data, |bytes| {
                #[expect(clippy::cast_possible_truncation, reason = "24 bits are more than G.711 keeps")]
                let nearest = f64::from_le_bytes(bytes) as f32;
                nearest
            }),
        }
    }
}

fn each<const N: usize>(data: &[u8], sample: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    data.as_chunks().0.iter().map(|bytes| sample(*bytes)).collect()
}

fn of_16(sample: i16) -> f32 {
    f32::from(sample) / 32_768.0
}

/// The nearest `f32`: 24 bits of a sample are more than G.711 keeps.
fn of_32([low0, low1, high0, high1]: [u8; 4]) -> f32 {
    let low = f32::from(u16::from_le_bytes([low0, low1])) / 65_536.0;
    (f32::from(i16::from_le_bytes([high0, high1])) + low) / 32_768.0
}
