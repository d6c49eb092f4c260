//! A prompt, encoded once for every codec that we send.

use std::time::Duration;

use crate::rtp::g711;
use crate::sdp::Codec;

/// Octets of one frame: 20 ms at 8 kHz, one octet a sample.
pub const FRAME_BYTES: usize = 160;
/// Milliseconds of one frame.
pub const FRAME_MS: u32 = 20;

/// A prompt as whole frames of 20 ms; the last one is padded with silence. Shared by all calls that play it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clip {
    ulaw: Box<[u8]>,
    alaw: Box<[u8]>,
}

impl Clip {
    /// Encodes samples at 8 kHz.
    #[must_use]
    pub fn encode(samples: &[i16]) -> Self {
        let padded = samples.len().next_multiple_of(FRAME_BYTES);
        let encode = |encoder: fn(i16) -> u8, silence: u8| {
            let mut octets = Vec::with_capacity(padded);
            octets.extend(samples.iter().map(|&sample| encoder(sample)));
            octets.resize(padded, silence);
            octets.into_boxed_slice()
        };
        Self {
            ulaw: encode(g711::ulaw_encode, g711::ULAW_SILENCE),
            alaw: encode(g711::alaw_encode, g711::ALAW_SILENCE),
        }
    }

    /// Frames of 20 ms.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.ulaw.len() / FRAME_BYTES
    }

    /// How long it plays.
    #[must_use]
    pub fn duration(&self) -> Duration {
        let frames = u32::try_from(self.frames()).unwrap_or(u32::MAX);
        Duration::from_millis(u64::from(frames) * u64::from(FRAME_MS))
    }

    /// Frame `index`, from 0, as it stands in a packet; `None` behind the end.
    #[must_use]
    pub fn frame(&self, codec: Codec, index: usize) -> Option<&[u8; FRAME_BYTES]> {
        let start = index.checked_mul(FRAME_BYTES)?;
        self.octets(codec).get(start..)?.first_chunk()
    }

    /// All frames in a row.
    #[must_use]
    pub fn octets(&self, codec: Codec) -> &[u8] {
        match codec {
            Codec::Pcmu => &self.ulaw,
            Codec::Pcma => &self.alaw,
        }
    }

    /// Bytes of memory that its frames take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.ulaw.len() + self.alaw.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_frame_is_filled_with_silence() {
        let clip = Clip::encode(&[1_000; 170]);
        assert_eq!((clip.frames(), clip.duration()), (2, Duration::from_millis(40)));
        let last = clip.frame(Codec::Pcmu, 1).unwrap();
        assert!(last[..10].iter().all(|&octet| octet == g711::ulaw_encode(1_000)));
        assert_eq!(last[10..], g711::ULAW_SILENCE_FRAME[10..]);
        assert_eq!(clip.frame(Codec::Pcma, 1).unwrap()[10..], g711::ALAW_SILENCE_FRAME[10..]);
        assert_eq!(clip.frame(Codec::Pcma, 2), None);
        assert_eq!(Clip::encode(&[]).frames(), 0);
    }
}
