//! The API: where it listens, who may use it; how long an instance drains.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::units::{self, wrong};
use crate::id::Digest;

/// How a token's digest is written: the algorithm stands before it.
const SHA256: &str = "sha256:";
/// Names that a line of tokens may have, and who may use the API at all.
const MAX_TOKENS: usize = 256;

/// `[http]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Where the API listens.
    pub listen: SocketAddr,
    /// Who may use it, by name. Without any, everybody on this machine, and only they.
    #[serde(deserialize_with = "tokens")]
    pub tokens: BTreeMap<String, TokenDigest>,
}

impl Default for Http {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 8090)), tokens: BTreeMap::new() }
    }
}

impl Http {
    /// What is wrong with it as a whole, and what to do about it.
    pub(super) fn misfit(&self) -> Option<(String, String)> {
        let open = !self.listen.ip().is_loopback() && self.tokens.is_empty();
        open.then(|| {
            (
                format!("`[http] listen` is {}, which others reach, and nobody needs a token", self.listen),
                "make one with `baton token new NAME`, or listen at 127.0.0.1".to_owned(),
            )
        })
    }
}

/// SHA-256 of a bearer token.
///
/// A token has 256 bits from the machine's randomness, so nobody finds it by trying: a plain digest keeps it as well
/// as a slow one would, and costs each request nothing. (Passwords that people choose would need a slow one.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenDigest(pub Digest);

impl TokenDigest {
    /// Of this token.
    #[must_use]
    pub fn of(token: &str) -> Self {
        Self(Digest::of(token.as_bytes()))
    }

    fn read(text: &str) -> Option<Self> {
        text.strip_prefix(SHA256)?.parse().ok().map(Self)
    }
}

impl std::fmt::Display for TokenDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{SHA256}{}", self.0)
    }
}

fn tokens<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, TokenDigest>, D::Error> {
    let written = BTreeMap::<String, String>::deserialize(deserializer)?;
    if written.len() > MAX_TOKENS {
        return Err(wrong(
            format_args!("{} tokens are too many", written.len()),
            format_args!("at most {MAX_TOKENS}"),
        ));
    }
    let read = written.into_iter().map(|(name, text)| {
        if !super::is_name(&name) {
            let mend = "letters, digits, `_` and `-`, at most 64";
            return Err(wrong(format_args!("`{name}` is no name for a token"), mend));
        }
        // The text may be a token by mistake: it is not repeated in the message.
        let digest = TokenDigest::read(&text).ok_or_else(|| {
            let mend = "write the line that `baton token new` prints; the token itself stands nowhere here";
            wrong(format_args!("what stands for `{name}` is no digest of a token"), mend)
        })?;
        Ok((name, digest))
    });
    read.collect()
}

/// `[drain]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Drain {
    /// How long running calls may go on after SIGTERM before they are ended.
    #[serde(deserialize_with = "limit")]
    pub limit: Duration,
}

impl Default for Drain {
    fn default() -> Self {
        Self { limit: Duration::from_secs(600) }
    }
}

fn limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    units::duration_within(deserializer, "10m", Duration::ZERO, Duration::from_secs(86_400))
}
