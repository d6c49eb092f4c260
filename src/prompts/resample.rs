//! Any rate to 8 kHz, by `rubato`.

use rubato::audioadapter::Adapter as _;
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler as _};

use super::wav::Audio;

/// Rate of G.711, in Hz.
const TARGET_HZ: u32 = 8_000;
/// Samples that the resampler takes at once.
const CHUNK: usize = 1_024;

/// The samples at 8 kHz, 16 bits.
pub(super) fn to_8_khz(audio: &Audio) -> Result<Vec<i16>, String> {
    if audio.hz == TARGET_HZ || audio.samples.is_empty() {
        return Ok(audio.samples.iter().copied().map(to_i16).collect());
    }
    let rate = usize::try_from(audio.hz).map_err(|error| error.to_string())?;
    let target = usize::try_from(TARGET_HZ).map_err(|error| error.to_string())?;
    let mut resampler =
        Fft::<f32>::new(rate, target, CHUNK, 1, FixedSync::Input).map_err(|error| error.to_string())?;
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
