//! Reading: one call, pages of calls, calls that are open.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::starts::{self, Assigned};
use super::{Records, RecordsError};
use crate::id::{AttemptId, CallId, Digest};
use crate::outcome::Disposition;

/// Attempts of a case that are told.
const MAX_ATTEMPTS: i64 = 1_000;

/// A call as it stands in the records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The order in which calls were accepted; only grows.
    pub number: i64,
    /// Its id.
    pub call_id: CallId,
    /// The attempt that it is.
    pub attempt_id: AttemptId,
    /// Whom it calls.
    pub to: String,
    /// Through which trunk.
    pub trunk: String,
    /// Id of its questionnaire.
    pub questionnaire: String,
    /// Digest of its questionnaire.
    pub digest: String,
    /// The request, in JSON.
    pub request: String,
    /// When it was accepted, in RFC 3339.
    pub accepted_at: String,
    /// Its outcome; `None`: it is open.
    pub disposition: Option<String>,
    /// When it was over, in RFC 3339.
    pub ended_at: Option<String>,
    /// The case that it is an attempt of.
    pub case: Option<String>,
    /// The key of its request.
    pub key: Option<String>,
    /// Where control has placed it; `None`: it stands alone, or its control did not come to that.
    pub assigned: Option<Assigned>,
}

/// A call that has a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyed {
    /// Which.
    pub call: CallId,
    /// Digest of its request.
    pub request_digest: String,
}

/// Which calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only those that are open, or only those that are over.
    pub open: Option<bool>,
    /// Only those with this outcome.
    pub disposition: Option<Disposition>,
}

/// A part of a list, the newest call first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Calls with a lower number; `None`: from the newest on.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: u32,
}

/// More calls than these are read all together.
const WORTH_ALL: usize = 50;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT number, call_id, attempt_id, destination, trunk, questionnaire, digest, request, accepted_at, \
             disposition, ended_at, case_name, idempotency_key, placement FROM calls ",
            $rest
        )
    };
}

impl Records {
    /// A call, if there is one of this id.
    ///
    /// # Errors
    /// [`RecordsError`].
    pub async fn call(&self, id: CallId) -> Result<Option<Kept>, RecordsError> {
        let one = sqlx::query(select!("WHERE call_id = $1")).bind(id.as_str());
        one.fetch_optional(&self.readers).await?.map(|row| kept(&row)).transpose()
    }

    /// The call that has this key.
    ///
    /// # Errors
    /// [`RecordsError`].
    pub async fn known(&self, key: &str) -> Result<Option<Keyed>, RecordsError> {
        let one =
            sqlx::query("SELECT call_id, request_digest FROM calls WHERE idempotency_key = $1").bind(key);
        let row = one.fetch_optional(&self.readers).await?;
        let keyed =
            |row| Ok(Keyed { call: id(&row, "call_id")?, request_digest: row.try_get("request_digest")? });
        row.map(keyed).transpose()
    }

    /// The result of an attempt, as JSON, if it is over.
    ///
    /// # Errors
    /// [`RecordsError`].
    pub async fn result(&self, attempt: AttemptId) -> Result<Option<String>, RecordsError> {
        let one = sqlx::query_scalar("SELECT result FROM results WHERE attempt_id = $1");
        Ok(one.bind(attempt.as_str()).fetch_optional(&self.readers).await?)
    }

    /// How many interviews of each quota were complete, by questionnaire.
    ///
    /// # Errors
    /// [`RecordsError`].
    pub async fn counted(&self) -> Result<Vec<(Digest, String, u32)>, RecordsError> {
        let all = sqlx::query("SELECT digest, quota, counted FROM quotas").fetch_all(&self.readers).await?;
        let of = |row: &SqliteRow| -> Result<_, RecordsError> {
            let counted: i64 = row.try_get("counted")?;
            Ok((id(row, "digest")?, row.try_get("quota")?, u32::try_from(counted).unwrap_or(u32::MAX)))
        };
        all.iter().map(of).collect()
    }

    /// A page of calls, the newest first.
    ///
    /// # Errors
    /// [`RecordsError`].
    pub async fn list(&self, filter: Filter, page: Page) -> Result<Vec<Kept>, RecordsError> {
        let (before, limit) = (page.before.unwrap_or(i64::MAX), i64::from(page.limit));
        // Each has its own index.
        let query = match (filter.disposition, filter.open) {
            (Some(_), _) => {
                select!("WHERE number < $1 AND disposition = $3 ORDER BY number DESC LIMIT $2")
            }
            (None, Some(true)) => {
                select!("WHERE number < $1 AND disposition IS NULL ORDER BY number DESC LIMIT $2")
            }
            (None, Some(false)) => {
                select!("WHERE number < $1 AND disposition IS NOT NULL ORDER BY number DESC LIMIT $2")
            }
            (None, None) => select!("WHERE number < $1 ORDER BY number DESC LIMIT $2"),
        };
        let mut query = sqlx::query(query).bind(before).bind(limit);
        if let Some(disposition) = filter.disposition {
            query = query.bind(disposition.as_str());
        }
        query.fetch_all(&self.readers).await?.iter().map(kept).collect()
    }

    /// The attempts of a case, the oldest first; of very many the latest.
    ///
    /// # Errors
    /// [`RecordsError`].
    pub async fn attempts(&self, case: &str) -> Result<Vec<Kept>, RecordsError> {
        let latest = sqlx::query(select!("WHERE case_name = $1 ORDER BY number DESC LIMIT $2"));
        let latest = latest.bind(case).bind(MAX_ATTEMPTS).fetch_all(&self.readers).await?;
        latest.iter().rev().map(kept).collect()
    }

    /// Calls that are open, in the order in which they were accepted: at most `limit` after this number.
    ///
    /// # Errors
    /// [`RecordsError`].
    pub async fn open_after(&self, number: i64, limit: u32) -> Result<Vec<Kept>, RecordsError> {
        let all = sqlx::query(select!("WHERE disposition IS NULL AND number > $1 ORDER BY number LIMIT $2"));
        let all = all.bind(number).bind(i64::from(limit));
        all.fetch_all(&self.readers).await?.iter().map(kept).collect()
    }

    /// All calls that are open.
    ///
    /// # Errors
    /// [`RecordsError`].
    pub async fn open_calls(&self) -> Result<Vec<Kept>, RecordsError> {
        let all = sqlx::query(select!("WHERE disposition IS NULL ORDER BY number"));
        all.fetch_all(&self.readers).await?.iter().map(kept).collect()
    }

    /// The same without those that somebody knows already. After a crash nearly all are known, and people hear nothing
    /// until this is done: of those the names alone are read.
    ///
    /// # Errors
    /// [`RecordsError`].
    pub async fn open_calls_besides(&self, known: &BTreeSet<CallId>) -> Result<Vec<Kept>, RecordsError> {
        let all = sqlx::query("SELECT call_id FROM calls WHERE disposition IS NULL ORDER BY number");
        let all = all.fetch_all(&self.readers).await?;
        let all = all.iter().map(|row| id(row, "call_id")).collect::<Result<Vec<CallId>, _>>()?;
        let unknown: Vec<CallId> = all.into_iter().filter(|call| !known.contains(call)).collect();
        if unknown.len() > WORTH_ALL {
            let open = self.open_calls().await?;
            return Ok(open.into_iter().filter(|kept| !known.contains(&kept.call_id)).collect());
        }
        let mut open = Vec::new();
        for call in unknown {
            open.extend(self.call(call).await?.filter(|kept| kept.disposition.is_none()));
        }
        Ok(open)
    }
}

fn kept(row: &SqliteRow) -> Result<Kept, RecordsError> {
    Ok(Kept {
        number: row.try_get("number")?,
        call_id: id(row, "call_id")?,
        attempt_id: id(row, "attempt_id")?,
        to: row.try_get("destination")?,
        trunk: row.try_get("trunk")?,
        questionnaire: row.try_get("questionnaire")?,
        digest: row.try_get("digest")?,
        request: row.try_get("request")?,
        accepted_at: row.try_get("accepted_at")?,
        disposition: row.try_get("disposition")?,
        ended_at: row.try_get("ended_at")?,
        case: row.try_get("case_name")?,
        key: row.try_get("idempotency_key")?,
        assigned: starts::read(row.try_get("placement")?),
    })
}

fn id<T: FromStr<Err: Display>>(row: &SqliteRow, column: &str) -> Result<T, RecordsError> {
    let text: String = row.try_get(column)?;
    text.parse().map_err(|error| RecordsError::Damaged { what: format!("{column} `{text}`: {error}") })
}
