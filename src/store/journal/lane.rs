//! What a writer of the journal holds: batches, the lane that takes them, and the acknowledgements.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_channel::Sender;

use super::frame::{self, Head, Kind, MAX_RECORD_BYTES};
use super::writer::{Message, WriteError};
use crate::id::{CallId, Epoch, Revision};

/// Changes that are made durable together, encoded as they are added.
///
/// An acknowledgement gives the batch back, emptied and with its memory, for the next one.
#[derive(Debug, Default)]
pub struct Batch {
    pub(super) bytes: Vec<u8>,
    pub(super) changes: Vec<Change>,
}

/// A frame of a batch: what it says, and its length.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    pub(super) head: Head,
    pub(super) bytes: usize,
}

/// A record was longer than the journal takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the record of call {call_id} has {bytes} bytes; the journal takes {MAX_RECORD_BYTES}")]
pub struct RecordTooLong {
    /// Whose record.
    pub call_id: CallId,
    /// Its length.
    pub bytes: usize,
}

impl Batch {
    /// Adds a call's record, which replaces the one before.
    ///
    /// # Errors
    /// If the record has more than [`MAX_RECORD_BYTES`]; the batch is unchanged.
    pub fn save(
        &mut self,
        call_id: CallId,
        epoch: Epoch,
        revision: Revision,
        record: &[u8],
    ) -> Result<(), RecordTooLong> {
        if record.len() > MAX_RECORD_BYTES {
            return Err(RecordTooLong { call_id, bytes: record.len() });
        }
        self.push(Head { kind: Kind::Save, call_id, epoch, revision }, record);
        Ok(())
    }

    /// Adds that a call is over. Its `revision` is at least that of its last save.
    pub fn delete(&mut self, call_id: CallId, epoch: Epoch, revision: Revision) {
        self.push(Head { kind: Kind::Delete, call_id, epoch, revision }, &[]);
    }

    fn push(&mut self, head: Head, record: &[u8]) {
        let start = self.bytes.len();
        frame::write(&mut self.bytes, &head, record);
        self.changes.push(Change { head, bytes: self.bytes.len() - start });
    }

    /// Changes in the batch.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.changes.len()
    }

    /// Whether nothing was added.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.changes.clear();
    }
}

/// Number of an append in its lane, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(pub u64);

/// Why an append did not become durable.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// The disk refused it. Later appends are tried anew, on a new segment.
    #[error(transparent)]
    Write(Arc<WriteError>),
    /// The journal was closed before it was written.
    #[error("the journal is closed")]
    Closed,
}

/// The answer to one append. A lane's answers come in the order of its appends, each exactly once.
#[derive(Debug)]
pub struct Ack {
    /// Which append.
    pub sequence: Sequence,
    /// `Ok` if every change of it is on disk. After an error none of them may be relied upon, though a
    /// reader may find some.
    pub result: Result<(), AppendError>,
    /// The batch, emptied.
    pub batch: Batch,
}

pub(super) type OnAck = Arc<dyn Fn(Ack) + Send + Sync>;

/// An append that waits for the disk. Answered exactly once: if it is dropped, as closed.
pub(super) struct Pending {
    sequence: Sequence,
    batch: Option<Batch>,
    in_flight: Arc<AtomicUsize>,
    on_ack: OnAck,
}

impl Pending {
    pub(super) fn batch(&self) -> &Batch {
        self.batch.as_ref().expect("a batch is taken only by its acknowledgement")
    }

    pub(super) fn acknowledge(mut self, result: Result<(), AppendError>) {
        self.answer(result);
    }

    fn answer(&mut self, result: Result<(), AppendError>) {
        if let Some(mut batch) = self.batch.take() {
            batch.clear();
            self.in_flight.fetch_sub(1, Ordering::AcqRel); // first: who is told that there is room has room
            (self.on_ack)(Ack { sequence: self.sequence, result, batch });
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.answer(Err(AppendError::Closed));
    }
}

/// An append was not taken; the batch comes back unchanged.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// The lane has as many unanswered appends as it may; each acknowledgement makes room for one.
    #[error("the journal has {limit} unanswered appends of this lane")]
    Full {
        /// The bound, [`Limits::in_flight`](super::Limits::in_flight).
        limit: usize,
        /// What was to be appended.
        batch: Batch,
    },
    /// The journal is closed.
    #[error("the journal is closed")]
    Closed {
        /// What was to be appended.
        batch: Batch,
    },
}

impl NotTaken {
    /// What was to be appended.
    #[must_use]
    pub fn into_batch(self) -> Batch {
        match self {
            Self::Full { batch, .. } | Self::Closed { batch } => batch,
        }
    }
}

/// One writer's way into the journal, such as a shard's.
///
/// Appends never block. The acknowledgement is called on the journal's thread and must not block either:
/// it hands the [`Ack`] on, to a `tokio` task by an unbounded or large enough `mpsc` sender, to a plain
/// thread by a channel.
pub struct Lane {
    sender: Sender<Message>,
    next: u64,
    limit: usize,
    in_flight: Arc<AtomicUsize>,
    on_ack: OnAck,
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").field("next", &self.next).field("in_flight", &self.in_flight()).finish()
    }
}

impl Lane {
    pub(super) fn new(sender: Sender<Message>, limit: usize, on_ack: OnAck) -> Self {
        Self { sender, next: 0, limit, in_flight: Arc::default(), on_ack }
    }

    /// Hands a batch to the journal. Its acknowledgement carries the returned number.
    ///
    /// # Errors
    /// If too many appends are unanswered, or the journal is closed. Nothing was written then, and no
    /// acknowledgement comes.
    pub fn append(&mut self, batch: Batch) -> Result<Sequence, NotTaken> {
        if self.in_flight() >= self.limit {
            return Err(NotTaken::Full { limit: self.limit, batch });
        }
        let sequence = Sequence(self.next);
        self.in_flight.fetch_add(1, Ordering::AcqRel);
        let pending = Pending {
            sequence,
            batch: Some(batch),
            in_flight: Arc::clone(&self.in_flight),
            on_ack: Arc::clone(&self.on_ack),
        };
        match self.sender.send(Message::Append(pending)) {
            Ok(()) => {
                self.next += 1;
                Ok(sequence)
            }
            Err(refused) => {
                let batch = refused.into_inner().into_batch();
                self.in_flight.fetch_sub(1, Ordering::AcqRel);
                Err(NotTaken::Closed { batch: batch.unwrap_or_default() })
            }
        }
    }

    /// Appends that are not answered yet.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Acquire)
    }
}

impl Message {
    fn into_batch(self) -> Option<Batch> {
        match self {
            Self::Append(mut pending) => pending.batch.take(), // no longer answered when it is dropped
            Self::Close => None,
        }
    }
}
