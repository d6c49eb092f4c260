//! After a restart: what the records and the journal say of each call, held against each other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tokio::task::spawn_blocking;

use super::request::CallRequest;
use crate::call::{AskedQuestionnaire, Call, CallResult, EndedBy, Progress};
use crate::id::{CallId, Digest};
use crate::interview::Interview;
use crate::node::Earlier;
use crate::outcome::Disposition;
use crate::questionnaire::Questionnaire;
use crate::store::journal::{self, SavedCall};
use crate::store::records::{Accepted, Kept};
use crate::time::Timestamp;

/// What an earlier process left.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// Calls that the journal holds.
    pub(super) journal: BTreeMap<CallId, Progress>,
    /// The editions that these are pinned to.
    pub(super) editions: BTreeSet<Digest>,
    /// Calls that were accepted, and of which the journal knows nothing.
    pub(super) unplaced: Vec<Accepted>,
}

impl Left {
    pub(super) fn of(earlier: &[Earlier], unplaced: Vec<Kept>) -> Self {
        let mut left = Self::default();
        for Earlier { call_id, call, .. } in earlier {
            // One that cannot be read is told by the node. It was placed, whatever it is.
            let call = call.as_ref().ok();
            left.journal.insert(*call_id, call.map_or(Progress::Dialling, Call::progress));
            left.editions.extend(call.map(Call::questionnaire));
        }
        for kept in unplaced {
            left.editions.extend(kept.digest.parse::<Digest>().ok());
            left.unplaced.extend(accepted(kept));
        }
        left
    }
}

/// The records that the journal in `dir` holds now; `None`: it cannot be read, and the log says why.
pub(super) async fn journalled(dir: &Path) -> Option<Vec<SavedCall>> {
    let dir = dir.to_owned();
    match spawn_blocking(move || journal::read(&dir)).await {
        Ok(Ok(replay)) => Some(replay.calls),
        Ok(Err(error)) => {
            tracing::error!(%error, "the journal cannot be read: what only it knows of calls does not go on");
            None
        }
        Err(_) => None, // told by the panic itself
    }
}

/// A call of the records as it was accepted.
pub(super) fn accepted(kept: Kept) -> Option<Accepted> {
    let accepted_at = accepted_at(&kept)?;
    Some(Accepted {
        call_id: kept.call_id,
        attempt_id: kept.attempt_id,
        to: kept.to,
        trunk: kept.trunk,
        questionnaire: kept.questionnaire,
        digest: kept.digest.parse().ok()?,
        case: kept.case,
        request: kept.request,
        key: None,
        accepted_at,
    })
}

/// When a call of the records was accepted.
pub(super) fn accepted_at(kept: &Kept) -> Option<Timestamp> {
    let at: jiff::Timestamp = kept.accepted_at.parse().ok()?;
    Some(Timestamp::from_micros(u64::try_from(at.as_microsecond()).ok()?))
}

/// The result of a call that was accepted and never placed: its INVITE cannot have left, because the journal has no
/// record of it.
pub(super) fn never_placed(
    accepted: &Accepted,
    questionnaire: Option<&Questionnaire>,
    now: Timestamp,
) -> CallResult {
    let fields = CallRequest::fields_of(&accepted.request);
    let interview = questionnaire.and_then(|it| Some((it, Interview::begin(it, &fields, 0).ok()?)));
    let interview = interview.as_ref();
    CallResult {
        call_id: accepted.call_id,
        attempt_id: accepted.attempt_id,
        case_id: None,
        to: accepted.to.clone(),
        trunk: accepted.trunk.clone(),
        tries: Vec::new(),
        disposition: Disposition::NotAttempted,
        aapor: Disposition::NotAttempted.aapor().into(),
        sip_status: None,
        cause: None,
        retry_after_s: None,
        ended_by: EndedBy::Caller,
        fault: None,
        takeovers: 0,
        answered_by: None,
        tones: Vec::new(),
        media: None,
        started_at: accepted.accepted_at,
        ringing_at: None,
        answered_at: None,
        ended_at: now.max(accepted.accepted_at),
        questionnaire: AskedQuestionnaire {
            id: accepted.questionnaire.clone(),
            version: questionnaire.map(|it| it.version().to_owned()).unwrap_or_default(),
            digest: accepted.digest,
        },
        language: interview.map(|(_, interview)| interview.language().to_owned()).unwrap_or_default(),
        seed: 0,
        quotas: Vec::new(),
        transfer: None,
        computed: BTreeMap::new(),
        responses: interview.map(|(it, interview)| interview.responses(it)).unwrap_or_default(),
        recordings: Vec::new(),
    }
}
