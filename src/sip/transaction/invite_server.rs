//! INVITE server transaction: RFC 3261 §17.2.1 with RFC 6026 §7.1. The repeats of a 2xx are the
//! session's business (§13.3.1.4), not the transaction's.
//!
//! ```text
//! Proceeding --300-699--> Completed --ACK--> Confirmed --I (T4)--> Terminated
//!     \                       \--H (64*T1)----------------------> Terminated (given up)
//!      \--2xx--> Accepted --L (64*T1)---------------------------> Terminated
//! ```

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Key, Lapse, Transmit};
use crate::sip::hop::Hop;
use crate::sip::timers::{Repeat, Timer};
use crate::time::Timestamp;

/// A peer's INVITE and how it was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InviteServer {
    key: Key,
    to: Hop,
    state: State,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    Proceeding { provisional: Option<Bytes> },
    Completed { response: Bytes, repeat: Option<Repeat>, give_up: Timestamp },
    Confirmed { until: Timestamp },
    Accepted { until: Timestamp },
    Terminated,
}

impl InviteServer {
    /// An INVITE with this key came; its responses go to `to`.
    #[must_use]
    pub const fn new(key: Key, to: Hop) -> Self {
        Self { key, to, state: State::Proceeding { provisional: None } }
    }

    /// True if a request with this key is a repeat of the INVITE, or its ACK or CANCEL (§17.2.3, §9.2).
    #[must_use]
    pub fn matches(&self, key: &Key) -> bool {
        self.key == *key
    }

    /// A provisional response was made.
    pub fn provisional(&mut self, bytes: Bytes) -> Option<Transmit> {
        let State::Proceeding { provisional } = &mut self.state else { return None };
        *provisional = Some(bytes.clone());
        Some(Transmit::first(self.to, bytes))
    }

    /// The INVITE is refused with `response` (300-699), which is repeated until the ACK comes.
    pub fn refuse(&mut self, now: Timestamp, response: Bytes) -> Option<Transmit> {
        let State::Proceeding { .. } = self.state else { return None };
        let repeat = Repeat::start(Timer::G, now, self.to.reliability());
        let give_up = Timer::H.deadline(now, self.to.reliability());
        self.state = State::Completed { response: response.clone(), repeat, give_up };
        Some(Transmit::first(self.to, response))
    }

    /// The INVITE is accepted; the session sends the 2xx and repeats it.
    pub fn accept(&mut self, now: Timestamp) {
        if let State::Proceeding { .. } = self.state {
            self.state = State::Accepted { until: Timer::L.deadline(now, self.to.reliability()) };
        }
    }

    /// True from its 2xx until its repeats have died away.
    #[must_use]
    pub const fn is_accepted(&self) -> bool {
        matches!(self.state, State::Accepted { .. })
    }

    /// The INVITE came once more: what to send again, if anything.
    #[must_use]
    pub fn repeated(&self) -> Option<Transmit> {
        let bytes = match &self.state {
            State::Proceeding { provisional } => provisional.as_ref()?,
            State::Completed { response, .. } => response,
            State::Confirmed { .. } | State::Accepted { .. } | State::Terminated => return None,
        };
        Some(Transmit::again(self.to, bytes.clone()))
    }

    /// The ACK of a refusal came.
    pub fn acknowledged(&mut self, now: Timestamp) {
        if let State::Completed { .. } = self.state {
            self.state = State::Confirmed { until: Timer::I.deadline(now, self.to.reliability()) };
        }
    }

    /// Runs the timers that are due.
    pub fn timeout(&mut self, now: Timestamp) -> Lapse {
        match &mut self.state {
            State::Completed { give_up, .. } if *give_up <= now => {
                self.state = State::Terminated;
                Lapse::GaveUp
            }
            State::Completed { response, repeat, .. } => Lapse::resend_if_due(repeat, response, now),
            State::Confirmed { until } | State::Accepted { until } if *until <= now => {
                self.state = State::Terminated;
                Lapse::Nothing
            }
            State::Proceeding { .. }
            | State::Confirmed { .. }
            | State::Accepted { .. }
            | State::Terminated => Lapse::Nothing,
        }
    }

    /// When [`Self::timeout`] is wanted next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        match &self.state {
            State::Completed { repeat, give_up, .. } => {
                Timestamp::earliest(repeat.map(|repeat| repeat.at()), Some(*give_up))
            }
            State::Confirmed { until } | State::Accepted { until } => Some(*until),
            State::Proceeding { .. } | State::Terminated => None,
        }
    }

    /// Where its responses go.
    #[must_use]
    pub const fn destination(&self) -> Hop {
        self.to
    }

    /// True while nothing was said at all: a 100 may be due (§17.2.1).
    #[must_use]
    pub const fn is_silent(&self) -> bool {
        matches!(self.state, State::Proceeding { provisional: None })
    }

    /// True while no final response was given.
    #[must_use]
    pub const fn is_pending(&self) -> bool {
        matches!(self.state, State::Proceeding { .. })
    }

    /// True once nothing can come of it any more.
    #[must_use]
    pub const fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }
}
