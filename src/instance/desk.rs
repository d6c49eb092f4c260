//! What other members of the cluster ask of this instance: what became of calls, and to place one that they accepted.
//!
//! A start indication is refused when it comes too late, when it means another edition of the questionnaire than is asked
//! here, or when the node takes no call. What was refused stays refused until it is too late: it may be placed elsewhere.
//! One for a call that is here is answered as the first one was: whoever became control repeats what its predecessor sent.

use std::sync::{Arc, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::task::spawn_blocking;

use super::board::State;
use super::placing::{Refused, accepted, of_node};
use super::request::CallRequest;
use super::{Instance, route};
use crate::id::CallId;
use crate::node::Placement;
use crate::peers::{Declined, Desk, Indication, Known, Reply};
use crate::sync::{Admission, NotAdmitted};

/// Where the instance is put as soon as there is one; its membership begins before it.
pub(super) type Place = Arc<OnceLock<Weak<Instance>>>;

/// Wall time, which other hosts share within the limits of their clocks.
pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The desk of the instance that will be at this place.
pub(super) fn desk(place: &Place) -> Desk {
    let (finding, beginning, ending) = (Arc::clone(place), Arc::clone(place), Arc::clone(place));
    let asked = Arc::clone(place);
    let at = |place: &Place| place.get().and_then(Weak::upgrade);
    Desk {
        find: Arc::new(move |calls| {
            let instance = at(&finding);
            Box::pin(async move {
                match instance {
                    Some(instance) => instance.known(calls).await,
                    None => Vec::new(),
                }
            })
        }),
        begin: Arc::new(move |indication| {
            let instance = at(&beginning);
            Box::pin(async move {
                match instance {
                    Some(instance) => instance.begin(indication).await,
                    None => Err("it is only starting".to_owned().into()),
                }
            })
        }),
        ask: Arc::new(move |question| {
            let instance = at(&asked);
            Box::pin(async move {
                match instance {
                    Some(instance) => instance.answer(question).await,
                    None => Reply::Failed("it is only starting".to_owned()),
                }
            })
        }),
        hang_up: Arc::new(move |calls| {
            let instance = at(&ending);
            Box::pin(async move {
                let Some(instance) = instance else { return };
                let node = Arc::clone(&instance.node);
                // A panic in there is told by the panic itself.
                drop(spawn_blocking(move || calls.into_iter().for_each(|call| node.hang_up(call))).await);
            })
        }),
        stock: None,
    }
}

impl Instance {
    /// What this instance itself knows of calls: those that it carries, and results that it has.
    async fn known(&self, calls: Vec<CallId>) -> Vec<Known> {
        let mut known = Vec::new();
        for call in calls {
            if let Some(open) = self.board.open(call).filter(|open| open.state != State::Elsewhere) {
                let state = open.state.to_string();
                known.push(Known { call, state, item: open.item, result: None });
                continue;
            }
            let kept = self.records.call(call).await.ok().flatten().filter(|kept| kept.disposition.is_some());
            let Some(kept) = kept else { continue };
            if let Ok(Some(result)) = self.records.result(kept.attempt_id).await {
                known.push(Known { call, state: "ended".to_owned(), item: None, result: Some(result) });
            }
        }
        known
    }

    /// Places a call that control, or another instance, has accepted.
    pub(super) async fn begin(self: Arc<Self>, indication: Indication) -> Result<(), Declined> {
        let call = indication.call;
        // Whoever asked may go away; what was begun is carried out.
        let begun = tokio::spawn(async move { self.begin_once(indication).await });
        begun.await.unwrap_or_else(|error| {
            // A panic in there is a bug: whether the call is placed is not known, so it is not refused.
            tracing::error!(%call, %error, "placing a call panicked; please report this");
            Ok(())
        })
    }

    async fn begin_once(&self, indication: Indication) -> Result<(), Declined> {
        let Indication { epoch, placement, call, .. } = indication;
        let _turn = self.door(call).lock().await;
        if self.has(call).await {
            return if self.hears(epoch) { Ok(()) } else { Err(NotAdmitted::Superseded.to_string().into()) };
        }
        let me = self.cluster().and_then(|status| status.incarnation);
        let me = me.ok_or_else(|| "it is in no cluster".to_owned())?;
        let admitted = self.admission().admit(now_ms(), me, call, epoch, &placement);
        admitted.map_err(|why| why.to_string())?;
        let begun = self.begin_in_time(indication).await;
        if begun.is_err() {
            self.admission().refuse(now_ms(), call, placement.not_after_ms);
        }
        begun
    }

    /// Whether this instance carries the call, or has its result.
    async fn has(&self, call: CallId) -> bool {
        if self.board.open(call).is_some_and(|open| open.state != State::Elsewhere) {
            return true;
        }
        let kept = self.records.call(call).await;
        kept.is_ok_and(|kept| kept.is_some_and(|kept| kept.disposition.is_some()))
    }

    /// Which start indications this instance takes.
    pub(super) fn admission(&self) -> MutexGuard<'_, Admission> {
        self.admission.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn begin_in_time(&self, indication: Indication) -> Result<(), Declined> {
        let Indication { call, attempt, request, edition, .. } = indication;
        if self.lacks_mirrors() {
            return Err(super::UNMIRRORED.to_owned().into());
        }
        let wanted: CallRequest =
            serde_json::from_str(&request).map_err(|error| format!("its request cannot be read: {error}"))?;
        // Held until it is placed: a reload waits, so that the edition it names stays loaded. While one waits here, all
        // members may be at it, and each of them at the door of another: nobody waits in turn.
        let Ok(library) = self.library.try_read() else {
            return Err("it is just taking other files".to_owned().into());
        };
        let placement = route::placement(&library, &wanted, call).map_err(|mistakes| {
            let first = mistakes.into_iter().next().map(|mistake| mistake.detail);
            format!("it cannot be placed with this instance's files: {}", first.unwrap_or_default())
        })?;
        if placement.questionnaire != edition {
            return Err("this instance asks another edition of the questionnaire".to_owned().into());
        }
        let row = accepted((call, attempt), &wanted, request, &placement, self.clock.now());
        self.records.inherit(vec![row]).await.map_err(|error| error.to_string())?;
        let was_open = self.board.open(call).is_some();
        self.board.accepted(call, self.clock.now());
        let (node, placement) =
            (Arc::clone(&self.node), Placement { names: Some((call, attempt)), ..placement });
        let placed = spawn_blocking(move || node.place(placement)).await;
        let Ok(placed) = placed else {
            // A panic in there is a bug: whether the call is placed is not known, so it is not refused.
            tracing::error!(%call, "placing a call panicked; please report this");
            return Ok(());
        };
        let Err(error) = placed else { return Ok(()) };
        if was_open {
            self.board.elsewhere([call], self.clock.now());
        } else {
            self.board.withdrawn(call);
        }
        self.forget_refused(call).await;
        let why = error.to_string();
        let mistakes = match of_node(&error) {
            Refused::Mistakes(mistakes) => mistakes,
            Refused::Conflict
            | Refused::Draining
            | Refused::Busy(_)
            | Refused::NoControl(_)
            | Refused::Unknown(_)
            | Refused::DiskFull
            | Refused::Failed
            | Refused::Records(_) => Vec::new(),
        };
        let mistakes = mistakes.into_iter().map(|mistake| (mistake.pointer, mistake.detail)).collect();
        Err(Declined { why, mistakes })
    }

    /// The row of a call that was refused goes, unless control has stored it: then it is control's.
    async fn forget_refused(&self, call: CallId) {
        let kept = self.records.call(call).await.ok().flatten();
        if kept.is_some_and(|kept| kept.assigned.is_none())
            && let Err(error) = self.records.withdraw(call).await
        {
            tracing::warn!(%call, %error, "the row of a call that was refused stays in the records");
        }
    }
}
