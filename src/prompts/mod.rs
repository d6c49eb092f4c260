//! Audio files and speech, encoded once to ready-to-send frames. Edge.

mod clip;

pub use clip::{Clip, FRAME_BYTES, FRAME_MS};
