//! What is deleted, and when: at the start and every hour, recordings that are older than they may be, and then the
//! oldest until all together fit. And takes whose call is gone become files.
//!
//! Never deleted: what belongs to a live call, and what is younger than the longest call, which may be a live call's
//! of another process. Nor is anything that was not written here: only files with names of ours are looked at.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crossbeam_channel::Receiver;

use super::take::call_of;
use super::writer::{finish, remove};
use super::{Live, Terms, lock, waits};
use crate::id::CallId;
use crate::interview::RecordingEnd;

/// The longest call: what is younger may be in use.
const LONGEST_CALL: Duration = Duration::from_secs(3_600);

/// The state of the thread.
pub(super) struct Keeper {
    pub(super) terms: Terms,
    pub(super) live: Live,
}

/// What was done in one go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sweep {
    /// Takes of calls that are gone, which are files now.
    pub closed: usize,
    /// Files that were too old.
    pub expired: usize,
    /// Files that made room.
    pub displaced: usize,
    /// Bytes that are left.
    pub bytes: u64,
}

/// A file of the directory.
struct Found {
    path: PathBuf,
    call: CallId,
    bytes: u64,
    changed: SystemTime,
}

impl Keeper {
    pub(super) fn run(&self, closed: &Receiver<()>) {
        loop {
            match self.sweep(SystemTime::now()) {
                Ok(Sweep { closed: 0, expired: 0, displaced: 0, .. }) => {}
                Ok(Sweep { closed, expired, displaced, bytes }) => {
                    tracing::info!(closed, expired, displaced, bytes, "recordings were looked through");
                }
                Err(error) => {
                    let dir = self.terms.dir.display();
                    tracing::error!(%dir, %error, "recordings cannot be looked through");
                }
            }
            if !waits(closed) {
                return;
            }
        }
    }

    /// Looks through the directory once.
    pub(super) fn sweep(&self, now: SystemTime) -> io::Result<Sweep> {
        let mut sweep = Sweep { closed: self.close_left()?, ..Sweep::default() };
        let Terms { keep, max_size, .. } = self.terms;
        let mut files = self.files("wav")?;
        files.sort_unstable_by_key(|found| found.changed);
        let takes: u64 = self.files("take")?.iter().map(|found| found.bytes).sum();
        sweep.bytes = files.iter().map(|found| found.bytes).sum::<u64>() + takes;
        let live = lock(&self.live).clone();
        for Found { path, call, bytes, changed } in files {
            let age = now.duration_since(changed).unwrap_or_default();
            let (expired, too_much) =
                (keep.is_some_and(|keep| age > keep), max_size.is_some_and(|max| sweep.bytes > max));
            if !(expired || too_much) || age < LONGEST_CALL || live.contains(&call) {
                continue;
            }
            match remove(&path) {
                Ok(()) => {
                    sweep.bytes -= bytes;
                    if expired { sweep.expired += 1 } else { sweep.displaced += 1 }
                }
                Err(error) => tracing::error!(file = %path.display(), %error, "an old recording stays"),
            }
        }
        if let Some(max) = max_size.filter(|max| sweep.bytes > *max) {
            tracing::warn!(bytes = sweep.bytes, max, "recordings of live calls take more than max_size");
        }
        Ok(sweep)
    }

    /// Makes files of takes whose call is gone: an earlier process died, or the disk was full.
    fn close_left(&self) -> io::Result<usize> {
        let mut closed = 0;
        for Found { path, call, .. } in self.files("take")? {
            let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
            // Asked each time: a call may have begun since. One that is being written is locked by its writer.
            let locked = lock(&self.live).contains(&call) || File::open(&path)?.try_lock().is_err();
            if locked {
                continue;
            }
            match finish(&self.terms.dir, &name, self.terms.format, None, RecordingEnd::Gap) {
                Ok(Some(kept)) => {
                    closed += 1;
                    tracing::warn!(
                        file = %kept.file, duration_ms = kept.duration_ms,
                        "a recording was left unfinished; what was stored of it is a file now"
                    );
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(recording = %name, %error, "a take that was left stays as it is")
                }
            }
        }
        Ok(closed)
    }

    /// Files of ours with this extension. Without a directory there are none.
    fn files(&self, extension: &str) -> io::Result<Vec<Found>> {
        let entries = match fs::read_dir(&self.terms.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let path = entry?.path();
            let ours = path.extension().is_some_and(|found| found == extension);
            let call = path.file_stem().and_then(|stem| stem.to_str()).and_then(call_of);
            let (true, Some(call)) = (ours, call) else { continue };
            match fs::metadata(&path).and_then(|data| Ok((data.len(), data.modified()?))) {
                Ok((bytes, changed)) => files.push(Found { path, call, bytes, changed }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(files)
    }
}
