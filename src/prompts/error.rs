//! Why a prompt cannot be made, and what to do about it.

use std::io;
use std::path::PathBuf;

use super::speech::SpeechError;
use super::wav::WavError;

/// Why a prompt cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// The recording cannot be read.
    #[error("the recording {} cannot be read: {source}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The recording is too large.
    #[error("the recording {} has {bytes} bytes; {limit} are read at most ([limits] prompt_file)", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
        /// The bound.
        limit: u64,
    },
    /// The recording is no sound that we read.
    #[error("the recording {} cannot be used: {source}", .path.display())]
    Audio {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: WavError,
    },
    /// The text could not be spoken.
    #[error(transparent)]
    Speech(#[from] SpeechError),
    /// The speech command wrote no sound that we read.
    #[error("what the speech command wrote cannot be used: {source}")]
    Spoken {
        /// What is wrong with it.
        #[source]
        source: WavError,
    },
    /// The speech command wrote a file without a sound.
    #[error("the speech command says nothing for \"{text}\"")]
    Nothing {
        /// The text.
        text: String,
    },
    /// There is no room for another prompt.
    #[error("the prompts take more than {limit} bytes of memory ([limits] prompts)")]
    Full {
        /// The bound.
        limit: u64,
    },
    /// A recording is asked for whose questionnaire was not loaded.
    #[error("the recording {} was not loaded with its questionnaire", .path.display())]
    NotLoaded {
        /// Its path, relative to the questionnaire.
        path: PathBuf,
    },
}

impl PromptError {
    /// What to do about it, where that is not plain from the error itself.
    #[must_use]
    pub fn mend(&self) -> Option<String> {
        match self {
            Self::Speech(SpeechError::Missing { program }) if program == "espeak-ng" => Some(
                "install it (the Debian package is espeak-ng), set [speech] command, or give every <say> an audio file"
                    .to_owned(),
            ),
            Self::Speech(SpeechError::Missing { .. } | SpeechError::Off) => {
                Some("set [speech] command in the settings, or give every <say> an audio file".to_owned())
            }
            Self::Unreadable { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Some("paths are taken from the questionnaire's directory".to_owned())
            }
            Self::Nothing { .. } => Some("is its language one that the command speaks?".to_owned()),
            Self::Unreadable { .. }
            | Self::TooLarge { .. }
            | Self::Audio { .. }
            | Self::Speech(_)
            | Self::Spoken { .. }
            | Self::Full { .. }
            | Self::NotLoaded { .. } => None,
        }
    }

    /// What to do about a language in which nothing can be spoken.
    pub(super) fn mend_voice(&self, language: &str) -> String {
        let by_espeak =
            matches!(self, Self::Speech(SpeechError::Failed { program, .. }) if program == "espeak-ng");
        let list = if by_espeak { "`espeak-ng --voices` lists its voices; " } else { "" };
        format!(
            "{list}choose a voice in the settings, [speech.voices] {language} = \"…\", or give every <say> in \
             `{language}` an audio file"
        )
    }

    /// Whether the command cannot speak with this voice, as far as one text tells.
    pub(super) const fn concerns_the_voice(&self) -> bool {
        matches!(self, Self::Speech(_) | Self::Spoken { .. })
    }

    /// Whether every other text would fail in the same way, so that one message is enough.
    pub(super) const fn concerns_every_text(&self) -> bool {
        matches!(self, Self::Speech(SpeechError::Missing { .. } | SpeechError::Off | SpeechError::Run { .. }))
    }
}
