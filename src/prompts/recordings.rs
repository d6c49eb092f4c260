//! The recordings of a questionnaire as they are on disk: how long each plays, and which are broken.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use super::error::PromptError;
use super::{place, wav};
use crate::questionnaire::{Questionnaire, Say, Utterance, checks};
use crate::settings::Limits;
use crate::xml::{Finding, Findings};

/// What is known of a questionnaire's recordings without playing them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recordings {
    /// How long each plays, by its path as the questionnaire writes it.
    pub lengths: BTreeMap<String, Duration>,
    /// Those that cannot be played, each at its first `<say>`.
    pub findings: Vec<Finding>,
}

impl Recordings {
    /// Looks at each recording that is there. `file` and `bytes` are the questionnaire's own.
    #[must_use]
    pub fn of(questionnaire: &Questionnaire, file: &Path, bytes: &[u8], limits: &Limits) -> Self {
        let dir = file.parent().unwrap_or(Path::new(""));
        let name = file.display().to_string();
        let place = place::finder(&name, bytes);
        let mut findings = Findings::of(&name);
        let mut lengths: BTreeMap<String, Option<Duration>> = BTreeMap::new();
        let says = questionnaire.says().into_iter().filter_map(|say| Some((say, say.audio.as_ref()?)));
        for (say, audio) in says {
            if lengths.contains_key(audio) || !dir.join(audio).is_file() {
                continue; // what is missing is a finding of the questionnaire itself
            }
            let length = length(&dir.join(audio), limits).map_err(|error| {
                findings.add(
                    &checks::BROKEN_RECORDING,
                    place(&utterance(say)),
                    error.to_string(),
                    error.mend(),
                );
            });
            lengths.insert(audio.clone(), length.ok());
        }
        let lengths = lengths.into_iter().filter_map(|(path, length)| Some((path, length?))).collect();
        Self { lengths, findings: findings.into_sorted() }
    }
}

fn utterance(say: &Say) -> Utterance {
    Utterance { language: say.language.clone(), audio: say.audio.clone(), text: String::new() }
}

fn length(path: &Path, limits: &Limits) -> Result<Duration, PromptError> {
    let unreadable = |source| PromptError::Unreadable { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let bytes = file.metadata().map_err(unreadable)?.len();
    if bytes > limits.prompt_file {
        return Err(PromptError::TooLarge { path: path.to_owned(), bytes, limit: limits.prompt_file });
    }
    let mut read = Vec::new();
    file.take(limits.prompt_file).read_to_end(&mut read).map_err(unreadable)?;
    wav::playing_time(&read, limits.prompt)
        .map_err(|source| PromptError::Audio { path: path.to_owned(), source })
}
