//! Audio files and speech, encoded once to ready-to-send frames. Edge.
//!
//! ```text
//! WAV file ─────────────────┐
//! text ─► speech command ───┴─► samples ─► 8 kHz ─► loudness ─► μ-law and A-law ─► Arc<Clip> in the PromptStore
//! ```
//! Everything that a questionnaire says in each call is made ready before its first call; a broken or
//! missing recording is a finding then, not a silence in a live call.

mod cache;
mod clip;
mod error;
mod load;
mod loudness;
mod place;
mod recordings;
mod resample;
mod speech;
mod store;
mod turns;
mod wav;

pub use clip::{Clip, FRAME_BYTES, FRAME_MS};
pub use error::PromptError;
pub use load::PromptSet;
pub use loudness::measure as loudness;
pub use recordings::Recordings;
pub use speech::SpeechError;
pub use store::PromptStore;
pub use wav::{WavError, file as wav_file};

use std::time::Duration;

/// The samples of a WAV file that plays at most `limit`, at 8 kHz.
///
/// # Errors
/// What is wrong with the file.
pub fn samples(bytes: &[u8], limit: Duration) -> Result<Vec<i16>, WavError> {
    let audio = wav::read(bytes, limit)?;
    resample::to_8_khz(&audio).map_err(WavError::Resample)
}
