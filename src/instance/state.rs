//! What a member adopted last, on disk: it begins with that, also while the engine is away.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::engine::Index;

/// What is remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// The index by which its files were taken, or as which they were published.
    pub(super) adopted: Option<Index>,
    /// The version to which this instance's own files were equal last; 0: to none. Only who has not missed a version
    /// may publish the next one without being asked twice.
    pub(super) own: u64,
}

impl State {
    /// From its file; none, or one that cannot be read, is none.
    pub(super) fn read(file: &Path) -> Self {
        let Ok(bytes) = std::fs::read(file) else { return Self::default() };
        serde_json::from_slice(&bytes).unwrap_or_else(|error| {
            tracing::warn!(file = %file.display(), %error, "what this member adopted last cannot be read; it is fetched anew");
            Self::default()
        })
    }

    /// Into its file, whole or not at all.
    pub(super) fn write(&self, file: &Path) -> io::Result<()> {
        let dir = file.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(dir)?;
        let mut new = tempfile::NamedTempFile::new_in(dir)?;
        new.write_all(&serde_json::to_vec(self).map_err(io::Error::other)?)?;
        new.as_file().sync_all()?;
        new.persist(file).map_err(|error| error.error)?;
        File::open(dir)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Digest;

    #[test]
    fn it_reads_back_and_what_is_torn_is_none() {
        let dir = tempfile::TempDir::new().unwrap();
        let file = dir.path().join("assets/adopted.json");
        assert_eq!(State::read(&file), State::default());
        let (by, at) = ("n1".parse().unwrap(), "2026-11-27T16:00:00Z".to_owned());
        let index = Index { manifest: Digest::of(b"x"), bytes: 1, version: 3, by, at };
        let state = State { adopted: Some(index), own: 2 };
        state.write(&file).unwrap();
        assert_eq!(State::read(&file), state);
        std::fs::write(&file, "{\"adop").unwrap();
        assert_eq!(State::read(&file), State::default());
    }
}
