//! WAV files as samples: PCM, float and G.711, in plain, extensible and 64-bit files.
//!
//! ```text
//! RIFF size WAVE ─ chunk* ─ fmt (tag, channels, rate, bits) ─ chunk* ─ data (samples) ─ chunk*
//! RF64 -1   WAVE ─ ds64 (true sizes) ─ …                                  (EBU Tech 3306)
//! ```
//! A program that writes to a pipe does not know the length in advance and leaves a placeholder in the
//! header; such a `data` chunk ends where the bytes end.

mod samples;

use std::ops::RangeInclusive;
use std::time::Duration;

use self::samples::Coding;

/// Sampling rates that are taken, in Hz.
const RATES_HZ: RangeInclusive<u32> = 8_000..=48_000;
/// Bytes before the samples in a file of ours.
pub(super) const HEAD_BYTES: usize = 44;
/// Lengths from here on are placeholders of programs that write to a pipe (espeak-ng: 0x7FFF_F000).
const PLACEHOLDER_BYTES: usize = 0x7FFF_0000;
/// The size of `data` where `ds64` has the true one.
const PLACEHOLDER_64: usize = 0xFFFF_FFFF;

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
        "its encoding ({name}: format tag {tag}, {bits} bits) is not read; use PCM of 16 bits, e.g. `sox in.wav -b 16 -e signed out.wav`"
    )]
    Encoding {
        /// What the encoding is called.
        name: &'static str,
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
    /// A sample is infinite or no number: the file is damaged.
    #[error("sample {index} is no finite number: the file is damaged")]
    NotFinite {
        /// Which sample, from 0, all channels counted.
        index: usize,
    },
    /// It holds not one sample.
    #[error("it holds no sound: there is not one sample in it")]
    Empty,
    /// It could not be brought to 8 kHz.
    #[error("it cannot be resampled: {0}")]
    Resample(String),
}

/// Samples of one channel.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Audio {
    /// Sampling rate.
    pub(super) hz: u32,
    /// From -1 to 1.
    pub(super) samples: Vec<f32>,
}

/// How long a WAV file plays, by its header; at most `limit`.
pub(super) fn playing_time(bytes: &[u8], limit: Duration) -> Result<Duration, WavError> {
    walk(bytes)?.playing_time(limit)
}

/// Reads a WAV file that plays at most `limit`.
pub(super) fn read(bytes: &[u8], limit: Duration) -> Result<Audio, WavError> {
    let chunks = walk(bytes)?;
    chunks.playing_time(limit)?;
    let Chunks { format: Format { coding, channels, hz }, data } = chunks;
    let whole_bytes = chunks.frames() * chunks.frame_bytes();
    let interleaved = coding.decode(data.get(..whole_bytes).unwrap_or_default());
    if let Some(index) = interleaved.iter().position(|sample| !sample.is_finite()) {
        return Err(WavError::NotFinite { index });
    }
    let samples = match channels {
        1 => interleaved,
        _ => interleaved.chunks_exact(2).map(|pair| f32::midpoint(pair[0], pair[1])).collect(),
    };
    Ok(Audio { hz, samples })
}

/// Samples at 8 kHz as a WAV file.
#[must_use]
pub fn file(samples: &[i16]) -> Vec<u8> {
    let data: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    [head(data.len(), 0).as_slice(), &data].concat()
}

/// The bytes of a file before its samples: 8 kHz, 16 bits, one channel. So many bytes of samples follow, and so many
/// of other chunks behind them.
pub(super) fn head(data_bytes: usize, behind: usize) -> [u8; HEAD_BYTES] {
    let size = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes();
    let mut head = *b"RIFF____WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data____";
    head[4..8].copy_from_slice(&size(HEAD_BYTES - 8 + data_bytes + behind));
    head[40..].copy_from_slice(&size(data_bytes));
    head
}

/// What `fmt` says.
#[derive(Clone, Copy)]
struct Format {
    coding: Coding,
    channels: u16,
    hz: u32,
}

/// `fmt`, and the bytes of the samples.
struct Chunks<'a> {
    format: Format,
    data: &'a [u8],
}

impl Chunks<'_> {
    /// Bytes of one sample of each channel.
    fn frame_bytes(&self) -> usize {
        usize::from(self.format.channels) * self.format.coding.bytes()
    }

    /// Samples of one channel; there is at least one channel.
    fn frames(&self) -> usize {
        self.data.len() / self.frame_bytes()
    }

    /// How long the samples play, if rate, channels and length are within bounds.
    fn playing_time(&self, limit: Duration) -> Result<Duration, WavError> {
        let Format { channels, hz, .. } = self.format;
        if !RATES_HZ.contains(&hz) {
            return Err(WavError::Rate { hz });
        }
        if !(1..=2).contains(&channels) {
            return Err(WavError::Channels { channels });
        }
        let millis = u64::try_from(self.frames()).unwrap_or(u64::MAX).saturating_mul(1_000) / u64::from(hz);
        let duration = Duration::from_millis(millis);
        if duration > limit {
            return Err(WavError::TooLong { duration, limit });
        }
        Ok(duration)
    }
}

const fn not(what: &'static str) -> WavError {
    WavError::NotWav { what }
}

/// Finds `fmt` and `data`.
fn walk(bytes: &[u8]) -> Result<Chunks<'_>, WavError> {
    let riff_bytes = match (bytes.first_chunk::<8>(), bytes.get(8..12)) {
        (Some([b'R', b'I', b'F', b'F', size @ ..] | [b'R', b'F', b'6', b'4', size @ ..]), Some(b"WAVE")) => {
            length(*size)
        }
        (Some([b'R', b'I', b'F', b'X', ..]), _) => return Err(not("it is big-endian (RIFX)")),
        _ => return Err(not("it does not begin with RIFF … WAVE")),
    };
    let (mut format, mut true_bytes) = (None, None);
    let mut at = 12;
    loop {
        let header = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>());
        let Some(&[a, b, c, d, size @ ..]) = header else { return Err(not("it has no samples")) };
        let size = length(size);
        let body = at + 8;
        let left = bytes.len() - body;
        let chunk = || bytes.get(body..body.saturating_add(size).min(bytes.len())).unwrap_or_default();
        match &[a, b, c, d] {
            b"fmt " => format = Some(read_format(chunk())?),
            // The size of the samples stands behind that of the file, 64 bits wide.
            b"ds64" => true_bytes = chunk().get(8..).and_then(|rest| rest.first_chunk().copied()),
            b"data" => {
                let format = format.ok_or_else(|| not("it has no format before its samples"))?;
                let size = match (size, true_bytes) {
                    (PLACEHOLDER_64, Some(bytes)) => {
                        usize::try_from(u64::from_le_bytes(bytes)).unwrap_or(usize::MAX)
                    }
                    (size, _) if is_placeholder(size, body, riff_bytes) => left,
                    (size, _) => size,
                };
                let data = bytes.get(body..body.saturating_add(size));
                let data = data.ok_or(WavError::CutOff { missing: size.saturating_sub(left) })?;
                return Ok(Chunks { format, data });
            }
            _ => {}
        }
        at = body.saturating_add(size).saturating_add(size % 2); // chunks begin at even offsets
    }
}

fn length(size: [u8; 4]) -> usize {
    usize::try_from(u32::from_le_bytes(size)).unwrap_or(usize::MAX)
}

/// Whether the writer did not know how many samples would follow: a size that no file has, or none at all in
/// a file that, by its first size, ends before them.
const fn is_placeholder(size: usize, body: usize, riff_bytes: usize) -> bool {
    let riff_is_known = riff_bytes < PLACEHOLDER_BYTES && riff_bytes + 8 > body;
    size >= PLACEHOLDER_BYTES || (size == 0 && !riff_is_known)
}

/// Reads `fmt`: of an extensible one the encoding stands behind the other fields.
fn read_format(chunk: &[u8]) -> Result<Format, WavError> {
    let Some(&[t0, t1, c0, c1, r0, r1, r2, r3, _, _, _, _, _, _, b0, b1]) = chunk.first_chunk() else {
        return Err(not("its format is cut short"));
    };
    let bits = u16::from_le_bytes([b0, b1]);
    let coding = Coding::read(u16::from_le_bytes([t0, t1]), bits, chunk)?;
    Ok(Format { coding, channels: u16::from_le_bytes([c0, c1]), hz: u32::from_le_bytes([r0, r1, r2, r3]) })
}

#[cfg(test)]
mod tests;
