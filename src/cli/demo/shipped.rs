//! The questionnaire of the demo, in the binary: an installed `baton demo` needs no other file.

use std::io;
use std::path::{Path, PathBuf};

/// The questionnaire.
pub(super) const QUESTIONNAIRE: &[u8] = include_bytes!("../../../questionnaires/satisfaction.xml");

macro_rules! recordings {
    ($($name:literal)*) => {
        /// Its recordings, by their path relative to it.
        const RECORDINGS: &[(&str, &[u8])] = &[$((
            concat!("audio/satisfaction/", $name, ".wav"),
            include_bytes!(concat!("../../../questionnaires/audio/satisfaction/", $name, ".wav")),
        )),*];
    };
}

recordings! {
    "callback"
    "club"
    "consent"
    "contact"
    "done"
    "hello"
    "lost"
    "no_input"
    "no_match"
    "problem"
    "recommend"
    "recommend_range"
    "solved"
    "stopped"
}

/// Writes questionnaire and recordings into a directory; the questionnaire's path.
pub(super) fn unpack(directory: &Path) -> io::Result<PathBuf> {
    for (path, bytes) in RECORDINGS {
        let path = directory.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, bytes)?;
    }
    let file = directory.join("satisfaction.xml");
    std::fs::write(&file, QUESTIONNAIRE)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::questionnaire::Questionnaire;

    #[test]
    fn every_recording_is_on_board() {
        let (questionnaire, _) = Questionnaire::load("satisfaction.xml", QUESTIONNAIRE).unwrap();
        for utterance in questionnaire.utterances() {
            let path = utterance.audio.expect("the demo needs no speech command");
            assert!(RECORDINGS.iter().any(|(name, _)| *name == path), "{path} is missing");
        }
    }
}
