//! Any rate to 8 kHz, by `rubato`: flat to 3.4 kHz, where a telephone's band ends (ITU-T G.712), and nothing of what
//! lies above 4 kHz comes back as another tone.

use rubato::audioadapter::Adapter as _;
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler as _, WindowFunction};

use super::wav::Audio;

/// Rate of G.711, in Hz.
const TARGET_HZ: u32 = 8_000;
/// Samples that the resampler gives at once. Its filter is as long: the longer, the steeper between 3.4 and 4 kHz.
const CHUNK: usize = 512;

/// The samples at 8 kHz, 16 bits.
pub(super) fn to_8_khz(audio: &Audio) -> Result<Vec<i16>, String> {
    if audio.hz == TARGET_HZ || audio.samples.is_empty() {
        return Ok(audio.samples.iter().copied().map(to_i16).collect());
    }
    let rate = usize::try_from(audio.hz).map_err(|error| error.to_string())?;
    let target = usize::try_from(TARGET_HZ).map_err(|error| error.to_string())?;
    let (chunk, window) = ((CHUNK * rate).div_ceil(target), WindowFunction::BlackmanHarris2);
    // With only one side fixed, `process_all` of rubato 5.0 drops the end of some sounds.
    let mut resampler = Fft::<f32>::new_custom(rate, target, chunk, 1, 1, window, FixedSync::Both)
        .map_err(|error| error.to_string())?;
    let input =
        InterleavedSlice::new(&audio.samples, 1, audio.samples.len()).map_err(|error| error.to_string())?;
    let output =
        resampler.process_all(&input, audio.samples.len(), None).map_err(|error| error.to_string())?;
    let samples = (0..output.frames()).filter_map(|frame| output.read_sample(0, frame));
    Ok(samples.map(to_i16).collect())
}

/// The nearest 16-bit sample; what is too loud is clipped.
fn to_i16(sample: f32) -> i16 {
    #[expect(clippy::cast_possible_truncation, reason = "clamped to the range of i16 just before")]
    let rounded = (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16;
    rounded
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES_HZ: [u32; 9] = [11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 37_800, 44_100, 48_000];

    fn float(number: usize) -> f64 {
        f64::from(u32::try_from(number).unwrap())
    }

    /// What is left of a tone of half the full scale, in dB. Ends are left out: there a filter sees half a tone.
    fn gain_db(hz: u32, tone_hz: u32) -> f64 {
        let step = std::f64::consts::TAU * f64::from(tone_hz) / f64::from(hz);
        #[expect(clippy::cast_possible_truncation, reason = "24 bits of a sample are enough")]
        let tone = |n: usize| (0.5 * (step * float(n)).sin()) as f32;
        let count = usize::try_from(hz / 2).unwrap();
        let samples = to_8_khz(&Audio { hz, samples: (0..count).map(tone).collect() }).unwrap();
        let middle = &samples[1_000..3_000];
        let power: f64 = middle.iter().map(|&sample| (f64::from(sample) / 32_768.0).powi(2)).sum();
        10.0 * (power / float(middle.len()) / 0.125).log10()
    }

    #[test]
    fn the_band_of_a_telephone_is_flat() {
        for hz in RATES_HZ {
            for tone_hz in (100..=3_400).step_by(100) {
                let gain_db = gain_db(hz, tone_hz);
                assert!(gain_db.abs() < 0.05, "{tone_hz} Hz at a rate of {hz} Hz: {gain_db:.3} dB");
            }
        }
    }

    #[test]
    fn what_is_above_the_band_does_not_come_back_as_another_tone() {
        for hz in RATES_HZ {
            for tone_hz in (4_000..hz / 2).step_by(500) {
                let gain_db = gain_db(hz, tone_hz);
                assert!(gain_db < -80.0, "{tone_hz} Hz at a rate of {hz} Hz: {gain_db:.1} dB");
            }
        }
    }

    #[test]
    fn nothing_moves() {
        for hz in RATES_HZ {
            let (second, start) = (usize::try_from(hz).unwrap(), usize::try_from(hz / 5).unwrap());
            let mut samples = vec![0.0; second];
            samples[start..start + start / 5].fill(0.5);
            let samples = to_8_khz(&Audio { hz, samples }).unwrap();
            assert_eq!(samples.len(), 8_000, "{hz} Hz");
            let loud = |sample: &i16| *sample > 8_192;
            let (first, last) = (samples.iter().position(loud), samples.iter().rposition(loud));
            let (first, last) = (first.unwrap(), last.unwrap());
            assert!(first.abs_diff(1_600) <= 1 && last.abs_diff(1_919) <= 1, "{hz} Hz: {first} to {last}");
        }
    }

    #[test]
    fn a_sound_of_any_length_is_heard_from_its_beginning_to_its_end() {
        for hz in RATES_HZ {
            for count in [1, 7, 441, 3_000, 12_345, 40_001] {
                let samples = to_8_khz(&Audio { hz, samples: vec![0.5; count] }).unwrap();
                assert_eq!(samples.len(), (count * 8_000).div_ceil(usize::try_from(hz).unwrap()));
                // A step loses half of its height at its edge, and no more.
                let least = *samples.iter().min().unwrap();
                assert!(count < 441 || least > 7_000, "{count} samples at {hz} Hz: {least}");
            }
        }
    }
}
