//! A peer's INVITE being answered: the callee's first INVITE, or a re-INVITE to either side.
//!
//! ```text
//! provisional* --accept--> 2xx, repeated by T1 doubling to T2 until the ACK (RFC 3261 §13.3.1.4)
//!      \-------refuse----> 300-699, repeated by the transaction until the ACK (§17.2.1)
//! ```

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::early::RELIABLE;
use super::timer;
use super::turn::Turn;
use crate::sip::dialog;
use crate::sip::hop::Hop;
use crate::sip::local::{ALLOW, Local};
use crate::sip::reply::{Objection, Reply, finish, key_of, sdp_of};
use crate::sip::timers::{Reliability, Repeat, Timer};
use crate::sip::transaction::{InviteServer, Key, Lapse, Transmit};
use crate::sip::{HeaderName, Request, SessionExpires, StatusCode, Uri};
use crate::time::Timestamp;

/// The INVITE, from its arrival until its last repeat has died away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sip) struct Invited {
    /// Until the final response is given.
    reply: Option<Reply>,
    server: InviteServer,
    cseq: u32,
    /// The peer's new target, valid once the INVITE is accepted (RFC 6141 §3.3).
    contact: Option<Uri>,
    offer: Offer,
    /// What our 2xx says about the session timer.
    expires: Option<SessionExpires>,
    unacked: Option<Unacked>,
}

/// Who offers in this INVITE (RFC 3261 §13.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sip) enum Offer {
    /// The INVITE carried the offer; our 2xx answers it.
    Theirs,
    /// Our 2xx carries the offer; the ACK answers it.
    Ours,
}

/// A 2xx that waits for its ACK.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Unacked {
    response: Bytes,
    repeat: Option<Repeat>,
    give_up: Timestamp,
}

/// What became of the wait for the ACK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sip) enum Wait {
    /// It goes on, or there is none.
    On,
    /// 64*T1 passed without the ACK of a 2xx.
    Vain,
}

impl Invited {
    /// Takes an INVITE in, and what its 2xx is to say about the session timer; `None` if it lacks what its
    /// response needs.
    pub(in crate::sip) fn new(
        request: &Request,
        from: Hop,
        tag: &str,
        local: &Local,
        expires: Option<SessionExpires>,
    ) -> Option<Self> {
        let reply = Reply::to(request, from, tag, &local.user_agent)?;
        Some(Self {
            server: InviteServer::new(key_of(request)?, reply.destination),
            reply: Some(reply),
            cseq: request.headers().cseq().ok()?.number,
            contact: dialog::contact(request.headers()),
            offer: if sdp_of(request).is_some() { Offer::Theirs } else { Offer::Ours },
            expires,
            unacked: None,
        })
    }

    /// Its transaction, when another INVITE takes its place.
    pub(in crate::sip) fn into_server(self) -> InviteServer {
        self.server
    }

    pub(in crate::sip) fn matches(&self, key: &Key) -> bool {
        self.server.matches(key)
    }

    pub(in crate::sip) const fn cseq(&self) -> u32 {
        self.cseq
    }

    /// True while it waits for a final response.
    pub(in crate::sip) const fn is_pending(&self) -> bool {
        self.server.is_pending()
    }

    /// True while nothing was said at all.
    pub(in crate::sip) const fn is_silent(&self) -> bool {
        self.server.is_silent()
    }

    /// True while a 2xx waits for its ACK.
    pub(in crate::sip) const fn is_unacked(&self) -> bool {
        self.unacked.is_some()
    }

    pub(in crate::sip) const fn offer(&self) -> Offer {
        self.offer
    }

    /// Gives a provisional response; those above 100 make an early dialog (§12.1.1).
    pub(in crate::sip) fn provisional(
        &mut self,
        turn: &mut Turn<'_>,
        status: StatusCode,
        body: Option<&Bytes>,
    ) {
        let Some(reply) = &self.reply else { return };
        let writer = if status == StatusCode::TRYING {
            reply.response(status)
        } else {
            reply.dialog_response(status, &turn.local.contact)
        };
        let Some(bytes) = finish(writer, body) else { return };
        turn.transmit(self.server.provisional(bytes));
    }

    /// Gives a reliable provisional response of this number (RFC 3262 §3); returns it with where it goes.
    pub(in crate::sip) fn reliable(
        &mut self,
        turn: &mut Turn<'_>,
        status: StatusCode,
        body: Option<&Bytes>,
        rseq: u32,
    ) -> Option<(Hop, Bytes)> {
        let reply = self.reply.as_ref()?;
        let mut writer = reply.dialog_response(status, &turn.local.contact);
        writer.header(HeaderName::Require, RELIABLE);
        writer.header(HeaderName::RSeq, rseq);
        writer.header(HeaderName::Allow, ALLOW); // whether UPDATE may follow: RFC 3311 §5.1
        let (to, bytes) = (reply.destination, finish(writer, body)?);
        turn.transmit(self.server.provisional(bytes.clone()));
        Some((to, bytes))
    }

    /// Accepts the INVITE with 200; returns the peer's new target. False pending: nothing happens.
    pub(in crate::sip) fn accept(&mut self, turn: &mut Turn<'_>, body: Option<&Bytes>) -> Option<Accepted> {
        if !self.is_pending() {
            return None;
        }
        let reply = self.reply.take()?;
        let mut writer = reply.dialog_response(StatusCode::OK, &turn.local.contact);
        writer.header(HeaderName::Allow, ALLOW); // §13.3.1.4
        writer.header(HeaderName::Supported, timer::TIMER);
        timer::write(&mut writer, self.expires);
        let response = finish(writer, body)?;
        self.server.accept(turn.now);
        turn.send(reply.destination, response.clone());
        // Repeated on every transport: the next hop's may lose it (§13.3.1.4).
        self.unacked = Some(Unacked {
            response,
            repeat: Repeat::start(Timer::G, turn.now, Reliability::Unreliable),
            give_up: Timer::H.deadline(turn.now, Reliability::Unreliable),
        });
        Some(Accepted { target: self.contact.take(), expires: self.expires })
    }

    /// Refuses the INVITE.
    pub(in crate::sip) fn refuse(&mut self, turn: &mut Turn<'_>, objection: &Objection) {
        if !self.is_pending() {
            return;
        }
        let Some(reply) = self.reply.take() else { return };
        if let Some(bytes) = reply.bare(objection.status, &objection.headers) {
            turn.transmit(self.server.refuse(turn.now, bytes));
        }
    }

    /// The INVITE came once more.
    pub(in crate::sip) fn repeated(&self, turn: &mut Turn<'_>) {
        turn.transmit(self.server.repeated());
    }

    /// The ACK of our refusal came.
    pub(in crate::sip) fn refusal_acked(&mut self, now: Timestamp) {
        self.server.acknowledged(now);
    }

    /// The ACK of our 2xx came, or is implied; true if it was waited for.
    pub(in crate::sip) fn acked(&mut self) -> bool {
        self.unacked.take().is_some()
    }

    /// Runs the timers that are due.
    pub(in crate::sip) fn timeout(&mut self, turn: &mut Turn<'_>) -> Wait {
        if let Lapse::Resend(bytes) = self.server.timeout(turn.now) {
            turn.resend(self.server.destination(), bytes);
        }
        let Some(unacked) = &mut self.unacked else { return Wait::On };
        if unacked.give_up <= turn.now {
            self.unacked = None;
            return Wait::Vain;
        }
        if unacked.repeat.as_mut().is_some_and(|repeat| repeat.due(turn.now)) {
            turn.resend(self.server.destination(), unacked.response.clone());
        }
        Wait::On
    }

    pub(in crate::sip) fn poll_timeout(&self) -> Option<Timestamp> {
        let unacked = self.unacked.as_ref().and_then(|unacked| {
            Timestamp::earliest(unacked.repeat.map(|repeat| repeat.at()), Some(unacked.give_up))
        });
        Timestamp::earliest(self.server.poll_timeout(), unacked)
    }

    /// The record was restored: the last response once more.
    pub(in crate::sip) fn resume(&self, turn: &mut Turn<'_>) {
        self.repeated(turn);
        if let Some(unacked) = &self.unacked {
            turn.transmit(Transmit::again(self.server.destination(), unacked.response.clone()));
        }
    }

    pub(in crate::sip) const fn is_over(&self) -> bool {
        self.server.is_terminated() && self.unacked.is_none()
    }
}

/// An INVITE or UPDATE was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sip) struct Accepted {
    /// The peer's Contact, if it named one.
    pub(in crate::sip) target: Option<Uri>,
    /// What the 2xx says about the session timer.
    pub(in crate::sip) expires: Option<SessionExpires>,
}
