//! A request of ours within the dialog that is neither INVITE nor ACK (RFC 3261 §12.2.1), from its sending
//! until its last repeat has died away.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::timer::TIMER;
use super::turn::Turn;
use crate::sip::dialog::Dialog;
use crate::sip::digest::Tried;
use crate::sip::local::{ALLOW, finish, with_reason};
use crate::sip::transaction::{Lapse, NonInviteClient, NonInviteReceived};
use crate::sip::{HeaderName, Method, NameAddr, RAck, Reason, Response, SessionExpires, StatusCode, Writer};
use crate::time::Timestamp;

/// The request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sip) struct Asking {
    client: NonInviteClient,
    wish: Wish,
    tried: Tried,
}

/// What is asked for, kept until the answer is final: a challenge makes it go out again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sip) enum Wish {
    /// BYE.
    Bye {
        /// Why.
        reason: Option<Reason>,
    },
    /// OPTIONS: is the peer still there?
    Probe,
    /// PRACK: its provisional response has come (RFC 3262 §4).
    Prack {
        /// Which one.
        rack: RAck,
    },
    /// UPDATE without a body: the session goes on (RFC 4028 §7.4).
    Refresh {
        /// For how long.
        expires: SessionExpires,
        /// The least that the peer takes, if it has said so.
        min_se: Option<u32>,
    },
    /// UPDATE with another description, or with none: it tells our Contact (RFC 3311 §5.1).
    Update {
        /// The offer.
        offer: Option<Bytes>,
        /// As [`Refresh`](Self::Refresh), if the session has a timer.
        refresh: Option<(SessionExpires, Option<u32>)>,
    },
}

impl Wish {
    const fn method(&self) -> Method {
        match self {
            Self::Bye { .. } => Method::Bye,
            Self::Probe => Method::Options,
            Self::Prack { .. } => Method::Prack,
            Self::Refresh { .. } | Self::Update { .. } => Method::Update,
        }
    }

    /// Its body.
    const fn body(&self) -> Option<&Bytes> {
        match self {
            Self::Update { offer, .. } => offer.as_ref(),
            Self::Bye { .. } | Self::Probe | Self::Prack { .. } | Self::Refresh { .. } => None,
        }
    }
}

/// How the request ended: its final status, or `None` if nobody answered.
pub(in crate::sip) type Answered = Option<StatusCode>;

impl Asking {
    /// Sends the request; `None`: nothing was sent.
    pub(in crate::sip) fn send(dialog: &mut Dialog, turn: &mut Turn<'_>, wish: Wish) -> Option<Self> {
        let client = transact(dialog, turn, &wish)?;
        Some(Self { client, wish, tried: Tried::default() })
    }

    pub(in crate::sip) fn branch(&self) -> &str {
        self.client.branch()
    }

    pub(in crate::sip) const fn wish(&self) -> &Wish {
        &self.wish
    }

    /// A response came that carries its branch. A challenge that can be answered is no answer yet: the
    /// request goes out again (RFC 3261 §22.2).
    pub(in crate::sip) fn receive(
        &mut self,
        dialog: &mut Dialog,
        turn: &mut Turn<'_>,
        response: &Response,
    ) -> Option<Answered> {
        match self.client.receive(turn.now, response.status().as_u16()) {
            NonInviteReceived::Final => {}
            NonInviteReceived::Provisional | NonInviteReceived::Stray => return None,
        }
        if turn.challenged(response, &mut self.tried)
            && let Some(client) = transact(dialog, turn, &self.wish)
        {
            self.client = client;
            return None;
        }
        Some(Some(response.status()))
    }

    /// Runs the timers that are due.
    pub(in crate::sip) fn timeout(&mut self, turn: &mut Turn<'_>) -> Option<Answered> {
        match self.client.timeout(turn.now) {
            Lapse::Nothing => None,
            Lapse::Resend(bytes) => {
                turn.resend(self.client.destination(), bytes);
                None
            }
            Lapse::GaveUp => Some(None),
        }
    }

    pub(in crate::sip) fn poll_timeout(&self) -> Option<Timestamp> {
        self.client.poll_timeout()
    }

    /// The record was restored.
    pub(in crate::sip) fn resume(&mut self, turn: &mut Turn<'_>) {
        turn.transmit(self.client.resume(turn.now));
    }

    pub(in crate::sip) const fn is_pending(&self) -> bool {
        self.client.is_pending()
    }

    /// The transport failed: ends it without an answer, if it waits for one.
    pub(in crate::sip) fn abandon(&mut self) -> Option<Answered> {
        let was_pending = self.client.is_pending();
        self.client.abandon();
        was_pending.then_some(None)
    }

    pub(in crate::sip) const fn is_over(&self) -> bool {
        self.client.is_terminated()
    }
}

/// Sends the request as one of its own.
fn transact(dialog: &mut Dialog, turn: &mut Turn<'_>, wish: &Wish) -> Option<NonInviteClient> {
    let branch = turn.local.branch(turn.mint);
    let (method, cseq) = (wish.method(), dialog.next_cseq());
    let mut writer = dialog.request(turn.local, &method, cseq, &branch);
    match wish {
        Wish::Bye { reason } => with_reason(&mut writer, reason.as_ref()),
        Wish::Probe => {}
        Wish::Prack { rack } => {
            writer.header(HeaderName::RAck, rack);
        }
        Wish::Refresh { expires, min_se } => refresh(&mut writer, turn, Some((expires, *min_se))),
        Wish::Update { refresh: wanted, .. } => {
            writer.header(HeaderName::Allow, ALLOW);
            refresh(&mut writer, turn, wanted.as_ref().map(|(expires, min_se)| (expires, *min_se)));
        }
    }
    let body = wish.body();
    let signed = body.map(Bytes::as_ref).unwrap_or_default();
    turn.sign(&mut writer, &method, &dialog.path().request_uri, signed);
    let (to, bytes) = turn.local.carry(dialog.destination(turn.local), finish(writer, body).ok()?);
    turn.send(to, bytes.clone());
    Some(NonInviteClient::new(turn.now, bytes, branch, to))
}

/// What an UPDATE says about our target and the session timer (RFC 4028 §7.4).
fn refresh(writer: &mut Writer, turn: &Turn<'_>, wanted: Option<(&SessionExpires, Option<u32>)>) {
    writer.header(HeaderName::Contact, NameAddr::new(turn.local.contact.clone()));
    writer.header(HeaderName::Supported, TIMER);
    let Some((expires, min_se)) = wanted else { return };
    writer.header(HeaderName::SessionExpires, expires);
    if let Some(min_se) = min_se {
        writer.header(HeaderName::MinSe, min_se);
    }
}
