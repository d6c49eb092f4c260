//! What this instance answers control, and others about calls.

use std::sync::Arc;

use super::Instance;
use super::board::State;
use crate::call::CallResult;
use crate::id::CallId;
use crate::peers::{PAGE, Question, Reply, Told};
use crate::store::records::{Kept, RecordsError, Stored};

impl Instance {
    /// Answers another member.
    pub(super) async fn answer(self: Arc<Self>, question: Question) -> Reply {
        let replied = match question {
            Question::Calls { key, calls } => self.told(key, calls).await,
            Question::Open { after } => self.open_page(after).await,
            Question::Store { epoch, row } => {
                if !self.hears(epoch) {
                    return Reply::Superseded;
                }
                self.records.store(*row).await.map(|stored| match stored {
                    Stored::Yes => Reply::Done,
                    Stored::Over => Reply::Over,
                    Stored::Superseded => Reply::Superseded,
                })
            }
            Question::Withdraw { epoch, call } => {
                if !self.hears(epoch) {
                    return Reply::Superseded;
                }
                self.records.withdraw(call).await.map(|()| Reply::Done)
            }
            Question::Place { accepted, assets, again } => {
                // Whoever asked may go away; what was begun is carried out.
                let placed =
                    tokio::spawn(async move { self.place_as_control(*accepted, assets, again).await });
                return match placed.await {
                    Ok(request) => Reply::Placed(request),
                    Err(error) => {
                        Reply::Failed(format!("placing a call panicked; please report this: {error}"))
                    }
                };
            }
            Question::Keep { result } => match serde_json::from_str::<CallResult>(&result) {
                Ok(result) => self.keeper.copy(result).await.map(|()| Reply::Done),
                Err(error) => return Reply::Failed(format!("a result that cannot be read: {error}")),
            },
        };
        replied.unwrap_or_else(|error| {
            tracing::error!(%error, "what another instance asked cannot be answered");
            Reply::Failed(error.to_string())
        })
    }

    /// Whether who speaks under this epoch is control, as far as is known here.
    pub(super) fn hears(&self, epoch: u64) -> bool {
        self.admission().hears(epoch)
    }

    /// What is known here of a key, and of calls.
    pub(super) async fn told(
        &self,
        key: Option<String>,
        mut calls: Vec<CallId>,
    ) -> Result<Reply, RecordsError> {
        if let Some(key) = key
            && let Some(keyed) = self.records.known(&key).await?
        {
            calls.push(keyed.call);
        }
        let mut told = Vec::new();
        for call in calls.into_iter().take(usize::try_from(PAGE).unwrap_or(usize::MAX)) {
            if let Some(kept) = self.records.call(call).await? {
                told.push(self.told_of(kept).await?);
            }
        }
        Ok(Reply::Calls(told))
    }

    async fn told_of(&self, kept: Kept) -> Result<Told, RecordsError> {
        let carried = self.board.open(kept.call_id).filter(|open| open.state != State::Elsewhere);
        let carried = carried.map(|open| (open.state.to_string(), open.since, open.item));
        let result = match &kept.disposition {
            Some(_) => self.records.result(kept.attempt_id).await?,
            None => None,
        };
        Ok(Told { kept, carried, result })
    }

    async fn open_page(&self, after: i64) -> Result<Reply, RecordsError> {
        let open = self.records.open_after(after, PAGE).await?;
        Ok(Reply::Calls(open.into_iter().map(|kept| Told { kept, carried: None, result: None }).collect()))
    }
}
