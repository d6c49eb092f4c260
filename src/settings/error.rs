//! What is wrong with a settings file, where, and what to do about it.

use std::io;
use std::path::PathBuf;

use crate::xml;

/// Why settings were not read.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file could not be read.
    #[error("cannot read the settings {}: {source}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file is far too long.
    #[error("the settings {} have {bytes} bytes; {limit} are read at most", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
        /// What is read.
        limit: u64,
    },
    /// Something in the file is wrong.
    #[error("{file}:{line}:{column}: error: {what}{}", mend.as_ref().map(|mend| format!(" ({mend})")).unwrap_or_default())]
    Wrong {
        /// The file, as it was named to us.
        file: String,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What is wrong.
        what: String,
        /// What to do about it.
        mend: Option<String>,
    },
}

impl SettingsError {
    /// Something wrong at a byte offset of `text`.
    pub(super) fn at(file: &str, text: &str, offset: usize, what: String, mend: Option<String>) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Self::Wrong { file: file.to_owned(), line, column, what, mend }
    }

    /// What the TOML reader or a type of ours refused.
    pub(super) fn from_toml(file: &str, text: &str, error: &toml::de::Error) -> Self {
        let offset = error.span().map_or(0, |span| span.start);
        let (what, mend) = unknown_key(error.message()).unwrap_or_else(|| split_mend(error.message()));
        Self::at(file, text, offset, what, mend)
    }
}

/// Between what is wrong and what to do, in the messages of this room's types.
pub(super) const MEND: &str = " ⇒ ";

fn split_mend(message: &str) -> (String, Option<String>) {
    match message.split_once(MEND) {
        Some((what, mend)) => (what.to_owned(), Some(mend.to_owned())),
        None => (message.trim_end().replace('\n', ", "), None),
    }
}

/// Puts serde's sentence about an unknown field (its wording is stable, and a test holds it) into ours.
fn unknown_key(message: &str) -> Option<(String, Option<String>)> {
    let rest = message.strip_prefix("unknown field `")?;
    let (key, rest) = rest.split_once('`')?;
    let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
    let mend = xml::did_you_mean(key, known.iter().copied())
        .unwrap_or_else(|| format!("known here: {}", known.join(", ")));
    Some((format!("there is no setting `{key}` here"), Some(mend)))
}
