//! An INVITE session as callee: RFC 3261 §13.3, §9.2, §15. Baton's own calls need none; its scripted
//! respondents do, and so do the tests that set the caller against one.
//!
//! ```text
//! new() ──► 100 after 200 ms ──► ring() 18x, UPDATE ──► accept() 200, repeated until the ACK ──► usage ──► Over
//!                │                  │              └── no ACK in 64*T1: BYE (§13.3.1.4)
//!                │ CANCEL, BYE,     ├── refuse() 300-699, repeated until the ACK
//!                │ Expires          └── reliable (RFC 3262), and no PRACK in 64*T1: 504: Cancelled
//!                └──► 487: Cancelled
//! ```

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::dialog::Dialog;
use super::digest::Ring;
use super::hop::Hop;
use super::local::{Large, Local};
use super::reply::{Objection, inspect_first};
use super::session::{
    Event, Invited, Patience, Phase, RELIABLE, Reliable, Taken, Turn, Usage, own_branch, prefer, supports,
    timer_of,
};
use super::timers::TRYING;
use super::transaction::Transmit;
use super::{HeaderName, Message, Method, Reason, Request, SessionExpires, StatusCode, Uri, stray};
use crate::id::{CallId, Mint};
use crate::time::Timestamp;

/// What the callee calls itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// First part of its branches; put it as user part into `contact`, and [`stray::owner`] leads the
    /// caller's requests here. (The first INVITE's repeats carry only the caller's Call-ID.)
    pub id: CallId,
    /// Address and port of its Via.
    pub sent_by: SocketAddr,
    /// Its Contact.
    pub contact: Uri,
    /// Value of Server and User-Agent; empty: none.
    pub user_agent: String,
    /// The session timer that it wishes for (RFC 4028 §9), and who is to refresh it, as far as the caller leaves that
    /// open; `None`: what the caller asks for.
    pub timer: Option<SessionExpires>,
}

/// An INVITE session as callee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incoming {
    local: Local,
    usage: Usage,
    /// When the 100 is due, while nothing else was said (§17.2.1).
    trying: Option<Timestamp>,
    /// When the INVITE expires (§13.3.1).
    expires: Option<Timestamp>,
    /// The BYE that has to wait for the ACK (§15).
    leaving: Option<Leaving>,
    /// What was rung reliably; `None`: the caller knows nothing of it, or the INVITE waits no longer.
    reliable: Option<Reliable>,
    /// Whether the caller wants every provisional response to be reliable.
    must_be_reliable: bool,
    /// The 200 that has to wait for the PRACK of a ringing, or for the answer to an UPDATE (RFC 3262 §3, RFC 3311 §5.1).
    accepting: Option<Accepting>,
    told_over: bool,
    ring: Ring,
    #[serde(skip)]
    events: VecDeque<Event>,
}

/// A BYE in waiting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Leaving {
    reason: Option<Reason>,
}

/// A 200 in waiting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Accepting {
    body: Option<Bytes>,
}

macro_rules! turn {
    ($self:ident, $now:expr, $mint:expr) => {
        Turn {
            now: $now,
            local: &$self.local,
            mint: $mint,
            events: &mut $self.events,
            ring: &mut $self.ring,
            credentials: None, // a callee answers no challenges
            reliable: $self.reliable.as_mut(),
        }
    };
}

impl Incoming {
    /// Takes a first INVITE in (without To tag) that came from `from`. What §8.2 objects to is refused at
    /// once. `None` if the message is no INVITE that can be answered: give it to [`stray::reply`].
    #[must_use]
    pub fn new(
        now: Timestamp,
        invite: &Request,
        from: Hop,
        parameters: Parameters,
        mint: &mut Mint,
    ) -> Option<Self> {
        let has_tag = invite.headers().to().ok()?.tag().is_some();
        if *invite.method() != Method::Invite || has_tag {
            return None;
        }
        let local = Local {
            id: parameters.id,
            sent_by: parameters.sent_by,
            contact: parameters.contact,
            user_agent: parameters.user_agent,
            fallback: from,
            large: Large::ByUdp,
        };
        let tag = mint.token();
        let dialog = Dialog::callee(invite, &tag)?;
        let (timer, objection) = match timer_of(invite.headers()) {
            Ok(timer) => (prefer(invite.headers(), timer, parameters.timer), inspect_first(invite).err()),
            Err(objection) => (None, Some(inspect_first(invite).err().unwrap_or(objection))),
        };
        let invited = Invited::new(invite, from, &tag, &local, timer)?;
        let expires = invite.headers().expires().ok().flatten();
        let required = invite.headers().require().unwrap_or_default();
        let must_be_reliable = required.iter().any(|tag| tag.eq_ignore_ascii_case(RELIABLE));
        let may_be_reliable = must_be_reliable || supports(invite.headers(), RELIABLE);
        let mut incoming = Self {
            local,
            usage: Usage::early(dialog, invited, invite.headers()),
            trying: Some(now + TRYING),
            expires: expires.map(|seconds| now + Duration::from_secs(seconds.into())),
            leaving: None,
            reliable: may_be_reliable.then(|| Reliable::new(mint)),
            must_be_reliable,
            accepting: None,
            told_over: false,
            ring: Ring::default(),
            events: VecDeque::new(),
        };
        if let Some(objection) = objection {
            incoming.usage.refuse(&mut turn!(incoming, now, mint), &objection);
        }
        incoming.settle();
        Some(incoming)
    }

    /// Gives a provisional response (101-199), with early SDP if wanted; reliably if the caller requires that.
    /// Nothing happens after a final response.
    pub fn ring(&mut self, now: Timestamp, status: StatusCode, body: Option<&Bytes>, mint: &mut Mint) {
        if self.must_be_reliable {
            self.ring_reliably(now, status, body, mint);
            return;
        }
        if status.is_provisional() {
            self.usage.provisional(&mut turn!(self, now, mint), status, body);
        }
        self.settle();
    }

    /// Gives a provisional response (101-199) that is repeated until its PRACK comes (RFC 3262 §3), with the answer
    /// to the INVITE's offer if wanted; a further one waits for that. Without a PRACK in 64*T1 the INVITE is refused
    /// with 504 ([`Event::Cancelled`]). False, and nothing is sent, if the caller does not support it, or after a
    /// final response.
    pub fn ring_reliably(
        &mut self,
        now: Timestamp,
        status: StatusCode,
        body: Option<&Bytes>,
        mint: &mut Mint,
    ) -> bool {
        let goes = self.reliable.is_some() && status.is_provisional() && status != StatusCode::TRYING;
        if goes {
            self.usage.reliably(&mut turn!(self, now, mint), status, body);
        }
        self.settle();
        goes
    }

    /// Accepts the INVITE, or the caller's re-INVITE, UPDATE or PRACK with an offer ([`Event::Offered`]), with 200; that
    /// of an INVITE is repeated until the ACK comes. Nothing happens if none waits. The first 200 waits for the PRACK of a reliable ringing and for the
    /// answer to an UPDATE; it has no body if the ringing carried the answer.
    pub fn accept(&mut self, now: Timestamp, body: Option<&Bytes>, mint: &mut Mint) {
        if self.usage.phase() == Phase::Early && !self.usage.is_updated() && self.is_held_up() {
            self.accepting = Some(Accepting { body: body.cloned() });
            return;
        }
        self.usage.accept(&mut turn!(self, now, mint), body);
        self.go_on(now, mint);
        self.settle();
    }

    /// Refuses the INVITE, or what the caller offered since, with 300-699 and these headers besides. Nothing
    /// happens if none waits, or with another status.
    pub fn refuse(
        &mut self,
        now: Timestamp,
        status: StatusCode,
        headers: Vec<(HeaderName, String)>,
        mint: &mut Mint,
    ) {
        if status.is_failure() {
            self.usage.refuse(&mut turn!(self, now, mint), &Objection { status, headers });
            self.go_on(now, mint);
        }
        self.settle();
    }

    /// Hangs up: at once, or when the ACK of the 2xx has come or is given up (§15). Before the 2xx the
    /// INVITE is refused with 480.
    pub fn bye(&mut self, now: Timestamp, reason: Option<Reason>, mint: &mut Mint) {
        match self.usage.phase() {
            Phase::Early => {
                return self.refuse(now, StatusCode::TEMPORARILY_UNAVAILABLE, Vec::new(), mint);
            }
            Phase::Confirmed if self.usage.is_unacked() => self.leaving = Some(Leaving { reason }),
            Phase::Confirmed | Phase::Left { .. } => {
                self.usage.bye(&mut turn!(self, now, mint), reason.as_ref());
            }
        }
        self.settle();
    }

    /// Sends a re-INVITE; [`Event::ReinviteAnswered`] or [`Event::ReinviteRefused`] follows. False, and
    /// nothing is sent, without a session or while another INVITE is under way (§14.1).
    pub fn reinvite(&mut self, now: Timestamp, offer: Option<&Bytes>, mint: &mut Mint) -> bool {
        self.usage.reinvite(&mut turn!(self, now, mint), offer)
    }

    /// Sends an UPDATE, also before the INVITE is accepted (RFC 3311 §5.1): with another offer, or without a body to
    /// tell our Contact. [`Event::ReinviteAnswered`] or [`Event::ReinviteRefused`] follows. False, and nothing is sent,
    /// while an offer is under way, before the first one has its answer, or if the caller takes no UPDATE.
    pub fn update(&mut self, now: Timestamp, offer: Option<&Bytes>, mint: &mut Mint) -> bool {
        self.accepting.is_none() && self.usage.update(&mut turn!(self, now, mint), offer)
    }

    /// A message came from `from`.
    pub fn receive(&mut self, now: Timestamp, message: &Message, from: Hop, mint: &mut Mint) {
        let mut turn = turn!(self, now, mint);
        match message {
            Message::Request(request) => {
                if self.usage.request(&mut turn, request, from) == Taken::No {
                    turn.transmit(Self::misfit(request, from, self.usage.dialog(), &self.local));
                }
            }
            Message::Response(response) => {
                if let Some(branch) = own_branch(response) {
                    self.usage.response(&mut turn, response, &branch);
                }
            }
        }
        self.go_on(now, mint);
        self.settle();
    }

    /// A request of another dialog. An INVITE without To tag that has our Call-ID came on a second way:
    /// merged (§8.2.2.2).
    fn misfit(request: &Request, from: Hop, dialog: &Dialog, local: &Local) -> Option<Transmit> {
        if *request.method() == Method::Invite && dialog.is_merged(request) {
            stray::refuse(request, from, &local.user_agent, StatusCode::LOOP_DETECTED)
        } else {
            stray::reply(request, from, &local.user_agent)
        }
    }

    /// Runs the timers that are due.
    pub fn timeout(&mut self, now: Timestamp, mint: &mut Mint) {
        let mut turn = turn!(self, now, mint);
        if self.trying.take_if(|due| *due <= now).is_some() {
            self.usage.provisional(&mut turn, StatusCode::TRYING, None);
        }
        if self.expires.take_if(|due| *due <= now).is_some() && self.usage.phase() == Phase::Early {
            self.usage.refuse(&mut turn, &Objection::bare(StatusCode::REQUEST_TERMINATED));
            turn.tell(Event::Cancelled { reasons: Vec::new() });
        }
        match turn.reliable.as_mut().map_or(Patience::On, |reliable| reliable.timeout(now)) {
            Patience::On => {}
            Patience::Resend(response) => turn.transmit(response),
            Patience::Out => {
                self.usage.refuse(&mut turn, &Objection::bare(StatusCode::SERVER_TIMEOUT)); // RFC 3262 §3: a 5xx
                turn.tell(Event::Cancelled { reasons: Vec::new() });
            }
        }
        self.usage.timeout(&mut turn);
        self.go_on(now, mint);
        self.settle();
    }

    /// When [`timeout`](Self::timeout) is wanted next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let reliable = self.reliable.as_ref().and_then(Reliable::poll_timeout);
        [self.trying, self.expires, reliable, self.usage.poll_timeout()].into_iter().flatten().min()
    }

    /// What the session has to say; drain it after each call of the others.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The record was restored: responses and requests that may not have left are sent again.
    pub fn resume(&mut self, now: Timestamp, mint: &mut Mint) {
        self.usage.resume(&mut turn!(self, now, mint));
    }

    /// The transport failed: a BYE that waits for its answer is done.
    pub fn transport_failed(&mut self, now: Timestamp, mint: &mut Mint) {
        self.usage.transport_failed(&mut turn!(self, now, mint));
        self.go_on(now, mint);
        self.settle();
    }

    /// The tag that the callee gave itself, in the To of its responses.
    #[must_use]
    pub fn local_tag(&self) -> Option<&str> {
        self.usage.dialog().local_tag()
    }

    /// True once every transaction has ended and nothing is owed.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.usage.is_over()
    }

    /// True while the first 200 may not leave yet.
    fn is_held_up(&self) -> bool {
        self.reliable.as_ref().is_some_and(Reliable::is_unacked)
            || self.usage.our_offer_is_open()
            || self.usage.is_updated()
    }

    /// Does what had to wait: the 200, the next reliable ringing, the BYE.
    fn go_on(&mut self, now: Timestamp, mint: &mut Mint) {
        if self.usage.phase() == Phase::Early && !self.is_held_up() {
            if let Some(accepting) = self.accepting.take() {
                self.usage.accept(&mut turn!(self, now, mint), accepting.body.as_ref());
            } else if let Some((status, body)) = self.reliable.as_mut().and_then(Reliable::follows) {
                self.usage.reliably(&mut turn!(self, now, mint), status, body.as_ref());
            }
        }
        if !self.usage.is_unacked()
            && let Some(leaving) = self.leaving.take()
        {
            self.usage.bye(&mut turn!(self, now, mint), leaving.reason.as_ref());
        }
    }

    /// Puts down the timers that no longer matter, and says once that all is over.
    fn settle(&mut self) {
        if self.usage.has_answered() {
            self.trying = None;
        }
        if self.usage.phase() != Phase::Early {
            self.expires = None;
            self.reliable = None;
            self.accepting = None;
        }
        if self.is_over() && !self.told_over {
            self.told_over = true;
            self.events.push_back(Event::Over);
        }
    }
}
