//! Makes sound: tones of a level, silence, noise, through G.711 as a trunk carries it.

use std::f64::consts::TAU;

use crate::id::Mint;
use crate::rtp::g711;
use crate::rtp::tones::{FULL_SCALE, FULL_SCALE_DBM0};

/// Samples in a millisecond.
pub(super) const MS: usize = 8;

/// Sound in the making, in linear samples.
#[derive(Clone, Debug, Default)]
pub(super) struct Sound(Vec<f64>);

/// One tone: frequency in Hz, level in dBm0.
pub(super) type Tone = (f64, f64);

/// The peak of a sine of this level.
pub(super) fn peak(dbm0: f64) -> f64 {
    f64::from(FULL_SCALE) * 10_f64.powf((dbm0 - f64::from(FULL_SCALE_DBM0)) / 20.0)
}

/// A number from 0 to 1.
pub(super) fn uniform(mint: &mut Mint) -> f64 {
    f64::from(mint.number32()) / f64::from(u32::MAX)
}

impl Sound {
    /// Tones at once, for this many samples, each from a phase of its own.
    pub(super) fn samples(mut self, samples: usize, tones: &[Tone], mint: &mut Mint) -> Self {
        let phases: Vec<f64> = tones.iter().map(|_| uniform(mint) * TAU).collect();
        for sample in 0..samples {
            let time = sample as f64 / 8_000.0;
            let parts = tones
                .iter()
                .zip(&phases)
                .map(|((hertz, dbm0), phase)| peak(*dbm0) * (TAU * hertz * time + phase).sin());
            self.0.push(parts.sum());
        }
        self
    }

    /// The same for milliseconds.
    pub(super) fn tones(self, ms: usize, tones: &[Tone], mint: &mut Mint) -> Self {
        self.samples(ms * MS, tones, mint)
    }

    /// Nothing.
    pub(super) fn silence(mut self, samples: usize) -> Self {
        self.0.resize(self.0.len() + samples, 0.0);
        self
    }

    /// These samples.
    pub(super) fn then(mut self, samples: impl IntoIterator<Item = f64>) -> Self {
        self.0.extend(samples);
        self
    }

    /// White noise of this level (that of a sine of the same power) over everything.
    pub(super) fn with_noise(mut self, dbm0: f64, mint: &mut Mint) -> Self {
        let rms = peak(dbm0) / 2_f64.sqrt();
        for sample in &mut self.0 {
            // Twelve uniform numbers less six: a bell of deviation 1.
            let bell: f64 = (0..12).map(|_| uniform(mint)).sum::<f64>() - 6.0;
            *sample += rms * bell;
        }
        self
    }

    /// What comes out at the other end of a G.711 trunk.
    pub(super) fn heard(&self, a_law: bool) -> Vec<i16> {
        let code = |sample: &f64| {
            #[expect(clippy::cast_possible_truncation, reason = "clamped")]
            let sample = sample.clamp(-32_768.0, 32_767.0) as i16;
            if a_law {
                g711::alaw_decode(g711::alaw_encode(sample))
            } else {
                g711::ulaw_decode(g711::ulaw_encode(sample))
            }
        };
        self.0.iter().map(code).collect()
    }
}
