//! What is heard in the audio itself: keys as pairs of tones, and tones of machines and networks. Pure.
//!
//! ```text
//! 8000 Hz samples ─┬─► DtmfDetector ─► KeyTone   (ITU-T Q.23, Q.24)
//!                  └─► SignalDetector ─► Signal  (fax and modem, special information, busy, reorder)
//! ```
//! Levels are in dBm0 as G.711 defines them: a sine that just fits the code has +3.17 dBm0 (μ-law).

mod cadence;
mod dtmf;
mod fit;
mod make;
mod signals;
#[cfg(test)]
mod tests;

pub use dtmf::{DtmfDetector, KeyTone};
pub use make::key_samples;
pub use signals::{Signal, SignalDetector};

/// The clock of the audio, in Hz.
const CLOCK_HZ: u16 = 8_000;
/// The greatest sample that G.711 μ-law decodes to.
const FULL_SCALE: f32 = 32_124.0;
/// The level of a sine with that peak, in dBm0 (ITU-T G.711 §4, table 2).
const FULL_SCALE_DBM0: f32 = 3.17;

/// The mean square of a sine of this level.
fn mean_square(dbm0: f32) -> f32 {
    FULL_SCALE * FULL_SCALE / 2.0 * 10_f32.powf((dbm0 - FULL_SCALE_DBM0) / 10.0)
}

/// A complex number: what a correlation with a frequency gives.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Complex {
    re: f32,
    im: f32,
}

impl Complex {
    /// `e` to the `-i·2π·turns`.
    fn turned_back(turns: f32) -> Self {
        let (sine, cosine) = (-std::f32::consts::TAU * turns).sin_cos();
        Self { re: cosine, im: sine }
    }

    fn times(self, other: Self) -> Self {
        Self { re: self.re * other.re - self.im * other.im, im: self.re * other.im + self.im * other.re }
    }

    const fn conjugate(self) -> Self {
        Self { re: self.re, im: -self.im }
    }

    fn norm(self) -> f32 {
        self.re * self.re + self.im * self.im
    }
}

impl std::ops::AddAssign for Complex {
    fn add_assign(&mut self, other: Self) {
        self.re += other.re;
        self.im += other.im;
    }
}

/// Correlates samples with `N` frequencies at once: one step of each of `N` Goertzel filters a sample, in the
/// form that keeps the phase. `start` is the place of the first sample on a clock that all calls share, so that
/// the results of neighbouring pieces may be added.
#[derive(Debug)]
struct Bank<const N: usize, const LENGTH: usize> {
    hertz: [f32; N],
    cosine: [[f32; N]; LENGTH],
    sine: [[f32; N]; LENGTH],
}

impl<const N: usize, const LENGTH: usize> Bank<N, LENGTH> {
    fn new(hertz: [f32; N]) -> Self {
        let mut bank = Self { hertz, cosine: [[0.0; N]; LENGTH], sine: [[0.0; N]; LENGTH] };
        for (place, (cosine, sine)) in bank.cosine.iter_mut().zip(&mut bank.sine).enumerate() {
            let place = u16::try_from(place).map_or(0.0, f32::from);
            for ((hertz, cosine), sine) in hertz.iter().zip(cosine).zip(sine) {
                let turn = Complex::turned_back(hertz * place / f32::from(CLOCK_HZ));
                (*cosine, *sine) = (turn.re, turn.im);
            }
        }
        bank
    }

    /// The correlations of one piece, and its energy. A piece with less energy than `floor` is not looked at.
    fn hear(&self, samples: &[f32; LENGTH], start: u64, floor: f32) -> ([Complex; N], f32) {
        let energy = samples.iter().map(|sample| sample * sample).sum();
        if energy < floor {
            return ([Complex::default(); N], energy);
        }
        let (mut re, mut im) = ([0.0; N], [0.0; N]);
        for ((sample, cosine), sine) in samples.iter().zip(&self.cosine).zip(&self.sine) {
            for filter in 0..N {
                re[filter] += sample * cosine[filter];
                im[filter] += sample * sine[filter];
            }
        }
        // Every frequency here is a multiple of 1/10 Hz: after ten seconds all of them begin again.
        let start = u32::try_from(start % (u64::from(CLOCK_HZ) * 10)).unwrap_or(0);
        let mut sums = [Complex::default(); N];
        for (filter, sum) in sums.iter_mut().enumerate() {
            let turns = f64::from(start) * f64::from(self.hertz[filter]) / f64::from(CLOCK_HZ);
            #[expect(clippy::cast_possible_truncation, reason = "a part of a turn needs no more")]
            let turn = Complex::turned_back(turns.fract() as f32);
            *sum = Complex { re: re[filter], im: im[filter] }.times(turn);
        }
        (sums, energy)
    }
}
