//! A re-INVITE of ours (RFC 3261 §14.1), from its sending until its last repeat has died away.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::derived;
use super::turn::Turn;
use super::{Event, retry_after, sdp_of_response};
use crate::sip::dialog::{self, Dialog};
use crate::sip::local::{ALLOW, finish};
use crate::sip::transaction::{InviteClient, InviteReceived, Lapse, Transmit};
use crate::sip::{HeaderName, Method, NameAddr, Response};
use crate::time::Timestamp;

/// The re-INVITE.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sip) struct Inviting {
    client: InviteClient,
    cseq: u32,
    /// The ACK of its 2xx, sent again for each repeat of that.
    ack: Option<Transmit>,
}

impl Inviting {
    /// Sends a re-INVITE; `None`: nothing was sent.
    pub(in crate::sip) fn send(
        dialog: &mut Dialog,
        turn: &mut Turn<'_>,
        offer: Option<&Bytes>,
    ) -> Option<Self> {
        let branch = turn.local.branch(turn.mint);
        let cseq = dialog.next_cseq();
        let mut writer = dialog.request(turn.local, &Method::Invite, cseq, &branch);
        writer.header(HeaderName::Contact, NameAddr::new(turn.local.contact.clone()));
        writer.header(HeaderName::Allow, ALLOW);
        let (to, bytes) = turn.local.carry(dialog.destination(turn.local), finish(writer, offer).ok()?);
        turn.send(to, bytes.clone());
        let client = InviteClient::new(turn.now, bytes, branch, to);
        Some(Self { client, cseq, ack: None })
    }

    /// A response came that carries this branch.
    pub(in crate::sip) fn receive(&mut self, turn: &mut Turn<'_>, dialog: &mut Dialog, response: &Response) {
        let status = response.status();
        let derive = |invite: &Bytes| derived::ack_of_failure(invite, response);
        match self.client.receive(turn.now, status.as_u16(), derive) {
            InviteReceived::Provisional | InviteReceived::Stray => {}
            InviteReceived::Success => match &self.ack {
                Some(ack) => turn.transmit(ack.clone()),
                None => self.accepted(turn, dialog, response),
            },
            InviteReceived::Failure => {
                if let Some(ack) = self.client.failure_ack().cloned() {
                    turn.send(self.client.destination(), ack);
                }
                let retry_after = retry_after(response.headers());
                turn.tell(Event::ReinviteRefused { status: Some(status), retry_after });
            }
            InviteReceived::FailureAgain => {
                if let Some(ack) = self.client.failure_ack().cloned() {
                    turn.resend(self.client.destination(), ack);
                }
            }
        }
    }

    fn accepted(&mut self, turn: &mut Turn<'_>, dialog: &mut Dialog, response: &Response) {
        if let Some(target) = dialog::contact(response.headers()) {
            dialog.refresh_target(target);
        }
        turn.tell(Event::ReinviteAnswered { body: sdp_of_response(response) });
        self.ack = ack_of_success(turn, dialog, self.cseq);
    }

    /// Runs the timers that are due.
    pub(in crate::sip) fn timeout(&mut self, turn: &mut Turn<'_>) {
        match self.client.timeout(turn.now) {
            Lapse::Nothing => {}
            Lapse::Resend(bytes) => turn.resend(self.client.destination(), bytes),
            Lapse::GaveUp => turn.tell(Event::ReinviteRefused { status: None, retry_after: None }),
        }
        if self.client.is_terminated() {
            self.ack = None;
        }
    }

    pub(in crate::sip) fn poll_timeout(&self) -> Option<Timestamp> {
        self.client.poll_timeout()
    }

    /// The record was restored.
    pub(in crate::sip) fn resume(&self, turn: &mut Turn<'_>) {
        turn.transmit(self.client.resume(turn.now));
        turn.transmit(self.ack.clone());
    }

    pub(in crate::sip) fn branch(&self) -> &str {
        self.client.branch()
    }

    pub(in crate::sip) const fn is_pending(&self) -> bool {
        self.client.is_pending()
    }

    pub(in crate::sip) const fn is_over(&self) -> bool {
        self.client.is_terminated()
    }

    /// No connection could be made for it: sends it by UDP instead, if it may go there.
    pub(in crate::sip) fn by_udp(&mut self, turn: &mut Turn<'_>) -> bool {
        let transmit = self.client.by_udp(turn.now, turn.local);
        let goes = transmit.is_some();
        turn.transmit(transmit);
        goes
    }

    /// Ends the transaction without a final response.
    pub(in crate::sip) fn abandon(&mut self) {
        self.client.abandon();
    }
}

/// Sends the ACK of a 2xx (§13.2.2.4), a request of its own branch with the INVITE's number; returns it
/// as the repeat that later copies of the 2xx will ask for.
pub(super) fn ack_of_success(turn: &mut Turn<'_>, dialog: &Dialog, cseq: u32) -> Option<Transmit> {
    let branch = turn.local.branch(turn.mint);
    let bytes = dialog.request(turn.local, &Method::Ack, cseq, &branch).finish().ok()?;
    let (to, bytes) = turn.local.carry(dialog.destination(turn.local), bytes);
    turn.send(to, bytes.clone());
    Some(Transmit::again(to, bytes))
}
