//! What an interview found out, question by question.

use serde::{Deserialize, Serialize};

use super::instruction::KeyPress;
use crate::questionnaire::Value;
use crate::time::Timestamp;

/// What became of one question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// Its id.
    pub question: String,
    /// What became of it.
    pub status: Status,
    /// The reply, if there is one.
    pub value: Option<Value>,
    /// The keys that were the reply.
    pub digits: Vec<KeyPress>,
    /// How often it was asked.
    pub asked: u32,
    /// When it was asked first.
    #[serde(with = "crate::time::rfc3339::option")]
    pub asked_at: Option<Timestamp>,
    /// When it was answered, refused, given up, or left by hanging up.
    #[serde(with = "crate::time::rfc3339::option")]
    pub at: Option<Timestamp>,
    /// How often silence followed it.
    pub no_input: u32,
    /// How often keys followed it that were no answer.
    pub no_match: u32,
}

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// There is a reply.
    Answered,
    /// Its `ask-if` was false, or a `go` passed it by.
    Skipped,
    /// The callee refused it, or opted out at it.
    Refused,
    /// The callee does not know.
    DontKnow,
    /// Given up after silence.
    NoInput,
    /// Given up after keys that were no answer.
    NoMatch,
    /// The interview ended before it was answered. If `asked` is not 0, it ended right here.
    NotReached,
}

/// What was said about one quota.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaAsked {
    /// Its name.
    pub quota: String,
    /// Whether it was full; if not, a place was kept.
    pub full: bool,
    /// Whether its condition was still true of the callee at the end (an answer may have been changed).
    pub applies: bool,
}
