//! Where what callees say is kept, and for how long.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::units;

/// `[recordings]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recordings {
    /// The directory; made when the first recording comes.
    // An empty path stands for none until `Settings::place` has seen `[data] dir`.
    #[serde(default = "PathBuf::new", deserialize_with = "units::path")]
    pub dir: PathBuf,
    /// The form of the samples.
    pub format: RecordingFormat,
    /// How long a file is kept; absent: for ever.
    #[serde(rename = "keep_days", deserialize_with = "units::days")]
    pub keep: Option<Duration>,
    /// Bytes that all files may have together; the oldest make room. Absent: no bound.
    #[serde(deserialize_with = "units::some_bytes")]
    pub max_size: Option<u64>,
}

/// Samples of a WAV file, at 8 kHz.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordingFormat {
    /// 16-bit linear, which every program reads: 16 kB a second.
    #[default]
    Pcm,
    /// G.711 μ-law: 8 kB a second.
    Mulaw,
}

impl Default for Recordings {
    fn default() -> Self {
        Self { dir: PathBuf::from("recordings"), format: RecordingFormat::Pcm, keep: None, max_size: None }
    }
}
