//! INVITE client transaction: RFC 3261 §17.1.1 with RFC 6026 §7.2.
//!
//! ```text
//! Calling --1xx--> Proceeding
//!    |  \             |   \---2xx--> Accepted --M (64*T1)--> Terminated
//!    B   \--300-699---+-----------> Completed --D (32 s)---> Terminated
//!    \--> Accepted (given up)          ACK, again for each repeat
//! ```
//! A network that swallowed all responses for 64*T1 may bring a 2xx yet: somebody has picked up, and is not to sit in
//! silence until their own timers end. So an INVITE that was given up still hears 2xx, for timer M.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Lapse, Transmit};
use crate::sip::hop::{Hop, LARGEST_UDP_REQUEST, Protocol};
use crate::sip::local::{Large, Local, with_via};
use crate::sip::timers::{Repeat, Timer};
use crate::time::Timestamp;

/// An INVITE of ours and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InviteClient {
    branch: String,
    to: Hop,
    state: State,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    Calling { request: Bytes, repeat: Option<Repeat>, give_up: Timestamp },
    Proceeding { request: Bytes },
    Completed { ack: Bytes, until: Timestamp },
    Accepted { until: Timestamp },
    Terminated,
}

/// What a response meant to the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InviteReceived {
    /// A provisional response: the caller's user should hear of it.
    Provisional,
    /// A 2xx, the first, a repeat or another fork's: the session acknowledges each (RFC 6026 §7.2).
    Success,
    /// The first final response that is not 2xx; the ACK is now on its way.
    Failure,
    /// A repeat of that; the ACK is to be sent again.
    FailureAgain,
    /// Nothing that this state listens to.
    Stray,
}

impl InviteClient {
    /// Starts the transaction; the owner sends `request` to `to`.
    #[must_use]
    pub fn new(now: Timestamp, request: Bytes, branch: String, to: Hop) -> Self {
        let repeat = Repeat::start(Timer::A, now, to.reliability());
        let give_up = Timer::B.deadline(now, to.reliability());
        Self { branch, to, state: State::Calling { request, repeat, give_up } }
    }

    /// The branch that its responses carry.
    #[must_use]
    pub fn branch(&self) -> &str {
        &self.branch
    }

    /// Where the INVITE went: its CANCEL and the ACK of a failure go there too (§9.1, §17.1.1.3).
    #[must_use]
    pub const fn destination(&self) -> Hop {
        self.to
    }

    /// The INVITE, until its final response comes.
    #[must_use]
    pub const fn request(&self) -> Option<&Bytes> {
        match &self.state {
            State::Calling { request, .. } | State::Proceeding { request } => Some(request),
            State::Completed { .. } | State::Accepted { .. } | State::Terminated => None,
        }
    }

    /// A response with this status came. `ack` builds the ACK of §17.1.1.3 from the INVITE; it is asked
    /// once, for the first 300-699.
    pub fn receive(
        &mut self,
        now: Timestamp,
        status: u16,
        ack: impl FnOnce(&Bytes) -> Option<Bytes>,
    ) -> InviteReceived {
        match (&self.state, status) {
            (State::Calling { request, .. } | State::Proceeding { request }, ..200) => {
                self.state = State::Proceeding { request: request.clone() };
                InviteReceived::Provisional
            }
            (State::Calling { .. } | State::Proceeding { .. }, 200..300) => {
                self.state = State::Accepted { until: Timer::M.deadline(now, self.to.reliability()) };
                InviteReceived::Success
            }
            (State::Calling { request, .. } | State::Proceeding { request }, 300..) => {
                let Some(ack) = ack(request) else { return InviteReceived::Stray };
                self.state = State::Completed { ack, until: Timer::D.deadline(now, self.to.reliability()) };
                InviteReceived::Failure
            }
            (State::Accepted { .. }, 200..300) => InviteReceived::Success,
            (State::Completed { .. }, 300..) => InviteReceived::FailureAgain,
            (State::Completed { .. } | State::Accepted { .. } | State::Terminated, _) => {
                InviteReceived::Stray
            }
        }
    }

    /// The ACK of a failure, while its repeats may still come.
    #[must_use]
    pub const fn failure_ack(&self) -> Option<&Bytes> {
        match &self.state {
            State::Completed { ack, .. } => Some(ack),
            State::Calling { .. } | State::Proceeding { .. } | State::Accepted { .. } | State::Terminated => {
                None
            }
        }
    }

    /// Runs the timers that are due.
    pub fn timeout(&mut self, now: Timestamp) -> Lapse {
        match &mut self.state {
            State::Calling { give_up, .. } if *give_up <= now => {
                self.give_up(now);
                Lapse::GaveUp
            }
            State::Calling { request, repeat, .. } => Lapse::resend_if_due(repeat, request, now),
            State::Completed { until, .. } | State::Accepted { until } if *until <= now => {
                self.state = State::Terminated;
                Lapse::Nothing
            }
            State::Proceeding { .. }
            | State::Completed { .. }
            | State::Accepted { .. }
            | State::Terminated => Lapse::Nothing,
        }
    }

    /// When [`Self::timeout`] is wanted next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        match &self.state {
            State::Calling { repeat, give_up, .. } => {
                Timestamp::earliest(repeat.map(|repeat| repeat.at()), Some(*give_up))
            }
            State::Completed { until, .. } | State::Accepted { until } => Some(*until),
            State::Proceeding { .. } | State::Terminated => None,
        }
    }

    /// The record was restored: what may not have left before. An INVITE that a provisional response has
    /// answered is not sent again: it is known to have arrived, and a callee that has long forgotten it
    /// would ring anew.
    #[must_use]
    pub fn resume(&self, now: Timestamp) -> Option<Transmit> {
        let bytes = match &self.state {
            State::Calling { request, give_up, .. } if now < *give_up => request,
            State::Completed { ack, until } if now < *until => ack,
            State::Calling { .. }
            | State::Completed { .. }
            | State::Proceeding { .. }
            | State::Accepted { .. }
            | State::Terminated => return None,
        };
        Some(Transmit::again(self.to, bytes.clone()))
    }

    /// No connection could be made: a request that goes by TCP only for its size goes by UDP instead, once
    /// (RFC 3261 §18.1.1). `None`: it may not.
    #[must_use]
    pub fn by_udp(&mut self, now: Timestamp, local: &Local) -> Option<Transmit> {
        let State::Calling { request, .. } = &self.state else { return None };
        let by_size = local.large == Large::ByTcp && request.len() > LARGEST_UDP_REQUEST;
        if self.to.protocol != Protocol::Tcp || !by_size {
            return None;
        }
        let request = with_via(request, Protocol::Udp);
        *self = Self::new(now, request.clone(), std::mem::take(&mut self.branch), Hop::udp(self.to.address));
        Some(Transmit::first(self.to, request))
    }

    /// True if timer B has run out, whether or not that was noticed.
    #[must_use]
    pub fn has_lapsed(&self, now: Timestamp) -> bool {
        matches!(&self.state, State::Calling { give_up, .. } if *give_up <= now)
    }

    /// Repeats the INVITE no more, and waits for a final response as long as its owner wants.
    pub fn hush(&mut self) {
        if let State::Calling { request, .. } = &self.state {
            self.state = State::Proceeding { request: request.clone() };
        }
    }

    /// Waits for a final response no longer: timer B, or its CANCEL went unheard (§9.1). A 2xx is heard yet.
    pub fn give_up(&mut self, now: Timestamp) {
        self.state = State::Accepted { until: Timer::M.deadline(now, self.to.reliability()) };
    }

    /// Ends the transaction: its transport failed (§17.1.4).
    pub fn abandon(&mut self) {
        self.state = State::Terminated;
    }

    /// True while it waits for a final response.
    #[must_use]
    pub const fn is_pending(&self) -> bool {
        matches!(self.state, State::Calling { .. } | State::Proceeding { .. })
    }

    /// True once a provisional response came and no final one: only then a CANCEL may be sent (§9.1).
    #[must_use]
    pub const fn is_proceeding(&self) -> bool {
        matches!(self.state, State::Proceeding { .. })
    }

    /// True once nothing can come of it any more.
    #[must_use]
    pub const fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }
}
