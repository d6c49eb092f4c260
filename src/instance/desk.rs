//! What other members of the cluster ask of this instance: what became of calls, and to place one that they accepted.
//!
//! A start indication is refused when it comes too late, when it means another edition of the questionnaire than is asked
//! here, or when the node takes no call. What was refused stays refused until it is too late: it may be placed elsewhere.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::task::spawn_blocking;

use super::board::State;
use super::request::CallRequest;
use super::{Instance, route};
use crate::id::CallId;
use crate::node::Placement;
use crate::peers::{Desk, Indication, Known};
use crate::store::records::Accepted;

/// Where the instance is put as soon as there is one; its membership begins before it.
pub(super) type Place = Arc<OnceLock<Weak<Instance>>>;

/// Refused start indications, until when each is remembered, in ms since 1970.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<BTreeMap<CallId, u64>>);

impl Refusals {
    fn remember(&self, call: CallId, until_ms: u64) {
        let now = now_ms();
        let mut refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        refused.retain(|_, until| *until >= now);
        refused.insert(call, until_ms);
    }

    fn has(&self, call: CallId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&call)
    }
}

/// Wall time, which other hosts share within the limits of their clocks.
pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The desk of the instance that will be at this place.
pub(super) fn desk(place: &Place) -> Desk {
    let (finding, beginning, ending) = (Arc::clone(place), Arc::clone(place), Arc::clone(place));
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
                    None => Err("it is only starting".to_owned()),
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

    /// Places a call that another instance has accepted.
    async fn begin(self: Arc<Self>, indication: Indication) -> Result<(), String> {
        let (call, until) = (indication.call, indication.not_after_ms);
        if self.refused.has(call) {
            return Err("it was refused before".to_owned());
        }
        let begun = self.begin_in_time(indication).await;
        if begun.is_err() {
            self.refused.remember(call, until);
        }
        begun
    }

    async fn begin_in_time(&self, indication: Indication) -> Result<(), String> {
        let Indication { call, attempt, request, edition, not_after_ms, .. } = indication;
        if now_ms() > not_after_ms {
            return Err("it came too late".to_owned());
        }
        if self.lacks_mirrors() {
            return Err(super::UNMIRRORED.to_owned());
        }
        let wanted: CallRequest =
            serde_json::from_str(&request).map_err(|error| format!("its request cannot be read: {error}"))?;
        // Held until it is placed: a reload waits, so that the edition it names stays loaded. While one waits here, all
        // members may be at it, and each of them at the door of another: nobody waits in turn.
        let Ok(library) = self.library.try_read() else {
            return Err("it is just taking other files".to_owned());
        };
        let placement = route::placement(&library, &wanted, call).map_err(|mistakes| {
            let first = mistakes.into_iter().next().map(|mistake| mistake.detail);
            format!("it cannot be placed with this instance's files: {}", first.unwrap_or_default())
        })?;
        if placement.questionnaire != edition {
            return Err("this instance asks another edition of the questionnaire".to_owned());
        }
        let row = Accepted {
            call_id: call,
            attempt_id: attempt,
            to: placement.to.clone(),
            trunk: placement.trunk.clone(),
            questionnaire: wanted.questionnaire.clone(),
            digest: edition,
            case: wanted.case.clone(),
            request,
            key: None,
            accepted_at: self.clock.now(),
        };
        self.records.inherit(vec![row]).await.map_err(|error| error.to_string())?;
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
        self.board.withdrawn(call);
        if let Err(error) = self.records.withdraw(call).await {
            tracing::warn!(%call, %error, "the row of a call that was refused stays in the records");
        }
        Err(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Mint;

    #[test]
    fn a_refusal_is_remembered_until_it_is_too_late_anyway() {
        let (refusals, mut mint) = (Refusals::default(), Mint::seeded(1));
        let [first, second] = [(); 2].map(|()| CallId::mint(&mut mint));
        refusals.remember(first, now_ms() + 60_000);
        assert!(refusals.has(first) && !refusals.has(second));
        refusals.remember(second, 1);
        refusals.remember(CallId::mint(&mut mint), now_ms() + 60_000);
        assert!(refusals.has(first) && !refusals.has(second));
    }
}
