//! A request of ours within the dialog that is neither INVITE nor ACK (RFC 3261 §12.2.1), from its sending
//! until its last repeat has died away.

use serde::{Deserialize, Serialize};

use super::turn::Turn;
use crate::sip::dialog::Dialog;
use crate::sip::digest::Tried;
use crate::sip::local::with_reason;
use crate::sip::transaction::{Lapse, NonInviteClient, NonInviteReceived};
use crate::sip::{Method, Reason, Response, StatusCode};
use crate::time::Timestamp;

/// The request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sip) struct Asking {
    client: NonInviteClient,
    purpose: Purpose,
    reason: Option<Reason>,
    tried: Tried,
}

/// What it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sip) enum Purpose {
    /// BYE.
    Bye,
    /// OPTIONS: is the peer still there?
    Probe,
}

impl Purpose {
    const fn method(self) -> Method {
        match self {
            Self::Bye => Method::Bye,
            Self::Probe => Method::Options,
        }
    }
}

/// How the request ended: its final status, or `None` if nobody answered.
pub(in crate::sip) type Answered = Option<StatusCode>;

impl Asking {
    /// Sends the request; `None`: nothing was sent.
    pub(in crate::sip) fn send(
        dialog: &mut Dialog,
        turn: &mut Turn<'_>,
        purpose: Purpose,
        reason: Option<&Reason>,
    ) -> Option<Self> {
        let client = transact(dialog, turn, purpose, reason)?;
        Some(Self { client, purpose, reason: reason.cloned(), tried: Tried::default() })
    }

    pub(in crate::sip) fn branch(&self) -> &str {
        self.client.branch()
    }

    pub(in crate::sip) const fn purpose(&self) -> Purpose {
        self.purpose
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
            && let Some(client) = transact(dialog, turn, self.purpose, self.reason.as_ref())
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
    pub(in crate::sip) fn resume(&self, turn: &mut Turn<'_>) {
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
fn transact(
    dialog: &mut Dialog,
    turn: &mut Turn<'_>,
    purpose: Purpose,
    reason: Option<&Reason>,
) -> Option<NonInviteClient> {
    let branch = turn.local.branch(turn.mint);
    let (method, cseq) = (purpose.method(), dialog.next_cseq());
    let mut writer = dialog.request(turn.local, &method, cseq, &branch);
    with_reason(&mut writer, reason);
    turn.sign(&mut writer, &method, &dialog.path().request_uri, &[]);
    let (to, bytes) = turn.local.carry(dialog.destination(turn.local), writer.finish().ok()?);
    turn.send(to, bytes.clone());
    Some(NonInviteClient::new(turn.now, bytes, branch, to))
}
