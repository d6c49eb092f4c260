//! One loudness for all prompts, so that a recording and the voice that follows it sound alike.
//!
//! Measured as ITU-R BS.1770-5 says (integrated loudness, by `ebur128`) on what the callee will hear: 8 kHz, one
//! channel. It was chosen over the active speech level of ITU-T P.56 because it is what editors and broadcasters show
//! (LUFS), because pauses are gated in it as well, and because music and tones are rated as they are heard.
//! A prompt is moved as a whole, by one factor, and never into clipping.

use ebur128::{EbuR128, Mode};

use crate::settings::Lufs;

/// Rate of the samples, in Hz.
const RATE_HZ: u32 = 8_000;
/// The most that a prompt is raised, in dB: what is quieter is noise, and stays quiet.
const MOST_RAISED_DB: f64 = 20.0;
/// The loudest sample that a raised prompt may have, in dB of the full scale.
const PEAK_DB: f64 = -1.0;
/// Samples that are measured at least: a block of BS.1770 has 400 ms. A shorter sound is measured as if it went on.
const LEAST_SAMPLES: usize = 4_000;

/// Brings samples at 8 kHz to this loudness. What has no loudness (silence) stays as it is.
pub(super) fn normalise(samples: &mut [i16], target: Lufs) {
    let Some(lufs) = measure(samples) else { return };
    let wanted_db = (target.0 - lufs).min(MOST_RAISED_DB);
    let room_db = (PEAK_DB - peak_db(samples)).max(0.0);
    let factor = 10_f64.powf(wanted_db.min(room_db) / 20.0);
    for sample in samples {
        #[expect(clippy::cast_possible_truncation, reason = "clamped to the range of i16")]
        let moved = (f64::from(*sample) * factor).round().clamp(-32_768.0, 32_767.0) as i16;
        *sample = moved;
    }
}

/// The integrated loudness of samples at 8 kHz, in LUFS (ITU-R BS.1770); none of silence.
#[must_use]
pub fn measure(samples: &[i16]) -> Option<f64> {
    if samples.is_empty() {
        return None;
    }
    let rounds = LEAST_SAMPLES.div_ceil(samples.len());
    let mut meter = EbuR128::new(1, RATE_HZ, Mode::I).ok()?;
    for _ in 0..rounds {
        meter.add_frames_i16(samples).ok()?;
    }
    meter.loudness_global().ok().filter(|lufs| lufs.is_finite())
}

/// The loudest sample, in dB of the full scale.
fn peak_db(samples: &[i16]) -> f64 {
    let peak = samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0);
    20.0 * (f64::from(peak) / 32_768.0).log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tone with this peak.
    fn tone(hz: f64, peak: f64, ms: u32) -> Vec<i16> {
        let step = std::f64::consts::TAU * hz / f64::from(RATE_HZ);
        #[expect(clippy::cast_possible_truncation, reason = "the peak is in the range of i16")]
        let sample = |n: u32| (32_767.0 * peak * (step * f64::from(n)).sin()).round() as i16;
        (0..8 * ms).map(sample).collect()
    }

    fn lufs(samples: &[i16]) -> f64 {
        measure(samples).unwrap()
    }

    #[test]
    fn a_tone_has_the_loudness_of_the_recommendation() {
        // BS.1770-5, annex 1: a sine of 997 Hz at 0 dB of the full scale in one channel has -3.01 LKFS.
        assert!((lufs(&tone(997.0, 1.0, 2_000)) + 3.01).abs() < 0.1, "{}", lufs(&tone(997.0, 1.0, 2_000)));
        assert!((lufs(&tone(997.0, 0.1, 2_000)) + 23.01).abs() < 0.1);
        // Pauses do not count (gating).
        let pausing = [tone(997.0, 0.1, 5_000), vec![0; 80_000], tone(997.0, 0.1, 5_000)].concat();
        assert!((lufs(&pausing) + 23.01).abs() < 0.3, "{}", lufs(&pausing));
        // Nor is a short word quieter because it is short.
        assert!((lufs(&tone(997.0, 0.1, 150)) + 23.01).abs() < 0.3, "{}", lufs(&tone(997.0, 0.1, 150)));
        assert_eq!((measure(&[0; 8_000]), measure(&[])), (None, None));
    }

    #[test]
    fn loud_and_quiet_prompts_come_to_one_loudness() {
        for peak in [0.02, 0.1, 0.5, 1.0] {
            for ms in [300, 2_000] {
                let mut samples = tone(440.0, peak, ms);
                normalise(&mut samples, Lufs(-19.0));
                assert!((lufs(&samples) + 19.0).abs() < 0.3, "{peak}, {ms} ms: {}", lufs(&samples));
            }
        }
    }

    #[test]
    fn nothing_is_raised_into_clipping_or_out_of_silence() {
        // A click makes the peak, a quiet tone the loudness.
        let mut samples = tone(440.0, 0.02, 2_000);
        samples[8_000] = 20_000;
        normalise(&mut samples, Lufs(-16.0));
        assert!((29_100..29_300).contains(&samples[8_000]), "{}", samples[8_000]);
        let mut clipped = tone(440.0, 1.0, 500);
        normalise(&mut clipped, Lufs(-1.0));
        assert_eq!(clipped, tone(440.0, 1.0, 500), "it has no room");
        let mut noise = tone(440.0, 0.000_8, 500);
        normalise(&mut noise, Lufs(-19.0));
        assert!(noise.iter().all(|sample| sample.abs() <= 10 * 27));
        let mut silence = vec![0; 8_000];
        normalise(&mut silence, Lufs(-19.0));
        assert_eq!(silence, vec![0; 8_000]);
    }
}
