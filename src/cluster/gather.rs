//! The records that fall to a successor: its own copies, and what the others hold where it lacks something.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::errands::Constants;
use super::{Inherited, TakeOver};
use crate::id::CallId;
use crate::peers::pull;
use crate::store::journal::Copied;
use crate::sync::{Claim, Incarnation, Inheritance, heir};
use crate::time::Timestamp;

/// How long others may take to tell what they hold, at most: calls are without a voice meanwhile.
const PATIENCE: Duration = Duration::from_millis(500);

type Records = BTreeMap<CallId, (Incarnation, Copied)>;

/// All that falls to `by`.
pub(super) async fn gather(
    constants: &Constants,
    by: Incarnation,
    inheritance: Inheritance,
    lived: Option<Timestamp>,
) -> TakeOver {
    let Inheritance { of, epoch, claim, earlier } = &inheritance;
    let owners: Vec<Incarnation> =
        std::iter::once(*of).chain(earlier.iter().map(|(first, _)| *first)).collect();
    let mut records = Records::new();
    for (call_id, kept) in constants.table.of(&owners) {
        let saved = Copied { call_id, epoch: kept.epoch, revision: kept.revision, record: Some(kept.record) };
        take(&mut records, kept.owner, saved);
    }
    // What is said to be held through a number is whole up to there.
    let is_whole = earlier.is_empty() && constants.table.held(*of) >= Some(claim.through);
    let is_answered = is_whole || pull_all(constants, &owners, &mut records).await;
    let records = records.into_values().filter_map(|(owner, saved)| {
        let claims = claims_since(owner, saved.call_id, *of, earlier)?;
        let is_mine = heir(&claim.heirs, saved.call_id) == Some(by) && saved.epoch.0 < *epoch;
        is_mine.then_some(Inherited { owner, claims, saved })
    });
    let records: Vec<Inherited> = records.collect();
    let stale = claim.stale || !is_answered;
    TakeOver { records, stale, lived, inheritance }
}

/// How many claims lie between an owner's save and this one; `None`: the call went to another one.
fn claims_since(
    owner: Incarnation,
    call: CallId,
    of: Incarnation,
    earlier: &[(Incarnation, Claim)],
) -> Option<u32> {
    if owner == of {
        return Some(1);
    }
    let was_given =
        |(first, claim): &(Incarnation, Claim)| *first == owner && heir(&claim.heirs, call) == Some(of);
    earlier.iter().any(was_given).then_some(2)
}

/// The youngest of each call counts.
fn take(records: &mut Records, owner: Incarnation, saved: Copied) {
    let version = |saved: &Copied| (saved.epoch, saved.revision);
    match records.get(&saved.call_id) {
        Some((_, known)) if version(known) >= version(&saved) => {}
        Some(_) | None => drop(records.insert(saved.call_id, (owner, saved))),
    }
}

/// Asks all others for what they hold; whether anybody answered.
async fn pull_all(constants: &Constants, owners: &[Incarnation], records: &mut Records) -> bool {
    let mut asked = JoinSet::new();
    for (&member, &address) in &constants.addresses {
        for &owner in owners.iter().filter(|owner| owner.node != member && member != constants.node) {
            let identity = constants.identity.clone();
            asked.spawn(async move {
                let pulled = timeout(PATIENCE, pull(address, member, &identity, owner)).await;
                pulled.ok().and_then(Result::ok).map(|pulled| (owner, pulled))
            });
        }
    }
    let mut is_answered = false;
    while let Some(pulled) = asked.join_next().await {
        if let Ok(Some((owner, pulled))) = pulled {
            is_answered = true;
            pulled.into_iter().for_each(|saved| take(records, owner, saved));
        }
    }
    is_answered
}
