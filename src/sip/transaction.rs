//! The four transactions of RFC 3261 §17, with the Accepted state of RFC 6026: plain values.
//!
//! ```text
//!             client                               server
//! INVITE      Calling -> Proceeding                Proceeding -> Completed -> Confirmed
//!                     \-> Completed | Accepted                \-> Accepted
//! others      Trying -> Proceeding -> Completed    Completed (this user agent answers at once)
//! ```
//! A transaction knows bytes, timers and status codes; it neither parses nor decides. What it wants sent
//! is returned, and its owner wraps it as [`Transmit`]. A state holds only what it still needs, so that
//! a call's record is small: the INVITE goes when its final response comes.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::sip::hop::Hop;
use crate::sip::timers::Repeat;
use crate::time::Timestamp;

mod invite_client;
mod invite_server;
mod non_invite_client;
mod non_invite_server;

pub use invite_client::{InviteClient, InviteReceived};
pub use invite_server::InviteServer;
pub use non_invite_client::{NonInviteClient, NonInviteReceived};
pub use non_invite_server::NonInviteServer;

/// The prefix of every branch since RFC 3261 (§8.1.1.7).
pub const MAGIC_COOKIE: &str = "z9hG4bK";

/// One datagram (or stream message) to send.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transmit {
    /// Where to.
    pub to: Hop,
    /// The message, whole.
    pub bytes: Bytes,
    /// True for a pure repeat: these bytes were sent before (or their record was saved before), no state
    /// changed, so nothing needs to be saved before it leaves.
    pub again: bool,
}

impl Transmit {
    /// Bytes that leave for the first time.
    #[must_use]
    pub const fn first(to: Hop, bytes: Bytes) -> Self {
        Self { to, bytes, again: false }
    }

    /// A pure repeat.
    #[must_use]
    pub const fn again(to: Hop, bytes: Bytes) -> Self {
        Self { to, bytes, again: true }
    }
}

/// What came of a transaction's timers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lapse {
    /// Nothing that anyone else needs to know.
    Nothing,
    /// Send these bytes again.
    Resend(Bytes),
    /// The peer was given up (timer B, F or H); the transaction is terminated.
    GaveUp,
}

impl Lapse {
    /// The bytes once more if their repeat is due.
    fn resend_if_due(repeat: &mut Option<Repeat>, bytes: &Bytes, now: Timestamp) -> Self {
        if repeat.as_mut().is_some_and(|repeat| repeat.due(now)) {
            Self::Resend(bytes.clone())
        } else {
            Self::Nothing
        }
    }
}

/// What tells one server transaction from another (RFC 3261 §17.2.3). An ACK of a failure and a CANCEL
/// carry the key of the INVITE they belong to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// The branch of the topmost Via; for a peer older than RFC 3261 whatever else tells requests apart.
    pub branch: String,
    /// The sent-by of the topmost Via (`host:port`).
    pub sent_by: String,
}

#[cfg(test)]
mod tests;
