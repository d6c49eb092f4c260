//! An INVITE session of ours, from the INVITE to the last echo of the BYE: RFC 3261 §13 to §15, §9.
//!
//! ```text
//!              1xx Progress          2xx Answered                   Offered, PeerBye
//! invite() ──► calling ────────────► usage of the dialog ─────────► ... ──► Over
//!                │ cancel(),            ▲ ACK again for each 2xx       bye() ──► ByeDone
//!                │ ring timeout         │ 2xx of another fork: ACK + BYE
//!                ├──► CANCEL ──487──► Cancelled
//!                │       └────200──► CancelCrossed: ACK + BYE
//!                └── 3xx-6xx, silence ──► Failed
//! ```
//! A session is a plain value that lives in its call's record. It is driven by what comes in
//! ([`receive`](Session::receive), [`timeout`](Session::timeout), the owner's wishes) and talks through
//! [`poll_event`](Session::poll_event). The owner drains the events of one input, saves the record, and
//! only then carries the `Transmit`s out: a restored record is made whole by
//! [`resume`](Session::resume), which sends whatever may not have left, byte for byte. What needs the save
//! is an event that is not a `Transmit` with `again`, and each wish of the owner's, even if the session
//! has nothing to say to it yet (a CANCEL may have to wait). All else may be forgotten: the peer repeats.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

mod answered;
mod asking;
mod calling;
mod derived;
mod early;
mod event;
mod invited;
mod inviting;
mod moved;
mod outgoing;
mod redirects;
mod reliable;
mod requests;
mod timer;
mod turn;
mod updated;
mod usage;

pub use event::{Event, Failure, Parameters};
pub use moved::Moved;

pub(in crate::sip) use early::RELIABLE;
pub(in crate::sip) use invited::Invited;
pub(in crate::sip) use reliable::{Patience, Reliable};
pub(in crate::sip) use requests::Taken;
pub(in crate::sip) use timer::{answer as timer_of, prefer, supports};
pub(in crate::sip) use turn::Turn;
pub(in crate::sip) use usage::{Phase, Usage};

use self::calling::Calling;
use super::digest::{Credentials, Ring};
use super::hop::Hop;
use super::local::{Local, SDP};
use super::reply::Objection;
use super::{
    HeaderName, Headers, Message, Reason, Request, Response, StatusCode, Uri, WriteError, multipart, stray,
};
use crate::id::Mint;
use crate::time::Timestamp;

/// An INVITE session of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    local: Local,
    /// The first INVITE, until nothing more can come of it.
    calling: Option<Calling>,
    /// What follows the first 2xx.
    usage: Option<Usage>,
    told_over: bool,
    /// The challenges that were answered in it.
    ring: Ring,
    /// No part of the record: a password.
    #[serde(skip)]
    credentials: Option<Arc<Credentials>>,
    /// Drained by the owner before it saves.
    #[serde(skip)]
    events: VecDeque<Event>,
}

/// Opens a turn over the session's own fields, so that its other fields stay free to be changed.
macro_rules! turn {
    ($self:ident, $now:expr, $mint:expr) => {
        Turn {
            now: $now,
            local: &$self.local,
            mint: $mint,
            events: &mut $self.events,
            ring: &mut $self.ring,
            credentials: $self.credentials.as_deref(),
            reliable: None,
        }
    };
}

impl Session {
    /// Sends an INVITE with this offer (SDP).
    ///
    /// # Errors
    /// A parameter cannot stand in a message, as a header value with a line break.
    pub fn invite(
        now: Timestamp,
        parameters: Parameters,
        offer: &Bytes,
        mint: &mut Mint,
    ) -> Result<Self, WriteError> {
        let mut events = VecDeque::new();
        let local = Local {
            id: parameters.call_id,
            sent_by: parameters.sent_by,
            contact: parameters.contact.clone(),
            user_agent: parameters.user_agent.clone(),
            fallback: parameters.destination,
            large: parameters.large,
        };
        let mut ring = Ring::default();
        let mut turn = Turn {
            now,
            local: &local,
            mint,
            events: &mut events,
            ring: &mut ring,
            credentials: None,
            reliable: None,
        };
        let calling = Calling::invite(&mut turn, parameters, offer)?;
        Ok(Self {
            local,
            calling: Some(calling),
            usage: None,
            told_over: false,
            ring,
            credentials: None,
            events,
        })
    }

    /// With which name and password challenges are answered (§22). They are no part of the record: tell them
    /// anew when it was read back.
    pub fn know(&mut self, credentials: Option<Arc<Credentials>>) {
        self.credentials = credentials;
    }

    /// A message came from `from` that [`stray::owner`] leads here.
    pub fn receive(&mut self, now: Timestamp, message: &Message, from: Hop, mint: &mut Mint) {
        match message {
            Message::Request(request) => self.request(now, request, from, mint),
            Message::Response(response) => self.response(now, response, mint),
        }
        self.settle();
    }

    /// A redirection does not lead there. True if it might have.
    pub fn forbid(&mut self, target: Uri) -> bool {
        self.calling.as_mut().is_some_and(|calling| calling.forbid(target))
    }

    /// Runs the timers that are due.
    pub fn timeout(&mut self, now: Timestamp, mint: &mut Mint) {
        let mut turn = turn!(self, now, mint);
        if let Some(calling) = &mut self.calling {
            calling.timeout(&mut turn);
        }
        if let Some(usage) = &mut self.usage {
            usage.timeout(&mut turn);
        }
        self.settle();
    }

    /// When [`timeout`](Self::timeout) is wanted next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let calling = self.calling.as_ref().and_then(Calling::poll_timeout);
        Timestamp::earliest(calling, self.usage.as_ref().and_then(Usage::poll_timeout))
    }

    /// What the session has to say; drain it after each call of the above and below.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Gives the call up before it is answered. The CANCEL leaves once a 1xx has come (§9.1); if a 2xx
    /// crosses it, the session is ended with ACK and BYE. After the 2xx this is [`bye`](Self::bye).
    pub fn cancel(&mut self, now: Timestamp, reason: Option<Reason>, mint: &mut Mint) {
        if self.usage.is_some() {
            return self.bye(now, reason, mint);
        }
        let mut turn = turn!(self, now, mint);
        if let Some(calling) = &mut self.calling {
            calling.cancel(&mut turn, reason);
        }
        self.settle();
    }

    /// Hangs up. Before the 2xx this is [`cancel`](Self::cancel).
    pub fn bye(&mut self, now: Timestamp, reason: Option<Reason>, mint: &mut Mint) {
        if self.usage.is_none() {
            return self.cancel(now, reason, mint);
        }
        let mut turn = turn!(self, now, mint);
        if let Some(usage) = &mut self.usage {
            usage.bye(&mut turn, reason.as_ref());
        }
        self.settle();
    }

    /// Accepts the peer's re-INVITE ([`Event::Offered`]) with 200, repeated until its ACK comes. Nothing
    /// happens if none waits.
    pub fn answer(&mut self, now: Timestamp, body: Option<&Bytes>, mint: &mut Mint) {
        self.decide(now, Ok(body), mint);
    }

    /// Refuses the peer's re-INVITE; the session stands as it was (§14.2). Nothing happens if none waits.
    pub fn reject(&mut self, now: Timestamp, status: StatusCode, mint: &mut Mint) {
        self.refuse(now, status, Vec::new(), mint);
    }

    /// The same with further headers, as Warning.
    pub fn refuse(
        &mut self,
        now: Timestamp,
        status: StatusCode,
        headers: Vec<(HeaderName, String)>,
        mint: &mut Mint,
    ) {
        self.decide(now, Err(&Objection { status, headers }), mint);
    }

    fn decide(&mut self, now: Timestamp, answer: Result<Option<&Bytes>, &Objection>, mint: &mut Mint) {
        let mut turn = turn!(self, now, mint);
        match (&mut self.usage, answer) {
            (Some(usage), Ok(body)) => usage.accept(&mut turn, body),
            (Some(usage), Err(objection)) => usage.refuse(&mut turn, objection),
            (None, answer) => {
                if let Some(calling) = &mut self.calling {
                    calling.answer(&mut turn, answer);
                }
            }
        }
        self.settle();
    }

    /// Sends a re-INVITE; [`Event::ReinviteAnswered`] or [`Event::ReinviteRefused`] follows. It refreshes the
    /// session timer. False, and nothing is sent, without a session or while an offer is under way.
    pub fn reinvite(&mut self, now: Timestamp, offer: &Bytes, mint: &mut Mint) -> bool {
        let mut turn = turn!(self, now, mint);
        self.usage.as_mut().is_some_and(|usage| usage.reinvite(&mut turn, Some(offer)))
    }

    /// Asks the peer by OPTIONS within the dialog whether it is still there (§11); [`Event::Probed`] follows. False,
    /// and nothing is sent, without a session, or while another probe waits for its answer.
    pub fn probe(&mut self, now: Timestamp, mint: &mut Mint) -> bool {
        let mut turn = turn!(self, now, mint);
        self.usage.as_mut().is_some_and(|usage| usage.probe(&mut turn))
    }

    /// The transport failed (§17.1.4): an INVITE that nobody heard has failed, a BYE is done.
    pub fn transport_failed(&mut self, now: Timestamp, mint: &mut Mint) {
        let mut turn = turn!(self, now, mint);
        if let Some(calling) = &mut self.calling {
            calling.transport_failed(&mut turn);
        }
        if let Some(usage) = &mut self.usage {
            usage.transport_failed(&mut turn);
        }
        self.settle();
    }

    /// The record was restored: whatever was to be on the wire is sent again, with the same bytes: an
    /// INVITE that nobody answered, CANCEL, ACKs whose 2xx may still be repeated, BYE, final responses.
    /// Timers that passed meanwhile fire at the next [`timeout`](Self::timeout).
    pub fn resume(&mut self, now: Timestamp, mint: &mut Mint) {
        let mut turn = turn!(self, now, mint);
        if let Some(calling) = &mut self.calling {
            calling.resume(&mut turn);
        }
        if let Some(usage) = &mut self.usage {
            usage.resume(&mut turn);
        }
    }

    /// Another instance goes on with the session, at another address. One that was answered is moved there by a
    /// re-INVITE with this offer: [`Event::ReinviteAnswered`] or [`Event::ReinviteRefused`] follows. Without an offer it
    /// is not moved, and to be ended. An INVITE that has no final response cannot be moved and is cancelled, unheard:
    /// [`Event::Cancelled`], or [`Event::Failed`] where nobody is known to have heard it, follows when the phone rings no
    /// longer. What else was under way is said again as far as
    /// somebody may lack it, and given up as far as only we would.
    pub fn take_over(&mut self, now: Timestamp, moved: Moved, offer: Option<&Bytes>, mint: &mut Mint) {
        (self.local.sent_by, self.local.contact) = (moved.sent_by, moved.contact);
        self.ring.skip(moved.skip);
        let mut turn = turn!(self, now, mint);
        if let Some(calling) = &mut self.calling {
            calling.take_over(&mut turn, moved.skip);
        }
        if let Some(usage) = &mut self.usage {
            usage.take_over(&mut turn, moved.skip, offer);
        }
        self.settle();
    }

    /// Where the first INVITE went.
    #[must_use]
    pub const fn first_hop(&self) -> Hop {
        self.local.fallback
    }

    /// Our address in Via and Contact.
    #[must_use]
    pub const fn sent_by(&self) -> SocketAddr {
        self.local.sent_by
    }

    /// The SIP Call-ID of all its messages; `None` once nothing more can come of it.
    #[must_use]
    pub fn sip_call_id(&self) -> Option<&str> {
        let calling = self.calling.as_ref().map(Calling::sip_call_id);
        calling.or_else(|| self.usage.as_ref().map(|usage| usage.dialog().call_id()))
    }

    /// True once every transaction has ended and nothing is owed.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.calling.is_none() && self.usage.as_ref().is_none_or(Usage::is_over)
    }

    fn request(&mut self, now: Timestamp, request: &Request, from: Hop, mint: &mut Mint) {
        let mut turn = turn!(self, now, mint);
        if let Some(usage) = &mut self.usage
            && usage.request(&mut turn, request, from) == Taken::Yes
        {
            return;
        }
        if let Some(calling) = &mut self.calling
            && calling.request(&mut turn, request, from)
        {
            return;
        }
        turn.transmit(stray::reply(request, from, &self.local.user_agent));
    }

    fn response(&mut self, now: Timestamp, response: &Response, mint: &mut Mint) {
        let Some(branch) = own_branch(response) else { return };
        let branch = branch.as_str();
        let mut turn = turn!(self, now, mint);
        if let Some(usage) = &mut self.usage
            && usage.response(&mut turn, response, branch)
        {
            return;
        }
        if let Some(calling) = &mut self.calling
            && let Some(usage) = calling.response(&mut turn, response, branch)
        {
            self.usage = Some(usage);
        }
    }

    /// Forgets what has ended, and says once that all has.
    fn settle(&mut self) {
        self.calling.take_if(|calling| calling.is_over());
        if self.is_over() && !self.told_over {
            self.told_over = true;
            self.events.push_back(Event::Over);
        }
    }
}

/// The branch of a response to us. One with several Vias was meant for somebody else (§8.1.3.3).
pub(in crate::sip) fn own_branch(response: &Response) -> Option<String> {
    match response.headers().vias().ok()?.as_slice() {
        [via] => via.branch().map(str::to_owned),
        _ => None,
    }
}

/// The SDP of a response, alone or among other parts. A body without Content-Type is taken for SDP: nothing else is
/// to be expected.
pub(in crate::sip) fn sdp_of_response(response: &Response) -> Option<Bytes> {
    let body = match response.headers().content_type() {
        Ok(Some(_)) => multipart::part(response.headers(), SDP)?,
        Ok(None) => response.body(),
        Err(_) => return None,
    };
    (!body.is_empty()).then_some(body)
}

/// Retry-After, if it can be read.
pub(in crate::sip) fn retry_after(headers: &Headers) -> Option<Duration> {
    headers.retry_after().ok().flatten()
}

#[cfg(test)]
mod tests;
