//! WAV files as samples: PCM of 8 to 32 bits and 32-bit float by `hound`, G.711 by our own tables.
//!
//! ```text
//! RIFF size WAVE ─ chunk* ─ fmt (tag, channels, rate, bits) ─ chunk* ─ data (samples)
//! ```
//! A program that writes to a pipe does not know the length in advance and leaves a placeholder in the
//! header; such a `data` chunk ends where the bytes end.

use std::io::Cursor;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use hound::{SampleFormat, WavReader};

use crate::rtp::g711;

/// Sampling rates that are taken, in Hz.
const RATES_HZ: RangeInclusive<u32> = 8_000..=48_000;
/// Lengths from here on are placeholders of programs that write to a pipe (espeak-ng: 0x7FFF_F000).
const PLACEHOLDER_BYTES: usize = 0x7FFF_0000;

/// Format tags of RFC 2361 and of `mmreg.h`.
mod tag {
    pub(super) const PCM: u16 = 1;
    pub(super) const FLOAT: u16 = 3;
    pub(super) const ALAW: u16 = 6;
    pub(super) const MULAW: u16 = 7;
    pub(super) const EXTENSIBLE: u16 = 0xFFFE;
}

/// What is wrong with a WAV file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WavError {
    /// It does not begin as a WAV file, or has no format or no samples.
    #[error("it is no WAV file: {what}; convert it, e.g. `sox in.mp3 -r 8000 -c 1 out.wav`")]
    NotWav {
        /// What is missing.
        what: &'static str,
    },
    /// The file ends before its samples do.
    #[error("it is cut off: {missing} bytes of samples are missing")]
    CutOff {
        /// Bytes that the header promises beyond the end.
        missing: usize,
    },
    /// Its encoding is none that is read.
    #[error(
        "its encoding (format tag {tag}, {bits} bits) is not read; use PCM of 16 bits, e.g. `sox in.wav -b 16 -e signed out.wav`"
    )]
    Encoding {
        /// Format tag.
        tag: u16,
        /// Bits of a sample.
        bits: u16,
    },
    /// Its rate is out of bounds.
    #[error("its rate is {hz} Hz; 8000 to 48000 Hz are read")]
    Rate {
        /// Sampling rate.
        hz: u32,
    },
    /// It has more channels than a prompt needs.
    #[error("it has {channels} channels; one or two are read")]
    Channels {
        /// How many.
        channels: u16,
    },
    /// It plays longer than a prompt may.
    #[error("it plays {} s; a prompt may play {} s ([limits] prompt)", .duration.as_secs(), .limit.as_secs())]
    TooLong {
        /// Its duration.
        duration: Duration,
        /// The bound.
        limit: Duration,
    },
    /// The samples could not be read.
    #[error("its samples cannot be read: {0}")]
    Samples(String),
}

/// Samples of one channel.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Audio {
    /// Sampling rate.
    pub(super) hz: u32,
    /// From -1 to 1.
    pub(super) samples: Vec<f32>,
}

/// What `fmt` says, and where the samples stand.
struct Chunks {
    tag: u16,
    channels: u16,
    hz: u32,
    bits: u16,
    format: Range<usize>,
    data: Range<usize>,
}

/// Reads a WAV file that plays at most `limit`.
pub(super) fn read(bytes: &[u8], limit: Duration) -> Result<Audio, WavError> {
    let chunks = walk(bytes)?;
    let Chunks { tag, channels, hz, bits, ref data, .. } = chunks;
    if !RATES_HZ.contains(&hz) {
        return Err(WavError::Rate { hz });
    }
    if !(1..=2).contains(&channels) {
        return Err(WavError::Channels { channels });
    }
    let frame_bytes = usize::from(channels) * usize::from(bits.div_ceil(8)).max(1);
    let frames = u64::try_from(data.len() / frame_bytes).unwrap_or(u64::MAX);
    let duration = Duration::from_millis(frames.saturating_mul(1_000) / u64::from(hz));
    if duration > limit {
        return Err(WavError::TooLong { duration, limit });
    }
    let interleaved = match (tag, bits) {
        (tag::MULAW, 8) => decode(bytes.get(data.clone()), g711::ulaw_decode),
        (tag::ALAW, 8) => decode(bytes.get(data.clone()), g711::alaw_decode),
        (tag::PCM, 8 | 16 | 24 | 32) | (tag::FLOAT, 32) | (tag::EXTENSIBLE, _) => pcm(bytes, &chunks)?,
        (tag, bits) => return Err(WavError::Encoding { tag, bits }),
    };
    let samples = match channels {
        1 => interleaved,
        _ => interleaved.chunks_exact(2).map(|pair| f32::midpoint(pair[0], pair[1])).collect(),
    };
    Ok(Audio { hz, samples })
}

fn decode(octets: Option<&[u8]>, decoder: fn(u8) -> i16) -> Vec<f32> {
    octets.unwrap_or_default().iter().map(|&octet| f32::from(decoder(octet)) / 32_768.0).collect()
}

/// Finds `fmt` and `data`.
fn walk(bytes: &[u8]) -> Result<Chunks, WavError> {
    let not = |what| WavError::NotWav { what };
    if bytes.get(..4) != Some(b"RIFF") || bytes.get(8..12) != Some(b"WAVE") {
        return Err(not("it does not begin with RIFF … WAVE"));
    }
    let mut format = None;
    let mut at = 12;
    loop {
        let header = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>());
        let Some(&[a, b, c, d, size @ ..]) = header else { return Err(not("it has no samples")) };
        let size = usize::try_from(u32::from_le_bytes(size)).unwrap_or(usize::MAX);
        let body = at + 8;
        let left = bytes.len() - body;
        match &[a, b, c, d] {
            b"fmt " => {
                let range = body..body.saturating_add(size);
                format =
                    bytes.get(range.clone()).and_then(|chunk| chunk.first_chunk()).map(|head| (range, head));
            }
            b"data" => {
                let (format, &[t0, t1, c0, c1, r0, r1, r2, r3, _, _, _, _, _, _, b0, b1]) =
                    format.ok_or_else(|| not("it has no format before its samples"))?;
                let len = if size >= PLACEHOLDER_BYTES { left } else { size };
                if len > left {
                    return Err(WavError::CutOff { missing: len - left });
                }
                return Ok(Chunks {
                    tag: u16::from_le_bytes([t0, t1]),
                    channels: u16::from_le_bytes([c0, c1]),
                    hz: u32::from_le_bytes([r0, r1, r2, r3]),
                    bits: u16::from_le_bytes([b0, b1]),
                    format,
                    data: body..body + len,
                });
            }
            _ => {}
        }
        at = body.saturating_add(size).saturating_add(size % 2); // chunks begin at even offsets
    }
}

/// The samples of a PCM or float file, by `hound`. It is given the two chunks that matter with their true
/// lengths: it believes placeholders, and stumbles over the padding of other chunks.
fn pcm(bytes: &[u8], chunks: &Chunks) -> Result<Vec<f32>, WavError> {
    let frame_bytes = usize::from(chunks.channels) * usize::from(chunks.bits.div_ceil(8)).max(1);
    let whole = chunks.data.len() / frame_bytes * frame_bytes;
    let data = bytes.get(chunks.data.start..chunks.data.start + whole).unwrap_or_default();
    let format = bytes.get(chunks.format.clone()).unwrap_or_default();
    let length = |bytes: usize| {
        let length = u32::try_from(bytes).map_err(|_| WavError::NotWav { what: "it is longer than 4 GB" })?;
        Ok(length.to_le_bytes())
    };
    let mut plain = Vec::with_capacity(28 + format.len() + data.len());
    plain.extend_from_slice(b"RIFF");
    plain.extend_from_slice(&length(20 + format.len() + data.len())?);
    plain.extend_from_slice(b"WAVEfmt ");
    plain.extend_from_slice(&length(format.len())?);
    plain.extend_from_slice(format);
    plain.extend_from_slice(b"data");
    plain.extend_from_slice(&length(data.len())?);
    plain.extend_from_slice(data);
    let unread = |error: hound::Error| WavError::Samples(error.to_string());
    let mut reader = WavReader::new(Cursor::new(plain)).map_err(unread)?;
    let spec = reader.spec();
    match spec.sample_format {
        SampleFormat::Float => reader.samples::<f32>().collect::<Result<_, _>>().map_err(unread),
        SampleFormat::Int => {
            let full_scale = 2_f32.powi(i32::from(spec.bits_per_sample) - 1);
            let scaled = |sample: i32| to_f32(sample) / full_scale;
            reader.samples::<i32>().map(|sample| sample.map(scaled)).collect::<Result<_, _>>().map_err(unread)
        }
    }
}

/// The nearest `f32`: 24 bits of a sample are more than G.711 keeps.
fn to_f32(sample: i32) -> f32 {
    let [low0, low1, high0, high1] = sample.to_le_bytes();
    f32::from(i16::from_le_bytes([high0, high1])) * 65_536.0 + f32::from(u16::from_le_bytes([low0, low1]))
}

#[cfg(test)]
mod tests;
