//! A directory that keeps what the speech command said, so that a restart needs no speech.
//!
//! One WAV file for each text, named by the digest of command, voice and text. A fault of the directory is
//! told once in the log and costs nothing else: the text is spoken anew.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::id::Digest;

/// The directory.
#[derive(Debug)]
pub(super) struct Cache {
    dir: PathBuf,
    /// Bytes that it may hold.
    limit: u64,
}

impl Cache {
    pub(super) const fn new(dir: PathBuf, limit: u64) -> Self {
        Self { dir, limit }
    }

    fn path(&self, key: Digest) -> PathBuf {
        self.dir.join(format!("{key}.wav"))
    }

    /// What is kept under a key.
    pub(super) fn read(&self, key: Digest) -> Option<Vec<u8>> {
        fs::read(self.path(key)).ok()
    }

    /// Keeps `bytes` under a key; the oldest files make room.
    pub(super) fn write(&self, key: Digest, bytes: &[u8]) {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if size > self.limit {
            return;
        }
        let written = self.make_room(size).and_then(|()| self.put(key, bytes));
        if let Err(error) = written {
            tracing::warn!(dir = %self.dir.display(), %error, "speech is not kept on disk");
        }
    }

    /// Whole or not at all: a reader never sees a part.
    fn put(&self, key: Digest, bytes: &[u8]) -> io::Result<()> {
        let unfinished = self.dir.join(format!("{key}.{:?}.part", std::thread::current().id()));
        let written = fs::File::create(&unfinished)
            .and_then(|mut file| file.write_all(bytes))
            .and_then(|()| fs::rename(&unfinished, self.path(key)));
        if written.is_err() && fs::remove_file(&unfinished).is_err() {
            tracing::debug!(file = %unfinished.display(), "an unfinished file stays");
        }
        written
    }

    fn make_room(&self, size: u64) -> io::Result<()> {
        fs::create_dir_all(&self.dir)?;
        let mut kept = kept(&self.dir)?;
        let mut total: u64 = kept.iter().map(|file| file.1).sum();
        kept.sort_unstable();
        let mut oldest = kept.into_iter();
        while total.saturating_add(size) > self.limit {
            let Some((_, bytes, path)) = oldest.next() else { break };
            fs::remove_file(path)?;
            total = total.saturating_sub(bytes);
        }
        Ok(())
    }
}

/// Our files: when each was written, its size, its path.
fn kept(dir: &Path) -> io::Result<Vec<(SystemTime, u64, PathBuf)>> {
    let mut kept = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "wav" || extension == "part") {
            let about = entry.metadata()?;
            kept.push((about.modified()?, about.len(), path));
        }
    }
    Ok(kept)
}
