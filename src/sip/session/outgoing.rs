//! An INVITE of ours through all its attempts: RFC 3261 §17.1.1, §8.1.3.5, §22.
//!
//! ```text
//! INVITE 1 ──401──► ACK, INVITE 2 (signed) ──► 2xx: ACK with the same credentials
//!    └ until the repeats of its 401 have died away, former
//! ```
//! Each attempt is a request of its own: another branch, the next CSeq, all else the same.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::derived;
use super::turn::Turn;
use crate::sip::dialog::Dialog;
use crate::sip::digest::Tried;
use crate::sip::hop::Hop;
use crate::sip::transaction::{InviteClient, InviteReceived, Lapse, Transmit};
use crate::sip::{HeaderName, Method, Response};
use crate::time::Timestamp;

/// The INVITE, from its first sending until the last repeat of an answer has died away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sip) struct Outgoing {
    client: InviteClient,
    cseq: u32,
    /// Attempts that were refused.
    former: Vec<InviteClient>,
    tried: Tried,
    /// What its ACK repeats of it (§13.2.2.4).
    credentials: Vec<(HeaderName, String)>,
}

/// What a response meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sip) enum Received {
    /// Provisional.
    Provisional,
    /// 2xx: the first, a repeat, or another fork's.
    Success,
    /// The first final response that is not 2xx; its ACK is on its way.
    Failure {
        /// The INVITE that it refuses.
        invite: Bytes,
    },
    /// Nothing that anyone else needs to know.
    Nothing,
}

/// What is different in the next attempt.
#[derive(Clone, Debug)]
pub(in crate::sip) struct Next {
    pub(in crate::sip) cseq: u32,
    pub(in crate::sip) to: Hop,
    pub(in crate::sip) change: derived::Change,
}

impl Outgoing {
    /// Sends an INVITE.
    pub(in crate::sip) fn send(
        turn: &mut Turn<'_>,
        to: Hop,
        invite: Bytes,
        branch: String,
        cseq: u32,
    ) -> Self {
        let (to, bytes) = turn.local.carry(to, invite);
        turn.send(to, bytes.clone());
        let credentials = derived::credentials(&bytes);
        let client = InviteClient::new(turn.now, bytes, branch, to);
        Self { client, cseq, former: Vec::new(), tried: Tried::default(), credentials }
    }

    /// Sends the next attempt in the place of one that was refused; false if nothing was sent.
    pub(in crate::sip) fn again(&mut self, turn: &mut Turn<'_>, invite: &Bytes, next: Next) -> bool {
        let branch = turn.local.branch(turn.mint);
        let via = turn.local.via(next.to.protocol, &branch);
        let Some(bytes) = derived::again(turn, invite, via, next.cseq, next.change) else { return false };
        let sent = Self::send(turn, next.to, bytes, branch, next.cseq);
        let Self { client, cseq, credentials, .. } = sent;
        self.former.push(std::mem::replace(&mut self.client, client));
        self.cseq = cseq;
        self.credentials = credentials;
        true
    }

    /// True if a response with this branch is to one of the attempts.
    pub(in crate::sip) fn knows(&self, branch: &str) -> bool {
        self.client.branch() == branch || self.former.iter().any(|client| client.branch() == branch)
    }

    /// A response came with a branch of ours.
    pub(in crate::sip) fn receive(
        &mut self,
        turn: &mut Turn<'_>,
        response: &Response,
        branch: &str,
    ) -> Received {
        let of_current = self.client.branch() == branch;
        let former = self.former.iter_mut().find(|client| client.branch() == branch);
        let Some(client) = (if of_current { Some(&mut self.client) } else { former }) else {
            return Received::Nothing;
        };
        let invite = client.request().cloned().unwrap_or_default();
        let derive = |invite: &Bytes| derived::ack_of_failure(invite, response);
        match client.receive(turn.now, response.status().as_u16(), derive) {
            InviteReceived::Provisional => Received::Provisional,
            InviteReceived::Success => Received::Success,
            InviteReceived::Failure => {
                if let Some(ack) = client.failure_ack().cloned() {
                    turn.send(client.destination(), ack);
                }
                Received::Failure { invite }
            }
            InviteReceived::FailureAgain => {
                if let Some(ack) = client.failure_ack().cloned() {
                    turn.resend(client.destination(), ack);
                }
                Received::Nothing
            }
            InviteReceived::Stray => Received::Nothing,
        }
    }

    /// True if a refusal is a challenge that can be answered.
    pub(in crate::sip) fn challenged(&mut self, turn: &mut Turn<'_>, response: &Response) -> bool {
        turn.challenged(response, &mut self.tried)
    }

    /// The next attempt goes to somebody else, who may ask what the others asked.
    pub(in crate::sip) fn forget_tries(&mut self) {
        self.tried = Tried::default();
    }

    /// Sends the ACK of a 2xx (§13.2.2.4), a request of its own branch with the INVITE's number; returns it
    /// as the repeat that later copies of the 2xx will ask for.
    pub(in crate::sip) fn acknowledge(&self, turn: &mut Turn<'_>, dialog: &Dialog) -> Option<Transmit> {
        self.acknowledge_attempt(turn, dialog, self.cseq)
    }

    /// The same for an attempt with this number: the current one, or one that was given up.
    pub(in crate::sip) fn acknowledge_attempt(
        &self,
        turn: &mut Turn<'_>,
        dialog: &Dialog,
        cseq: u32,
    ) -> Option<Transmit> {
        let branch = turn.local.branch(turn.mint);
        let mut writer = dialog.request(turn.local, &Method::Ack, cseq, &branch);
        for (name, value) in self.credentials.iter().filter(|_| cseq == self.cseq) {
            writer.header(name, value);
        }
        let (to, bytes) = turn.local.carry(dialog.destination(turn.local), writer.finish().ok()?);
        turn.send(to, bytes.clone());
        Some(Transmit::again(to, bytes))
    }

    /// Runs the timers that are due; true if nobody answered (timer B).
    pub(in crate::sip) fn timeout(&mut self, turn: &mut Turn<'_>) -> bool {
        for client in &mut self.former {
            client.timeout(turn.now);
        }
        self.former.retain(|client| !client.is_terminated());
        match self.client.timeout(turn.now) {
            Lapse::Nothing => false,
            Lapse::Resend(bytes) => {
                turn.resend(self.client.destination(), bytes);
                false
            }
            Lapse::GaveUp => true,
        }
    }

    pub(in crate::sip) fn poll_timeout(&self) -> Option<Timestamp> {
        self.former.iter().filter_map(InviteClient::poll_timeout).chain(self.client.poll_timeout()).min()
    }

    /// The record was restored.
    pub(in crate::sip) fn resume(&self, turn: &mut Turn<'_>) {
        for client in &self.former {
            turn.transmit(client.resume(turn.now));
        }
        turn.transmit(self.client.resume(turn.now));
    }

    /// Another instance goes on with it at another address: final responses that may not have been acknowledged are,
    /// and the INVITE itself is sent no more, because its responses go to the address that it left from.
    pub(in crate::sip) fn take_over(&mut self, turn: &mut Turn<'_>) {
        self.hush();
        self.resume(turn);
    }

    /// Timer B ran out while nobody was there; whoever may have been heard by then, the INVITE is to be cancelled.
    pub(in crate::sip) fn hush(&mut self) {
        self.client.hush();
    }

    /// No connection could be made for it: sends it by UDP instead, if it may go there.
    pub(in crate::sip) fn by_udp(&mut self, turn: &mut Turn<'_>) -> bool {
        let transmit = self.client.by_udp(turn.now, turn.local);
        let goes = transmit.is_some();
        turn.transmit(transmit);
        goes
    }

    /// Waits for a final response no longer; who answers yet is heard (see [`InviteClient::give_up`]).
    pub(in crate::sip) fn give_up(&mut self, now: Timestamp) {
        self.client.give_up(now);
    }

    /// Ends every attempt, whatever may still be repeated of it.
    pub(in crate::sip) fn end(&mut self) {
        self.client.abandon();
        self.former.clear();
    }

    /// Ends the transaction without a final response.
    pub(in crate::sip) fn abandon(&mut self) {
        self.client.abandon();
    }

    pub(in crate::sip) const fn cseq(&self) -> u32 {
        self.cseq
    }

    /// The attempt that is under way, or was the last.
    pub(in crate::sip) const fn client(&self) -> &InviteClient {
        &self.client
    }

    pub(in crate::sip) const fn is_pending(&self) -> bool {
        self.client.is_pending()
    }

    pub(in crate::sip) fn is_over(&self) -> bool {
        self.client.is_terminated() && self.former.is_empty()
    }
}
