//! Who may use the API.
//!
//! ```text
//! tokens in the settings ─► Authorization: Bearer …, whose SHA-256 is one of theirs   (healthz, readyz: everybody)
//! none (then it listens on loopback) ─► the Host header must name this machine
//! ```
//! Without the second a page from elsewhere could have its own name resolve to 127.0.0.1 and use the API through a
//! browser on this machine (DNS rebinding): its requests name that host.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use subtle::ConstantTimeEq as _;

use super::problem::{Code, Problem};
use crate::instance::Instance;
use crate::settings::TokenDigest;

/// What every token begins with, so that people and scanners of secrets recognise one.
const PREFIX: &str = "baton_";
/// Random bytes of a token.
const TOKEN_BYTES: usize = 32;
/// Bytes of a header that are looked at.
const MAX_TOKEN: usize = 256;

/// A new token: 256 random bits in hexadecimal.
///
/// # Errors
/// If the system gives no randomness.
pub fn new_token() -> Result<String, getrandom::Error> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().fold(PREFIX.to_owned(), |token, byte| format!("{token}{byte:02x}")))
}

/// Lets a request in, or answers why not.
pub(super) async fn guard(State(instance): State<Arc<Instance>>, request: Request, next: Next) -> Response {
    let tokens = instance.tokens().await;
    let refused = if tokens.is_empty() {
        by_host(&request).err()
    } else if matches!(request.uri().path(), "/healthz" | "/readyz") {
        None
    } else {
        let digests: Vec<TokenDigest> = tokens.into_values().collect();
        by_token(request.headers(), &digests).err()
    };
    match refused {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    }
}

fn by_token(headers: &HeaderMap, tokens: &[TokenDigest]) -> Result<(), Problem> {
    let missing = || {
        let detail = "send `Authorization: Bearer` and a token; `baton token new` makes one".to_owned();
        Problem::new(Code::Unauthorized, detail)
    };
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let (scheme, token) = given.and_then(|given| given.split_once(' ')).ok_or_else(missing)?;
    if !scheme.eq_ignore_ascii_case("bearer") || token.len() > MAX_TOKEN {
        return Err(missing());
    }
    let digest = TokenDigest::of(token.trim());
    // Each is compared, and each to its end: how long it takes says nothing.
    let known = tokens
        .iter()
        .fold(subtle::Choice::from(0), |known, other| known | other.0.as_bytes().ct_eq(digest.0.as_bytes()));
    if bool::from(known) {
        return Ok(());
    }
    tracing::warn!("a request with a wrong token was refused");
    Err(Problem::new(Code::Unauthorized, "this token is not in the settings ([http.tokens])".to_owned()))
}

fn by_host(request: &Request) -> Result<(), Problem> {
    let host = match request.uri().authority() {
        Some(authority) => Some(authority.as_str()),
        None => match request.headers().get(header::HOST) {
            Some(host) => Some(host.to_str().unwrap_or("?")),
            // HTTP/1.0; no browser leaves it out.
            None => None,
        },
    };
    match host {
        Some(host) if !is_here(host) => {
            let detail = "name this machine as 127.0.0.1, [::1] or localhost, or use a token".to_owned();
            Err(Problem::new(Code::Misdirected, detail))
        }
        Some(_) | None => Ok(()),
    }
}

/// Whether a Host header names this machine over loopback, with any port.
fn is_here(host: &str) -> bool {
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    let name = name.map_or(host, |(name, _)| name);
    if name.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let ip = host.parse::<SocketAddr>().map(|address| address.ip()).or_else(|_| bare.parse::<IpAddr>());
    ip.is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_here() {
        for host in [
            "localhost",
            "LOCALHOST:8090",
            "127.0.0.1",
            "127.0.0.1:8090",
            "127.8.8.8:1",
            "[::1]:8090",
            "[::1]",
        ] {
            assert!(is_here(host), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "192.0.2.1:80",
            "?",
            "",
            ":80",
        ] {
            assert!(!is_here(host), "{host}");
        }
    }

    #[test]
    fn a_token_is_known_by_its_digest_alone() {
        let (token, other) = (new_token().unwrap(), new_token().unwrap());
        assert!(token.len() == 70 && token.starts_with("baton_") && token != other);
        let tokens = [TokenDigest::of("x"), TokenDigest::of(&token)];
        let asked = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            by_token(&headers, &tokens).is_ok()
        };
        assert!(asked(&format!("Bearer {token}")) && asked(&format!("bearer {token}")));
        let digest = TokenDigest::of(&token).to_string();
        for wrong in [
            token.as_str(),
            "Bearer",
            "Bearer ",
            &format!("Basic {token}"),
            &format!("Bearer {other}"),
            &format!("Bearer {digest}"),
        ] {
            assert!(!asked(wrong), "{wrong}");
        }
        assert!(by_token(&HeaderMap::new(), &tokens).is_err());
    }
}
