//! One request, one call: written down, then placed.
//!
//! ```text
//! known key? ── the same request ─► that call         ── another ─► conflict
//!   │ no
//! takes calls? ─► accept (on disk) ─► Node::place ── refused ─► withdraw (on disk), and the reason
//!                    │                    │
//!                    │ crash              │ crash: the journal has it, or its INVITE has not left
//!                    ▼
//!        the next start ends it as not attempted
//! ```
//! It is not placed then: whoever asked may have asked elsewhere since, and the hour at which the person may be called
//! may be over. The result says `not_attempted`, which costs a case nothing, and it can be asked for again.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use super::choosing::Chosen;
use super::request::{CallRequest, Mistake};
use super::{Instance, recover, route};
use crate::id::{AttemptId, CallId, Digest};
use crate::node::{PlaceError, Placement, Refusal};
use crate::store::records::{Acceptance, Accepted, RecordsError};
use crate::time::Timestamp;

/// A request that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    /// A new call.
    New(CallId),
    /// The call that the same request with the same key was taken for before.
    Known(CallId),
}

/// A request that was not taken. Nothing was dialled.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Something in it is wrong.
    #[error("the request is wrong")]
    Mistakes(Vec<Mistake>),
    /// Another request has its key.
    #[error("another request was made with this key; a new request needs a key of its own")]
    Conflict,
    /// The instance is shutting down.
    #[error("this instance is shutting down and takes no calls")]
    Draining,
    /// As many calls as there may be, or too much to do at the moment.
    #[error("{0}")]
    Busy(String),
    /// Nobody places the cluster's calls at the moment.
    #[error("{0}; running calls go on")]
    NoControl(String),
    /// Whoever was to place it does not answer.
    #[error("{0}; ask again with the same Idempotency-Key, or look for the call in the list")]
    Unknown(String),
    /// The journal's disk is full.
    #[error("{}", PlaceError::DiskFull)]
    DiskFull,
    /// The journal cannot be written.
    #[error("this instance has failed and takes no calls; its log says why")]
    Failed,
    /// The records cannot be used.
    #[error(transparent)]
    Records(#[from] RecordsError),
}

/// A request as it stands in the records, called in this way. Who knows its key adds that.
pub(super) fn accepted(
    (call_id, attempt_id): (CallId, AttemptId),
    request: &CallRequest,
    text: String,
    placement: &Placement,
    now: Timestamp,
) -> Accepted {
    Accepted {
        call_id,
        attempt_id,
        to: placement.to.clone(),
        trunk: placement.trunk.clone(),
        questionnaire: request.questionnaire.clone(),
        digest: placement.questionnaire,
        case: request.case.clone(),
        request: text,
        key: None,
        accepted_at: now,
    }
}

impl Instance {
    /// Takes a request where nobody is control.
    async fn place_by_itself(
        self: &Arc<Self>,
        request: &CallRequest,
        text: String,
        key: Option<String>,
    ) -> Result<Placed, Refused> {
        // Requests with one key wait for each other, so that none hears of a call that is then taken back.
        let _turn = match &key {
            Some(key) => Some(self.turn(key).lock().await),
            None => None,
        };
        match self.known_by(key.as_deref(), &text).await? {
            Acceptance::New => self.place_new(request, text, key).await,
            Acceptance::Known(call) => Ok(Placed::Known(call)),
            Acceptance::Conflict => Err(Refused::Conflict),
        }
    }

    /// What these records know of a key: whether this request, or another one, has it.
    pub(super) async fn known_by(&self, key: Option<&str>, text: &str) -> Result<Acceptance, RecordsError> {
        let Some(key) = key else { return Ok(Acceptance::New) };
        Ok(match self.records.known(key).await? {
            Some(known) if known.request_digest == Digest::of(text.as_bytes()).to_string() => {
                Acceptance::Known(known.call)
            }
            Some(_) => Acceptance::Conflict,
            None => Acceptance::New,
        })
    }

    /// Takes a request. With a key, it is taken once however often it is sent, and to whichever instance of a cluster.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn place(
        self: &Arc<Self>,
        request: &CallRequest,
        key: Option<String>,
    ) -> Result<Placed, Refused> {
        let text = serde_json::to_string(request).expect("a request is texts and numbers");
        let placed = match &self.member {
            Some(member) if member.has_control => self.place_by_control(member, request, text, key).await,
            Some(_) | None => self.place_by_itself(request, text, key).await,
        };
        let is_ours = |refused: &Refused| match refused {
            Refused::Mistakes(_) | Refused::Conflict => false,
            Refused::Draining
            | Refused::NoControl(_)
            | Refused::Unknown(_)
            | Refused::Busy(_)
            | Refused::DiskFull
            | Refused::Failed
            | Refused::Records(_) => true,
        };
        if placed.as_ref().is_err_and(is_ours) {
            self.board.refused();
        }
        placed
    }

    async fn place_new(
        self: &Arc<Self>,
        request: &CallRequest,
        text: String,
        key: Option<String>,
    ) -> Result<Placed, Refused> {
        if self.member.is_some() {
            self.may_accept()?;
        } else {
            self.has_room()?;
        }
        // Held until it is placed: a reload waits, so that the edition it names stays loaded.
        let library = self.library.read().await;
        let (call_id, attempt_id) = self.node.draw_names();
        let placement = route::placement(&library, request, call_id).map_err(Refused::Mistakes)?;
        let placement = Placement { names: Some((call_id, attempt_id)), ..placement };
        let now = self.clock.now();
        let accepted = Accepted { key, ..accepted((call_id, attempt_id), request, text, &placement, now) };
        match self.records.accept(accepted.clone()).await? {
            Acceptance::New => {}
            Acceptance::Known(call) => return Ok(Placed::Known(call)),
            Acceptance::Conflict => return Err(Refused::Conflict),
        }
        self.board.accepted(call_id, now);
        if self.choose(&accepted).await == Chosen::Elsewhere {
            return Ok(Placed::New(call_id));
        }
        self.board.here(call_id, now);
        if self.member.is_some()
            && let Err(refused) = self.has_room()
        {
            self.take_back(accepted, &library, refused.to_string()).await;
            return Err(refused);
        }
        // It binds ports and may wait for a shard.
        let node = Arc::clone(&self.node);
        let placed = tokio::task::spawn_blocking(move || node.place(placement)).await;
        match placed {
            Ok(Ok(call)) => Ok(Placed::New(call)),
            Ok(Err(error)) => {
                let refused = of_node(&error);
                self.take_back(accepted, &library, refused.to_string()).await;
                Err(refused)
            }
            // A panic in there is a bug: whether the call is placed is not known, so it is not taken back.
            Err(error) => {
                tracing::error!(%error, call = %call_id, "placing a call panicked; please report this");
                Err(Refused::Failed)
            }
        }
    }

    /// Whether anything may be accepted at all; a member may find that another one has room.
    pub(super) fn may_accept(&self) -> Result<(), Refused> {
        match self.node.usage().closed {
            Some(Refusal::Draining) => Err(Refused::Draining),
            Some(Refusal::DiskFull) => Err(Refused::DiskFull),
            Some(Refusal::Silent) => Err(Refused::Busy(PlaceError::Silent.to_string())),
            Some(Refusal::Failed) => Err(Refused::Failed),
            Some(Refusal::Full) | None => Ok(()),
        }
    }

    /// Whether a call may be placed here.
    fn has_room(&self) -> Result<(), Refused> {
        self.may_accept()?;
        if self.lacks_mirrors() {
            return Err(Refused::Busy(super::UNMIRRORED.to_owned()));
        }
        let usage = self.node.usage();
        if usage.calls < usage.limit {
            return Ok(());
        }
        Err(Refused::Busy(PlaceError::Full { limit: usage.limit }.to_string()))
    }

    /// Takes back what was accepted and not placed. If the records refuse that too, it ends as not attempted as soon
    /// as they can be written.
    async fn take_back(&self, accepted: Accepted, library: &super::Library, why: String) {
        let call = accepted.call_id;
        if self.records.withdraw(call).await.is_ok() {
            return self.board.withdrawn(call);
        }
        let digest = accepted.digest.to_string();
        let now = self.clock.now();
        let result = recover::never_placed(&accepted, library.edition(&digest).map(Arc::as_ref), now);
        tracing::warn!(%call, why, "a call was not placed; its record ends when the records can be written");
        self.keeper.keep_own(result, None);
    }

    /// Where requests with this key wait for each other; others may wait there too.
    pub(super) fn turn(&self, key: &str) -> &tokio::sync::Mutex<()> {
        stripe(&self.turns, key)
    }

    /// Where start indications for this call wait for each other.
    pub(super) fn door(&self, call: CallId) -> &tokio::sync::Mutex<()> {
        stripe(&self.doors, call.as_str())
    }
}

fn stripe<'a>(stripes: &'a [tokio::sync::Mutex<()>], key: &str) -> &'a tokio::sync::Mutex<()> {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    let count = u64::try_from(stripes.len()).expect("a few dozen");
    let stripe = usize::try_from(hasher.finish() % count).expect("a few dozen");
    &stripes[stripe]
}

pub(super) fn of_node(error: &PlaceError) -> Refused {
    let said = chain(error);
    match error {
        PlaceError::Full { .. } | PlaceError::Busy | PlaceError::Silent | PlaceError::Ports(_) => {
            Refused::Busy(said)
        }
        PlaceError::Draining => Refused::Draining,
        PlaceError::DiskFull => Refused::DiskFull,
        PlaceError::Failed => Refused::Failed,
        PlaceError::To { .. } | PlaceError::Emergency { .. } => {
            Refused::Mistakes(vec![Mistake::at("to", said)])
        }
        PlaceError::Trunk { .. } | PlaceError::From { .. } => {
            Refused::Mistakes(vec![Mistake::at("trunk", said)])
        }
        PlaceError::Route { .. }
        | PlaceError::Closed { .. }
        | PlaceError::Channels { .. }
        | PlaceError::Starts { .. } => Refused::Busy(said),
        PlaceError::Start(_) => Refused::Mistakes(vec![Mistake { pointer: String::new(), detail: said }]),
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |said, cause| format!("{said}: {cause}"))
}
