//! What the node tells, taken as fast as it comes: steps to the board, results to the records.
//!
//! ```text
//! Event::Step ──► board
//! Event::Ended ─► a task of its own ─► Records::keep ── Ok ──► board, receipt back: the journal forgets the call
//!                                          └── Err ─► again in a second, for as long as it takes
//!                   in a cluster: others keep it, too ──► then the receipt, so that its record stays until they do;
//!                   of a call that was taken over: and until that claim is carried out
//! Event::Failed ► the board of reasons why this instance is not ready
//! ```
//! While the records cannot be written results wait in memory and in the journal, and are offered again by both: as
//! many as the node holds calls, so that it takes no more when there are too many.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

use super::board::Board;
use crate::call::CallResult;
use crate::cluster::View;
use crate::id::{Epoch, NodeId};
use crate::node::clock::Clock;
use crate::node::{Event, Receipt};
use crate::peers::{Others, Question, Reply};
use crate::store::records::{Records, RecordsError};

/// How soon a result is offered again that the records refused.
const AGAIN: Duration = Duration::from_secs(1);
/// How long another instance may take to keep one.
const PATIENCE: Duration = Duration::from_secs(2);

/// Who keeps results.
#[derive(Clone, Debug)]
pub(super) struct Keeper {
    records: Records,
    board: Arc<Board>,
    troubles: Arc<Troubles>,
    telling: Option<Telling>,
}

/// Whom results are told.
#[derive(Clone, Debug)]
pub(super) struct Telling {
    pub(super) view: View,
    pub(super) others: Others,
    /// How many of those who are heard must have kept one.
    pub(super) acks: usize,
}

impl Telling {
    /// Waits until the claim by which a call was taken over, if it was, is carried out: others may keep it as the dead
    /// one's until then.
    async fn carried_out(&self, epoch: Epoch) {
        while self.view.status().open_claims.contains(&epoch) {
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Tells all who are heard, until enough of them have kept it. Where nobody is heard the journal has it.
    async fn tell(&self, result: &CallResult) {
        let Ok(result) = serde_json::to_string(result) else { return };
        let question = Question::Keep { result };
        let mut kept: BTreeSet<NodeId> = BTreeSet::new();
        loop {
            let heard: BTreeSet<NodeId> =
                self.view.status().heard().map(|other| other.incarnation.node).collect();
            let whom: Vec<NodeId> = heard.difference(&kept).copied().collect();
            let replies = self.others.ask_all(whom, &question, PATIENCE).await;
            let done = replies.into_iter().filter(|(_, reply)| matches!(reply, Ok(Reply::Done)));
            kept.extend(done.map(|(node, _)| node));
            if kept.len() >= self.acks.min(heard.len()) {
                return;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }
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
    pub(super) fn new(records: Records, board: Arc<Board>, telling: Option<Telling>) -> Self {
        Self { records, board, troubles: Arc::default(), telling }
    }

    pub(super) fn troubles(&self) -> &Arc<Troubles> {
        &self.troubles
    }

    /// Takes events until the node is gone.
    pub(super) async fn run(self, mut events: mpsc::Receiver<Event>, clock: Clock) {
        while let Some(event) = events.recv().await {
            match event {
                Event::Step { call, step } => self.board.step(call, step, clock.now()),
                Event::Ended { epoch, result, receipt, .. } => {
                    self.keep_own(*result, Some((epoch, receipt)));
                }
                // The node has logged it, and says why it takes no calls.
                Event::Silenced { .. } => {}
                Event::Failed { what } => {
                    *self.troubles.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
                }
            }
        }
    }

    /// Keeps a result that came from another instance, now or later.
    pub(super) fn keep(&self, result: CallResult) {
        let (keeper, result) = (self.clone(), Arc::new(result));
        tokio::spawn(async move { keeper.keep_now_or_later(&result).await });
    }

    /// Keeps a result of this instance's, now or later, has others keep it, and gives its receipt back.
    pub(super) fn keep_own(&self, result: CallResult, owned: Option<(Epoch, Receipt)>) {
        let (keeper, result) = (self.clone(), Arc::new(result));
        tokio::spawn(async move {
            if !keeper.keep_now_or_later(&result).await {
                return;
            }
            if let Some(telling) = &keeper.telling {
                telling.tell(&result).await;
                if let Some((epoch, _)) = &owned {
                    telling.carried_out(*epoch).await;
                }
            }
            if let Some((_, receipt)) = owned {
                receipt.stored();
            }
        });
    }

    /// Keeps a result that another instance tells; when this returns it is on disk.
    pub(super) async fn copy(&self, result: CallResult) -> Result<(), RecordsError> {
        let result = Arc::new(result);
        let first = self.records.keep(Arc::clone(&result)).await?;
        // What was never accepted here counts where it was.
        self.board.kept(&result, first && self.board.open(result.call_id).is_some());
        Ok(())
    }

    /// Whether it is kept; not if this process ends: the journal offers it to the next one.
    async fn keep_now_or_later(&self, result: &Arc<CallResult>) -> bool {
        loop {
            match self.records.keep(Arc::clone(result)).await {
                Ok(first) => {
                    if self.troubles.records.swap(false, Ordering::Relaxed) {
                        tracing::info!("the records can be written again");
                    }
                    self.board.kept(result, first);
                    return true;
                }
                Err(RecordsError::Closed) => return false,
                Err(error) => self.refused(&error),
            }
            tokio::time::sleep(AGAIN).await;
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
