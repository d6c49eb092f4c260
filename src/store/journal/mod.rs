//! The journal of this instance: its own call records, durable before anything that depends on them is
//! sent. Edge. docs/journal.md describes the format and says what is durable when.
//!
//! ```text
//! shard ─ Lane::append(Batch) ─┐                        ┌─ Ack ─► shard
//! shard ─ Lane::append(Batch) ─┼─► thread "journal" ────┼─ Ack ─► shard
//! shard ─ Lane::append(Batch) ─┘   one write, fdatasync └─ Ack ─► shard
//!                                  calls-0000000001.journal …
//! ```

mod counts;
mod frame;
mod index;
mod lane;
mod mirrors;
mod replay;
mod reserve;
mod room;
mod segment;
mod writer;

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::Sender;

use counts::Counters;
use writer::{Message, Writer};

pub use counts::Counts;
pub use frame::MAX_RECORD_BYTES;
pub use lane::{Ack, AppendError, Batch, Lane, NotTaken, RecordTooLong, Sequence};
pub use mirrors::{Append, Copied, Digests, Mirrors, Snapshot};
pub use replay::{Loss, LossKind, ReadError, Replay, SavedCall, read};
pub use segment::FORMAT_VERSION;
pub use writer::WriteError;

/// Bounds of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes after which a segment is full. With few live calls up to three segments stand on disk.
    pub segment_bytes: u64,
    /// Bytes after which no further batch joins a commit.
    pub commit_bytes: usize,
    /// Bytes of disk that are taken beforehand, so that calls under way can be saved on a full disk; 0: none.
    pub reserve_bytes: u64,
    /// Unanswered appends of one lane. So all queues together are bounded by this times the lanes.
    pub in_flight: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { segment_bytes: 64 << 20, commit_bytes: 4 << 20, reserve_bytes: 0, in_flight: 8 }
    }
}

/// Why a journal was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process writes here.
    #[error(
        "the journal {} is in use by {owner}; stop that one first, or give this one another [journal] dir",
        .dir.display()
    )]
    InUse {
        /// The directory.
        dir: PathBuf,
        /// The process, as far as it is known.
        owner: String,
    },
    /// The directory could not be made or locked.
    #[error("cannot open the journal in {}: {source}", .dir.display())]
    Io {
        /// The directory.
        dir: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// What stands in the directory cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// An open journal: the owner of its directory and of the thread that writes there.
pub struct Journal {
    sender: Sender<Message>,
    limits: Limits,
    counters: Arc<Counters>,
    mirrors: Option<Mirrors>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("limits", &self.limits).field("counts", &self.counts()).finish()
    }
}

impl Journal {
    /// Opens the journal in `dir`, which is made if it does not exist, and reads what it holds: the records
    /// of calls that had not ended. They stay live until each is deleted.
    ///
    /// # Errors
    /// If another process owns the directory, if it cannot be read or written, or if a segment in it is
    /// damaged at its head, foreign, or of a newer format.
    pub fn open(dir: &Path, limits: Limits) -> Result<(Self, Replay), OpenError> {
        Self::start(dir, limits, None)
    }

    /// The same with mirrors: each append is copied to them, and acknowledged when they hold it too.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn open_mirrored(dir: &Path, limits: Limits, mirrors: Mirrors) -> Result<(Self, Replay), OpenError> {
        Self::start(dir, limits, Some(mirrors))
    }

    fn start(dir: &Path, limits: Limits, mirrors: Option<Mirrors>) -> Result<(Self, Replay), OpenError> {
        let io = |source| OpenError::Io { dir: dir.to_owned(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(io)?;
        let lock = lock(dir)?;
        let scan = replay::scan(dir)?;
        let counters = Arc::<Counters>::default();
        counters.holds(scan.index.len(), scan.index.segments());
        let again = scan.unused.and_then(|unused| {
            let again = segment::Segment::again(dir, unused);
            again.inspect_err(|error| tracing::warn!(%error, "room in the journal stays unused")).ok()
        });
        let mut writer = Writer::new(dir.to_owned(), limits, scan.index, Arc::clone(&counters), lock, again);
        writer.mirrors.clone_from(&mirrors);
        // Unbounded as a channel, bounded by its lanes: each has at most `in_flight` messages in it.
        let (sender, messages) = crossbeam_channel::unbounded();
        let thread = std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || writer.run(&messages))
            .map_err(io)?;
        Ok((Self { sender, limits, counters, mirrors, thread: Some(thread) }, scan.replay))
    }

    /// A way into the journal for one writer. `on_ack` is called on the journal's thread, once for each
    /// append in the order of the lane, and must not block.
    pub fn lane(&self, on_ack: impl Fn(Ack) + Send + Sync + 'static) -> Lane {
        Lane::new(self.sender.clone(), self.limits.in_flight, Arc::new(on_ack))
    }

    /// What the journal has done, and what it holds.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counters.read()
    }

    /// Who holds copies of its appends.
    #[must_use]
    pub const fn mirrors(&self) -> Option<&Mirrors> {
        self.mirrors.as_ref()
    }

    /// For how long the present write has taken; zero: there is none.
    #[must_use]
    pub fn busy_for(&self) -> Duration {
        self.counters.busy_for()
    }

    /// Whether the disk is full: no new call should be placed until there is room again.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.counters.is_full()
    }

    /// Writes what was appended before, acknowledges it, and gives the directory up. Lanes that are still
    /// held are refused from then on. Dropping the journal does the same.
    pub fn close(self) {
        drop(self);
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if self.sender.send(Message::Close).is_err() {
            tracing::error!("the journal's thread had ended before it was closed");
        }
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the journal's thread panicked");
        }
    }
}

/// Takes the directory for this process and writes down who took it.
fn lock(dir: &Path) -> Result<File, OpenError> {
    let io = |source| OpenError::Io { dir: dir.to_owned(), source };
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let mut file = options.open(dir.join("lock")).map_err(io)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            let read = file.read_to_string(&mut owner);
            let owner = owner.trim();
            let owner = if read.is_err() || owner.is_empty() { "another process" } else { owner };
            return Err(OpenError::InUse { dir: dir.to_owned(), owner: owner.to_owned() });
        }
        Err(TryLockError::Error(source)) => return Err(io(source)),
    }
    file.set_len(0).and_then(|()| writeln!(file, "process {}", std::process::id())).map_err(io)?;
    Ok(file)
}

#[cfg(test)]
mod tests;
