//! Non-INVITE server transaction: RFC 3261 §17.2.2. This user agent answers such requests at once and
//! finally, so Trying and Proceeding are passed within one input and only Completed is ever kept.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Key, Transmit};
use crate::sip::hop::Hop;
use crate::sip::timers::Timer;
use crate::time::Timestamp;

/// A peer's request that was answered, until its repeats have died away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NonInviteServer {
    key: Key,
    method: String,
    to: Hop,
    response: Bytes,
    until: Timestamp,
}

impl NonInviteServer {
    /// The request with this key was answered with `response`, which the owner sends to `to`.
    #[must_use]
    pub fn completed(now: Timestamp, key: Key, method: &str, to: Hop, response: Bytes) -> Self {
        Self { key, method: method.to_owned(), to, response, until: Timer::J.deadline(now, to.reliability()) }
    }

    /// True if a request with this key and method is a repeat of this one (§17.2.3).
    #[must_use]
    pub fn matches(&self, key: &Key, method: &str) -> bool {
        self.key == *key && self.method == method
    }

    /// The response once more, for a repeat or a restored record.
    #[must_use]
    pub fn again(&self) -> Transmit {
        Transmit::again(self.to, self.response.clone())
    }

    /// When it may be forgotten (timer J).
    #[must_use]
    pub const fn until(&self) -> Timestamp {
        self.until
    }
}
