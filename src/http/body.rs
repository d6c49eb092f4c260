//! The body of a request: JSON, within a limit of size and time.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header;
use http_body_util::{BodyExt as _, Limited};
use serde_json::Value;

use super::problem::{Code, Problem};

/// Bytes of a body: a request for a call has a few hundred.
pub(super) const MAX_BYTES: usize = 64 << 10;
/// How long it may take to come.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads a body.
pub(super) async fn json(request: Request<Body>) -> Result<Value, Problem> {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = content_type.and_then(|value| value.split(';').next()).map(str::trim);
    if !media_type.is_some_and(|media_type| media_type.eq_ignore_ascii_case("application/json")) {
        let detail = "send `Content-Type: application/json`".to_owned();
        return Err(Problem::new(Code::UnsupportedMediaType, detail));
    }
    let body = Limited::new(request.into_body(), MAX_BYTES).collect();
    let bytes = match tokio::time::timeout(PATIENCE, body).await {
        Ok(Ok(collected)) => collected.to_bytes(),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            return Err(Problem::new(Code::TooLarge, format!("at most {MAX_BYTES} bytes")));
        }
        Ok(Err(error)) => return Err(Problem::new(Code::BadRequest, format!("the body broke off: {error}"))),
        Err(_) => {
            let detail = format!("the body must come within {} s", PATIENCE.as_secs());
            return Err(Problem::new(Code::Timeout, detail));
        }
    };
    serde_json::from_slice(&bytes)
        .map_err(|error| Problem::new(Code::BadRequest, format!("the body is no JSON: {error}")))
}
