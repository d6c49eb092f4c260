//! Errors as RFC 9457 has them.
//!
//! ```json
//! { "type": "urn:baton:problem:invalid", "title": "The request is wrong", "status": 422,
//!   "errors": [{"pointer": "/to", "detail": "it is missing; write a number such as \"+254712345678\""}] }
//! ```

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::instance::request::Mistake;

/// Kinds of problems: the last part of their `type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    BadRequest,
    Unauthorized,
    NotFound,
    MethodNotAllowed,
    Timeout,
    CallOver,
    TooLarge,
    UnsupportedMediaType,
    Misdirected,
    Invalid,
    KeyReused,
    Busy,
    NoControl,
    Unknown,
    Unreachable,
    Draining,
    DiskFull,
    Failed,
    Records,
    Slow,
    NoMember,
    Files,
    PublishedMeanwhile,
    EngineAway,
}

impl Code {
    /// Word, status, title, and the seconds after which to try again.
    const fn about(self) -> (&'static str, StatusCode, &'static str, Option<u32>) {
        use StatusCode as S;
        match self {
            Self::BadRequest => ("bad-request", S::BAD_REQUEST, "The request cannot be read", None),
            Self::Unauthorized => ("unauthorized", S::UNAUTHORIZED, "A token is needed", None),
            Self::NotFound => ("not-found", S::NOT_FOUND, "There is no such thing", None),
            Self::MethodNotAllowed => {
                ("method-not-allowed", S::METHOD_NOT_ALLOWED, "This method is not for this", None)
            }
            Self::Timeout => ("timeout", S::REQUEST_TIMEOUT, "The request came too slowly", None),
            Self::CallOver => ("call-over", S::CONFLICT, "The call is over", None),
            Self::TooLarge => ("too-large", S::PAYLOAD_TOO_LARGE, "The request is too large", None),
            Self::UnsupportedMediaType => {
                ("unsupported-media-type", S::UNSUPPORTED_MEDIA_TYPE, "The request is not JSON", None)
            }
            Self::Misdirected => {
                ("misdirected", S::MISDIRECTED_REQUEST, "This host is not served here", None)
            }
            Self::Invalid => ("invalid", S::UNPROCESSABLE_ENTITY, "The request is wrong", None),
            Self::KeyReused => (
                "key-reused",
                S::UNPROCESSABLE_ENTITY,
                "The Idempotency-Key belongs to another request",
                None,
            ),
            Self::Busy => ("busy", S::SERVICE_UNAVAILABLE, "There is no room for a call", Some(5)),
            Self::NoControl => {
                ("no-control", S::SERVICE_UNAVAILABLE, "No instance places calls at the moment", Some(2))
            }
            Self::Unknown => {
                ("unknown", S::GATEWAY_TIMEOUT, "It is not known whether the call was placed", Some(5))
            }
            Self::Unreachable => {
                ("unreachable", S::SERVICE_UNAVAILABLE, "Another instance does not answer", Some(2))
            }
            Self::Draining => ("draining", S::SERVICE_UNAVAILABLE, "The instance is shutting down", Some(30)),
            Self::DiskFull => ("disk-full", S::SERVICE_UNAVAILABLE, "The disk is full", Some(10)),
            Self::Failed => ("failed", S::SERVICE_UNAVAILABLE, "The instance has failed", Some(60)),
            Self::Records => ("records", S::SERVICE_UNAVAILABLE, "The records cannot be used", Some(10)),
            Self::NoMember => ("no-member", S::CONFLICT, "This instance stands alone", None),
            Self::Files => ("files", S::UNPROCESSABLE_ENTITY, "This instance's files cannot be used", None),
            Self::PublishedMeanwhile => {
                ("published-meanwhile", S::CONFLICT, "Another instance has published", None)
            }
            Self::EngineAway => ("engine-away", S::SERVICE_UNAVAILABLE, "etcd does not answer", Some(5)),
            Self::Slow => ("slow", S::SERVICE_UNAVAILABLE, "The request took too long", Some(5)),
        }
    }
}

/// A problem, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) code: Code,
    detail: Option<String>,
    errors: Vec<Wrong>,
}

/// What is wrong, and where: in the body, or in the query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(super) enum Wrong {
    /// In the body.
    Body(Mistake),
    /// In the query.
    Query {
        /// Name of the parameter.
        parameter: String,
        /// What, and what to do.
        detail: String,
    },
}

#[derive(Serialize)]
struct Written<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [Wrong],
}

impl Problem {
    pub(super) const fn new(code: Code, detail: String) -> Self {
        Self { code, detail: Some(detail), errors: Vec::new() }
    }

    /// Mistakes in a body.
    pub(super) fn of_mistakes(mistakes: Vec<Mistake>) -> Self {
        let errors = mistakes.into_iter().map(Wrong::Body).collect();
        Self { code: Code::Invalid, detail: None, errors }
    }

    /// Mistakes in a query.
    pub(super) const fn of_query(errors: Vec<Wrong>) -> Self {
        Self { code: Code::BadRequest, detail: None, errors }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (word, status, title, again) = self.code.about();
        let written = Written {
            r#type: format!("urn:baton:problem:{word}"),
            title,
            status: status.as_u16(),
            detail: self.detail.as_deref(),
            errors: &self.errors,
        };
        let text = serde_json::to_string(&written).expect("texts and a number");
        let mut response = (status, text).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = again {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.code == Code::Unauthorized {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"baton\""));
        }
        response
    }
}

/// A value as JSON.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let text = serde_json::to_string(value).expect("nothing in it has keys that are no text");
    (status, [(header::CONTENT_TYPE, "application/json")], text).into_response()
}
