//! The one writer: what waits is made durable together.

use std::sync::Arc;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};
use tokio::sync::{mpsc, oneshot};

use super::starts::{self, Row, Stored};
use super::{Acceptance, Accepted, RecordsError};
use crate::call::CallResult;
use crate::id::{CallId, Digest};
use crate::outcome::Disposition;

/// Orders of one transaction: enough to share an `fsync`, few enough that the first does not wait for long.
const GROUP: usize = 256;

/// Something to write, and who waits for it.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) work: Work,
    pub(super) answer: oneshot::Sender<Result<Done, RecordsError>>,
}

/// What is to be written.
#[derive(Debug)]
pub(super) enum Work {
    Accept(Box<Accepted>),
    Store(Box<Row>),
    Inherit(Vec<Accepted>),
    Withdraw(CallId),
    Keep(Arc<CallResult>),
    Close,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Done {
    Accepted(Acceptance),
    Stored(Stored),
    Inherited,
    Withdrawn,
    Kept { first: bool },
    Closed,
}

pub(super) struct Writer {
    options: SqliteConnectOptions,
    /// Absent after a failure: a connection whose `fsync` failed may take for written what is not.
    connection: Option<SqliteConnection>,
}

impl Writer {
    pub(super) const fn new(options: SqliteConnectOptions, connection: SqliteConnection) -> Self {
        Self { options, connection: Some(connection) }
    }

    pub(super) async fn run(mut self, mut waiting: mpsc::Receiver<Order>) {
        let mut group = Vec::with_capacity(GROUP);
        while waiting.recv_many(&mut group, GROUP).await > 0 {
            let ends = group.iter().any(|order| matches!(order.work, Work::Close));
            match self.write(&group).await {
                Ok(done) => {
                    for (order, done) in group.drain(..).zip(done) {
                        // Who has gone away did not want to know.
                        drop(order.answer.send(Ok(done)));
                    }
                }
                // One that cannot be written must not take the others with it.
                Err(_) if group.len() > 1 => {
                    for order in group.drain(..) {
                        let one = self.write(std::slice::from_ref(&order)).await;
                        let one = one.map(|done| done.first().copied().unwrap_or(Done::Closed));
                        drop(order.answer.send(one));
                    }
                }
                Err(error) => {
                    for order in group.drain(..) {
                        drop(order.answer.send(Err(error.clone())));
                    }
                }
            }
            if ends {
                break;
            }
        }
        if let Some(connection) = self.connection.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "the records were not closed in order; nothing is lost");
        }
    }

    /// Writes a group, all or nothing.
    async fn write(&mut self, group: &[Order]) -> Result<Vec<Done>, RecordsError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.options.connect().await?,
        };
        let done = transact(&mut connection, group).await;
        match &done {
            Ok(_) => self.connection = Some(connection),
            // Dropped without a farewell, which would write.
            Err(_) => drop(connection.close_hard().await),
        }
        done
    }
}

async fn transact(connection: &mut SqliteConnection, group: &[Order]) -> Result<Vec<Done>, RecordsError> {
    let mut all = connection.begin_with("BEGIN IMMEDIATE").await?;
    let mut done = Vec::with_capacity(group.len());
    for order in group {
        done.push(match &order.work {
            Work::Accept(accepted) => Done::Accepted(accept(&mut all, accepted).await?),
            Work::Store(row) => Done::Stored(starts::store(&mut all, row).await?),
            Work::Inherit(calls) => {
                for call in calls {
                    add(&mut all, call).await?;
                }
                Done::Inherited
            }
            Work::Withdraw(call) => {
                let gone = "DELETE FROM calls WHERE call_id = $1 AND disposition IS NULL";
                sqlx::query(gone).bind(call.as_str()).execute(&mut *all).await?;
                Done::Withdrawn
            }
            Work::Keep(result) => Done::Kept { first: keep(&mut all, result).await? },
            Work::Close => Done::Closed,
        });
    }
    all.commit().await?;
    Ok(done)
}

async fn accept(to: &mut SqliteConnection, accepted: &Accepted) -> Result<Acceptance, RecordsError> {
    let request_digest = Digest::of(accepted.request.as_bytes()).to_string();
    if let Some(key) = &accepted.key {
        let known = "SELECT call_id, request_digest FROM calls WHERE idempotency_key = $1";
        if let Some(row) = sqlx::query(known).bind(key).fetch_optional(&mut *to).await? {
            if row.try_get::<String, _>(1)? != request_digest {
                return Ok(Acceptance::Conflict);
            }
            let id: String = row.try_get(0)?;
            let call =
                id.parse().map_err(|_| RecordsError::Damaged { what: format!("`{id}` is no call id") })?;
            return Ok(Acceptance::Known(call));
        }
    }
    if add(to, accepted).await? { Ok(Acceptance::New) } else { Ok(Acceptance::Conflict) }
}

/// Adds the row of a call. False: there is one of this id.
pub(super) async fn add(to: &mut SqliteConnection, accepted: &Accepted) -> Result<bool, RecordsError> {
    let request_digest = Digest::of(accepted.request.as_bytes()).to_string();
    let add = "INSERT INTO calls (call_id, attempt_id, destination, trunk, questionnaire, digest, request, \
               request_digest, idempotency_key, accepted_at, case_name) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING";
    let added = sqlx::query(add)
        .bind(accepted.call_id.as_str())
        .bind(accepted.attempt_id.as_str())
        .bind(&accepted.to)
        .bind(&accepted.trunk)
        .bind(&accepted.questionnaire)
        .bind(accepted.digest.to_string())
        .bind(&accepted.request)
        .bind(request_digest)
        .bind(&accepted.key)
        .bind(accepted.accepted_at.to_string())
        .bind(&accepted.case);
    Ok(added.execute(to).await?.rows_affected() > 0)
}

async fn keep(to: &mut SqliteConnection, result: &CallResult) -> Result<bool, RecordsError> {
    let text = serde_json::to_string(result)
        .map_err(|error| RecordsError::Damaged { what: format!("a result that is no JSON: {error}") })?;
    let attempt = result.attempt_id.as_str();
    let add = "INSERT INTO results (attempt_id, result) VALUES ($1, $2) ON CONFLICT (attempt_id) DO NOTHING";
    let added = sqlx::query(add).bind(attempt).bind(text).execute(&mut *to).await?;
    if added.rows_affected() == 0 {
        return Ok(false);
    }
    for (position, response) in (0_i64..).zip(&result.responses) {
        let value = response.value.as_ref().map(ToString::to_string);
        let digits: String = response.digits.iter().map(|press| press.key.as_char()).collect();
        let add = "INSERT INTO replies (attempt_id, position, question, status, value, digits) \
                   VALUES ($1, $2, $3, $4, $5, $6)";
        let reply = sqlx::query(add).bind(attempt).bind(position).bind(&response.question);
        reply.bind(word(response.status)).bind(value).bind(digits).execute(&mut *to).await?;
    }
    count(to, result).await?;
    let end = "UPDATE calls SET disposition = $2, ended_at = $3 WHERE attempt_id = $1";
    let ended = sqlx::query(end).bind(attempt).bind(result.disposition.as_str());
    let ended = ended.bind(result.ended_at.to_string()).execute(&mut *to).await?;
    if ended.rows_affected() == 0 {
        unasked(to, result).await?;
    }
    Ok(true)
}

/// Counts a complete interview in the quotas that it belongs to, once: with its result.
async fn count(to: &mut SqliteConnection, result: &CallResult) -> Result<(), RecordsError> {
    if result.disposition != Disposition::Complete {
        return Ok(());
    }
    let digest = result.questionnaire.digest.to_string();
    for asked in result.quotas.iter().filter(|asked| asked.applies && !asked.full) {
        let add = "INSERT INTO quotas (digest, quota, counted) VALUES ($1, $2, 1) \
                   ON CONFLICT (digest, quota) DO UPDATE SET counted = quotas.counted + 1";
        sqlx::query(add).bind(&digest).bind(&asked.quota).execute(&mut *to).await?;
    }
    Ok(())
}

/// The row of a call that these records never accepted: its journal is older than they are.
async fn unasked(to: &mut SqliteConnection, result: &CallResult) -> Result<(), RecordsError> {
    let add = "INSERT INTO calls (call_id, attempt_id, destination, trunk, questionnaire, digest, request, \
               request_digest, accepted_at, disposition, ended_at) \
               VALUES ($1, $2, $3, $4, $5, $6, '{}', '', $7, $8, $9)";
    let added = sqlx::query(add)
        .bind(result.call_id.as_str())
        .bind(result.attempt_id.as_str())
        .bind(&result.to)
        .bind(&result.trunk)
        .bind(&result.questionnaire.id)
        .bind(result.questionnaire.digest.to_string())
        .bind(result.started_at.to_string())
        .bind(result.disposition.as_str())
        .bind(result.ended_at.to_string());
    added.execute(to).await?;
    Ok(())
}

/// A status as it stands in results.
fn word(status: crate::interview::Status) -> String {
    serde_json::to_value(status).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}
