//! What the node tells, taken as fast as it comes: steps to the board, results to the records.
//!
//! ```text
//! Event::Step ──► board
//! Event::Ended ─► a task of its own ─► Records::keep ── Ok ──► board, receipt back: the journal forgets the call
//!                                          └── Err ─► again in a second, for as long as it takes
//! Event::Failed ► the board of reasons why this instance is not ready
//! ```
//! While the records cannot be written results wait in memory and in the journal, and are offered again by both: as
//! many as the node holds calls, so that it takes no more when there are too many.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

use super::board::Board;
use crate::call::CallResult;
use crate::node::clock::Clock;
use crate::node::{Event, Receipt};
use crate::store::records::{Records, RecordsError};

/// How soon a result is offered again that the records refused.
const AGAIN: Duration = Duration::from_secs(1);

/// Who keeps results.
#[derive(Clone, Debug)]
pub(super) struct Keeper {
    records: Records,
    board: Arc<Board>,
    troubles: Arc<Troubles>,
}

/// What is wrong at the moment.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    /// The records refused the last result.
    records: AtomicBool,
    failed: Mutex<Option<String>>,
}

impl Troubles {
    /// Why the node has failed, if it has.
    pub(super) fn failed(&self) -> Option<String> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the records refuse results.
    pub(super) fn records(&self) -> bool {
        self.records.load(Ordering::Relaxed)
    }
}

impl Keeper {
    pub(super) fn new(records: Records, board: Arc<Board>) -> Self {
        Self { records, board, troubles: Arc::default() }
    }

    pub(super) fn troubles(&self) -> &Arc<Troubles> {
        &self.troubles
    }

    /// Takes events until the node is gone.
    pub(super) async fn run(self, mut events: mpsc::Receiver<Event>, clock: Clock) {
        while let Some(event) = events.recv().await {
            match event {
                Event::Step { call, step } => self.board.step(call, step, clock.now()),
                Event::Ended { result, receipt, .. } => self.keep(*result, Some(receipt)),
                // The node has logged it, and says why it takes no calls.
                Event::Silenced { .. } => {}
                Event::Failed { what } => {
                    *self.troubles.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
                }
            }
        }
    }

    /// Keeps a result, now or later, and gives its receipt back.
    pub(super) fn keep(&self, result: CallResult, receipt: Option<Receipt>) {
        let (keeper, result) = (self.clone(), Arc::new(result));
        tokio::spawn(async move {
            loop {
                match keeper.records.keep(Arc::clone(&result)).await {
                    Ok(first) => break keeper.kept(&result, first, receipt),
                    // This process ends; the journal offers it to the next one.
                    Err(RecordsError::Closed) => break,
                    Err(error) => keeper.refused(&error),
                }
                tokio::time::sleep(AGAIN).await;
            }
        });
    }

    fn kept(&self, result: &CallResult, first: bool, receipt: Option<Receipt>) {
        if self.troubles.records.swap(false, Ordering::Relaxed) {
            tracing::info!("the records can be written again");
        }
        self.board.kept(result, first);
        if let Some(receipt) = receipt {
            receipt.stored();
        }
    }

    /// Said once, until it passes.
    fn refused(&self, error: &RecordsError) {
        if !self.troubles.records.swap(true, Ordering::Relaxed) {
            tracing::error!(
                %error,
                "results cannot be kept: they wait in the journal, and are offered again each second. Is the disk full?"
            );
        }
    }
}
