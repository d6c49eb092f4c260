//! A trunk by which the callee was tried, and how that ended: as the result tells it.

use serde::{Deserialize, Serialize};

use crate::outcome::Refused;
use crate::sip::session::Failure;
use crate::time::{Timestamp, rfc3339};

/// How the call through one trunk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TryEnd {
    /// Somebody answered.
    Answered,
    /// By a final status.
    Refused,
    /// It rang too long, or the trunk said nothing but provisional responses for as long.
    RingTimeout,
    /// The trunk did not answer at all (RFC 3261 timer B). Counts as 408.
    Unanswered,
    /// The INVITE could not be brought to the trunk. Counts as 503.
    Unsent,
    /// Nothing was sent: the trunk had asked for quiet (Retry-After of a 503 before), or had no room by its settings
    /// (`channels`, `cps`). Counts as 503.
    Closed,
    /// Nothing was sent: no route leads to the trunk. Counts as 503.
    NoRoute,
    /// It was given up for another reason: an operator, a tone before the answer, what would be said is missing.
    Stopped,
}

/// A trunk by which the callee was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// Name of the trunk.
    pub trunk: String,
    /// How that ended.
    pub end: TryEnd,
    /// Final SIP status of the INVITE; `null` if none came.
    pub sip_status: Option<u16>,
    /// Q.850 cause (RFC 3326), where one was given.
    pub cause: Option<u8>,
    /// Seconds that the trunk asked us to wait (Retry-After); `null` if it did not.
    pub retry_after_s: Option<u32>,
    /// Targets of its redirections that were not followed, because they are emergency numbers.
    #[serde(default)]
    pub not_followed: Vec<String>,
    /// When its INVITE was made, or not made.
    #[serde(with = "rfc3339")]
    pub started_at: Timestamp,
    /// When the first 18x came.
    #[serde(with = "rfc3339::option")]
    pub ringing_at: Option<Timestamp>,
    /// When it was over.
    #[serde(with = "rfc3339")]
    pub ended_at: Timestamp,
}

impl Tried {
    /// A trunk that was passed over.
    #[must_use]
    pub const fn passed_over(trunk: String, end: TryEnd, at: Timestamp) -> Self {
        Self {
            trunk,
            end,
            sip_status: None,
            cause: None,
            retry_after_s: None,
            not_followed: Vec::new(),
            started_at: at,
            ringing_at: None,
            ended_at: at,
        }
    }

    /// Whether anything was sent through it.
    #[must_use]
    pub const fn was_dialled(&self) -> bool {
        !matches!(self.end, TryEnd::Closed | TryEnd::NoRoute)
    }

    pub(super) const fn refused(&self) -> Refused {
        Refused { status: self.sip_status, q850: self.cause, rang: self.ringing_at.is_some() }
    }
}

/// How a failure of the INVITE ends the try.
pub(in crate::call) const fn end_of(failure: Failure) -> TryEnd {
    match failure {
        Failure::Refused(_) => TryEnd::Refused,
        Failure::Unanswered => TryEnd::Unanswered,
        Failure::Unsent => TryEnd::Unsent,
    }
}
