//! Calls of the whole cluster, asked for at any of its instances.
//!
//! ```text
//!  POST at any ─► checked here ─► control: places it (`control`) ── silent, or nobody is ─► asked again, as the same call
//!  GET, DELETE at any ─► here, or whoever has it
//! ```
//! A request that was sent to a control of which nothing is heard any more is asked again of its successor by the same call
//! id: it is placed once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::board::State;
use super::membership::Member;
use super::placing::{Placed, Refused, accepted};
use super::request::{CallRequest, Mistake};
use super::{Instance, Open, route};
use crate::call::CallResult;
use crate::id::{CallId, Digest};
use crate::peers::{Question, Reply, Request, Told, Unasked};
use crate::store::records::{Accepted, Kept, RecordsError};
use crate::sync::Incarnation;

/// How long a request waits for control: longer than a takeover takes.
const PATIENCE: Duration = Duration::from_secs(5);
/// From one try to the next.
const AGAIN: Duration = Duration::from_millis(150);
/// How long control may take for one request: it asks all others, twice.
const PLACING: Duration = Duration::from_secs(8);
/// How long others may take to say what they know of a call.
const LOOKING: Duration = Duration::from_secs(2);

/// Why it cannot be said what is known of a call.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// Somebody who may know it does not answer.
    #[error("this instance does not know it, and {silent} of the others did not answer")]
    Silent {
        /// How many.
        silent: usize,
    },
    /// The records.
    #[error(transparent)]
    Records(#[from] RecordsError),
}

/// What came of one try.
enum Tried {
    Answered(Request),
    /// Control may have heard of it; why it is not known what it did.
    Unknown(String),
    /// Nothing was done; why.
    Not(String),
}

/// Waits until this one is not control any more, as far as is known here.
async fn is_gone(member: &Member, holder: Incarnation) {
    loop {
        sleep(AGAIN).await;
        let status = member.view.status();
        let is_heard = status.heard().any(|other| other.incarnation == holder);
        if !is_heard || status.seat.is_none_or(|seat| seat.holder != holder) {
            return;
        }
    }
}

impl Instance {
    /// Has a call placed by whoever is control.
    pub(super) async fn place_by_control(
        self: &Arc<Self>,
        member: &Member,
        request: &CallRequest,
        text: String,
        key: Option<String>,
    ) -> Result<Placed, Refused> {
        let (accepted, assets) = self.checked(request, text, key).await?;
        let (begun, mut again) = (Instant::now(), false);
        loop {
            let why = match self.try_control(member, &accepted, assets, again).await {
                Tried::Answered(Request::New(call)) => return Ok(Placed::New(call)),
                // What was asked again may have been taken the first time.
                Tried::Answered(Request::Known(call)) if call == accepted.call_id => {
                    return Ok(Placed::New(call));
                }
                Tried::Answered(Request::Known(call)) => return Ok(Placed::Known(call)),
                Tried::Answered(Request::Conflict) => return Err(Refused::Conflict),
                Tried::Answered(Request::Wrong(mistakes)) => {
                    let mistakes = mistakes.into_iter();
                    let mistakes = mistakes.map(|(pointer, detail)| Mistake { pointer, detail });
                    return Err(Refused::Mistakes(mistakes.collect()));
                }
                Tried::Answered(Request::Busy(why)) => return Err(Refused::Busy(why)),
                Tried::Answered(Request::NotNow(why)) | Tried::Not(why) => why,
                Tried::Unknown(why) => {
                    again = true;
                    why
                }
            };
            if begun.elapsed() > PATIENCE {
                return Err(if again { Refused::Unknown(why) } else { Refused::NoControl(why) });
            }
            sleep(AGAIN).await;
        }
    }

    /// The call as it is to be accepted, if its request is right by what is loaded here, and the digest of that.
    async fn checked(
        &self,
        request: &CallRequest,
        text: String,
        key: Option<String>,
    ) -> Result<(Accepted, Digest), Refused> {
        self.may_accept()?;
        let library = self.library.read().await;
        let (call_id, attempt_id) = self.node.draw_names();
        let placement = route::placement(&library, request, call_id).map_err(Refused::Mistakes)?;
        let now = self.clock.now();
        let accepted = accepted((call_id, attempt_id), request, text, &placement, now);
        let accepted = Accepted { key, ..accepted };
        Ok((accepted, library.content.digest))
    }

    async fn try_control(
        self: &Arc<Self>,
        member: &Member,
        accepted: &Accepted,
        assets: Digest,
        again: bool,
    ) -> Tried {
        let status = member.view.status();
        if status.controls.is_some() {
            let (instance, accepted) = (Arc::clone(self), accepted.clone());
            // Whoever asked may go away; what was begun is carried out.
            let placed =
                tokio::spawn(async move { instance.place_as_control(accepted, assets, again).await });
            return match placed.await {
                Ok(request) => Tried::Answered(request),
                Err(error) => Tried::Unknown(format!("placing a call panicked; please report this: {error}")),
            };
        }
        let Some(seat) = status.seat else { return Tried::Not("no instance is control yet".to_owned()) };
        let holder = seat.holder;
        if status.heard().all(|other| other.incarnation != holder) {
            return Tried::Not(format!("{holder} is control, and is not heard"));
        }
        let question = Question::Place { accepted: Box::new(accepted.clone()), assets, again };
        let replied = tokio::select! {
            replied = member.others.ask(holder.node, &question, PLACING) => replied,
            () = is_gone(member, holder) => Err(Unasked::Unknown("it is not heard any more".to_owned())),
        };
        match replied {
            Ok(Reply::Placed(request)) => Tried::Answered(request),
            Ok(other) => Tried::Unknown(format!("{holder} is control, and replied {other:?}")),
            Err(Unasked::Unreached(why)) => Tried::Not(format!("{holder} is control: {why}")),
            Err(Unasked::Unknown(why)) => Tried::Unknown(format!("{holder} is control: {why}")),
        }
    }

    // ── any call, anywhere ──

    /// A call as it stands here or with whoever has it, how far it is if it is open, and its result if it is over.
    ///
    /// # Errors
    /// [`FindError`].
    pub async fn find(&self, id: CallId) -> Result<Option<(Kept, Option<Open>, Option<String>)>, FindError> {
        let open = self.board.open(id);
        let kept = self.records.call(id).await?;
        let is_here = open.as_ref().is_some_and(|open| open.state != State::Elsewhere);
        match (kept, &self.member) {
            (Some(kept), _) if kept.disposition.is_some() => {
                let result = self.records.result(kept.attempt_id).await?;
                Ok(Some((kept, None, result)))
            }
            (Some(kept), _) if is_here => Ok(Some((kept, open, None))),
            (Some(kept), None) => Ok(Some((kept, open, None))),
            (None, None) => Ok(None),
            (kept, Some(member)) => self.found_elsewhere(member, id, kept).await,
        }
    }

    async fn found_elsewhere(
        &self,
        member: &Member,
        id: CallId,
        kept: Option<Kept>,
    ) -> Result<Option<(Kept, Option<Open>, Option<String>)>, FindError> {
        let question = Question::Calls { key: None, calls: vec![id] };
        let living: Vec<_> = member.view.status().living().map(|other| other.incarnation.node).collect();
        let replies = member.others.ask_all(living, &question, LOOKING).await;
        let silent = replies.values().filter(|reply| !matches!(reply, Ok(Reply::Calls(_)))).count();
        let told = replies.into_values().filter_map(Result::ok);
        let told = told.filter_map(|reply| if let Reply::Calls(calls) = reply { Some(calls) } else { None });
        let best = told.flatten().max_by_key(|one| (one.result.is_some(), one.carried.is_some()));
        match (best, kept) {
            (Some(Told { kept, result: Some(result), .. }), _) => {
                if let Ok(result) = serde_json::from_str::<CallResult>(&result) {
                    self.keeper.keep(result);
                }
                Ok(Some((kept, None, Some(result))))
            }
            (Some(Told { kept, carried: Some((state, since, item)), .. }), _) => {
                let state = State::ALL.into_iter().find(|one| one.as_str() == state);
                let state = state.unwrap_or(State::Elsewhere);
                Ok(Some((kept, Some(Open { state, since, item }), None)))
            }
            (_, Some(kept)) | (Some(Told { kept, .. }), None) => {
                let open = self.board.open(id).or_else(|| Some(Open::elsewhere(&kept)));
                Ok(Some((kept, open, None)))
            }
            (None, None) if silent > 0 => Err(FindError::Silent { silent }),
            (None, None) => Ok(None),
        }
    }
}
