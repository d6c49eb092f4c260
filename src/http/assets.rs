//! What all members of a cluster have alike: look at it, publish this instance's own.

use std::sync::Arc;

use axum::extract::{Request, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json as value};

use super::body;
use super::problem::{Code, Problem, json};
use crate::engine::Index;
use crate::instance::{Instance, Publication, PublishError, SharedFiles, Told};

/// `GET /api/v1/assets`
pub(super) async fn list(Shared(instance): Shared<Arc<Instance>>) -> Response {
    let Some(told) = instance.shared() else { return alone().into_response() };
    let SharedFiles { questionnaires, dialplan, trunks } = instance.shared_files().await;
    let questionnaires = questionnaires.into_iter().map(|one| {
        value!({
            "id": one.id, "version": one.version, "digest": one.edition, "files": one.files, "bytes": one.bytes,
            "dir": one.dir,
        })
    });
    let mut answer = standing(&told);
    if let Some(members) = answer.as_object_mut() {
        members.insert("questionnaires".to_owned(), questionnaires.collect());
        members.insert("dialplan".to_owned(), value!(dialplan));
        members.insert("trunks".to_owned(), value!(trunks));
    }
    json(StatusCode::OK, &answer)
}

/// `POST /api/v1/assets`: this instance's own files become those of all members.
pub(super) async fn publish(Shared(instance): Shared<Arc<Instance>>, request: Request) -> Response {
    let force = match body::json(request).await.and_then(|body| wish(&body)) {
        Ok(force) => force,
        Err(problem) => return problem.into_response(),
    };
    match instance.publish_own(force).await {
        Ok(Publication::Published { version, changes }) => {
            json(StatusCode::OK, &value!({"version": version, "changes": changes}))
        }
        Ok(Publication::Same { version }) => {
            json(StatusCode::OK, &value!({"version": version, "changes": Value::Array(Vec::new())}))
        }
        Ok(Publication::Kept(missed)) => refused(&PublishError::Missed(missed)).into_response(),
        Err(error) => refused(&error).into_response(),
    }
}

/// Whether it is meant in any case.
fn wish(body: &Value) -> Result<bool, Problem> {
    let wrong = |detail: &str| Err(Problem::new(Code::BadRequest, detail.to_owned()));
    let Some(members) = body.as_object() else { return wrong("send an object, such as {}") };
    if let Some(name) = members.keys().find(|name| *name != "force") {
        return Err(Problem::new(
            Code::BadRequest,
            format!("there is no member `{name}` here; there is `force`"),
        ));
    }
    match members.get("force") {
        None => Ok(false),
        Some(Value::Bool(force)) => Ok(*force),
        Some(_) => wrong("`force` is true or false"),
    }
}

fn alone() -> Problem {
    Problem::new(Code::NoMember, PublishError::Alone.to_string())
}

fn refused(error: &PublishError) -> Problem {
    let code = match error {
        PublishError::Alone => Code::NoMember,
        PublishError::NoFile | PublishError::Files(_) => Code::Files,
        PublishError::Unknown | PublishError::Engine(_) => Code::EngineAway,
        PublishError::Other { .. } | PublishError::Gone | PublishError::Missed(_) => Code::PublishedMeanwhile,
    };
    Problem::new(code, error.to_string())
}

/// How this instance stands to what all members are to have.
pub(super) fn standing(told: &Told) -> Value {
    let of = |index: &Index| {
        let Index { manifest, version, by, at, .. } = index;
        value!({"version": version, "digest": manifest, "by": by.as_str(), "at": at})
    };
    value!({
        "cluster": told.index.as_ref().map(of),
        "here": told.adopted.as_ref().map(of),
        "behind": told.behind.as_ref().map(|behind| &behind.why),
        "differs": told.differs,
    })
}
