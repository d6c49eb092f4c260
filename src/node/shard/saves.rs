//! The saves of a shard, grouped: one append for all calls that changed in a turn of the loop.

use std::collections::VecDeque;

use super::parking::BatchNumber;
use crate::call::Record;
use crate::id::{CallId, Epoch, Revision};
use crate::store::journal::{Ack, AppendError, Batch, Lane, NotTaken, RecordTooLong};

/// The shard's lane into the journal.
#[derive(Debug)]
pub(crate) struct Saves {
    lane: Lane,
    /// What goes with the next append, and the calls whose saves are in it.
    batch: Batch,
    calls: Vec<CallId>,
    number: u64,
    /// The calls of each append that is not answered yet, oldest first.
    unanswered: VecDeque<Vec<CallId>>,
    /// An empty batch with its memory.
    spare: Option<Batch>,
}

impl Saves {
    pub(crate) fn new(lane: Lane) -> Self {
        Self {
            lane,
            batch: Batch::default(),
            calls: Vec::new(),
            number: 0,
            unanswered: VecDeque::new(),
            spare: None,
        }
    }

    /// Adds a record to the next append, and says which that is.
    ///
    /// # Errors
    /// If the record is longer than the journal takes.
    pub(super) fn save(&mut self, record: &Record) -> Result<BatchNumber, RecordTooLong> {
        self.batch.save(record.call_id, record.epoch, record.revision, &record.bytes)?;
        self.calls.push(record.call_id);
        Ok(BatchNumber(self.number))
    }

    /// Adds that a call's record can go.
    pub(super) fn delete(&mut self, call: CallId, epoch: Epoch, revision: Revision) {
        self.batch.delete(call, epoch, revision);
    }

    /// Appends what was added. If the journal has enough to do it goes with a later append.
    ///
    /// # Errors
    /// If the journal is closed.
    pub(super) fn append(&mut self) -> Result<(), AppendError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let next = self.spare.take().unwrap_or_default();
        match self.lane.append(std::mem::replace(&mut self.batch, next)) {
            Ok(_) => {
                self.unanswered.push_back(std::mem::take(&mut self.calls));
                self.number += 1;
                Ok(())
            }
            Err(NotTaken::Full { batch, .. }) => {
                self.spare = Some(std::mem::replace(&mut self.batch, batch));
                Ok(())
            }
            Err(NotTaken::Closed { .. }) => Err(AppendError::Closed),
        }
    }

    /// The journal answered the oldest append: which batch is durable, and whose saves were in it.
    ///
    /// # Errors
    /// What the journal says went wrong.
    pub(super) fn answered(&mut self, ack: Ack) -> Result<(BatchNumber, Vec<CallId>), AppendError> {
        ack.result?;
        self.spare = Some(ack.batch);
        let calls = self.unanswered.pop_front().unwrap_or_default();
        Ok((BatchNumber(ack.sequence.0), calls))
    }
}
