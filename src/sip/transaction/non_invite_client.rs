//! Non-INVITE client transaction (BYE, CANCEL, OPTIONS): RFC 3261 §17.1.2.
//!
//! ```text
//! Trying --1xx--> Proceeding --200-699--> Completed --K (T4)--> Terminated
//!    \------------- F (64*T1) ----------> Terminated (given up)
//! ```

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Lapse, Transmit};
use crate::sip::hop::Hop;
use crate::sip::timers::{Repeat, Timer};
use crate::time::Timestamp;

/// A request of ours that is not an INVITE.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NonInviteClient {
    branch: String,
    to: Hop,
    state: State,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    /// Trying and Proceeding, which differ in the pace alone.
    Trying {
        request: Bytes,
        repeat: Option<Repeat>,
        give_up: Timestamp,
    },
    Completed {
        until: Timestamp,
    },
    Terminated,
}

/// What a response meant to the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonInviteReceived {
    /// A provisional response.
    Provisional,
    /// The final response.
    Final,
    /// A repeat, or nothing that this state listens to.
    Stray,
}

impl NonInviteClient {
    /// Starts the transaction; the owner sends `request` to `to`.
    #[must_use]
    pub fn new(now: Timestamp, request: Bytes, branch: String, to: Hop) -> Self {
        let repeat = Repeat::start(Timer::E, now, to.reliability());
        let give_up = Timer::F.deadline(now, to.reliability());
        Self { branch, to, state: State::Trying { request, repeat, give_up } }
    }

    /// The branch that its responses carry.
    #[must_use]
    pub fn branch(&self) -> &str {
        &self.branch
    }

    /// The request, until its final response comes.
    #[must_use]
    pub const fn request(&self) -> Option<&Bytes> {
        match &self.state {
            State::Trying { request, .. } => Some(request),
            State::Completed { .. } | State::Terminated => None,
        }
    }

    /// A response with this status came.
    pub fn receive(&mut self, now: Timestamp, status: u16) -> NonInviteReceived {
        match (&mut self.state, status) {
            (State::Trying { repeat, .. }, ..200) => {
                if let Some(repeat) = repeat {
                    repeat.slow_down(now);
                }
                NonInviteReceived::Provisional
            }
            (State::Trying { .. }, 200..) => {
                self.state = State::Completed { until: Timer::K.deadline(now, self.to.reliability()) };
                NonInviteReceived::Final
            }
            (State::Completed { .. } | State::Terminated, _) => NonInviteReceived::Stray,
        }
    }

    /// Runs the timers that are due.
    pub fn timeout(&mut self, now: Timestamp) -> Lapse {
        match &mut self.state {
            State::Trying { give_up, .. } if *give_up <= now => {
                self.state = State::Terminated;
                Lapse::GaveUp
            }
            State::Trying { request, repeat, .. } => Lapse::resend_if_due(repeat, request, now),
            State::Completed { until } if *until <= now => {
                self.state = State::Terminated;
                Lapse::Nothing
            }
            State::Completed { .. } | State::Terminated => Lapse::Nothing,
        }
    }

    /// When [`Self::timeout`] is wanted next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        match &self.state {
            State::Trying { repeat, give_up, .. } => {
                Timestamp::earliest(repeat.map(|repeat| repeat.at()), Some(*give_up))
            }
            State::Completed { until } => Some(*until),
            State::Terminated => None,
        }
    }

    /// The record was restored: the request, if it still waits for its answer. What ends something on the other side,
    /// BYE or CANCEL, is tried anew where its time ran out while nobody was there: it may never have left, and somebody
    /// would be left ringing or talking.
    #[must_use]
    pub fn resume(&mut self, now: Timestamp) -> Option<Transmit> {
        let State::Trying { request, repeat, give_up } = &mut self.state else { return None };
        if *give_up <= now {
            if !request.starts_with(b"BYE ") && !request.starts_with(b"CANCEL ") {
                return None;
            }
            *repeat = Repeat::start(Timer::E, now, self.to.reliability());
            *give_up = Timer::F.deadline(now, self.to.reliability());
        }
        Some(Transmit::again(self.to, request.clone()))
    }

    /// Where the request goes.
    #[must_use]
    pub const fn destination(&self) -> Hop {
        self.to
    }

    /// Ends the transaction: its transport failed (§17.1.4).
    pub fn abandon(&mut self) {
        self.state = State::Terminated;
    }

    /// True while it waits for its final response.
    #[must_use]
    pub const fn is_pending(&self) -> bool {
        matches!(self.state, State::Trying { .. })
    }

    /// True once nothing can come of it any more.
    #[must_use]
    pub const fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }
}
