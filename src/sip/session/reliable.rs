//! A callee's reliable provisional responses: RFC 3262 §3.
//!
//! ```text
//! 183 (RSeq 7) ── T1, doubling ──► 183 again … PRACK (RAck 7) ──► 200, and the next one may leave
//!                         └── no PRACK in 64*T1: the INVITE is refused
//! ```

use std::collections::VecDeque;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::invited::Invited;
use super::turn::Turn;
use crate::id::Mint;
use crate::sip::hop::Hop;
use crate::sip::timers::{Reliability, Repeat, Timer};
use crate::sip::transaction::Transmit;
use crate::sip::{CSeq, Method, RAck, StatusCode};
use crate::time::Timestamp;

/// Responses that wait for the PRACK of the one in front of them; a further one is left out.
const MAX_WAITING: usize = 4;
/// The first number is drawn up to here (§3: 1 to 2^31 - 1), with room for those that follow.
const FIRST_RSEQ: u32 = 1 << 30;

/// The reliable responses to one INVITE.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sip) struct Reliable {
    next: u32,
    unacked: Option<Unacked>,
    waiting: VecDeque<Waiting>,
    /// Whether one of them carried the answer to the INVITE's offer.
    answers: bool,
}

/// The response that waits for its PRACK.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Unacked {
    rack: RAck,
    to: Hop,
    response: Bytes,
    repeat: Option<Repeat>,
    give_up: Timestamp,
    carries: Acked,
}

/// A response that waits for the one in front of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Waiting {
    status: StatusCode,
    body: Option<Bytes>,
}

/// What the PRACK acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sip) enum Acked {
    /// A response with the answer to the INVITE's offer: the next offer may follow.
    Answer,
    /// Another response.
    Bare,
}

/// What became of the wait for a PRACK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sip) enum Patience {
    /// It goes on, or there is none.
    On,
    /// The response is to be sent once more.
    Resend(Transmit),
    /// 64*T1 have passed.
    Out,
}

impl Reliable {
    pub(in crate::sip) fn new(mint: &mut Mint) -> Self {
        let next = 1 + mint.number32() % FIRST_RSEQ;
        Self { next, unacked: None, waiting: VecDeque::new(), answers: false }
    }

    /// Gives a response, or lets it wait for the PRACK of the one before.
    pub(super) fn give(
        &mut self,
        turn: &mut Turn<'_>,
        invited: &mut Invited,
        status: StatusCode,
        body: Option<&Bytes>,
    ) {
        if self.unacked.is_some() {
            if self.waiting.len() < MAX_WAITING {
                self.waiting.push_back(Waiting { status, body: body.cloned() });
            }
            return;
        }
        // There is one answer; what comes after it is an offer, and travels by UPDATE (§5).
        let body = body.filter(|_| !self.answers);
        let rseq = self.next;
        let Some((to, response)) = invited.reliable(turn, status, body, rseq) else { return };
        self.next += 1;
        self.answers |= body.is_some();
        self.unacked = Some(Unacked {
            rack: RAck { rseq, cseq: CSeq { number: invited.cseq(), method: Method::Invite } },
            to,
            response,
            // On every transport, and each pause twice the last, without an upper limit (§3).
            repeat: Repeat::start(Timer::A, turn.now, Reliability::Unreliable),
            give_up: Timer::B.deadline(turn.now, Reliability::Unreliable),
            carries: if body.is_some() { Acked::Answer } else { Acked::Bare },
        });
    }

    /// A PRACK came for this one; `None`: it was not waited for.
    pub(super) fn acknowledge(&mut self, rack: &RAck) -> Option<Acked> {
        self.unacked.take_if(|unacked| unacked.rack == *rack).map(|unacked| unacked.carries)
    }

    /// The response whose turn it is, now that the one in front of it was acknowledged.
    pub(in crate::sip) fn follows(&mut self) -> Option<(StatusCode, Option<Bytes>)> {
        if self.unacked.is_some() {
            return None;
        }
        self.waiting.pop_front().map(|waiting| (waiting.status, waiting.body))
    }

    /// True while a response waits for its PRACK: the INVITE is not accepted before that (§3).
    pub(in crate::sip) const fn is_unacked(&self) -> bool {
        self.unacked.is_some()
    }

    /// Runs the timers that are due.
    pub(in crate::sip) fn timeout(&mut self, now: Timestamp) -> Patience {
        let Some(unacked) = &mut self.unacked else { return Patience::On };
        if unacked.give_up <= now {
            self.unacked = None;
            return Patience::Out;
        }
        if unacked.repeat.as_mut().is_some_and(|repeat| repeat.due(now)) {
            return Patience::Resend(Transmit::again(unacked.to, unacked.response.clone()));
        }
        Patience::On
    }

    pub(in crate::sip) fn poll_timeout(&self) -> Option<Timestamp> {
        let unacked = self.unacked.as_ref()?;
        Timestamp::earliest(unacked.repeat.map(|repeat| repeat.at()), Some(unacked.give_up))
    }
}
