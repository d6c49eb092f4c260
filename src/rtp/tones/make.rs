//! The two tones of a key, to send (ITU-T Q.23).

use super::CLOCK_HZ;
use super::dtmf::hertz_of;
use crate::rtp::Digit;

/// Peaks of the low and the high tone: −9 and −7 dBm0, as telephones send them; the high one fades more on its way.
const PEAKS: [f32; 2] = [7_910.0, 9_960.0];

/// Samples of a key's tones, from sample number `first` of the press on.
#[must_use]
pub fn key_samples(digit: Digit, first: u32, count: u32) -> Vec<i16> {
    let hertz = hertz_of(digit);
    let sample = |sample: u32| -> i16 {
        // Both frequencies are whole numbers of Hz: after a second they begin again.
        let place = u16::try_from(sample % u32::from(CLOCK_HZ)).map_or(0.0, f32::from);
        let wave = |(hertz, peak): (f32, f32)| {
            peak * (std::f32::consts::TAU * (hertz * place / f32::from(CLOCK_HZ)).fract()).sin()
        };
        let sum: f32 = hertz.into_iter().zip(PEAKS).map(wave).sum();
        #[expect(clippy::cast_possible_truncation, reason = "the peaks together are below 18000")]
        let sample = sum as i16;
        sample
    };
    (first..first.saturating_add(count)).map(sample).collect()
}
