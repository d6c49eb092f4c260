//! What an instance never exceeds.

use std::time::Duration;

use serde::Deserialize;

use super::units;

/// `[limits]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Live calls of this instance.
    #[serde(deserialize_with = "units::calls")]
    pub calls: usize,
    /// TCP connections of SIP.
    #[serde(deserialize_with = "units::connections")]
    pub connections: usize,
    /// Duration of one prompt.
    #[serde(deserialize_with = "units::prompt_duration")]
    pub prompt: Duration,
    /// Bytes of one audio file, or of what the speech command says at once.
    #[serde(deserialize_with = "units::bytes")]
    pub prompt_file: u64,
    /// Bytes of memory for all prompts, encoded.
    #[serde(deserialize_with = "units::bytes")]
    pub prompts: u64,
    /// Bytes of all files that the members of a cluster have alike.
    #[serde(deserialize_with = "units::bytes")]
    pub assets: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls: 2_000,
            connections: 256,
            prompt: Duration::from_secs(300),
            prompt_file: 64 << 20,
            prompts: 512 << 20,
            assets: 2 << 30,
        }
    }
}
