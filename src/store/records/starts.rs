//! Calls of a cluster: what control has stored of each before its start indication left, here and with others.

use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::write::add;
use super::{Accepted, RecordsError};
use crate::id::Digest;
use crate::sync::Placement;

/// Where a call is placed, and what who places it has to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assigned {
    /// Where.
    pub placement: Placement,
    /// The initialisation data of who took the request, as one digest.
    pub assets: Digest,
}

/// A call as control has it stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// As it was accepted.
    pub accepted: Accepted,
    /// Where it is placed.
    pub assigned: Assigned,
}

/// What became of a row that was to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It is on disk.
    Yes,
    /// The call has its result already.
    Over,
    /// A later placement of it is known, or its key is another call's.
    Superseded,
}

/// Stores a row: a new one, or in place of an earlier placement of the same call. A key goes to the latest control's call.
pub(super) async fn store(to: &mut SqliteConnection, row: &Row) -> Result<Stored, RecordsError> {
    let Row { accepted, assigned } = row;
    let epoch = i64::try_from(assigned.placement.epoch).unwrap_or(i64::MAX);
    let known = sqlx::query("SELECT placement, disposition FROM calls WHERE call_id = $1");
    let known = known.bind(accepted.call_id.as_str()).fetch_optional(&mut *to).await?;
    if let Some(known) = known {
        if known.try_get::<Option<String>, _>(1)?.is_some() {
            return Ok(Stored::Over);
        }
        let before = read(known.try_get(0)?);
        if before.is_some_and(|before| !assigned.placement.succeeds(&before.placement)) {
            return Ok(Stored::Superseded);
        }
    } else {
        if let Some(key) = &accepted.key {
            let other = sqlx::query("SELECT control_epoch FROM calls WHERE idempotency_key = $1");
            if let Some(other) = other.bind(key).fetch_optional(&mut *to).await? {
                if other.try_get::<i64, _>(0)? >= epoch {
                    return Ok(Stored::Superseded);
                }
                let free = "UPDATE calls SET idempotency_key = NULL WHERE idempotency_key = $1";
                sqlx::query(free).bind(key).execute(&mut *to).await?;
            }
        }
        if !add(to, accepted).await? {
            return Ok(Stored::Superseded);
        }
    }
    let text = serde_json::to_string(assigned)
        .map_err(|error| RecordsError::Damaged { what: format!("a placement that is no JSON: {error}") })?;
    let place = "UPDATE calls SET placement = $2, control_epoch = $3 WHERE call_id = $1";
    let place = sqlx::query(place).bind(accepted.call_id.as_str()).bind(text).bind(epoch);
    place.execute(to).await?;
    Ok(Stored::Yes)
}

/// A placement as it stands in its column.
pub(super) fn read(text: Option<String>) -> Option<Assigned> {
    serde_json::from_str(&text?).ok()
}
