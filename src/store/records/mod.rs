//! What an instance was asked to do and what came of it: accepted calls, results, replies. Edge.
//!
//! ```text
//! accept ──┐ bounded                                          ┌─ Ok: it is on disk
//! keep ────┼─► task: a group ─► BEGIN … COMMIT (WAL, fsync) ──┤
//! withdraw ┘                                                  └─ Err: nothing of it is
//! call, list, open ─► readers, each with a snapshot of its own
//! ```
//! One writer makes groups of what waits, so that a hundred calls cost one `fsync`. A call is accepted before it is
//! placed, and its result is kept before the journal forgets it; so at every moment a call of this instance stands
//! in one of both, and after a crash
//!
//! | in the records | in the journal | what happened |
//! |---|---|---|
//! | accepted | no | its INVITE cannot have left: save before send |
//! | accepted | yes | it goes on |
//! | result | yes | the crash came between keeping and forgetting: the result comes again, and is kept once |
//! | result | no | it is over |
//!
//! SQLite is the embedded default. The statements keep to what PostgreSQL reads too (`$1`, `ON CONFLICT`).

mod open;
mod rows;
mod starts;
mod write;

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqlitePool;
use tokio::sync::{mpsc, oneshot};

use crate::call::CallResult;
use crate::id::{AttemptId, CallId, Digest};
use crate::time::Timestamp;

use write::{Order, Work};

pub use rows::{Filter, Kept, Keyed, Page};
pub use starts::{Assigned, Row, Stored};

/// Orders that wait for the disk; who finds so many waits too.
const ORDERS: usize = 1_024;

/// A call that is to be placed, as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Its id.
    pub call_id: CallId,
    /// The attempt that it is.
    pub attempt_id: AttemptId,
    /// Whom to call, as the dialplan made it.
    pub to: String,
    /// Through which trunk.
    pub trunk: String,
    /// Id of the questionnaire.
    pub questionnaire: String,
    /// Its digest: what the call is pinned to.
    pub digest: Digest,
    /// The case that it is an attempt of.
    pub case: Option<String>,
    /// What is known of the contact, and how it is to be called: the request as it was read, in JSON.
    pub request: String,
    /// The key by which the request is known if it is sent again.
    pub key: Option<String>,
    /// When.
    pub accepted_at: Timestamp,
}

/// What became of a request to accept a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// It is on disk, and new.
    New,
    /// The same request with the same key was accepted before, as this call.
    Known(CallId),
    /// Another request has the key.
    Conflict,
}

/// Why records were not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be made.
    #[error("the records cannot be kept in {}: {source}", .dir.display())]
    Dir {
        /// The directory.
        dir: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file cannot be opened.
    #[error("the records {} cannot be opened: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the database said.
        #[source]
        source: sqlx::Error,
    },
    /// A newer Baton wrote it.
    #[error(
        "the records {} have format {found}, this Baton reads up to {}; start the newer Baton here, or give this \
         one another [data] dir", .path.display(), open::FORMAT
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
    },
}

/// Why something is not on disk, or cannot be read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RecordsError {
    /// The database refused.
    #[error("the records cannot be used: {0}")]
    Database(Arc<sqlx::Error>),
    /// What was read is not what was written.
    #[error("the records are damaged: {what}")]
    Damaged {
        /// What, and where.
        what: String,
    },
    /// The records were closed.
    #[error("the records are closed")]
    Closed,
}

impl From<sqlx::Error> for RecordsError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(Arc::new(error))
    }
}

/// The records of an instance. Copies share one writer.
#[derive(Clone, Debug)]
pub struct Records {
    orders: mpsc::Sender<Order>,
    readers: SqlitePool,
}

impl Records {
    /// Writes down a call that is to be placed. When this returns it is on disk.
    ///
    /// # Errors
    /// [`RecordsError`]; nothing was accepted then.
    pub async fn accept(&self, accepted: Accepted) -> Result<Acceptance, RecordsError> {
        let (answer, answered) = oneshot::channel();
        self.order(Order { work: Work::Accept(Box::new(accepted)), answer }).await?;
        match answered.await {
            Ok(Ok(write::Done::Accepted(acceptance))) => Ok(acceptance),
            Ok(Err(error)) => Err(error),
            Ok(Ok(_)) | Err(_) => Err(RecordsError::Closed),
        }
    }

    /// Stores where a call of the cluster is placed. When this returns it is on disk.
    ///
    /// # Errors
    /// [`RecordsError`]; nothing is stored then.
    pub async fn store(&self, row: Row) -> Result<Stored, RecordsError> {
        let (answer, answered) = oneshot::channel();
        self.order(Order { work: Work::Store(Box::new(row)), answer }).await?;
        match answered.await {
            Ok(Ok(write::Done::Stored(stored))) => Ok(stored),
            Ok(Err(error)) => Err(error),
            Ok(Ok(_)) | Err(_) => Err(RecordsError::Closed),
        }
    }

    /// Writes down calls of other instances that go on here. One that is known already stays as it is.
    ///
    /// # Errors
    /// [`RecordsError`]; none is written down then. Their results are kept all the same.
    pub async fn inherit(&self, calls: Vec<Accepted>) -> Result<(), RecordsError> {
        let (answer, answered) = oneshot::channel();
        self.order(Order { work: Work::Inherit(calls), answer }).await?;
        answered.await.map_err(|_| RecordsError::Closed)?.map(drop)
    }

    /// Takes back a call that was accepted and could not be placed: its key may be used again.
    ///
    /// # Errors
    /// [`RecordsError`]; it is still accepted then.
    pub async fn withdraw(&self, call: CallId) -> Result<(), RecordsError> {
        let (answer, answered) = oneshot::channel();
        self.order(Order { work: Work::Withdraw(call), answer }).await?;
        answered.await.map_err(|_| RecordsError::Closed)?.map(drop)
    }

    /// Keeps a result. True if it is the first of its attempt: one that is told again changes nothing.
    ///
    /// # Errors
    /// [`RecordsError`]; it is not kept then.
    pub async fn keep(&self, result: Arc<CallResult>) -> Result<bool, RecordsError> {
        let (answer, answered) = oneshot::channel();
        self.order(Order { work: Work::Keep(result), answer }).await?;
        match answered.await {
            Ok(Ok(write::Done::Kept { first })) => Ok(first),
            Ok(Err(error)) => Err(error),
            Ok(Ok(_)) | Err(_) => Err(RecordsError::Closed),
        }
    }

    async fn order(&self, order: Order) -> Result<(), RecordsError> {
        self.orders.send(order).await.map_err(|_| RecordsError::Closed)
    }

    /// Writes what was ordered before, and closes the file: its log is folded into it.
    pub async fn close(&self) {
        // The writer is the last, and folds the log in.
        self.readers.close().await;
        let (answer, answered) = oneshot::channel();
        if self.order(Order { work: Work::Close, answer }).await.is_ok() {
            drop(answered.await);
        }
    }
}

#[cfg(test)]
mod tests;
