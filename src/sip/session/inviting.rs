//! A re-INVITE of ours (RFC 3261 §14.1), from its sending until its last repeat has died away.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::derived::Change;
use super::outgoing::{Next, Outgoing, Received};
use super::turn::Turn;
use super::{Event, retry_after, sdp_of_response};
use crate::sip::dialog::{self, Dialog};
use crate::sip::local::{ALLOW, finish};
use crate::sip::transaction::Transmit;
use crate::sip::{HeaderName, Method, NameAddr, Response};
use crate::time::Timestamp;

/// The re-INVITE.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sip) struct Inviting {
    invite: Outgoing,
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
        let body = offer.map(Bytes::as_ref).unwrap_or_default();
        turn.sign(&mut writer, &Method::Invite, &dialog.path().request_uri, body);
        let bytes = finish(writer, offer).ok()?;
        let invite = Outgoing::send(turn, dialog.destination(turn.local), bytes, branch, cseq);
        Some(Self { invite, ack: None })
    }

    /// A response came that carries this branch.
    pub(in crate::sip) fn receive(
        &mut self,
        turn: &mut Turn<'_>,
        dialog: &mut Dialog,
        response: &Response,
        branch: &str,
    ) {
        match self.invite.receive(turn, response, branch) {
            Received::Provisional | Received::Nothing => {}
            Received::Success => match &self.ack {
                Some(ack) => turn.transmit(ack.clone()),
                None => self.accepted(turn, dialog, response),
            },
            Received::Failure { invite } => self.refused(turn, dialog, response, &invite),
        }
    }

    fn accepted(&mut self, turn: &mut Turn<'_>, dialog: &mut Dialog, response: &Response) {
        if let Some(target) = dialog::contact(response.headers()) {
            dialog.refresh_target(target);
        }
        turn.tell(Event::ReinviteAnswered { body: sdp_of_response(response) });
        self.ack = self.invite.acknowledge(turn, dialog);
    }

    fn refused(&mut self, turn: &mut Turn<'_>, dialog: &mut Dialog, response: &Response, invite: &Bytes) {
        if self.invite.challenged(turn, response) {
            let to = dialog.destination(turn.local);
            let next = Next { cseq: dialog.next_cseq(), to, change: Change::default() };
            if self.invite.again(turn, invite, next) {
                return;
            }
        }
        let retry_after = retry_after(response.headers());
        turn.tell(Event::ReinviteRefused { status: Some(response.status()), retry_after });
    }

    /// Runs the timers that are due.
    pub(in crate::sip) fn timeout(&mut self, turn: &mut Turn<'_>) {
        if self.invite.timeout(turn) {
            turn.tell(Event::ReinviteRefused { status: None, retry_after: None });
        }
        if self.invite.is_over() {
            self.ack = None;
        }
    }

    pub(in crate::sip) fn poll_timeout(&self) -> Option<Timestamp> {
        self.invite.poll_timeout()
    }

    /// The record was restored.
    pub(in crate::sip) fn resume(&self, turn: &mut Turn<'_>) {
        self.invite.resume(turn);
        turn.transmit(self.ack.clone());
    }

    pub(in crate::sip) fn knows(&self, branch: &str) -> bool {
        self.invite.knows(branch)
    }

    pub(in crate::sip) const fn is_pending(&self) -> bool {
        self.invite.is_pending()
    }

    pub(in crate::sip) fn is_over(&self) -> bool {
        self.invite.is_over()
    }

    /// No connection could be made for it: sends it by UDP instead, if it may go there.
    pub(in crate::sip) fn by_udp(&mut self, turn: &mut Turn<'_>) -> bool {
        self.invite.by_udp(turn)
    }

    /// Ends the transaction without a final response.
    pub(in crate::sip) fn abandon(&mut self) {
        self.invite.abandon();
    }
}
