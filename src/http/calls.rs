//! Calls: place, look at, list, hang up.

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, Request, State as Shared};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use serde_json::value::RawValue;

use super::body;
use super::problem::{Code, Problem, Wrong, json};
use crate::id::CallId;
use crate::instance::request::CallRequest;
use crate::instance::{FindError, Instance, Open, Placed, Refused, State, Wanted};
use crate::outcome::{self, Disposition};
use crate::store::records::{Kept, Page, RecordsError};

/// Calls of a page, if nobody says how many.
const PAGE: u32 = 50;
/// Calls of a page at most.
const MAX_PAGE: u32 = 500;
/// Characters of an Idempotency-Key.
const MAX_KEY: usize = 255;

/// A call as the API shows it.
#[derive(Serialize)]
struct Shown<'a> {
    call_id: &'a str,
    attempt_id: &'a str,
    /// `accepted`, `dialling`, `ringing`, `talking`, `ending` or `ended`.
    state: &'a str,
    /// Since when it is so far; of one that is over, when it was.
    since: String,
    to: &'a str,
    trunk: &'a str,
    questionnaire: Asked<'a>,
    /// The question that was asked last.
    item: Option<&'a str>,
    accepted_at: &'a str,
    ended_at: Option<&'a str>,
    disposition: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    case: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Asked<'a> {
    id: &'a str,
    digest: &'a str,
}

#[derive(Serialize)]
struct Listed<'a> {
    calls: Vec<Shown<'a>>,
    /// Give it as `before` to get the next page; `null`: this is the last one.
    next_before: Option<i64>,
}

fn shown<'a>(kept: &'a Kept, open: Option<&'a Open>) -> Shown<'a> {
    let since = open.map(|open| open.since.to_string());
    let since = since.or_else(|| kept.ended_at.clone()).unwrap_or_else(|| kept.accepted_at.clone());
    let state = match (&kept.disposition, open) {
        (Some(_), _) => "ended",
        (None, Some(open)) => open.state.as_str(),
        // It was over a moment ago, and is about to be so in the records.
        (None, None) => State::Ending.as_str(),
    };
    Shown {
        call_id: kept.call_id.as_str(),
        attempt_id: kept.attempt_id.as_str(),
        state,
        since,
        to: &kept.to,
        trunk: &kept.trunk,
        questionnaire: Asked { id: &kept.questionnaire, digest: &kept.digest },
        item: open.and_then(|open| open.item.as_deref()),
        accepted_at: &kept.accepted_at,
        ended_at: kept.ended_at.as_deref(),
        disposition: kept.disposition.as_deref(),
        case: kept.case.as_deref(),
        result: None,
    }
}

/// `POST /api/v1/calls`
pub(super) async fn place(
    Shared(instance): Shared<Arc<Instance>>,
    request: Request,
) -> Result<Response, Problem> {
    let key = key(request.headers())?;
    let value = body::json(request).await?;
    let request = CallRequest::read(&value).map_err(Problem::of_mistakes)?;
    let placed = instance.place(&request, key).await.map_err(|refused| of_refused(&refused))?;
    let (id, is_known) = match placed {
        Placed::New(id) => (id, false),
        Placed::Known(id) => (id, true),
    };
    let found = instance.find(id).await.map_err(|error| of_find(&error))?;
    let (kept, open, _) = found.ok_or_else(|| none(id.as_str()))?;
    let mut response = json(StatusCode::CREATED, &shown(&kept, open.as_ref()));
    let location = HeaderValue::from_str(&format!("/api/v1/calls/{id}")).expect("ids are ASCII");
    response.headers_mut().insert(header::LOCATION, location);
    if is_known {
        response.headers_mut().insert("idempotent-replayed", HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// `GET /api/v1/calls`
pub(super) async fn list(
    Shared(instance): Shared<Arc<Instance>>,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(query) = query.map_err(|error| Problem::new(Code::BadRequest, error.body_text()))?;
    let (wanted, page) = read_query(&query).map_err(Problem::of_query)?;
    let (calls, next_before) = instance.list(wanted, page).await.map_err(|error| of_records(&error))?;
    let calls = calls.iter().map(|(kept, open)| shown(kept, open.as_ref())).collect();
    Ok(json(StatusCode::OK, &Listed { calls, next_before }))
}

/// A case as the API shows it.
#[derive(Serialize)]
struct Case<'a> {
    case: &'a str,
    /// What its attempts have come to; `null`: none of them is over.
    disposition: Option<Disposition>,
    aapor: Option<&'static str>,
    /// The oldest first.
    attempts: Vec<Shown<'a>>,
}

/// `GET /api/v1/cases/{case}`
pub(super) async fn case(
    Shared(instance): Shared<Arc<Instance>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let Path(case) = path.map_err(|error| Problem::new(Code::NotFound, error.body_text()))?;
    let attempts = instance.attempts(&case).await.map_err(|error| of_records(&error))?;
    if attempts.is_empty() {
        let case: String = case.chars().take(64).collect();
        return Err(Problem::new(Code::NotFound, format!("no call was placed for the case {case}")));
    }
    let ended = attempts.iter().filter_map(|(kept, _)| kept.disposition.as_deref()).filter_map(disposition);
    let disposition = outcome::of_case(ended);
    let shown = Case {
        case: &case,
        disposition,
        aapor: disposition.map(Disposition::aapor),
        attempts: attempts.iter().map(|(kept, open)| shown(kept, open.as_ref())).collect(),
    };
    Ok(json(StatusCode::OK, &shown))
}

/// `GET /api/v1/calls/{id}`
pub(super) async fn one(
    Shared(instance): Shared<Arc<Instance>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let (kept, open, result) = find(&instance, path).await?;
    let result = result.and_then(|text| RawValue::from_string(text).ok());
    let shown = Shown { result: result.as_deref(), ..shown(&kept, open.as_ref()) };
    Ok(json(StatusCode::OK, &shown))
}

/// `DELETE /api/v1/calls/{id}`
pub(super) async fn hang_up(
    Shared(instance): Shared<Arc<Instance>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let (kept, ..) = find(&instance, path).await?;
    if let Some(disposition) = kept.disposition {
        return Err(Problem::new(Code::CallOver, format!("it ended as {disposition}")));
    }
    instance.hang_up(kept.call_id).await;
    Ok(StatusCode::ACCEPTED.into_response())
}

async fn find(
    instance: &Instance,
    path: Result<Path<String>, PathRejection>,
) -> Result<(Kept, Option<Open>, Option<String>), Problem> {
    let Path(id) = path.map_err(|error| Problem::new(Code::NotFound, error.body_text()))?;
    let Ok(call) = id.parse::<CallId>() else { return Err(none(&id)) };
    instance.find(call).await.map_err(|error| of_find(&error))?.ok_or_else(|| none(&id))
}

fn none(id: &str) -> Problem {
    let id: String = id.chars().take(64).collect();
    Problem::new(Code::NotFound, format!("no call has the id {id}"))
}

/// The `Idempotency-Key` of a request: text in quotation marks as the draft has it, or bare as many send it.
fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut keys = headers.get_all("idempotency-key").iter();
    let Some(key) = keys.next() else { return Ok(None) };
    let bare = key.to_str().unwrap_or_default().trim();
    let bare = bare.strip_prefix('"').and_then(|bare| bare.strip_suffix('"')).unwrap_or(bare);
    let is_key = (1..=MAX_KEY).contains(&bare.len()) && !bare.contains(['"', '\\']) && keys.next().is_none();
    if is_key {
        return Ok(Some(bare.to_owned()));
    }
    let detail = format!("Idempotency-Key is one text of 1 to {MAX_KEY} printable ASCII characters");
    Err(Problem::new(Code::BadRequest, detail))
}

fn read_query(query: &[(String, String)]) -> Result<(Wanted, Page), Vec<Wrong>> {
    let mut wrong = Vec::new();
    let mut say = |parameter: &str, detail: String| {
        wrong.push(Wrong::Query { parameter: parameter.to_owned(), detail });
    };
    let (mut wanted, mut page) = (Wanted::All, Page { before: None, limit: PAGE });
    let mut filters = 0;
    for (name, value) in query {
        match name.as_str() {
            "limit" => match value.parse() {
                Ok(limit @ 1..=MAX_PAGE) => page.limit = limit,
                Ok(_) | Err(_) => say(name, format!("a number from 1 to {MAX_PAGE}")),
            },
            "before" => match value.parse() {
                Ok(before @ 1..) => page.before = Some(before),
                Ok(_) | Err(_) => say(name, "the `next_before` of the page before".to_owned()),
            },
            "state" => {
                filters += 1;
                match state(value) {
                    Some(state) => wanted = state,
                    None => {
                        let all = State::ALL.map(State::as_str).join(", ");
                        say(name, format!("one of open, ended, {all}"));
                    }
                }
            }
            "disposition" => {
                filters += 1;
                match disposition(value) {
                    Some(disposition) => wanted = Wanted::Disposition(disposition),
                    None => {
                        let all = Disposition::ALL.map(Disposition::as_str).join(", ");
                        say(name, format!("one of {all}"));
                    }
                }
            }
            _ => say(
                name,
                "there is no such parameter; there are limit, before, state, disposition".to_owned(),
            ),
        }
    }
    if filters > 1 {
        say("state", "give one `state` or one `disposition`".to_owned());
    }
    if wrong.is_empty() { Ok((wanted, page)) } else { Err(wrong) }
}

fn disposition(word: &str) -> Option<Disposition> {
    Disposition::ALL.into_iter().find(|disposition| disposition.as_str() == word)
}

fn state(word: &str) -> Option<Wanted> {
    match word {
        "open" => Some(Wanted::Open),
        "ended" => Some(Wanted::Ended),
        word => State::ALL.into_iter().find(|state| state.as_str() == word).map(Wanted::State),
    }
}

fn of_refused(refused: &Refused) -> Problem {
    let code = match refused {
        Refused::Mistakes(mistakes) => return Problem::of_mistakes(mistakes.clone()),
        Refused::Conflict => Code::KeyReused,
        Refused::Draining => Code::Draining,
        Refused::Busy(_) => Code::Busy,
        Refused::NoControl(_) => Code::NoControl,
        Refused::Unknown(_) => Code::Unknown,
        Refused::DiskFull => Code::DiskFull,
        Refused::Failed => Code::Failed,
        Refused::Records(error) => return of_records(error),
    };
    Problem::new(code, refused.to_string())
}

fn of_find(error: &FindError) -> Problem {
    match error {
        FindError::Silent { .. } => Problem::new(Code::Unreachable, error.to_string()),
        FindError::Records(error) => of_records(error),
    }
}

/// What the database says stands in the log: it may name files.
fn of_records(error: &RecordsError) -> Problem {
    tracing::error!(%error, "a request could not be answered");
    Problem::new(Code::Records, "the records cannot be used; the log says why".to_owned())
}
