//! The command that reads out what has no recording, and what is done to the sound of every prompt.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::units;

/// `[speech]`: a program that writes a WAV file to its standard output.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Speech {
    /// The program and its arguments; it is started directly, without a shell. `{text}`, `{language}` and
    /// `{voice}` are replaced inside each argument. Empty: nothing is read out.
    #[serde(deserialize_with = "units::command")]
    pub command: Vec<String>,
    /// `{voice}` for a language of a questionnaire; absent: the language itself.
    pub voices: BTreeMap<String, String>,
    /// Values of one text that are spoken before any call, where a reply in it has that many or fewer.
    #[serde(deserialize_with = "units::values")]
    pub ahead: usize,
    /// Programs that run at once: a text waits rather than the machine stalls.
    #[serde(deserialize_with = "units::programs")]
    pub at_once: usize,
    /// How long the program may take for one text.
    #[serde(deserialize_with = "units::speech_timeout")]
    pub timeout: Duration,
    /// Directory that keeps what was read out; absent: memory only.
    #[serde(deserialize_with = "units::some_path")]
    pub cache: Option<PathBuf>,
    /// Bytes that the directory may hold; the oldest files make room.
    #[serde(deserialize_with = "units::bytes")]
    pub cache_size: u64,
}

impl Default for Speech {
    fn default() -> Self {
        let command = ["espeak-ng", "-v", "{voice}", "--stdout", "--", "{text}"];
        Self {
            command: command.map(str::to_owned).to_vec(),
            voices: BTreeMap::new(),
            ahead: 20,
            at_once: 4,
            timeout: Duration::from_secs(20),
            cache: None,
            cache_size: 256 << 20,
        }
    }
}

/// `[prompts]`: what is done to the sound of recordings and speech alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Prompts {
    /// The loudness that every prompt is brought to; absent: as it was recorded.
    #[serde(deserialize_with = "units::loudness")]
    pub loudness: Option<Lufs>,
}

/// A loudness, in LUFS (ITU-R BS.1770).
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Lufs(pub f64);

/// Within the bounds of the settings, so never a NaN.
impl Eq for Lufs {}
